// Accuracy after cutting the same share of channels from every group, by criterion, on all test samples; nothing is
// retrained or repaired. The same as `bedside compare` with its defaults, for each shared model.
// Command: npm run bench:compare
import { openDataset } from '../src/data/index.ts';
import { canonicalModel, loadModel } from '../src/onnx/index.ts';
import { compareCriteria, findCriterion } from '../src/prune/index.ts';
import { type ResultTable, writeResults } from './lib/results.ts';
import { dataPath, modelPath, SHARED_MODELS } from './lib/shared.ts';

const CRITERIA =
  'lrp-gamma,lrp-zplus,lrp-epsilon,lrp-alpha2beta1,taylor,gradient,l1,l2,activation,apoz,random'.split(',');
const RATIOS = [0.1, 0.2, 0.3, 0.4, 0.5];
const PER_CLASS = 20;

const tables: ResultTable[] = [];
for (const { name, data, sampleShape, classes } of SHARED_MODELS) {
  const began = performance.now();
  const model = canonicalModel(await loadModel(modelPath(name)));
  const options = { sampleShape, classes, seed: 1 } as const;
  const calibration = await openDataset(dataPath(data), { ...options, split: 'local', perClass: PER_CLASS });
  const test = await openDataset(dataPath(data), { ...options, split: 'test' });
  const { base, rows, seconds } = await compareCriteria(model, {
    name,
    criteria: CRITERIA.map(findCriterion),
    ratios: RATIOS,
    calibration,
    test,
    threads: 2,
    onProgress: (step, done, total) => {
      if (done === total) process.stderr.write(`${name}: ${step}\n`);
    },
  });
  const imbalanced = Math.abs(base.accuracy - base.balancedAccuracy) > 0.01;
  const measures = imbalanced ? (['balancedAccuracy', 'accuracy'] as const) : (['accuracy'] as const);
  for (const measure of measures) {
    tables.push({
      title: `${name}: ${measure === 'accuracy' ? 'accuracy' : 'balanced accuracy'}`,
      columns: ['criterion', ...RATIOS.map(String), 'mean', 'seconds to score'],
      rows: [
        [
          'MACs left',
          ...RATIOS.map((ratio) => (rows.find((row) => row.ratio === ratio)?.macsFraction ?? 0).toFixed(3)),
          '',
          '',
        ],
        ...CRITERIA.map((criterion) => {
          const values = rows.filter((row) => row.criterion === criterion).map((row) => row[measure]);
          const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
          return [
            criterion,
            ...[...values, mean].map((value) => value.toFixed(3)),
            (seconds[criterion] ?? 0).toFixed(2),
          ];
        }),
      ],
      note: `Unpruned ${base[measure].toFixed(4)} on ${test.size} samples; scored on ${calibration.size}. ${((performance.now() - began) / 1000).toFixed(0)} s in all.`,
    });
  }
}

process.stdout.write(
  await writeResults('compare', {
    title: 'Criteria compared, without retraining',
    command: 'npm run bench:compare',
    about: `The share of channels named in the header is cut from every group, by score; ${PER_CLASS} calibration samples a class (fewer where the local split has fewer), seed 1, counts not aligned to the engine. mitdb is imbalanced (one class is 82 % of the beats), so balanced accuracy comes first there. Seconds to score are of a machine that did other work at the same time; results/explain.md has the cost of a pass.`,
    tables,
  }),
);
