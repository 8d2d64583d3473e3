// A bounded number of quasi-Newton steps: limited-memory BFGS with backtracking.
// Source: Nocedal and Wright, Numerical Optimization, 2nd edition, algorithms 7.4 and 3.1.

/** A function's value and gradient at a point. */
export interface Slope {
  readonly value: number;
  readonly gradient: Float64Array;
}

/** How far to go; `onStep` sees each accepted point, and ends the descent by false. */
export interface DescentOptions {
  readonly steps: number;
  readonly onStep?: ((point: Float64Array, value: number) => Promise<boolean> | boolean) | undefined;
}

/** Pairs of changes that stand for the curvature. */
const PAIRS = 12;
/** The first step, relative to the length of the point: its scale is not known yet. */
const FIRST = 0.1;
const SUFFICIENT = 1e-4;
const SHORTER = 0.4;
const MOST_TRIES = 10;

/** Descends from a point; ends early where no shorter step lowers the value. */
export async function descend(
  at: (point: Float64Array) => Promise<Slope> | Slope,
  start: Float64Array,
  { steps, onStep }: DescentOptions,
): Promise<Float64Array> {
  let point: Float64Array = start.slice();
  let slope = await at(point);
  const pairs: { s: Float64Array; y: Float64Array }[] = [];
  for (let step = 0; step < steps; step++) {
    const direction = directionOf(slope.gradient, pairs, length(point));
    const descent = dot(slope.gradient, direction);
    if (!(descent < 0)) break;
    let next: { point: Float64Array; slope: Slope } | undefined;
    for (let [size, tries] = [1, 0]; tries < MOST_TRIES; size *= SHORTER, tries++) {
      const moved = point.map((value, i) => value + size * (direction[i] as number));
      const found = await at(moved);
      if (!(found.value <= slope.value + SUFFICIENT * size * descent)) continue;
      next = { point: moved, slope: found };
      break;
    }
    if (!next) break;
    const [from, before] = [point, slope.gradient];
    const s = next.point.map((value, i) => value - (from[i] as number));
    const y = next.slope.gradient.map((value, i) => value - (before[i] as number));
    if (dot(s, y) > 1e-10 * length(s) * length(y)) pairs.push({ s, y });
    if (pairs.length > PAIRS) pairs.shift();
    ({ point, slope } = next);
    if ((await onStep?.(point, slope.value)) === false) break;
  }
  return point;
}

/** Minus the gradient, multiplied by the estimate of the inverse curvature that the pairs give. */
function directionOf(
  gradient: Float64Array,
  pairs: readonly { readonly s: Float64Array; readonly y: Float64Array }[],
  scale: number,
): Float64Array {
  const q = gradient.map((value) => -value);
  const shares: number[] = [];
  for (const { s, y } of pairs.toReversed()) {
    const share = dot(s, q) / dot(y, s);
    shares.push(share);
    add(q, y, -share);
  }
  const last = pairs.at(-1);
  const factor = last ? dot(last.s, last.y) / dot(last.y, last.y) : (FIRST * (scale || 1)) / (length(q) || 1);
  for (let i = 0; i < q.length; i++) q[i] = (q[i] as number) * factor;
  for (const { s, y } of pairs) add(q, s, (shares.pop() ?? 0) - dot(y, q) / dot(y, s));
  return q;
}

function add(to: Float64Array, what: Float64Array, times: number): void {
  for (let i = 0; i < to.length; i++) to[i] = (to[i] as number) + times * (what[i] as number);
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] as number) * (b[i] as number);
  return sum;
}

function length(a: Float64Array): number {
  return Math.sqrt(dot(a, a));
}
