// How far two networks answer alike, without labels.
import { foundMasks, predictedClasses, type ScoreForm, yesOrNo } from '../../util/internal.ts';
import { maskOverlaps } from './measures.ts';
import { dice } from './overlap.ts';
import { meanCosine, r2 } from './values.ts';

/**
 * Agreement of two networks' scores `[n, ...outputShape]`, at most 1: the share of samples with the same class, or the
 * same set of labels; Dice of their masks, as a mean over classes; R2 of the second against the first; the mean cosine.
 * @param first the scores of the network that the other is compared with
 * @throws BedsideError E_NOT_FINITE
 */
export function agreement(form: ScoreForm, first: Float32Array, second: Float32Array): number {
  switch (form.task) {
    case 'single-label':
    case 'binary': {
      const whose = (row: number): string => `the scores of sample ${row}`;
      return agreementOf(predictedClasses(form, first, whose), predictedClasses(form, second, whose));
    }
    case 'multi-label':
      return sameRows(yesOrNo(form, first), yesOrNo(form, second), form.scores);
    case 'segmentation': {
      const overlaps = maskOverlaps(form, foundMasks(form, second), foundMasks(form, first));
      const counted = form.exclusive ? overlaps.slice(1) : overlaps;
      // Neither finds the class: alike.
      return mean(counted.map((overlap) => orElse(dice(overlap), 1)));
    }
    case 'regression':
      return mean(
        Array.from({ length: form.scores }, (_, at) => {
          const alike = first.every((value, i) => i % form.scores !== at || value === second[i]);
          return orElse(r2(second, first, at, form.scores), alike ? 1 : 0);
        }),
      );
    case 'embedding':
      return meanCosine(second, first, form.scores);
  }
}

/** Share of samples on which two lists of predictions are equal. */
export function agreementOf(a: Int32Array, b: Int32Array): number {
  return a.reduce((count, value, i) => count + (value === b[i] ? 1 : 0), 0) / a.length;
}

function sameRows(a: Uint8Array, b: Uint8Array, size: number): number {
  let same = 0;
  for (let first = 0; first < a.length; first += size) {
    if (a.subarray(first, first + size).every((value, i) => value === b[first + i])) same++;
  }
  return same / (a.length / size);
}

function orElse(value: number, other: number): number {
  return Number.isNaN(value) ? other : value;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
