import { describe, expect, it } from 'vitest';
import { Random } from '../../util/internal.ts';
import { implausible, tableFrom, timeGridOf } from './time-grid.ts';

const ALL = { size: Number.POSITIVE_INFINITY, diagonal: true };
const levels = (...counts: number[]): number[][] => counts.map((count) => [count]);

describe('grids', () => {
  it('hold every pair of different counts once', () => {
    const grid = timeGridOf(levels(8, 8, 4), levels(6, 3, 3), ALL);
    expect(grid.pairs).toEqual([
      [0, 0],
      [0, 1],
      [2, 0],
      [2, 1],
    ]);
    expect(timeGridOf([[], [], []], levels(6, 6, 6), ALL).pairs).toEqual([[0, 0]]);
  });

  it('are coarser where asked, with the ends and the diagonal', () => {
    const counts = levels(80, 70, 60, 50, 40, 30, 20, 10);
    const corners = timeGridOf(counts, counts, { size: 2, diagonal: false });
    expect(corners.pairs).toEqual([
      [0, 0],
      [0, 7],
      [7, 0],
      [7, 7],
    ]);
    const coarse = timeGridOf(counts, counts, { size: 4, diagonal: true });
    expect(coarse.pairs).toHaveLength(16 + 4);
    for (let level = 0; level < 8; level++) expect(coarse.pairs).toContainEqual([level, level]);
  });

  it('give back what was measured', () => {
    const grid = timeGridOf(levels(8, 8, 4), levels(6, 3, 3), ALL);
    expect(tableFrom(grid, [9, 7, 5, 3])).toEqual([
      [9, 7, 7],
      [9, 7, 7],
      [5, 3, 3],
    ]);
  });

  it('interpolate what is linear in the counts exactly', () => {
    const [ins, outs] = [levels(64, 60, 40, 33, 16), levels(96, 64, 61, 10, 8)];
    const truth = (i: number, o: number): number =>
      2 + (ins[i]?.[0] ?? 0) * (outs[o]?.[0] ?? 0) + 3 * (ins[i]?.[0] ?? 0);
    for (const fineness of [
      { size: 2, diagonal: false },
      { size: 3, diagonal: true },
    ]) {
      const grid = timeGridOf(ins, outs, fineness);
      const table = tableFrom(
        grid,
        grid.pairs.map(([i, o]) => truth(i, o)),
      );
      table.forEach((row, i) => {
        row.forEach((value, o) => {
          expect(value).toBeCloseTo(truth(i, o), 9);
        });
      });
    }
  });

  it.each([1, 2, 3])('never rise by level, whatever was measured, seed %i', (seed) => {
    const random = new Random(seed);
    const counts = levels(32, 24, 24, 16, 12, 8);
    const grid = timeGridOf(counts, counts, { size: 3, diagonal: true });
    const table = tableFrom(
      grid,
      grid.pairs.map(() => random.uniform()),
    );
    table.forEach((row, i) => {
      row.forEach((value, o) => {
        expect(value).toBeLessThanOrEqual(table[i - 1]?.[o] ?? 1);
        expect(value).toBeLessThanOrEqual(row[o - 1] ?? 1);
      });
    });
  });

  it('say which values are hardly true', () => {
    const grid = timeGridOf(levels(8, 4), levels(6, 3), ALL);
    expect(implausible(grid, [10, 8, 6, 4])).toEqual([]);
    expect(implausible(grid, [10, 8, 6, 7])).toEqual([3]);
    expect(implausible(grid, [10, 30, 6, 4])).toEqual([1]);
    expect(implausible(grid, [10, 10.5, 6, 4])).toEqual([]);
  });
});
