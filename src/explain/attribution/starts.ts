// What each sample's pass starts from: a weight for each score (docs/tasks.md), or the targets of the loss.
import { createSession, tensor } from '../../engine/index.ts';
import { inferShapes } from '../../onnx/index.ts';
import { sizeOf, soleInput } from '../../onnx/internal.ts';
import { BedsideError, must } from '../../util/index.ts';
import {
  argmax,
  channelsOf,
  foundMasks,
  joinedRows,
  rowRange,
  type ScoreForm,
  thresholdOf,
  trueMasks,
  yesOrNo,
} from '../../util/internal.ts';
import { shapeUnknown } from '../backward/unknown-shape.ts';
import type { CriterionContext } from '../criterion.ts';
import { oneHot } from './pass.ts';

/** The starts of the passes. */
export interface Starts {
  /** `[count * perSample, scores]`. */
  values(first: number, count: number, perSample: number): Float32Array;
  /** The explained class of each sample; -1 where it is not one class. */
  targets(first: number, count: number): Int32Array;
}

/** Whether the start is a score, or the loss against what should be; and whether points need the same one. */
export interface StartKind {
  readonly loss: boolean;
  readonly points: boolean;
}

/**
 * The start of each sample's pass; undefined where the graph finds the predicted class itself.
 * @throws BedsideError E_DATA_FIT for a label outside the classes, or a mix of another size; E_CRITERION for a loss
 *   without labels, where the network's own answers have none
 */
export async function startsOf(context: CriterionContext, kind: StartKind): Promise<Starts | undefined> {
  const { calibration, model, target } = context;
  const { form } = calibration;
  const output = must(model.graph.outputs[0], 'a model without outputs').name;
  const shape = inferShapes(model, 1).get(output);
  if (shape === undefined) throw shapeUnknown(output);
  const size = sizeOf(shape.slice(1));
  if (typeof target === 'object') return mixStarts(target, size, context);
  if (form && form.task !== 'single-label') return await taskStarts(context, form, kind);
  let known = target === 'label' ? calibration.labels : undefined;
  // The prediction may change along a path or under noise, but the explained class must not.
  if (!known && (kind.points || kind.loss)) known = largest(await scoresOf(context), size);
  if (!known) return undefined;
  const labels = known;
  return {
    values: (first, count, perSample) =>
      oneHot(repeated(labels, first, count, perSample) as ArrayLike<number>, size),
    targets: (first, count) => labels.slice(first, first + count),
  };
}

function mixStarts(target: Float32Array, size: number, { modelName }: CriterionContext): Starts {
  if (target.length !== size) {
    throw new BedsideError('E_DATA_FIT', `the mix has ${target.length} classes, ${modelName} has ${size}`, {
      hint: 'give one weight for each class of the model',
    });
  }
  return {
    values: (_first, count, perSample) =>
      Float32Array.from({ length: count * perSample * size }, (_, i) => target[i % size] as number),
    targets: (_first, count) => new Int32Array(count).fill(-1),
  };
}

/** The starts of tasks other than one of several classes, all of one size. */
async function taskStarts(context: CriterionContext, form: ScoreForm, { loss }: StartKind): Promise<Starts> {
  const { calibration, target, modelName } = context;
  const labelled = target === 'label';
  const labels = labelled && form.task === 'binary' ? calibration.labels : undefined;
  const targets = labelled ? calibration.targets?.data : undefined;
  const known = labels ?? targets;
  const scores = known && loss ? undefined : await scoresOf(context);
  const rows = loss
    ? lossTargets(form, known, scores, context)
    : startWeights(form, known, must(scores, 'scores'), calibration.count, modelName);
  const classes = classesOf(form, known, scores, calibration.count);
  const { scores: size } = form;
  return {
    values(first, count, perSample) {
      if (perSample === 1) return rows.slice(first * size, (first + count) * size);
      const result = new Float32Array(count * perSample * size);
      for (let i = 0; i < count * perSample; i++) {
        const from = (first + Math.floor(i / perSample)) * size;
        result.set(rows.subarray(from, from + size), i * size);
      }
      return result;
    },
    targets: (first, count) => classes.slice(first, first + count),
  };
}

/**
 * The weight of each score, `[count, scores]`. Binary: 1 for class 1, -1 for class 0. Several labels and masks: 1 for
 * each label or position that the sample has (of exclusive classes, without the background); the highest score where it
 * has none. Values: 1. Embeddings: the embedding itself, so that half its squared norm is explained.
 * @param known labels or targets; without them, what the scores say
 */
export function startWeights(
  form: ScoreForm,
  known: ArrayLike<number> | undefined,
  scores: Float32Array,
  count: number,
  name: string,
): Float32Array {
  switch (form.task) {
    case 'binary': {
      const classes = known ?? yesOrNo(form, scores);
      return Float32Array.from({ length: count }, (_, i) => (classes[i] ? 1 : -1));
    }
    case 'regression':
      return new Float32Array(count * form.scores).fill(1);
    case 'embedding':
      return scores;
    default: {
      const weights = Float32Array.from(present(form, known, scores, count, name));
      if (form.exclusive) clearBackground(form, weights);
      for (let first = 0; first < weights.length; first += form.scores) {
        if (weights.subarray(first, first + form.scores).some((weight) => weight > 0)) continue;
        weights[first + highestForeground(form, scores, first)] = 1;
      }
      return weights;
    }
  }
}

/** The targets of the loss, `[count, scores]`. */
function lossTargets(
  form: ScoreForm,
  known: ArrayLike<number> | undefined,
  scores: Float32Array | undefined,
  { calibration, modelName }: CriterionContext,
): Float32Array {
  if (form.task === 'binary') {
    return Float32Array.from(known ?? yesOrNo(form, must(scores, 'scores')));
  }
  if (form.task === 'regression' || form.task === 'embedding') {
    if (known) return Float32Array.from(known);
    throw new BedsideError(
      'E_CRITERION',
      `the loss of ${modelName} (${form.task}) needs labels: against its own values it is 0`,
      { hint: 'use labelled data, or a criterion that explains the score, such as taylor or lrp-gamma' },
    );
  }
  return Float32Array.from(present(form, known, scores, calibration.count, modelName));
}

/** Labels or masks, 0 and 1, `[count, scores]`. */
function present(
  form: ScoreForm,
  known: ArrayLike<number> | undefined,
  scores: Float32Array | undefined,
  count: number,
  name: string,
): ArrayLike<number> & Iterable<number> {
  if (form.task === 'segmentation') {
    return known
      ? trueMasks(form, known, count, `the samples for ${name}`)
      : foundMasks(form, must(scores, 'scores'));
  }
  return known ? Uint8Array.from(known) : yesOrNo(form, must(scores, 'scores'));
}

function clearBackground(form: ScoreForm, weights: Float32Array): void {
  const positions = form.scores / channelsOf(form);
  for (let first = 0; first < weights.length; first += form.scores) {
    weights.fill(0, first, first + positions);
  }
}

/** The highest score of a row; of exclusive classes, without the background. */
function highestForeground(form: ScoreForm, scores: Float32Array, first: number): number {
  const skipped = form.exclusive ? form.scores / channelsOf(form) : 0;
  return skipped + argmax(scores, first + skipped, form.scores - skipped);
}

/** The class of each sample of a binary task; -1 for others. */
function classesOf(
  form: ScoreForm,
  known: ArrayLike<number> | undefined,
  scores: Float32Array | undefined,
  count: number,
): Int32Array {
  if (form.task !== 'binary') return new Int32Array(count).fill(-1);
  const threshold = thresholdOf(form);
  return Int32Array.from({ length: count }, (_, i) =>
    known ? (known[i] as number) : Number((scores?.[i] ?? 0) > threshold),
  );
}

/** The scores of every sample, `[count, scores]`. */
async function scoresOf(context: CriterionContext): Promise<Float32Array> {
  const { calibration, model, modelName, threads, batch } = context;
  const input = soleInput(model);
  const output = must(model.graph.outputs[0], 'a model without outputs').name;
  const session = await createSession(model, { name: modelName, threads });
  const parts: Float32Array[] = [];
  try {
    for (let first = 0; first < calibration.count; first += batch) {
      const count = Math.min(batch, calibration.count - first);
      const feed = tensor(rowRange(calibration.samples, calibration.count, first, count), [
        count,
        ...calibration.sampleShape,
      ]);
      const value = (await session.run({ [input]: feed }, [output]))[output];
      parts.push(must(value?.type === 'float32' ? value.data : undefined, `no float32 output ${output}`));
    }
  } finally {
    await session.release();
  }
  return joinedRows(parts);
}

/** The index of the largest entry of each row. */
export function largest(scores: ArrayLike<number>, size: number): Int32Array {
  return Int32Array.from({ length: scores.length / size }, (_, i) => argmax(scores, i * size, size));
}

function repeated(labels: Int32Array, first: number, count: number, perSample: number): Int32Array {
  return Int32Array.from(
    { length: count * perSample },
    (_, i) => labels[first + Math.floor(i / perSample)] as number,
  );
}
