// The measures of each task (docs/tasks.md): from scores and what they should be, to numbers by name.

import type { Targets } from '../../data/internal.ts';
import { BedsideError, firstOf, MEASURE_WORDS, type MeasureName, must } from '../../util/index.ts';
import {
  channelsOf,
  foundMasks,
  type ScoreForm,
  thresholdOf,
  trueMasks,
  yesOrNo,
} from '../../util/internal.ts';
import { dice, iou, type Overlap, overlapOf } from './overlap.ts';
import { auroc, averagePrecision } from './ranking.ts';
import { meanAbsoluteError, meanCosine, r2 } from './values.ts';

/** Values by name; the first is the main one. NaN where the samples do not allow the measure. */
export type Measures = Readonly<Partial<Record<MeasureName, number>>>;

/** The measures of one label, of one class of a mask, or of one value. */
export interface LabelMeasures extends Measures {
  /** Index of the label. */
  readonly label: number;
  /** The score above which it counts as found, where there is one. */
  readonly threshold?: number;
  /** Samples that have the label, or positions of the class. */
  readonly positives?: number;
}

/** What was measured. */
export interface Measured {
  readonly measures: Measures;
  /** One entry for each label, class of a mask, or value, where there are several. */
  readonly byLabel?: readonly LabelMeasures[];
  /** For each measure, the labels that its mean leaves out, since it is not defined for them. */
  readonly leftOut: Readonly<Partial<Record<MeasureName, readonly number[]>>>;
}

/** The main measure: the first. */
export function mainMeasure(measures: Measures): { readonly name: MeasureName; readonly value: number } {
  const [name, value] = must(Object.entries(measures)[0], 'a measure');
  return { name: name as MeasureName, value };
}

/** AUROC, average precision and F1 of a single score against classes 0 and 1. */
export function binaryMeasures(form: ScoreForm, scores: Float32Array, labels: ArrayLike<number>): Measures {
  return {
    auroc: auroc(scores, labels),
    averagePrecision: averagePrecision(scores, labels),
    f1: dice(overlapOf(yesOrNo(form, scores), labels)),
  };
}

/**
 * The measures of a task that is not of classes, from scores `[n, ...outputShape]`.
 * @param name of the data, for messages
 * @throws BedsideError E_DATA_FIT when targets are of another kind or size
 */
export function measuresOf(form: ScoreForm, scores: Float32Array, targets: Targets, name: string): Measured {
  assertKind(form, scores, targets, name);
  switch (form.task) {
    case 'multi-label':
      return labelMeasures(form, scores, targets.data);
    case 'segmentation':
      return maskMeasures(
        form,
        foundMasks(form, scores),
        trueMasks(form, targets.data, scores.length / form.scores, name),
      );
    case 'regression':
      return valueMeasures(form, scores, targets.data);
    case 'embedding':
      return { measures: { cosine: meanCosine(scores, targets.data, form.scores) }, leftOut: {} };
    default:
      throw new BedsideError('E_INTERNAL', `internal: a ${form.task} task is measured by its labels`);
  }
}

const KINDS = { 'multi-label': 'labels', segmentation: 'mask', regression: 'values', embedding: 'values' };

function assertKind(
  form: ScoreForm,
  scores: Float32Array,
  { kind, data, shape }: Targets,
  name: string,
): void {
  const wanted = KINDS[form.task as keyof typeof KINDS];
  // The size of masks is checked where their layout is found out.
  if (kind === wanted && (kind === 'mask' || data.length === scores.length)) return;
  throw new BedsideError(
    'E_DATA_FIT',
    `${name} has ${kind} [${shape.join(', ')}] for a sample, the network gives [${form.outputShape.join(', ')}] for ` +
      `a ${form.task} task`,
    { hint: 'use data of this network, or say the task with --task' },
  );
}

function labelMeasures(form: ScoreForm, scores: Float32Array, truth: ArrayLike<number>): Measured {
  const threshold = thresholdOf(form);
  const byLabel = Array.from({ length: form.scores }, (_, label): LabelMeasures => {
    const own = column(scores, label, form.scores);
    const positive = column(truth, label, form.scores);
    return {
      label,
      auroc: auroc(own, positive),
      averagePrecision: averagePrecision(own, positive),
      f1: dice(
        overlapOf(
          own.map((score) => Number(score > threshold)),
          positive,
        ),
      ),
      threshold,
      positives: positive.reduce((sum, value) => sum + value, 0),
    };
  });
  return averaged(byLabel, ['auroc', 'averagePrecision', 'f1'], byLabel);
}

/** Overlap of masks by channel, over all positions of all samples. */
export function maskOverlaps(form: ScoreForm, found: Uint8Array, there: Uint8Array): Overlap[] {
  const channels = channelsOf(form);
  const positions = form.scores / channels;
  const sums = Array.from({ length: channels }, () => ({ both: 0, found: 0, there: 0 }));
  for (let first = 0; first < found.length; first += positions) {
    const sum = must(sums[(first / positions) % channels], 'a channel');
    const part = overlapOf(
      found.subarray(first, first + positions),
      there.subarray(first, first + positions),
    );
    sum.both += part.both;
    sum.found += part.found;
    sum.there += part.there;
  }
  return sums;
}

function maskMeasures(form: ScoreForm, found: Uint8Array, there: Uint8Array): Measured {
  const byLabel = maskOverlaps(form, found, there).map(
    (overlap, label): LabelMeasures => ({
      label,
      dice: dice(overlap),
      iou: iou(overlap),
      ...(form.exclusive ? {} : { threshold: thresholdOf(form) }),
      positives: overlap.there,
    }),
  );
  return averaged(byLabel, ['dice', 'iou'], foreground(form, byLabel));
}

/** Of exclusive classes, class 0 is the background, and no part of a mean. */
function foreground<T>({ exclusive }: ScoreForm, byClass: readonly T[]): readonly T[] {
  return exclusive ? byClass.slice(1) : byClass;
}

function valueMeasures(
  { scores: size }: ScoreForm,
  given: Float32Array,
  expected: ArrayLike<number>,
): Measured {
  const byLabel = Array.from(
    { length: size },
    (_, label): LabelMeasures => ({
      label,
      r2: r2(given, expected, label, size),
      meanAbsoluteError: meanAbsoluteError(given, expected, label, size),
    }),
  );
  return averaged(byLabel, ['r2', 'meanAbsoluteError'], byLabel);
}

/** The mean of each measure over the labels for which it is defined. */
function averaged(
  byLabel: readonly LabelMeasures[],
  names: readonly MeasureName[],
  counted: readonly LabelMeasures[],
): Measured {
  const measures: Partial<Record<MeasureName, number>> = {};
  const leftOut: Partial<Record<MeasureName, number[]>> = {};
  for (const name of names) {
    const defined = counted.filter((row) => !Number.isNaN(row[name]));
    measures[name] = defined.reduce((sum, row) => sum + (row[name] as number), 0) / defined.length;
    const missing = counted.filter((row) => !defined.includes(row)).map(({ label }) => label);
    if (missing.length > 0) leftOut[name] = missing;
  }
  return {
    measures,
    leftOut,
    ...(byLabel.length > 1 ? { byLabel } : {}),
  };
}

/** Sentences that name the labels which means leave out. */
export function describeLeftOut({ leftOut }: Pick<Measured, 'leftOut'>, names: readonly string[]): string[] {
  return Object.entries(leftOut).map(([measure, labels]) => {
    const those = labels.map((label) => names[label] ?? String(label));
    return `${MEASURE_WORDS[measure as MeasureName]} leaves out ${firstOf(those, 10)}: the samples do not allow it there (docs/tasks.md)`;
  });
}

function column(values: ArrayLike<number>, index: number, columns: number): Float64Array {
  return Float64Array.from(
    { length: values.length / columns },
    (_, row) => values[row * columns + index] as number,
  );
}
