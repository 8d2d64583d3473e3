// Numbers that are none: found where they enter, told by their place, never by what stands beside them.
import { BedsideError } from './errors.ts';

/** The index of the first NaN or infinite entry from `start` up to, not including, `end`; -1 when there is none. */
export function firstNonFinite(values: ArrayLike<number>, start = 0, end = values.length): number {
  const from = values instanceof Float64Array ? finiteBlocks(values, start, end) : start;
  // x - x is 0 of every finite number and NaN of all others.
  for (let i = from; i < end; i++) if ((values[i] as number) - (values[i] as number) !== 0) return i;
  return -1;
}

/** Numbers that are looked at together. */
const BLOCK = 1024;

/** Where the first block begins that is not all finite. For rows of regressions, which are millions of doubles. */
function finiteBlocks(values: Float64Array, start: number, end: number): number {
  let at = start;
  for (; at + BLOCK <= end; at += BLOCK) {
    // 0 x is 0 of every finite number and NaN of all others.
    let [a, b, c, d] = [0, 0, 0, 0];
    for (let i = at; i < at + BLOCK; i += 4) {
      a += (values[i] as number) * 0;
      b += (values[i + 1] as number) * 0;
      c += (values[i + 2] as number) * 0;
      d += (values[i + 3] as number) * 0;
    }
    if (a + b + c + d !== 0) break;
  }
  return at;
}

/** `NaN`, `Infinity` or `-Infinity` at `[2, 0, 1]` of an array of these dims. */
export function tellNonFinite(values: ArrayLike<number>, at: number, dims: readonly number[]): string {
  const place: number[] = [];
  let rest = at;
  for (const dim of dims.toReversed()) {
    place.unshift(rest % dim);
    rest = Math.floor(rest / dim);
  }
  return `${values[at]}${dims.length > 0 ? ` at [${place.join(', ')}]` : ''}`;
}

/**
 * Refuses results that are not numbers.
 * @param values `[rows, columns]`; more rows than these are not looked at
 * @param tell what a row is, such as `the scores of sample 3`
 * @throws BedsideError E_NOT_FINITE
 */
export function assertFiniteRows(
  values: ArrayLike<number>,
  rows: number,
  columns: number,
  tell: (row: number) => string,
): void {
  const at = firstNonFinite(values, 0, rows * columns);
  if (at < 0) return;
  throw notFinite(tell(Math.floor(at / columns)), at % columns, values[at]);
}

/** Samples as `Dataset` has them. */
interface SampleSet {
  readonly name: string;
  readonly size: number;
  readonly samples: Float32Array;
  readonly origins?: readonly string[] | undefined;
}

/** Large arrays of samples that have been looked at and found finite; looking at few numbers costs less than this. */
const seen = new WeakSet<object>();
const LARGE = 4096;

/**
 * Refuses samples that are NaN or infinite as float32. A large array is looked at once. What a sample holds is not told.
 * @throws BedsideError E_DATA with the sample's index, and where it comes from if that is known
 */
export function assertFiniteSamples({ name, size, samples, origins }: SampleSet): void {
  const isLarge = samples.length >= LARGE;
  if (isLarge && seen.has(samples)) return;
  const at = firstNonFinite(samples);
  if (at < 0) {
    if (isLarge) seen.add(samples);
    return;
  }
  const sample = Math.floor(at / (samples.length / Math.max(1, size)));
  const from = origins?.[sample] === undefined ? '' : ` (${origins[sample]})`;
  throw new BedsideError(
    'E_DATA',
    `${name}: sample ${sample}${from} has a value that is not a finite number in float32`,
    { hint: 'remove the sample, fill its gaps, or scale values that are beyond 3.4e38' },
  );
}

/**
 * The position of the highest of `count` scores from `start`, counted from there; the lowest among equals.
 * @param what whose scores they are, for the message
 * @throws BedsideError E_NOT_FINITE for scores that are NaN or infinite: no class is the highest of them
 */
export function argmax(
  scores: ArrayLike<number>,
  start = 0,
  count = scores.length - start,
  what = 'the scores of the classes',
): number {
  let best = 0;
  for (let k = 0; k < count; k++) {
    const score = scores[start + k] as number;
    if (score - score !== 0) throw notFinite(what, k, score);
    if (score > (scores[start + best] as number)) best = k;
  }
  return best;
}

function notFinite(what: string, entry: number, value: number | undefined): BedsideError {
  return new BedsideError('E_NOT_FINITE', `${what} are not finite: entry ${entry} is ${value}`, {
    hint: 'the network overflows float32, or divides by zero; look at its weights and at how samples are scaled',
  });
}
