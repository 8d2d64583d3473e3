// The samples of heatmaps: some of each class, each explained down to its input, with the network's probabilities.
import { type Dataset, subset } from '../../data/index.ts';
import { areRecordings, selectIndices } from '../../data/internal.ts';
import { createSession } from '../../engine/index.ts';
import { batchFeeds } from '../../evaluate/internal.ts';
import { type AttributionCriterion, attribute } from '../../explain/internal.ts';
import type { Model } from '../../onnx/index.ts';
import { calibrationBatches } from '../../prune/internal.ts';
import { beatGeometry, type ExplainedSample, predicted } from '../../report/index.ts';
import { hasClasses, must } from '../../util/index.ts';
import { assertFiniteRows, Random, type ScoreForm, softmax } from '../../util/internal.ts';
import type { Network } from '../network/network.ts';

/** Which samples are explained, and how. */
export interface SampleRequest {
  readonly criterion: AttributionCriterion;
  readonly target: 'label' | 'predicted';
  /** Samples of each class; of each predicted class if there are no labels. */
  readonly perClass: number;
  readonly batch: number;
  readonly threads: number;
  readonly seed: number;
  readonly onProgress?: (done: number, total: number) => void;
}

/**
 * Draws samples by the seed and explains them. Returns them in the order of the data set.
 * @throws BedsideError as `attribute` and `calibrationBatches`
 */
export async function explainedSamples(
  network: Network,
  dataset: Dataset,
  request: SampleRequest,
): Promise<ExplainedSample[]> {
  const { criterion, target, threads, seed, onProgress } = request;
  const indices = await chosenIndices(network, dataset, request);
  const chosen = subset(dataset, inWholeBatches(indices, network.classifier.fixedBatch));
  const probabilities = await probabilitiesOf(network, chosen, request);
  const { calibration, batch } = calibrationBatches(network.canonical, chosen, {
    name: network.name,
    batch: request.batch,
  });

  const size = calibration.samples.length / calibration.count;
  // The gradient of the loss points away from the class, so its sign is changed.
  const sign = criterion.spec.start === 'loss' ? -1 : 1;
  const found: ExplainedSample[] = [];
  await attribute(
    {
      model: network.canonical,
      modelName: network.name,
      calibration,
      random: new Random(seed),
      target,
      batch,
      threads,
      ...(onProgress ? { onProgress } : {}),
    },
    criterion.spec,
    ({ first, count, targets, input }) => {
      const relevance = must(input, 'no relevance of the input');
      for (let i = 0; i < count && first + i < indices.length; i++) {
        const at = first + i;
        found.push({
          index: indices[at] as number,
          origin: originOf(chosen, at),
          shape: chosen.sampleShape,
          inputs: network.classifier.inputs,
          sample: chosen.samples.subarray(at * size, (at + 1) * size),
          relevance: relevance.slice(i * size, (i + 1) * size).map((value) => sign * value),
          target: targets[i] as number,
          label: chosen.labels?.[at],
          subject: subjectOf(network.classifier, chosen, at, target),
          probabilities: must(probabilities[at], 'no probabilities'),
          classNames: chosen.classNames,
          beat: beatGeometry(dataset),
          criterion: {
            name: criterion.name,
            summary: criterion.summary,
            source: criterion.source,
            meaning: meaningOf(criterion),
          },
        });
      }
    },
    { wantInput: true },
  );
  return found;
}

/** Some of each class, or of each predicted class; of tasks without classes as many as of two classes. */
async function chosenIndices(
  network: Network,
  dataset: Dataset,
  request: SampleRequest,
): Promise<Int32Array> {
  const { perClass, seed } = request;
  const { size, name, labels } = dataset;
  if (!hasClasses(network.classifier.task)) {
    return selectIndices(size, undefined, { limit: 2 * perClass, seed }, name);
  }
  const all = labels ? undefined : await probabilitiesOf(network, dataset, request);
  const classes = labels ?? Int32Array.from(all ?? [], (row) => predicted({ probabilities: row }));
  return selectIndices(size, classes, { perClass, seed }, name);
}

/** What is explained of a sample of a task without classes; undefined where there is one. */
function subjectOf(
  { task, scores }: ScoreForm,
  { targets, classNames, size }: Dataset,
  at: number,
  target: 'label' | 'predicted',
): string | undefined {
  switch (task) {
    case 'multi-label': {
      if (!targets || target === 'predicted') return 'the labels found';
      const own = targets.data.subarray(
        (at * targets.data.length) / size,
        ((at + 1) * targets.data.length) / size,
      );
      const names = classNames.filter((_, k) => own[k]);
      return names.length === 0 ? 'the highest label' : `the labels ${names.join(', ')}`;
    }
    case 'segmentation':
      return targets && target === 'label' ? 'the mask' : 'the mask found';
    case 'regression':
      return scores === 1 ? 'the value' : `the sum of ${scores} values`;
    case 'embedding':
      return 'the squared norm of the vector';
    default:
      return undefined;
  }
}

function originOf(dataset: Dataset, i: number): string | undefined {
  const { kind, origins } = dataset;
  if (kind === 'synthetic') return 'a synthetic ECG';
  const origin = origins?.[i];
  return origin !== undefined && areRecordings(dataset) ? `record ${origin}` : origin;
}

/**
 * Relevance, and gradients times values or differences, distribute the score: contributions. A gradient alone gives the effect of
 * a change: sensitivity.
 */
export function meaningOf({ spec }: AttributionCriterion): ExplainedSample['criterion']['meaning'] {
  const shares = spec.attribution.kind !== 'gradient' || spec.input !== undefined;
  return shares || spec.reference !== undefined ? 'contribution' : 'sensitivity';
}

/**
 * One row of probabilities for each sample: the output itself if the model ends in Softmax or Sigmoid, otherwise the
 * softmax of the output.
 */
async function probabilitiesOf(
  { original, name, classifier }: Network,
  dataset: Dataset,
  { batch: wanted, threads }: SampleRequest,
): Promise<Float64Array[]> {
  const batch = classifier.fixedBatch ?? wanted;
  const { task, scores } = classifier;
  if (task !== 'single-label' && task !== 'binary' && task !== 'multi-label') {
    return Array.from({ length: dataset.size }, () => new Float64Array(0));
  }
  const read = endsInProbabilities(original, classifier.output)
    ? (row: readonly number[]) => Float64Array.from(row)
    : task === 'single-label'
      ? softmax
      : (row: readonly number[]) => Float64Array.from(row, (score) => 1 / (1 + Math.exp(-score)));
  const classed = (row: Float64Array): Float64Array =>
    task === 'binary' ? Float64Array.of(1 - (row[0] as number), row[0] as number) : row;
  const session = await createSession(original, { name, threads });
  const rows: Float64Array[] = [];
  try {
    for (let first = 0; first < dataset.size; first += batch) {
      const { feeds, count } = batchFeeds(classifier, dataset, first, batch);
      const outputs = await session.run(feeds, [classifier.output]);
      const { data } = must(outputs[classifier.output], `no output ${classifier.output}`);
      assertFiniteRows(
        data as Float32Array,
        count,
        scores,
        (i) => `${name}: the scores of sample ${first + i}`,
      );
      for (let i = 0; i < count; i++) {
        rows.push(classed(read(Array.from(data.subarray(i * scores, (i + 1) * scores), Number))));
      }
    }
  } finally {
    await session.release();
  }
  return rows;
}

function endsInProbabilities({ graph }: Model, output: string): boolean {
  const last = graph.nodes.find((node) => node.outputs.includes(output));
  return last !== undefined && (last.op === 'Softmax' || last.op === 'Sigmoid');
}

/** Repeats the last sample until the batch is full, for a model that fixes its batch size. */
function inWholeBatches(indices: Int32Array, fixedBatch: number | undefined): Int32Array {
  if (fixedBatch === undefined) return indices;
  const length = Math.ceil(indices.length / fixedBatch) * fixedBatch;
  return Int32Array.from({ length }, (_, i) => indices[Math.min(i, indices.length - 1)] as number);
}
