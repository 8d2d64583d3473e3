import { describe, expect, it } from 'vitest';
import { Random } from '../../util/internal.ts';
import { linearScale, spread } from './scale.ts';

describe('linearScale', () => {
  it('ends at round numbers around the values and maps them to the pixels', () => {
    const scale = linearScale(0.17, 0.98, 400, 100);
    expect(scale.ticks).toEqual([0, 0.2, 0.4, 0.6, 0.8, 1]);
    expect([scale(0), scale(1), scale(0.5)]).toEqual([400, 100, 250]);
  });

  it('adds no step when a value is a tick already', () => {
    expect(linearScale(0.1 + 0.2, 0.7, 0, 1).ticks).toEqual([0.3, 0.4, 0.5, 0.6, 0.7]);
  });

  it.each([0, 0.5, 1, 0.123])('has a span when all values are %d', (value) => {
    const scale = linearScale(value, value, 0, 100);
    expect(scale.low).toBeLessThanOrEqual(value);
    expect(scale.high).toBeGreaterThanOrEqual(value);
    expect(scale.ticks.length).toBeGreaterThan(1);
    expect(scale.ticks.every((tick) => tick >= 0 && tick <= 1)).toBe(true);
    expect(Number.isFinite(scale(value))).toBe(true);
  });
});

describe('spread', () => {
  it('leaves alone what does not collide', () => {
    expect(spread([50, 10, 90], 20, 0, 100)).toEqual([50, 10, 90]);
  });

  it('centres what collides', () => {
    expect(spread([50, 50], 20, 0, 100)).toEqual([40, 60]);
    expect(spread([50, 52, 90], 20, 0, 100)).toEqual([41, 61, 90]);
  });

  it('stays inside', () => {
    expect(spread([0, 1, 99, 100], 20, 0, 100)).toEqual([0, 20, 80, 100]);
  });

  it('keeps order, gaps and bounds, and moves no more than it must, on random input', () => {
    const random = new Random(1);
    for (let trial = 0; trial < 500; trial++) {
      const wanted = Array.from({ length: 1 + random.integer(5) }, () => random.integer(21));
      const placed = spread(wanted, 5, 0, 20);
      const cost = (at: readonly number[]) =>
        at.reduce((sum, value, i) => sum + (value - (wanted[i] as number)) ** 2, 0);
      const order = wanted.map((_, i) => i).sort((a, b) => (placed[a] as number) - (placed[b] as number));
      order.slice(1).forEach((index, rank) => {
        const before = order[rank] as number;
        expect((placed[index] as number) - (placed[before] as number)).toBeGreaterThanOrEqual(5 - 1e-9);
        expect(wanted[index] as number).toBeGreaterThanOrEqual(wanted[before] as number);
      });
      expect(Math.min(...placed)).toBeGreaterThanOrEqual(0);
      expect(Math.max(...placed)).toBeLessThanOrEqual(20);
      // No block of neighbours can be shifted for the better.
      for (let from = 0; from < order.length; from++) {
        for (let to = from; to < order.length; to++) {
          for (const step of [-0.01, 0.01]) {
            const moved = [...placed];
            for (const index of order.slice(from, to + 1)) moved[index] = (moved[index] as number) + step;
            const sorted = order.map((index) => moved[index] as number);
            const legal =
              sorted.every((value, i) => i === 0 || value - (sorted[i - 1] as number) >= 5) &&
              (sorted[0] as number) >= 0 &&
              (sorted.at(-1) as number) <= 20;
            if (legal) expect(cost(moved)).toBeGreaterThanOrEqual(cost(placed) - 1e-9);
          }
        }
      }
    }
  });
});
