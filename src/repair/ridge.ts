// Ridge regression toward given weights: minimise |X (W0 + D) - Y|^2 + lambda |D|^2, lambda chosen on held-out rows.
import { factorise, rowsOf, solveFactor } from './factor.ts';
import { blockOf, gramOfColumns, gramOfRows, roughGramOfColumns, sumOf } from './gram.ts';
import type { Matrix, Products } from './products.ts';

/** Candidate values of lambda, as multiples of the mean diagonal of the Gram matrix. */
const STRENGTHS = [1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1, 10] as const;
const DEFAULT_START = 1e-3;

/** Least strength with which sums in float32 are as good: their errors are some millionths of the mean diagonal. */
const ROUGH_FROM = 1e-3;

/** Whether a search that starts at a strength may compute roughly; undefined for the default start. */
export function startsRoughly(start: number = DEFAULT_START): boolean {
  return start > ROUGH_FROM;
}

/** Rows that fit, followed by held-out rows; `residual` is `Y - X W0`. */
export interface RidgeProblem {
  readonly x: Matrix;
  readonly residual: Matrix;
  /** Number of rows that fit while lambda is chosen; the others are held out. */
  readonly fitRows: number;
  /** Strength where the search starts, such as that of the last layer. */
  readonly start?: number | undefined;
  /** Whether the best strength is at the start or below it, as for fewer inputs of a layer than before; default false. */
  readonly startsAtMost?: boolean | undefined;
}

/** The change of the weights, and its effect on held-out rows. */
export interface RidgeSolution {
  /** `[unknowns, outputs]`, or undefined where no lambda lowers the held-out error. */
  readonly change: Matrix | undefined;
  /** The chosen multiple; 0 for none. */
  readonly strength: number;
  /** Mean squared error of a held-out value, before and after the change. */
  readonly errorBefore: number;
  readonly errorAfter: number;
  /** `x^T x` of all rows, where it was made for the change. */
  readonly gram?: Matrix | undefined;
}

/**
 * Chooses lambda on the held-out rows, then fits all rows with it. It solves the smaller one of the primal system
 * (unknowns) and the dual system (rows); lambda > 0 makes both positive definite.
 */
export async function solveRidge(problem: RidgeProblem, products: Products): Promise<RidgeSolution> {
  const exact: Arithmetic = { gramOf: gramOfColumns, sums: products, solving: products };
  if (!startsRoughly(problem.start)) return await solveWith(exact, problem);
  const rough: Arithmetic = { gramOf: roughGramOfColumns, sums: products.rough, solving: products };
  const found = await solveWith(rough, problem);
  return found.strength > 0 && found.strength < ROUGH_FROM
    ? await solveWith(exact, { ...problem, start: found.strength })
    : found;
}

/** How a system is made: sums over rows may be rough. It is always solved in float64. */
interface Arithmetic {
  readonly gramOf: typeof gramOfColumns;
  readonly sums: Products;
  readonly solving: Products;
}

async function solveWith(by: Arithmetic, problem: RidgeProblem): Promise<RidgeSolution> {
  const { x, residual, fitRows } = problem;
  const { sums, solving } = by;
  const fit = { x: rowsOf(x, 0, fitRows), y: rowsOf(residual, 0, fitRows) };
  const held = { x: rowsOf(x, fitRows, x.rows), y: rowsOf(residual, fitRows, x.rows) };
  const errorBefore = meanSquare(held.y.data);
  // In the dual form all inner products of rows are made at once; those of fitted rows are among them.
  const inner = x.rows < x.columns ? await gramOfRows(x, sums) : undefined;
  const trial = inner
    ? { dual: true, gram: blockOf(inner, [0, fitRows], fitRows), right: fit.y }
    : await systemOf(by, fit.x, fit.y);
  // In the dual form, predictions only need inner products of held-out and fitted rows.
  const cross = inner
    ? blockOf(inner, [fitRows, x.rows], fitRows)
    : trial.dual
      ? await sums.abt(held.x, fit.x)
      : held.x;
  const errorAt = async (strength: number): Promise<number> => {
    const solved = await solve(trial, strength, x.columns, solving);
    if (!solved) return Number.POSITIVE_INFINITY;
    const predicted = await sums.ab(cross, solved);
    let sum = 0;
    for (let i = 0; i < predicted.data.length; i++) {
      const rest = (held.y.data[i] as number) - (predicted.data[i] as number);
      sum += rest * rest;
    }
    return sum / Math.max(1, predicted.data.length);
  };
  const search = descent(problem);
  let step = search.next();
  while (!step.done) step = search.next(await errorAt(step.value));
  const found = step.value;
  const best = found.error < errorBefore ? found : { strength: 0, error: errorBefore };
  if (best.strength === 0) return { change: undefined, strength: 0, errorBefore, errorAfter: errorBefore };
  const whole = await wholeOf(by, problem, trial, { held, inner });
  const solved = await solve(whole, best.strength, x.columns, solving);
  const change = solved && (whole.dual ? await sums.atb(x, solved) : solved);
  const gram = whole.dual ? undefined : whole.gram;
  return { change, strength: best.strength, errorBefore, errorAfter: best.error, gram };
}

/** The system of all rows: that of the fitted rows, and what held-out rows add to it. */
async function wholeOf(
  by: Arithmetic,
  { x, residual }: RidgeProblem,
  trial: System,
  given: {
    readonly held: { readonly x: Matrix; readonly y: Matrix };
    readonly inner: Matrix | undefined;
  },
): Promise<System> {
  const { held, inner } = given;
  if (inner) return { dual: true, gram: inner, right: residual };
  if (trial.dual) return systemOf(by, x, residual);
  const { gram, right } = await normalOf(by, held.x, held.y);
  return { dual: false, gram: sumOf(trial.gram, gram), right: sumOf(trial.right, right) };
}

/** A strength, and the held-out error that it leaves. */
export interface Tried {
  readonly strength: number;
  readonly error: number;
}

/**
 * Walks down the list of strengths from a start: in practice the held-out error has one minimum. Asks for the error of
 * one strength after another, and returns the best.
 */
export function* descent({
  start = DEFAULT_START,
  startsAtMost = false,
}: Pick<RidgeProblem, 'start' | 'startsAtMost'>): Generator<number, Tried, number> {
  const errors = new Map<number, number>();
  function* error(index: number): Generator<number, number, number> {
    const strength = STRENGTHS[index];
    if (strength === undefined) return Number.POSITIVE_INFINITY;
    const known = errors.get(index) ?? (yield strength);
    errors.set(index, known);
    return known;
  }
  let at = Math.max(
    0,
    STRENGTHS.findIndex((strength) => strength >= start * 0.99),
  );
  const goesUp = !startsAtMost && (yield* error(at + 1)) < (yield* error(at));
  const direction = goesUp ? 1 : -1;
  while ((yield* error(at + direction)) < (yield* error(at))) at += direction;
  return { strength: STRENGTHS[at] as number, error: yield* error(at) };
}

/** Normal equations of the unknowns, or of the rows in the dual form. */
interface System {
  readonly dual: boolean;
  readonly gram: Matrix;
  readonly right: Matrix;
}

async function systemOf(by: Arithmetic, x: Matrix, y: Matrix): Promise<System> {
  if (x.rows < x.columns) return { dual: true, gram: await gramOfRows(x, by.sums), right: y };
  return { dual: false, ...(await normalOf(by, x, y)) };
}

async function normalOf({ gramOf, sums, solving }: Arithmetic, x: Matrix, y: Matrix) {
  return { gram: await gramOf(x, solving), right: await sums.atb(x, y) };
}

/** Coefficients of the unknowns, or of the rows in the dual form. */
async function solve(
  { gram, right }: System,
  strength: number,
  unknowns: number,
  products: Products,
): Promise<Matrix | undefined> {
  const n = gram.rows;
  let trace = 0;
  for (let i = 0; i < n; i++) trace += gram.data[i * n + i] as number;
  // Both forms have the same trace; the mean is taken over the unknowns.
  const factor = await factorise(gram, products, ridgeOf(strength, trace / unknowns));
  return factor && solveFactor(factor, right, products);
}

/** Lambda from its strength and the mean diagonal; a floor keeps dead inputs (all zero) positive definite. */
export function ridgeOf(strength: number, mean: number): number {
  return Math.max(strength * mean, Number.MIN_VALUE ** 0.25);
}

/** Mean of the squares; 0 for an empty array. */
export function meanSquare(values: Float64Array): number {
  let sum = 0;
  for (const value of values) sum += value * value;
  return sum / Math.max(1, values.length);
}
