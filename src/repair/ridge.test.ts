import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { must } from '../util/index.ts';
import { Random } from '../util/internal.ts';
import { gramOfColumns, gramOfRows, roughGramOfColumns } from './gram.ts';
import { type Matrix, Products } from './products.ts';
import { descent, solveRidge } from './ridge.ts';
import { solveSmall } from './small-ridge.ts';

let products: Products;
beforeAll(async () => {
  products = await Products.create(1);
});
afterAll(() => products.release());

function matrix(rows: number, columns: number, value: (row: number, column: number) => number): Matrix {
  const data = new Float64Array(rows * columns);
  for (let r = 0; r < rows; r++) for (let c = 0; c < columns; c++) data[r * columns + c] = value(r, c);
  return { rows, columns, data };
}

/** The largest difference of two matrices of one size. NaN is never less than anything. */
function furthest(one: Matrix, other: Matrix): number {
  expect([one.rows, one.columns]).toEqual([other.rows, other.columns]);
  return one.data.reduce((most, value, i) => Math.max(most, Math.abs(value - (other.data[i] as number))), 0);
}

/** Rows of a linear map with a little noise. */
async function planted(rows: number, unknowns: number, noise: number, seed: number) {
  const random = new Random(seed);
  const x = matrix(rows, unknowns, () => random.normal());
  const truth = matrix(unknowns, 2, () => random.normal());
  const clean = await products.ab(x, truth);
  const residual = { ...clean, data: clean.data.map((value) => value + noise * random.normal()) };
  return { x, truth, residual, fitRows: Math.floor(rows * 0.75) };
}

describe('solveRidge', () => {
  it('finds a planted map from more rows than unknowns (primal)', async () => {
    const { x, truth, residual, fitRows } = await planted(200, 12, 0.01, 1);
    const solution = await solveRidge({ x, residual, fitRows }, products);
    must(solution.change, 'no change').data.forEach((value, i) => {
      expect(value).toBeCloseTo(truth.data[i] as number, 1);
    });
    expect(solution.errorAfter).toBeLessThan(0.001 * solution.errorBefore);
  });

  it('finds the same from Gram matrices in float32, and takes exact ones where the ridge is weak', async () => {
    // Large enough for float32: rows that fit times the square of the unknowns.
    const [rows, unknowns] = [4200, 400];
    for (const [noise, isWeak] of [
      [120, false],
      [0.01, true],
    ] as const) {
      const problem = await planted(rows, unknowns, noise, 3);
      const rough = await solveRidge({ ...problem, start: 1e-2 }, products);
      const exact = await solveRidge({ ...problem, start: isWeak ? rough.strength : 1e-3 }, products);
      expect(rough.strength).toBe(exact.strength);
      expect(rough.strength < 1e-3).toBe(isWeak);
      const apart = furthest(must(rough.change, 'a change'), must(exact.change, 'a change'));
      expect(apart).toBeLessThan(isWeak ? 1e-12 : 1e-3);
    }
  });

  it('satisfies the normal equations, from fewer rows than unknowns too (dual)', async () => {
    for (const [rows, unknowns] of [
      [60, 10],
      [30, 50],
    ] as const) {
      const { x, residual, fitRows } = await planted(rows, unknowns, 0.1, rows);
      const solution = await solveRidge({ x, residual, fitRows }, products);
      const change = must(solution.change, 'no change');
      const gram = await products.atb(x, x);
      let trace = 0;
      for (let i = 0; i < unknowns; i++) trace += gram.data[i * unknowns + i] as number;
      const lambda = (solution.strength * trace) / unknowns;
      const left = await products.ab(gram, change);
      const right = await products.atb(x, residual);
      left.data.forEach((value, i) => {
        expect(value + lambda * (change.data[i] as number)).toBeCloseTo(right.data[i] as number, 5);
      });
    }
  });

  it('leaves the weights alone when nothing lowers the held-out error', async () => {
    const random = new Random(3);
    const x = matrix(40, 30, () => random.normal());
    // What the held-out rows show is the opposite of what the fitted ones do.
    const sum = (r: number): number =>
      Array.from({ length: 30 }, (_, c) => x.data[r * 30 + c] as number).reduce((a, b) => a + b);
    const residual = matrix(40, 1, (r) => (r < 30 ? sum(r) : -sum(r)));
    const solution = await solveRidge({ x, residual, fitRows: 30 }, products);
    expect(solution.change).toBeUndefined();
    expect(solution.errorAfter).toBe(solution.errorBefore);
  });

  it('finds the same in one pass over the rows where there are few unknowns', async () => {
    for (const [rows, unknowns] of [
      [200, 9],
      [12, 20],
    ] as const) {
      const { x, truth, residual, fitRows } = await planted(rows, unknowns, 0.3, rows);
      const weights = { ...truth, data: truth.data.map((value) => value / 3) };
      const target = await products.ab(x, weights);
      const y = { ...residual, data: residual.data.map((value, i) => value + (target.data[i] as number)) };
      const large = await solveRidge({ x, residual, fitRows }, products);
      const small = solveSmall({ x, y, weights, fitRows });
      expect(small.strength).toBe(large.strength);
      expect(small.errorBefore / large.errorBefore).toBeCloseTo(1, 9);
      expect(small.errorAfter / large.errorAfter).toBeCloseTo(1, 6);
      small.change?.data.forEach((value, i) => {
        expect(value).toBeCloseTo(large.change?.data[i] as number, 6);
      });
    }
  });

  it('makes Gram matrices of wide and tall matrices block by block', async () => {
    const random = new Random(5);
    const wide = matrix(3, 390, () => random.normal());
    const tall = { rows: 390, columns: 3, data: wide.data };
    const [byColumns, byRows] = [await gramOfColumns(wide, products), await gramOfRows(tall, products)];
    // One expectation a matrix: of 150,000 values each, one by one took seconds.
    expect(furthest(byColumns, await products.atb(wide, wide))).toBeLessThan(5e-13);
    expect(furthest(byRows, await products.abt(tall, tall))).toBeLessThan(5e-13);
  });

  it('makes rough Gram matrices of many rows, near the exact ones', async () => {
    const random = new Random(6);
    const x = matrix(3500, 385, () => random.normal() + 0.5);
    const [rough, exact] = [await roughGramOfColumns(x, products), await gramOfColumns(x, products)];
    const diagonal = exact.data.reduce((most, value) => Math.max(most, value), 0);
    let [most, differ] = [0, 0];
    exact.data.forEach((value, i) => {
      const difference = Math.abs((rough.data[i] as number) - value) / diagonal;
      most = Math.max(most, difference);
      if (difference > 0) differ++;
    });
    expect(most).toBeLessThan(1e-6);
    expect(differ).toBeGreaterThan(1000);
  });

  it('keeps dead inputs at their weights', async () => {
    const random = new Random(4);
    const x = matrix(50, 4, (_r, c) => (c === 2 ? 0 : random.normal()));
    const residual = matrix(50, 1, (r) => x.data[r * 4] as number);
    const { change } = await solveRidge({ x, residual, fitRows: 38 }, products);
    expect(must(change, 'no change').data[2]).toBe(0);
  });
});

describe('the search for a strength', () => {
  /** Errors by strength, with the least at one of them, and which strengths are asked for. */
  const searched = (least: number, from: Parameters<typeof descent>[0]) => {
    const asked: number[] = [];
    const search = descent(from);
    let step = search.next();
    while (!step.done) {
      asked.push(step.value);
      step = search.next(Math.abs(Math.log10(step.value / least)));
    }
    return { found: step.value.strength, asked };
  };

  it.each([1e-5, 1e-3, 1e-1, 10])('finds the least error at %s from any start', (least) => {
    for (const start of [undefined, 1e-5, 1e-2, 10]) expect(searched(least, { start }).found).toBe(least);
  });

  it('asks for nothing above its start where that is the most', () => {
    expect(searched(1e-3, { start: 1e-1, startsAtMost: true })).toEqual({
      found: 1e-3,
      asked: [1e-2, 1e-1, 1e-3, 1e-4],
    });
    expect(searched(1, { start: 1e-1, startsAtMost: true })).toEqual({ found: 1e-1, asked: [1e-2, 1e-1] });
  });
});
