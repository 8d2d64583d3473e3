// Inputs as the integers that they were measured as. Images of 8 bits and signals of 12 to 16 bits reach a network as
// float32, scaled and shifted: `integer * scale + offset`, with a pair for each channel. Where every number of a tensor
// is such a number exactly, its integers say all of it in a quarter or half of the bytes. Nothing is rounded: whatever
// is no such number, to its last bit, is refused here and travels as float32.
import type { FloatTensor } from '../../engine/index.ts';

/** The integers of a tensor, with a scale and an offset for each row. */
export interface IntegerRows {
  readonly scales: readonly number[];
  readonly offsets: readonly number[];
  readonly data: Uint8Array | Uint16Array;
}

/** Numbers of a row, below which a scale and an offset of its own are not worth their bytes. */
const LEAST_ROW = 128;

/** Numbers of a row that its scale is guessed from, and that it is fitted to at first. */
const SAMPLED = 256;

/** How often the fit takes numbers into account that it does not meet, and how many at a time. */
const ROUNDS = 6;
const ADDED = 64;

const MAX_INTEGER = 65_535;

/** Steps of float32 by which a difference of two numbers may be off, and a multiple of it that is no longer zero. */
const OFF = 2 ** -22;
const CLEAR = 8;

/** The integers of a tensor, or undefined where it is not made of integers exactly. */
export function integerRows({ data, dims }: FloatTensor): IntegerRows | undefined {
  const length = rowLength(dims);
  if (length < LEAST_ROW || data.length === 0) return undefined;
  const wide = new Uint16Array(data.length);
  const [scales, offsets]: [number[], number[]] = [[], []];
  let largest = 0;
  for (let from = 0; from < data.length; from += length) {
    const row = data.subarray(from, from + length);
    const found = fittedRow(row, wide.subarray(from, from + length));
    if (!found) return undefined;
    scales.push(found.scale);
    offsets.push(found.offset);
    largest = Math.max(largest, found.largest);
  }
  return { scales, offsets, data: largest < 256 ? Uint8Array.from(wide) : wide };
}

/** The numbers that integers mean. `data` holds a whole number of rows. */
export function floatsOfRows({ scales, offsets, data }: IntegerRows): Float32Array {
  const floats = new Float32Array(data.length);
  const length = data.length / scales.length;
  for (const [row, scale] of scales.entries()) {
    const offset = offsets[row] as number;
    for (let at = row * length; at < (row + 1) * length; at++) {
      floats[at] = (data[at] as number) * scale + offset;
    }
  }
  return floats;
}

/** A channel of a sample is a row, or a whole sample where its channels are short. */
function rowLength([_, channels = 1, ...rest]: readonly number[]): number {
  const inner = rest.reduce((all, dim) => all * dim, 1);
  return inner >= LEAST_ROW ? inner : inner * channels;
}

interface Line {
  readonly scale: number;
  readonly offset: number;
}

interface Row extends Line {
  readonly largest: number;
}

/** Lines of the latest rows, which the next ones are tried with first: images share theirs. */
const recent: Line[] = [{ scale: 1 / 255, offset: 0 }];
const MAX_RECENT = 4;

/** Finds scale and offset of a row. @param integers filled */
function fittedRow(row: Float32Array, integers: Uint16Array): Row | undefined {
  for (const line of recent) {
    const largest = largestOn(line, row, integers);
    if (largest !== undefined) return coarsest({ ...line, largest }, row, integers);
  }
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (let at = 0; at < row.length; at++) {
    const value = row[at] as number;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  const range = high - low;
  if (!Number.isFinite(range)) return undefined;
  const guess = range === 0 ? 1 : guessedScale(row, low, high);
  if (guess === undefined || range / guess > MAX_INTEGER + 0.5) return undefined;
  for (let at = 0; at < row.length; at++) integers[at] = Math.round(((row[at] as number) - low) / guess);
  const line = fittedLine(row, integers, guess);
  if (!line) return undefined;
  if (recent.unshift(line) > MAX_RECENT) recent.pop();
  return { ...line, largest: Math.round(range / guess) };
}

/** A line that other rows were on may be too fine: where fewer bits do, as integers that begin at 0, a row has its own. */
function coarsest(found: Row, row: Float32Array, integers: Uint16Array): Row {
  if (found.largest < 256) return found;
  let least = MAX_INTEGER;
  for (let at = 0; at < integers.length; at++) least = Math.min(least, integers[at] as number);
  let common = 0;
  for (let at = 0; at < integers.length && common !== 1; at++) {
    let [large, small] = [common, (integers[at] as number) - least];
    while (small > 0) [large, small] = [small, large % small];
    common = large;
  }
  const step = Math.max(1, common);
  const largest = (found.largest - least) / step;
  if (largest > 255) return found;
  for (let at = 0; at < integers.length; at++) integers[at] = ((integers[at] as number) - least) / step;
  const line = fittedLine(row, integers, found.scale * step);
  if (line) return { ...line, largest };
  // Where rounding is in the way, the finer line stays.
  largestOn(found, row, integers);
  return found;
}

/** The largest integer of a row whose numbers all lie on a line; undefined where one does not. @param integers filled */
function largestOn({ scale, offset }: Line, row: Float32Array, integers: Uint16Array): number | undefined {
  let largest = 0;
  for (let at = 0; at < row.length; at++) {
    const value = row[at] as number;
    const integer = Math.round((value - offset) / scale);
    if (!(integer >= 0 && integer <= MAX_INTEGER)) return undefined;
    if (!Object.is(Math.fround(integer * scale + offset), value)) return undefined;
    integers[at] = integer;
    if (integer > largest) largest = integer;
  }
  return largest;
}

/** The largest number that all distances from the lowest value are multiples of, as far as some of the values tell. */
function guessedScale(row: Float32Array, low: number, high: number): number | undefined {
  const off = Math.max(Math.abs(low), Math.abs(high)) * OFF;
  const some = sampled(row).sort();
  const distances = [...some, high].map((value) => value - low).filter((distance) => distance > CLEAR * off);
  let [scale, largest] = [Number.POSITIVE_INFINITY, 0];
  for (const distance of distances) {
    if (scale === Number.POSITIVE_INFINITY) [scale, largest] = [distance, 1];
    const times = Math.round(distance / scale);
    const rest = Math.abs(distance - times * scale);
    // What is known of the scale is known to one part in `largest`.
    const unsure = off * (1 + times / largest);
    if (rest <= unsure) {
      if (times > largest) [scale, largest] = [distance / times, times];
      continue;
    }
    const common = commonStep(scale, rest, CLEAR * unsure);
    if (common === undefined || (high - low) / common > MAX_INTEGER + 1) return undefined;
    const [ours, its] = [Math.max(1, Math.round(scale / common)), Math.round(distance / common)];
    largest = Math.max(largest * ours, its);
    scale = distance / its;
  }
  return scale;
}

/** Euclid's algorithm on numbers that are known to `least`. */
function commonStep(one: number, other: number, least: number): number | undefined {
  let [large, small] = [one, other];
  while (small > least) [large, small] = [small, Math.abs(large - Math.round(large / small) * small)];
  return large > least ? large : undefined;
}

function sampled(row: Float32Array): Float32Array {
  if (row.length <= SAMPLED) return row.slice();
  const stride = row.length / SAMPLED;
  return Float32Array.from({ length: SAMPLED }, (_, at) => row[Math.floor(at * stride)] as number);
}

/** The line through all numbers of a row: each is the float32 nearest to it at its integer. */
function fittedLine(row: Float32Array, integers: Uint16Array, guess: number): Line | undefined {
  const stride = Math.max(1, Math.floor(row.length / SAMPLED));
  const met: number[] = [];
  for (let at = 0; at < row.length; at += stride) met.push(at);
  const zero = row.indexOf(0);
  for (let round = 0; round < ROUNDS; round++) {
    const line =
      zero < 0
        ? lineThrough(row, integers, met, guess)
        : lineFromZero(row, integers, met, integers[zero] as number);
    if (!line) return undefined;
    const missed = missedBy(line, row, integers);
    if (missed.length === 0) return line;
    met.push(...missed);
  }
  return undefined;
}

/** Where a line gives another float32, at some of those places. */
function missedBy({ scale, offset }: Line, row: Float32Array, integers: Uint16Array): number[] {
  const missed: number[] = [];
  for (let at = 0; at < row.length && missed.length < ADDED; at++) {
    if (!Object.is(Math.fround((integers[at] as number) * scale + offset), row[at])) missed.push(at);
  }
  return missed;
}

/**
 * A line that is nearer to each number than to its neighbours in float32. The room that a scale leaves for the offset is
 * concave in the scale, so halving by its slope finds one that leaves any.
 */
function lineThrough(
  row: Float32Array,
  integers: Uint16Array,
  places: readonly number[],
  guess: number,
): Line | undefined {
  const bounds = places.map((at) => {
    const [below, above] = halfSteps(row[at] as number);
    return { integer: integers[at] as number, below, above };
  });
  let [from, to] = [guess * (1 - 1e-4), guess * (1 + 1e-4)];
  for (let step = 0; step < 60; step++) {
    const scale = (from + to) / 2;
    let [most, mostAt, least, leastAt] = [Number.POSITIVE_INFINITY, 0, Number.NEGATIVE_INFINITY, 0];
    for (const { integer, below, above } of bounds) {
      if (above - scale * integer < most) [most, mostAt] = [above - scale * integer, integer];
      if (below - scale * integer > least) [least, leastAt] = [below - scale * integer, integer];
    }
    if (most > least) return { scale, offset: (most + least) / 2 };
    if (leastAt > mostAt) from = scale;
    else to = scale;
  }
  return undefined;
}

/** As `lineThrough`, of a row with a zero: its integer times the scale, and the offset, must be nothing together. */
function lineFromZero(
  row: Float32Array,
  integers: Uint16Array,
  places: readonly number[],
  zero: number,
): Line | undefined {
  let [least, most] = [0, Number.POSITIVE_INFINITY];
  for (const at of places) {
    const steps = (integers[at] as number) - zero;
    if (steps === 0) continue;
    const ends = halfSteps(row[at] as number).map((end) => end / steps);
    least = Math.max(least, Math.min(...ends));
    most = Math.min(most, Math.max(...ends));
  }
  if (!(least < most) || most === Number.POSITIVE_INFINITY) return undefined;
  const scale = (least + most) / 2;
  return { scale, offset: 0 - zero * scale };
}

const FLOAT = new Float32Array(1);
const BITS = new Int32Array(FLOAT.buffer);

/** The numbers between which a float32 is the nearest one. */
function halfSteps(value: number): readonly [number, number] {
  if (value === 0) return [-(2 ** -150), 2 ** -150];
  FLOAT[0] = value;
  const bits = BITS[0] as number;
  BITS[0] = bits + 1;
  const outer = ((FLOAT[0] as number) + value) / 2;
  BITS[0] = bits - 1;
  const inner = ((FLOAT[0] as number) + value) / 2;
  return value > 0 ? [inner, outer] : [outer, inner];
}
