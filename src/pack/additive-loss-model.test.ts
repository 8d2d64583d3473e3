// The additive fit against every choice of which steps are zero, and on data that are additive.
import { describe, expect, it } from 'vitest';
import { allMixes } from '../repair/test-support/nets.ts';
import { must } from '../util/index.ts';
import { Random } from '../util/internal.ts';
import { additiveValue, fitAdditiveModel, type Observation } from './additive-loss-model.ts';

/** Solves a small linear system by elimination with pivots. */
function solve(matrix: readonly (readonly number[])[], right: readonly number[]): number[] {
  const rows = matrix.map((row, i) => [...row, right[i] as number]);
  const n = rows.length;
  for (let i = 0; i < n; i++) {
    const pivot = rows
      .slice(i)
      .reduce((best, row) => (Math.abs(row[i] as number) > Math.abs(best[i] as number) ? row : best));
    const at = rows.indexOf(pivot);
    [rows[i], rows[at]] = [pivot, must(rows[i], 'row')];
    for (const [k, row] of rows.entries()) {
      if (k === i) continue;
      const factor = (row[i] as number) / (pivot[i] as number);
      for (let j = i; j <= n; j++) row[j] = (row[j] as number) - factor * (pivot[j] as number);
    }
  }
  return rows.map((row, i) => (row[n] as number) / (row[i] as number));
}

/** What is minimised: squared errors, and a thousandth of the squared steps for each observation. */
function objective(table: readonly (readonly number[])[], observations: readonly Observation[]): number {
  const errors = observations.reduce(
    (sum, { levels, value }) => sum + (additiveValue(table, levels) - value) ** 2,
    0,
  );
  const steps = table.flatMap((row) => row.slice(1).map((value, i) => value - (row[i] as number)));
  return errors + 1e-3 * observations.length * steps.reduce((sum, step) => sum + step ** 2, 0);
}

/** The least objective of non-negative steps, over all subsets of steps that are not zero. */
function bruteForce(observations: readonly Observation[], groups: number, levels: number): number[][] {
  const unknowns = groups * (levels - 1);
  const design = observations.map(({ levels: own }) =>
    Array.from({ length: unknowns }, (_, u) =>
      (own[Math.floor(u / (levels - 1))] as number) > u % (levels - 1) ? 1 : 0,
    ),
  );
  let best: { table: number[][]; value: number } | undefined;
  for (let subset = 0; subset < 2 ** unknowns; subset++) {
    const free = Array.from({ length: unknowns }, (_, u) => u).filter((u) => subset & (1 << u));
    const gram = free.map((i) =>
      free.map(
        (j) =>
          design.reduce((sum, row) => sum + (row[i] as number) * (row[j] as number), 0) +
          (i === j ? 1e-3 * observations.length : 0),
      ),
    );
    const right = free.map((i) =>
      design.reduce((sum, row, o) => sum + (row[i] as number) * (observations[o]?.value ?? 0), 0),
    );
    const found = solve(gram, right);
    if (found.some((step) => step < 0)) continue;
    const table = Array.from({ length: groups }, (_, g) => {
      const row = [0];
      for (let s = 0; s < levels - 1; s++) {
        const at = free.indexOf(g * (levels - 1) + s);
        row.push((row[s] as number) + (at < 0 ? 0 : (found[at] as number)));
      }
      return row;
    });
    const value = objective(table, observations);
    if (!best || value < best.value) best = { table, value };
  }
  return must(best, 'no subset').table;
}

function expectNear(
  found: readonly (readonly number[])[],
  wanted: readonly (readonly number[])[],
  digits: number,
) {
  found.flat().forEach((value, i) => {
    expect(value).toBeCloseTo(wanted.flat()[i] as number, digits);
  });
}

describe('fitAdditive', () => {
  it.each([1, 2, 3, 4, 5, 6])('is the best of non-negative steps, seed %i', (seed) => {
    const random = new Random(seed);
    const [groups, levels] = seed % 2 === 0 ? [3, 3] : [2, 4];
    // Nothing additive about the values: many steps would be negative.
    const observations = Array.from({ length: 14 }, () => ({
      levels: Array.from({ length: groups }, () => random.integer(levels)),
      value: random.normal(),
    }));
    const wanted = bruteForce(observations, groups, levels);
    const found = fitAdditiveModel(observations, groups, levels);
    expectNear(found, wanted, 5);
    expect(objective(found, observations)).toBeLessThanOrEqual(objective(wanted, observations) + 1e-9);
    // The case is one in which the bound matters.
    expect(wanted.flatMap((row) => row.slice(1).map((value, i) => value - (row[i] as number)))).toContain(0);
  });

  it.each([1, 2, 3])('finds tables that made the values, seed %i', (seed) => {
    const random = new Random(seed);
    const truth = Array.from({ length: 3 }, () => {
      const row = [0];
      for (let s = 0; s < 3; s++) row.push((row[s] as number) + random.uniform() ** 2);
      return row;
    });
    const observations = allMixes(3, 4).map((levels) => ({ levels, value: additiveValue(truth, levels) }));
    const found = fitAdditiveModel(observations, 3, 4);
    for (const { levels, value } of observations) {
      expect(Math.abs(additiveValue(found, levels) - value)).toBeLessThan(0.01 * (1 + value));
    }
  });

  it('never descends and starts at 0, whatever it is given', () => {
    const random = new Random(8);
    for (let turn = 0; turn < 20; turn++) {
      const observations = Array.from({ length: 1 + random.integer(30) }, () => ({
        levels: Array.from({ length: 4 }, () => random.integer(5)),
        value: 3 * random.normal(),
      }));
      for (const row of fitAdditiveModel(observations, 4, 5)) {
        expect(row).toHaveLength(5);
        expect(row[0]).toBe(0);
        row.forEach((value, i) => {
          expect(value).toBeGreaterThanOrEqual(row[i - 1] ?? 0);
        });
      }
    }
  });

  it('shares evenly between groups that only moved together', () => {
    const observations = [0, 1, 2].map((level) => ({ levels: [level, level], value: 2 * level }));
    const found = fitAdditiveModel(observations, 2, 3);
    expectNear(
      found,
      [
        [0, 1, 2],
        [0, 1, 2],
      ],
      1,
    );
  });
});

describe('sumOf', () => {
  it('adds one entry of each group', () => {
    expect(
      additiveValue(
        [
          [0, 1, 5],
          [0, 2, 7],
        ],
        [2, 1],
      ),
    ).toBe(7);
    expect(additiveValue([], [])).toBe(0);
  });
});
