// Scores of channels at several batch sizes, over untrained networks of many architectures and over files that hold
// their samples on other axes than the first: how far apart they are, and what is refused.
// Command: npm run bench:batch-size [-- FILE...]
import { readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { withEngineShapes } from '../src/engine/index.ts';
import type { LayerScores } from '../src/explain/index.ts';
import { canonicalModel, loadModel, type Model } from '../src/onnx/index.ts';
import { fixedBatchOf, sampleShapes, sizeOf } from '../src/onnx/internal.ts';
import { findCriterion } from '../src/prune/index.ts';
import { BedsideError, must } from '../src/util/index.ts';
import { Random } from '../src/util/internal.ts';
import { type ResultTable, writeResults } from './lib/results.ts';

const CRITERIA = [
  ...['activation-std', 'apoz', 'hrank', 'lrp-gamma', 'lrp-epsilon', 'taylor', 'fisher', 'deeplift-rescale'],
  ...['expected-gradients=2', 'smoothgrad=2'],
];
const BATCHES = [1, 2, 3, 8] as const;
const SAMPLES = 8;
/** What scores may be apart, of the largest of their layer. */
const GOAL = 1e-5;

const SHARED = join(import.meta.dirname, '../../shared');
const found = [
  'zoo',
  'cases/04-sequence-first',
  'cases/onnx/05-merged-batch-relevance',
  'cases/onnx/06-time-major-relevance',
]
  .flatMap((folder) => readdirSync(join(SHARED, folder)).map((name) => join(SHARED, folder, name)))
  .filter((path) => path.endsWith('.onnx'));
const given = process.argv.slice(2);

async function scoresOf(model: Model, criterion: string, batch: number): Promise<readonly LayerScores[]> {
  const input = must(model.graph.inputs[0], 'an input').name;
  const [, ...sampleShape] = must(sampleShapes(model).get(input), 'a shape');
  const random = new Random(5);
  const samples = Float32Array.from({ length: SAMPLES * sizeOf(sampleShape) }, () => random.normal());
  return findCriterion(criterion).score({
    model,
    modelName: 'model',
    calibration: { samples, count: SAMPLES, sampleShape, labels: undefined },
    random: new Random(3),
    target: 'predicted',
    batch,
    threads: 1,
  });
}

/** The largest difference of scores, as a share of the largest of each layer. */
function apart(a: readonly LayerScores[], b: readonly LayerScores[]): number {
  return Math.max(
    ...a.map(({ scores }, l) => {
      const other = must(b[l], 'a layer').scores;
      const most = scores.reduce((largest, score) => Math.max(largest, Math.abs(score)), 1e-30);
      return (
        scores.reduce((far, score, c) => Math.max(far, Math.abs(score - (other[c] as number))), 0) / most
      );
    }),
  );
}

async function rowOf(path: string): Promise<string[]> {
  const cells = [basename(path, '.onnx')];
  const model = canonicalModel(await withEngineShapes(await loadModel(path), path));
  if (fixedBatchOf(model) !== undefined) return [...cells, ...CRITERIA.map(() => 'fixed')];
  for (const criterion of CRITERIA) {
    try {
      const [first, ...others] = await Promise.all(BATCHES.map((batch) => scoresOf(model, criterion, batch)));
      cells.push(Math.max(...others.map((scores) => apart(must(first, 'scores'), scores))).toExponential(0));
    } catch (error) {
      if (!BedsideError.is(error)) throw error;
      process.stderr.write(`${cells[0]}, ${criterion}: ${error.code}: ${error.message}\n`);
      cells.push(error.code === 'E_UNSUPPORTED' ? 'refused' : error.code);
    }
  }
  return cells;
}

const rows: string[][] = [];
for (const path of given.length > 0 ? given : found) {
  rows.push(await rowOf(path));
  process.stderr.write(`${rows.at(-1)?.join('  ')}\n`);
}
const values = rows.flatMap((row) => row.slice(1).map(Number)).filter((value) => !Number.isNaN(value));
const above = values.filter((value) => value > GOAL).length;
const summary = `${values.length} of ${rows.length * CRITERIA.length} pairs of network and criterion compared, ${above} above ${GOAL}.`;
process.stdout.write(`${summary}\n`);
const table: ResultTable = {
  title: 'Largest difference, as a share of the largest score of a layer',
  columns: ['network', ...CRITERIA],
  rows,
  note: summary,
};
if (given.length === 0) {
  await writeResults('batch-size', {
    title: 'Scores and the batch size',
    command: 'npm run bench:batch-size',
    about:
      `Scores of ${SAMPLES} samples of noise at batches of ${BATCHES.join(', ')}, over untrained networks of many ` +
      'architectures and over files that hold their samples on other axes than the first. `refused`: the criterion does not ' +
      'work on the network, with a coded error; `fixed`: the file fixes its batch.',
    tables: [table],
  });
}
