import { describe, expect, it } from 'vitest';
import { candidateSets, type SetQuery } from './device-sets.ts';

const query = (more: Partial<SetQuery> = {}): SetQuery => ({
  devices: [1, 0.1, 0.2, 0.1, 5].map((seconds) => ({ seconds, trusted: true })),
  bandwidth: Array.from({ length: 5 }, () => Array.from({ length: 5 }, () => 1e6)),
  source: 0,
  inputBytes: 1000,
  legal: () => true,
  most: 64,
  pairs: 2,
  quads: 1,
  ...more,
});

describe('candidate sets of devices', () => {
  it('are all singles and the best of the larger', () => {
    expect(candidateSets(query())).toEqual([[0], [1], [2], [3], [4], [1, 3], [1, 2], [0, 1, 2, 3]]);
  });

  it('are those that may be', () => {
    const legal = (device: number, size: number): boolean => device !== 1 || size === 4;
    const sets = candidateSets(query({ legal, pairs: 10, quads: 10 }));
    expect(sets.filter((set) => set.length < 4 && set.includes(1))).toEqual([]);
    expect(sets).toContainEqual([0, 1, 2, 3]);
    expect(candidateSets(query({ most: 1 })).every((set) => set.length === 1)).toBe(true);
    expect(candidateSets(query({ most: 3 })).every((set) => set.length < 4)).toBe(true);
  });

  it('leave out devices without a link between them, and prefer trusted ones', () => {
    const bandwidth = query().bandwidth.map((row) => [...row]);
    (bandwidth[1] as number[])[3] = 0;
    expect(candidateSets(query({ bandwidth, pairs: 10 }))).not.toContainEqual([1, 3]);
    const devices = query().devices.map((device, d) => ({ ...device, trusted: d !== 3, seconds: 0.1 }));
    expect(
      candidateSets(query({ devices, pairs: 3, source: 4 })).filter((set) => set.length === 2),
    ).not.toContainEqual(expect.arrayContaining([3]));
  });

  it('stay few with very many devices', () => {
    const many = 64;
    const sets = candidateSets(
      query({
        devices: Array.from({ length: many }, (_, d) => ({ seconds: 1 + d, trusted: true })),
        bandwidth: Array.from({ length: many }, () => Array.from({ length: many }, () => 1e6)),
        pairs: 12,
        quads: 8,
      }),
    );
    expect(sets).toHaveLength(many + 20);
  });
});
