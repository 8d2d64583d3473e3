// Measures the scores of a variant: against labels by the measure of the task, and against the unpruned network.
import { type BundleMeasure, labelledMeasure, type Variant } from '../bundle/internal.ts';
import type { Dataset } from '../data/index.ts';
import {
  agreement,
  classCounts,
  foundMasks,
  measuresOf,
  predictedClasses,
  type ScoreForm,
  trueMasks,
  yesOrNo,
} from '../evaluate/internal.ts';
import { BedsideError, hasClasses, MEASURE_WORDS, TASK_MEASURES } from '../util/index.ts';
import { binomialLowerBound } from '../util/internal.ts';
import { aurocLowerBound, bootstrapLowerBound, measureOf, type SummedMeasure } from './lower-bounds.ts';
import { summedDice, summedMean, summedR2 } from './summed-measures.ts';

/** What is measured of a variant's answers. */
export type Judgement = Pick<Variant, 'accuracy' | 'lowerBound' | 'recall' | 'agreement'>;

/** Accuracy by a bundle's measure, and its lower bound. */
type Figure = Pick<Variant, 'accuracy' | 'lowerBound'>;

/** Confidence of the lower bounds. */
const CONFIDENCE = 0.95;

/**
 * The measure of variants on these samples: `measure` if it is given, otherwise that of the task where there are labels,
 * and agreement where there are none.
 * @throws BedsideError E_DATA for another measure than agreement without labels
 */
export function judgedBy(
  { task }: Pick<ScoreForm, 'task'>,
  { labels, targets, name }: Dataset,
  measure: BundleMeasure | undefined,
): BundleMeasure {
  const labelled = (hasClasses(task) ? labels : targets) !== undefined;
  if (measure === undefined) return labelled ? labelledMeasure(task) : 'agreement';
  if (measure === 'agreement' || labelled) return measure;
  const word = MEASURE_WORDS[TASK_MEASURES[task][0]];
  throw new BedsideError('E_DATA', `${name} has no labels, so ${word} cannot be measured`, {
    hint: 'give labelled samples: the other variants of this bundle were measured on such',
  });
}

/**
 * Measures scores `[samples, ...]` of a network on the samples of `validation`.
 * @param whole the scores of the unpruned network
 * @throws BedsideError E_DATA when the samples do not allow the measure; E_DATA_FIT for targets of another size
 */
export function judge(
  form: ScoreForm,
  measure: BundleMeasure,
  validation: Dataset,
  whole: Float32Array,
  scores: Float32Array,
): Judgement {
  const alike = Math.max(0, agreement(form, whole, scores));
  const rest = hasClasses(form.task)
    ? judgeClasses(form, measure, validation, whole, scores)
    : {
        ...(measure === 'agreement'
          ? agreementFigure(form, whole, scores, alike)
          : labelledFigure(form, validation, scores)),
        recall: recallOf(form, measure === 'agreement' ? undefined : validation, scores),
      };
  return { ...rest, agreement: alike };
}

/** One class a sample: shares of samples, as a whole or as the mean of the classes. */
function judgeClasses(
  form: ScoreForm,
  measure: BundleMeasure,
  { labels: given, name }: Dataset,
  whole: Float32Array,
  scores: Float32Array,
): Omit<Judgement, 'agreement'> {
  const whose = (row: number): string => `the scores of sample ${row} of ${name}`;
  const labels = measure === 'agreement' ? undefined : given;
  const expected = labels ?? predictedClasses(form, whole, whose);
  const { right, total: counts } = classCounts(predictedClasses(form, scores, whose), expected, form.classes);
  const recall = Array.from(counts, (count, label) =>
    labels && count > 0 ? (right[label] as number) / count : null,
  );
  if (measure !== 'balanced') {
    const total = right.reduce((a, b) => a + b, 0);
    return { ...shareOf(total, expected.length), recall };
  }
  const present = Array.from(counts.keys()).filter((label) => (counts[label] as number) > 0);
  const mean = (of: (label: number) => number): number =>
    present.reduce((sum, label) => sum + of(label), 0) / Math.max(1, present.length);
  return {
    accuracy: mean((label) => (right[label] as number) / (counts[label] as number)),
    lowerBound: mean((label) =>
      binomialLowerBound(right[label] as number, counts[label] as number, CONFIDENCE),
    ),
    recall,
  };
}

function shareOf(right: number, count: number): Figure {
  return { accuracy: right / count, lowerBound: binomialLowerBound(right, count, CONFIDENCE) };
}

/** The main measure of a task without classes, against targets. */
function labelledFigure(form: ScoreForm, { targets, size, name }: Dataset, scores: Float32Array): Figure {
  if (!targets) throw new BedsideError('E_INTERNAL', `internal: ${name} has no targets`);
  // Checks that targets fit; what they give is computed here once more only where a bound needs its parts.
  const { measures, byLabel } = measuresOf(form, scores, targets, name);
  const [main] = TASK_MEASURES[form.task];
  const found = measures[main] ?? Number.NaN;
  if (Number.isNaN(found)) {
    throw new BedsideError(
      'E_DATA',
      `${name}: the samples that measure do not allow ${MEASURE_WORDS[main]}`,
      {
        hint: 'give more samples, among them some with and some without each label',
      },
    );
  }
  switch (form.task) {
    case 'multi-label': {
      const rows = byLabel ?? [{ label: 0, auroc: found, positives: sumOf(targets.data) }];
      const bounds = rows
        .map(({ auroc = Number.NaN, positives = 0 }) => aurocLowerBound(auroc, positives, size - positives))
        .filter((bound) => !Number.isNaN(bound));
      return { accuracy: found, lowerBound: sumOf(bounds) / bounds.length };
    }
    case 'segmentation':
      return summed(summedDice(form, foundMasks(form, scores), trueMasks(form, targets.data, size, name)));
    case 'regression':
      return summed(summedR2(scores, targets.data, form.scores));
    default:
      return summed(summedMean(cosines(scores, targets.data, form.scores)));
  }
}

/** Agreement with the unpruned network as the measure. */
function agreementFigure(form: ScoreForm, whole: Float32Array, scores: Float32Array, alike: number): Figure {
  switch (form.task) {
    case 'multi-label': {
      const count = scores.length / form.scores;
      return shareOf(Math.round(alike * count), count);
    }
    case 'segmentation':
      return {
        ...summed(summedDice(form, foundMasks(form, scores), foundMasks(form, whole))),
        accuracy: alike,
      };
    case 'regression':
      return { ...summed(summedR2(scores, whole, form.scores)), accuracy: alike };
    default:
      return { ...summed(summedMean(cosines(scores, whole, form.scores))), accuracy: alike };
  }
}

/** At least 0, as a bundle has it. */
function summed(measure: SummedMeasure): Figure {
  return { accuracy: Math.max(0, measureOf(measure)), lowerBound: bootstrapLowerBound(measure) };
}

/** The cosine of each row with its other; as `meanCosine`, of which it is the parts. */
function cosines(a: ArrayLike<number>, b: ArrayLike<number>, size: number): Float64Array {
  return Float64Array.from({ length: a.length / size }, (_, row) => {
    let [product, left, right] = [0, 0, 0];
    for (let i = row * size; i < (row + 1) * size; i++) {
      const [x, y] = [a[i] as number, b[i] as number];
      product += x * y;
      left += x * x;
      right += y * y;
    }
    if (left === 0 && right === 0) return 1;
    return left > 0 && right > 0 ? product / Math.sqrt(left * right) : 0;
  });
}

/** Recall of each label, or of each class of a mask by position; empty for values, nulls without targets. */
function recallOf(form: ScoreForm, validation: Dataset | undefined, scores: Float32Array): (number | null)[] {
  if (form.task !== 'multi-label' && form.task !== 'segmentation') return [];
  const { targets, size = 0, name = '' } = validation ?? {};
  if (!targets) return new Array<null>(form.classes).fill(null);
  const isMask = form.task === 'segmentation';
  const found = isMask ? foundMasks(form, scores) : yesOrNo(form, scores);
  const there = isMask ? trueMasks(form, targets.data, size, name) : targets.data;
  const channels = isMask && form.outputShape.length < 2 ? 1 : (form.outputShape[0] ?? 1);
  const positions = form.scores / channels;
  const alone = channels === 1 && form.classes === 2;
  const counts = new Float64Array(2 * form.classes);
  for (let i = 0; i < found.length; i++) {
    const label = alone ? (there[i] ? 1 : 0) : Math.floor((i % form.scores) / positions);
    if (!alone && !there[i]) continue;
    counts[2 * label] = (counts[2 * label] as number) + 1;
    // The background of a mask is found where the mask is not.
    if (Boolean(found[i]) === Boolean(there[i]))
      counts[2 * label + 1] = (counts[2 * label + 1] as number) + 1;
  }
  return Array.from({ length: form.classes }, (_, label) => {
    const count = counts[2 * label] as number;
    return count > 0 ? (counts[2 * label + 1] as number) / count : null;
  });
}

function sumOf(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i] as number;
  return sum;
}
