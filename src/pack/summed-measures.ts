// Dice, R2 and mean cosine as sums over samples, so that bootstrap draws of samples cost little.
import { channelsOf, type ScoreForm } from '../evaluate/internal.ts';
import type { SummedMeasure } from './lower-bounds.ts';

/** Mean Dice over the classes of masks, less the background where classes exclude each other. Masks are 0 and 1. */
export function summedDice(form: ScoreForm, found: Uint8Array, there: Uint8Array): SummedMeasure {
  const channels = channelsOf(form);
  const positions = form.scores / channels;
  const samples = found.length / form.scores;
  // For each channel: both, and the sum of found and there.
  const size = 2 * channels;
  const rows = new Float64Array(samples * size);
  for (let i = 0; i < found.length; i++) {
    const channel = Math.floor((i % form.scores) / positions);
    const at = Math.floor(i / form.scores) * size + 2 * channel;
    const [a, b] = [found[i] as number, there[i] as number];
    rows[at] = (rows[at] as number) + a * b;
    rows[at + 1] = (rows[at + 1] as number) + a + b;
  }
  const first = form.exclusive ? 1 : 0;
  const of = (sums: Float64Array): number =>
    meanOf(
      channels - first,
      (c) => (2 * (sums[2 * (c + first)] as number)) / (sums[2 * (c + first) + 1] as number),
    );
  return { rows, size, of };
}

/** Mean R2 over values `[samples, values]`; values that never change are left out. */
export function summedR2(given: Float32Array, expected: ArrayLike<number>, values: number): SummedMeasure {
  const samples = given.length / values;
  const means = Float64Array.from({ length: values }, (_, v) => {
    let sum = 0;
    for (let s = 0; s < samples; s++) sum += expected[s * values + v] as number;
    return sum / samples;
  });
  // For each value: squared error, expected value (less its mean) and its square; and 1 for the sample.
  const size = 3 * values + 1;
  const rows = new Float64Array(samples * size);
  for (let i = 0; i < given.length; i++) {
    const [s, v] = [Math.floor(i / values), i % values];
    const off = (expected[i] as number) - (means[v] as number);
    rows.set([((given[i] as number) - (expected[i] as number)) ** 2, off, off * off], s * size + 3 * v);
    rows[s * size + size - 1] = 1;
  }
  const of = (sums: Float64Array): number =>
    meanOf(values, (v) => {
      const [errors, sum, squares] = [
        sums[3 * v] as number,
        sums[3 * v + 1] as number,
        sums[3 * v + 2] as number,
      ];
      const around = squares - (sum * sum) / (sums[size - 1] as number);
      return around > 1e-12 * squares ? 1 - errors / around : Number.NaN;
    });
  return { rows, size, of };
}

/** Mean over samples of a value for each. */
export function summedMean(values: Float64Array): SummedMeasure {
  const rows = new Float64Array(2 * values.length);
  values.forEach((value, i) => {
    rows.set([value, 1], 2 * i);
  });
  return { rows, size: 2, of: (sums) => (sums[0] as number) / (sums[1] as number) };
}

/** The mean over those that are defined. */
function meanOf(count: number, of: (index: number) => number): number {
  const defined = Array.from({ length: count }, (_, i) => of(i)).filter((value) => !Number.isNaN(value));
  return defined.reduce((sum, value) => sum + value, 0) / defined.length;
}
