import { describe, expect, it } from 'vitest';
import { Random } from './random.ts';
import { RandomLanes } from './random-lanes.ts';

describe('streams of random numbers', () => {
  const seeds = [3, 1, 4_000_000_000];
  const draw = (kind: 'uniforms' | 'normals', lane: number, counts: readonly number[]): number[] => {
    const lanes = new RandomLanes(seeds);
    const out = new Float64Array(20);
    let at = 0;
    for (const count of counts) {
      lanes[kind](lane, out, at, count);
      at += count;
    }
    return [...out.subarray(0, at)];
  };

  it.each(seeds.map((seed, lane) => [seed, lane]))('repeat Random of their seed %d', (seed, lane) => {
    const random = new Random(seed);
    expect(draw('uniforms', lane, [7, 5])).toEqual(Array.from({ length: 12 }, () => random.uniform()));
    const other = new Random(seed);
    expect(draw('normals', lane, [4, 6])).toEqual(Array.from({ length: 10 }, () => other.normal()));
  });

  it('do not disturb each other', () => {
    const lanes = new RandomLanes(seeds);
    const out = new Float64Array(12);
    for (let i = 0; i < 12; i++) {
      lanes.normals(0, out, i, 1);
      lanes.uniforms(1, out, i, 1);
    }
    expect([...out]).toEqual(draw('uniforms', 1, [12]));
  });

  it('end where they are told to', () => {
    const out = new Float64Array(4).fill(-1);
    new RandomLanes([1]).normals(0, out, 1, 1);
    expect([...out.subarray(2)]).toEqual([-1, -1]);
    expect(out[0]).toBe(-1);
  });
});
