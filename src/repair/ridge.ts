// Ridge regression toward given weights: minimise |X (W0 + D) - Y|^2 + lambda |D|^2, lambda chosen on held-out rows.
import { factorise, rowsOf, solveFactor } from './factor.ts';
import type { Matrix, Products } from './products.ts';

/** Candidate values of lambda, as multiples of the mean diagonal of the Gram matrix. */
const STRENGTHS = [1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1, 10] as const;
const DEFAULT_START = 1e-3;

/** Rows that fit, followed by held-out rows; `residual` is `Y - X W0`. */
export interface RidgeProblem {
  readonly x: Matrix;
  readonly residual: Matrix;
  /** Number of rows that fit while lambda is chosen; the others are held out. */
  readonly fitRows: number;
  /** Strength where the search starts, such as that of the last layer. */
  readonly start?: number | undefined;
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
}

/**
 * Chooses lambda on the held-out rows, then fits all rows with it. It solves the smaller one of the primal system
 * (unknowns) and the dual system (rows); lambda > 0 makes both positive definite.
 */
export async function solveRidge(problem: RidgeProblem, products: Products): Promise<RidgeSolution> {
  const { x, residual, fitRows } = problem;
  const fit = { x: rowsOf(x, 0, fitRows), y: rowsOf(residual, 0, fitRows) };
  const held = { x: rowsOf(x, fitRows, x.rows), y: rowsOf(residual, fitRows, x.rows) };
  const errorBefore = meanSquare(held.y.data);
  const trial = await prepare(fit.x, fit.y, products);
  // In the dual form, predictions only need inner products of held-out and fitted rows.
  const cross = trial.dual ? await products.abt(held.x, fit.x) : held.x;
  const errorAt = async (strength: number): Promise<number> => {
    const solved = await trial.solve(strength);
    if (!solved) return Number.POSITIVE_INFINITY;
    const predicted = await products.ab(cross, solved);
    let sum = 0;
    for (let i = 0; i < predicted.data.length; i++) {
      sum += ((held.y.data[i] as number) - (predicted.data[i] as number)) ** 2;
    }
    return sum / Math.max(1, predicted.data.length);
  };
  const found = await descend(errorAt, problem.start ?? DEFAULT_START);
  const best = found.error < errorBefore ? found : { strength: 0, error: errorBefore };
  if (best.strength === 0) return { change: undefined, strength: 0, errorBefore, errorAfter: errorBefore };
  const whole = await prepare(x, residual, products);
  const solved = await whole.solve(best.strength);
  const change = solved && (whole.dual ? await products.atb(x, solved) : solved);
  return { change, strength: best.strength, errorBefore, errorAfter: best.error };
}

/** Walks down the list of strengths from a start: in practice the held-out error has one minimum. */
async function descend(
  errorAt: (strength: number) => Promise<number>,
  start: number,
): Promise<{ strength: number; error: number }> {
  const errors = new Map<number, number>();
  const error = async (index: number): Promise<number> => {
    const strength = STRENGTHS[index];
    if (strength === undefined) return Number.POSITIVE_INFINITY;
    const known = errors.get(index) ?? (await errorAt(strength));
    errors.set(index, known);
    return known;
  };
  let at = Math.max(
    0,
    STRENGTHS.findIndex((strength) => strength >= start * 0.99),
  );
  const direction = (await error(at + 1)) < (await error(at)) ? 1 : -1;
  while ((await error(at + direction)) < (await error(at))) at += direction;
  return { strength: STRENGTHS[at] as number, error: await error(at) };
}

interface Prepared {
  readonly dual: boolean;
  /** Coefficients of the unknowns, or of the rows in the dual form. */
  solve(strength: number): Promise<Matrix | undefined>;
}

async function prepare(x: Matrix, y: Matrix, products: Products): Promise<Prepared> {
  const dual = x.rows < x.columns;
  const gram = dual ? await products.abt(x, x) : await products.atb(x, x);
  const right = dual ? y : await products.atb(x, y);
  const n = gram.rows;
  let trace = 0;
  for (let i = 0; i < n; i++) trace += gram.data[i * n + i] as number;
  // Both forms have the same trace; the mean is taken over the unknowns.
  const mean = trace / x.columns;
  return {
    dual,
    async solve(strength) {
      // A floor keeps dead inputs (all zero) positive definite.
      const lambda = Math.max(strength * mean, Number.MIN_VALUE ** 0.25);
      const factor = await factorise(gram, products, lambda);
      return factor && solveFactor(factor, right, products);
    },
  };
}

/** Mean of the squares; 0 for an empty array. */
export function meanSquare(values: Float64Array): number {
  let sum = 0;
  for (const value of values) sum += value * value;
  return sum / Math.max(1, values.length);
}
