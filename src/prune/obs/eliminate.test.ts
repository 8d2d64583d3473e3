// The elimination against least squares solved anew for every set of units.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Matrix, Products } from '../../repair/internal.ts';
import { must } from '../../util/index.ts';
import { Random } from '../../util/internal.ts';
import { eliminate, scoresOf } from './eliminate.ts';
import { Rankings } from './rankings.ts';
import { problemOf } from './readers.ts';
import { Reader, type ReaderProblem } from './surgeon.ts';

let products: Products;
beforeAll(async () => {
  products = await Products.create(1);
});
afterAll(() => products.release());

interface Planted extends ReaderProblem {
  readonly gram: Matrix;
}

/** A reader of correlated unknowns, `each` of them a unit, and one more that stays. */
function planted(units: number, each: number, outputs: number, seed: number): Planted {
  const random = new Random(seed);
  const n = units * each + 1;
  const mixing = Array.from({ length: n * n }, () => random.normal());
  const gram = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      for (let k = 0; k < n; k++) {
        gram[i * n + j] =
          (gram[i * n + j] as number) + ((mixing[i * n + k] as number) * (mixing[j * n + k] as number)) / n;
      }
    }
    gram[i * n + i] = (gram[i * n + i] as number) + 0.05;
  }
  const weights = Float64Array.from({ length: n * outputs }, () => random.normal());
  return {
    gram: { rows: n, columns: n, data: gram },
    inverse: { rows: n, columns: n, data: gaussJordan(gram, n) },
    weights: { rows: n, columns: outputs, data: weights },
    units: Array.from({ length: units }, (_, u) => Array.from({ length: each }, (_, k) => u * each + k)),
  };
}

/** The least of `tr((W - W0)^T G (W - W0))` with the weights of some unknowns zero, by Schur's complement. */
function leastError({ gram, weights }: Planted, gone: readonly number[]): number {
  const n = gram.rows;
  const stay = Array.from({ length: n }, (_, i) => i).filter((i) => !gone.includes(i));
  const at = (i: number, j: number): number => gram.data[i * n + j] as number;
  const inner = gaussJordan(Float64Array.from(stay.flatMap((i) => stay.map((j) => at(i, j)))), stay.length);
  let total = 0;
  for (const p of gone) {
    for (const q of gone) {
      let schur = at(p, q);
      stay.forEach((i, a) => {
        stay.forEach((j, b) => {
          schur -= at(p, i) * (inner[a * stay.length + b] as number) * at(j, q);
        });
      });
      for (let o = 0; o < weights.columns; o++) {
        total +=
          schur *
          (weights.data[p * weights.columns + o] as number) *
          (weights.data[q * weights.columns + o] as number);
      }
    }
  }
  return total;
}

function gaussJordan(matrix: Float64Array, n: number): Float64Array {
  const a = matrix.slice();
  for (let p = 0; p < n; p++) {
    const pivot = 1 / (a[p * n + p] as number);
    const row = Array.from({ length: n }, (_, j) => (j === p ? pivot : (a[p * n + j] as number) * pivot));
    for (let i = 0; i < n; i++) {
      if (i === p) continue;
      const factor = a[i * n + p] as number;
      for (let j = 0; j < n; j++) {
        a[i * n + j] = (j === p ? 0 : (a[i * n + j] as number)) - factor * (row[j] as number);
      }
    }
    a.set(row, p * n);
  }
  return a;
}

describe('Reader', () => {
  it('says what each removal costs, whatever has gone before', async () => {
    for (const each of [1, 3]) {
      const problem = planted(7, each, 4, each);
      const reader = new Reader(problem, products);
      const gone: number[] = [];
      for (const unit of [4, 0, 6, 1, 5]) {
        const before = leastError(problem, gone);
        for (let other = 0; other < 7; other++) {
          const rows = problem.units[other] as number[];
          if (rows.some((row) => gone.includes(row))) continue;
          expect(reader.errorOf(other)).toBeCloseTo(leastError(problem, [...gone, ...rows]) - before, 8);
        }
        await reader.remove(unit);
        gone.push(...(problem.units[unit] as number[]));
      }
    }
  });

  it('is as right after changes that were put off have been applied', async () => {
    // More columns than are put off at once, twice over.
    const problem = planted(60, 7, 2, 9);
    const reader = new Reader(problem, products);
    const gone: number[] = [];
    for (let unit = 0; unit < 58; unit++) {
      await reader.remove(unit);
      gone.push(...(problem.units[unit] as number[]));
    }
    const last = problem.units[58] as number[];
    const expected = leastError(problem, [...gone, ...last]) - leastError(problem, gone);
    expect(reader.errorOf(58) / expected).toBeCloseTo(1, 5);
  });
});

describe('eliminate', () => {
  it('goes the same way where the engine refits', async () => {
    const problem = planted(40, 4, 6, 77);
    const eliminated = (engineWork: number) => eliminate(40, [new Reader(problem, products, engineWork)]);
    const [here, engine] = [await eliminated(Number.POSITIVE_INFINITY), await eliminated(0)];
    expect(engine.order).toEqual(here.order);
    engine.errors.forEach((error, i) => void expect(error).toBeCloseTo(here.errors[i] as number, 8));
  });

  it('goes greedily by brute force, over all readers together', async () => {
    const problems = [planted(6, 2, 3, 21), planted(6, 1, 5, 22)];
    const { order, errors } = await eliminate(
      6,
      problems.map((problem) => new Reader(problem, products)),
    );
    const total = (units: readonly number[]): number =>
      problems.reduce(
        (sum, problem) =>
          sum +
          leastError(
            problem,
            units.flatMap((unit) => problem.units[unit] as number[]),
          ),
        0,
      );
    const gone: number[] = [];
    while (gone.length < 6) {
      const rest = [0, 1, 2, 3, 4, 5].filter((unit) => !gone.includes(unit));
      const costs = rest.map((unit) => total([...gone, unit]));
      const best = rest[costs.indexOf(Math.min(...costs))] as number;
      expect(order[gone.length]).toBe(best);
      expect(errors[gone.length]).toBeCloseTo(Math.min(...costs) - total(gone), 8);
      gone.push(best);
    }
  });

  it.each([1, 3])(
    'goes the same way without what the layer reads of other groups (%i rows a unit)',
    async (each) => {
      const whole = planted(9, each, 4, 30 + each);
      const units = [4, 7, 2].map((unit) => whole.units[unit] as readonly number[]);
      const part = problemOf({ ...whole, units: new Map([[5, units]]) }, 5);
      expect(part?.inverse.rows).toBe(3 * each);
      const [all, own] = [{ ...whole, units }, must(part, 'a group that the layer reads')];
      const found = await eliminate(3, [new Reader(own, products)]);
      const expected = await eliminate(3, [new Reader(all, products)]);
      expect(found.order).toEqual(expected.order);
      found.errors.forEach((error, i) => void expect(error).toBeCloseTo(expected.errors[i] as number, 10));
      expect(problemOf({ ...whole, units: new Map() }, 5)).toBeUndefined();
    },
  );

  it('scores in the order of removal, ties and falling errors too', () => {
    const scores = scoresOf({ order: [2, 0, 3, 1], errors: [0, 5, 3, 3] });
    expect([2, 0, 3, 1].map((unit) => scores[unit])).toEqual([...scores].sort((a, b) => a - b));
    expect(new Set(scores).size).toBe(4);
    expect(scores[0]).toBe(5);
  });
});

describe('ranking on a thread of its own', () => {
  it('gives what ranking at once gives, group by group', async () => {
    const groups = [1, 2, 3].map((seed) => [planted(8, 2, 5, seed), planted(8, 1, 3, seed + 10)]);
    const ranked = async (threads: number): Promise<unknown> => {
      const rankings = new Rankings(products, threads, 1);
      try {
        for (const [id, problems] of groups.entries()) await rankings.rank(id, 8, problems);
        expect([rankings.has(2), rankings.has(3)]).toEqual([true, false]);
        return await rankings.all();
      } finally {
        await rankings.release();
      }
    };
    expect(await ranked(2)).toEqual(await ranked(1));
  });
});
