// Accuracy of pruned networks with and without repair, on a fixed part of the test samples.
// Command: npm run bench:reconstruct

import { findGroups, sliceModel } from '../src/channels/index.ts';
import { openDataset } from '../src/data/index.ts';
import { canonicalModel, findCriterion } from '../src/explain/index.ts';
import { loadModel, modelCosts } from '../src/onnx/index.ts';
import { evaluate, reconstruct, scoreModel, selectForMacs } from '../src/prune/index.ts';
import { type ResultTable, writeResults } from './lib/results.ts';
import { dataPath, modelPath, SHARED_MODELS } from './lib/shared.ts';

const FRACTIONS = [0.25, 0.1];
const CRITERIA = ['lrp-gamma', 'random'];
const PER_CLASS = 20;

const tables: ResultTable[] = [];
for (const { name, data, sampleShape, classes } of SHARED_MODELS) {
  const model = canonicalModel(await loadModel(modelPath(name)));
  const grouping = findGroups(model);
  const options = { sampleShape, classes, seed: 1 } as const;
  const calibration = await openDataset(dataPath(data), { ...options, split: 'local', perClass: PER_CLASS });
  // As many of each class as the rarest has on mitdb; a part of the images.
  const test = await openDataset(dataPath(data), {
    ...options,
    split: 'test',
    perClass: data === 'mitdb' ? 187 : 100,
  });
  const base = await evaluate(model, test, { name, threads: 2 });
  const total = modelCosts(model).macs;
  const rows: (string | number)[][] = [];
  for (const criterion of CRITERIA) {
    const scores = await scoreModel(model, grouping, findCriterion(criterion), calibration, {
      name,
      threads: 2,
    });
    for (const macsFraction of FRACTIONS) {
      const keep = selectForMacs(model, grouping, scores, { macsFraction, block: 1, global: false });
      const cut = sliceModel(model, grouping, keep);
      const began = performance.now();
      const repaired = await reconstruct(model, cut, grouping, keep, { name, calibration, threads: 2 });
      const seconds = (performance.now() - began) / 1000;
      const before = await evaluate(cut, test, { name, threads: 2 });
      const after = await evaluate(repaired.model, test, { name, threads: 2 });
      const left = repaired.layers.filter(({ refit }) => !refit).length;
      rows.push([
        criterion,
        (modelCosts(cut).macs / total).toFixed(3),
        before.balancedAccuracy.toFixed(3),
        after.balancedAccuracy.toFixed(3),
        (100 * (base.balancedAccuracy - after.balancedAccuracy)).toFixed(1),
        seconds.toFixed(1),
        left,
      ]);
      process.stderr.write(`${name} ${rows.at(-1)?.join(' ')}\n`);
    }
  }
  tables.push({
    title: name,
    columns: [
      'criterion',
      'MACs left',
      'cut',
      'repaired',
      'drop, points',
      'seconds to repair',
      'layers left alone',
    ],
    rows,
    note: `Unpruned ${base.balancedAccuracy.toFixed(3)} on ${test.size} samples; repaired from ${calibration.size}.`,
  });
  await write();
}

async function write(): Promise<void> {
  const text = await writeResults('reconstruct', {
    title: 'Repair without retraining',
    command: 'npm run bench:reconstruct',
    about: `Balanced accuracy. The same share of channels is cut from every group, for the share of MACs named; then every layer behind a pruned one is refit in closed form, in sequence, from ${PER_CLASS} samples a class whose labels are not read. One seed; counts not aligned to the engine.`,
    tables,
  });
  if (tables.length === SHARED_MODELS.length) process.stdout.write(text);
}
