// Unpruned accuracy on all test samples, and the measured speed-up of networks cut to a share of their MACs.
// Command: npm run bench:prune

import { findGroups, sliceModel } from '../src/channels/index.ts';
import { openDataset } from '../src/data/index.ts';
import { measureSpeedup } from '../src/evaluate/index.ts';
import { evaluateModel } from '../src/evaluate/internal.ts';
import { canonicalModel, loadModel, modelCosts } from '../src/onnx/index.ts';
import { findCriterion, scoreModel, selectForMacs } from '../src/prune/index.ts';
import { detectBlock } from '../src/prune/internal.ts';
import { writeResults } from './lib/results.ts';
import { dataPath, modelPath, SHARED_MODELS } from './lib/shared.ts';

const FRACTIONS = [0.5, 0.25];
/** As stated by whoever trained them, in percent. */
const STATED: Readonly<Record<string, number>> = {
  'medical-mnist-vgg16': 99.92,
  'medical-mnist-resnet18': 99.94,
  'ecg-resnet1d': 98.41,
};

const accuracyRows: (string | number)[][] = [];
const speedRows: (string | number)[][] = [];
const block = detectBlock();
for (const { name, data, sampleShape, classes } of SHARED_MODELS) {
  const original = await loadModel(modelPath(name));
  const options = { sampleShape, classes, seed: 1 } as const;
  const test = await openDataset(dataPath(data), { ...options, split: 'test' });
  const base = await evaluateModel(original, test, { name, threads: 2 });
  const percent = 100 * base.accuracy;
  accuracyRows.push([
    name,
    base.n,
    percent.toFixed(2),
    STATED[name] ?? '',
    (percent - (STATED[name] ?? 0)).toFixed(3),
  ]);

  const model = canonicalModel(original);
  const grouping = findGroups(model);
  const calibration = await openDataset(dataPath(data), { ...options, split: 'local', perClass: 20 });
  const scores = await scoreModel(model, grouping, findCriterion('lrp-gamma'), calibration, { name });
  const total = modelCosts(model).macs;
  for (const macsFraction of FRACTIONS) {
    const keep = selectForMacs(model, grouping, scores, { macsFraction, block, global: false });
    const cut = sliceModel(model, grouping, keep);
    const left = modelCosts(cut).macs / total;
    const speed = await measureSpeedup(
      { model: original, name },
      { model: cut, name: `${name}, pruned` },
      test,
      {
        rounds: 21,
      },
    );
    speedRows.push([
      name,
      macsFraction,
      left.toFixed(3),
      speed.before.toFixed(3),
      speed.after.toFixed(3),
      speed.speedup.toFixed(2),
      (speed.speedup * left).toFixed(2),
      name.startsWith('medical') ? '>= 0.8' : '',
    ]);
  }
}

process.stdout.write(
  await writeResults('prune', {
    title: 'Pruned networks: accuracy before, speed after',
    command: 'npm run bench:prune',
    about: `ONNX Runtime, one thread, batch of 32, both models timed in turn in one process (medians of 21 rounds). Channels cut by lrp-gamma, the same share in every group, kept counts aligned to blocks of ${block}.`,
    tables: [
      {
        title: 'Unpruned accuracy, all test samples',
        columns: ['model', 'samples', 'accuracy %', 'stated %', 'difference'],
        rows: accuracyRows,
      },
      {
        title: 'Speed-up against MACs saved',
        columns: [
          'model',
          'asked',
          'MACs left',
          'ms before',
          'ms after',
          'speed-up',
          'speed-up x MACs left',
          'goal',
        ],
        rows: speedRows,
      },
    ],
  }),
);
