import { describe, expect, it } from 'vitest';
import { chainManifest, manifestOf, residualManifest } from '../test-support/manifests.ts';
import { certifiedLevels, freeLevels, levelVector, MOST_INNER } from './level-space.ts';

const choice = (before: number, inner: number, out: number) => ({ in: before, inner, out });

describe('free levels', () => {
  it('of a chain: one group a cut, none at the ends', () => {
    const manifest = chainManifest(3);
    const space = freeLevels(manifest);
    expect([space.cuts, space.inner]).toEqual([
      [1, 4, 4, 1],
      [1, 1, 1],
    ]);
    expect(space.levels(1, choice(1, 0, 3))).toEqual(
      new Map([
        [0, 1],
        [1, 3],
      ]),
    );
    // Charged where it is decided, which is where it goes out.
    expect(space.loss(0, choice(0, 0, 2))).toBe(manifest.accuracy.loss[0]?.[2]);
    expect(space.loss(1, choice(2, 0, 0))).toBe(0);
    expect(space.loss(2, choice(3, 0, 0))).toBe(0);
  });

  it('of a residual trunk: one level through it, inner groups within their stage', () => {
    const manifest = residualManifest();
    const space = freeLevels(manifest);
    expect([space.cuts, space.inner]).toEqual([
      [1, 4, 4, 4, 1],
      [1, 4, 4, 1],
    ]);
    expect(space.levels(1, choice(1, 3, 2))).toBeUndefined();
    expect(space.levels(2, choice(1, 3, 1))).toEqual(
      new Map([
        [0, 1],
        [2, 3],
      ]),
    );
    const loss = manifest.accuracy.loss;
    expect(space.loss(0, choice(0, 0, 3))).toBe(loss[0]?.[3]);
    expect(space.loss(1, choice(3, 2, 3))).toBe(loss[1]?.[2]);
    const vector = levelVector(manifest, space, [
      choice(0, 0, 2),
      choice(2, 1, 2),
      choice(2, 3, 2),
      choice(2, 0, 0),
    ]);
    expect(vector).toEqual([2, 1, 3]);
  });

  it('leave out levels that keep the same counts', () => {
    const manifest = manifestOf(
      [{ layers: [{ gives: 0, outputs: 4 }] }, { layers: [{ reads: 0, inputs: 4 }] }],
      [4],
      { ratios: [0, 0.1, 0.25, 0.3, 0.5] },
    );
    const space = freeLevels(manifest);
    expect(space.cuts).toEqual([1, 3, 1]);
    expect([0, 1, 2].map((out) => space.levels(0, choice(0, 0, out))?.get(0))).toEqual([0, 2, 4]);
  });

  it('tie groups that meet in a cut, through every cut that any of them crosses', () => {
    // Group 0 crosses cuts 1 and 2, group 1 joins it in cut 2 (a concatenation).
    const manifest = manifestOf(
      [
        { layers: [{ gives: 0, outputs: 8 }] },
        {
          layers: [{ reads: 0, gives: 1, inputs: 8, outputs: 8 }],
          output: [
            { group: 0, share: 0.5 },
            { group: 1, share: 0.5 },
          ],
        },
        {
          layers: [
            {
              reads: [
                { group: 0, share: 0.5 },
                { group: 1, share: 0.5 },
              ],
              inputs: 16,
            },
          ],
        },
      ],
      [8, 8],
    );
    const space = freeLevels(manifest);
    expect(space.cuts).toEqual([1, 4, 4, 1]);
    expect(space.levels(1, choice(1, 0, 2))).toBeUndefined();
    expect(space.levels(1, choice(2, 0, 2))).toEqual(
      new Map([
        [0, 2],
        [1, 2],
      ]),
    );
    // Both are charged at once, where the level is first decided.
    expect(space.loss(0, choice(0, 0, 1))).toBeCloseTo(2 * (manifest.accuracy.loss[0]?.[1] ?? 0), 12);
    expect(space.loss(1, choice(1, 0, 1))).toBe(0);
  });

  it('tie many inner groups together, and only then', () => {
    const ratios = [0, 0.2, 0.4, 0.6, 0.8];
    const stage = (groups: readonly number[]) => ({
      layers: groups.map((gives) => ({ reads: gives - 1 < 0 ? undefined : gives - 1, gives, outputs: 10 })),
      output: [],
    });
    const two = freeLevels(manifestOf([stage([0, 1])], [10, 10], { ratios }));
    expect(two.inner).toEqual([25]);
    const three = freeLevels(manifestOf([stage([0, 1, 2])], [10, 10, 10], { ratios }));
    expect(5 ** 3).toBeGreaterThan(MOST_INNER);
    expect(three.inner).toEqual([5]);
    expect(three.levels(0, choice(0, 4, 0))).toEqual(
      new Map([
        [0, 4],
        [1, 4],
        [2, 4],
      ]),
    );
  });

  it('never prune what reaches the scores', () => {
    const manifest = manifestOf([{ layers: [{ gives: 0, outputs: 4 }] }], [4]);
    const space = freeLevels(manifest);
    expect(space.cuts).toEqual([1, 1]);
    expect(space.levels(0, choice(0, 0, 0))).toEqual(new Map([[0, 0]]));
  });
});

describe('certified levels', () => {
  it('are those of one variant from the first stage to the last', () => {
    const manifest = residualManifest();
    const space = certifiedLevels(manifest, [0, 2, 3]);
    expect([space.cuts, space.inner]).toEqual([
      [1, 3, 3, 3, 1],
      [1, 1, 1, 1],
    ]);
    expect(space.levels(1, choice(0, 0, 1))).toBeUndefined();
    const vector = levelVector(manifest, space, [
      choice(0, 0, 1),
      choice(1, 0, 1),
      choice(1, 0, 1),
      choice(1, 0, 0),
    ]);
    expect(vector).toEqual(manifest.variants[2]?.levels);
    const accuracy = space.unprunedAccuracy * Math.exp(-space.loss(0, choice(0, 0, 1)));
    expect(accuracy).toBeCloseTo(manifest.variants[2]?.accuracy ?? 0, 12);
    expect(space.loss(1, choice(1, 0, 1))).toBe(0);
  });

  it('of a single stage are its inner choices', () => {
    const space = certifiedLevels(manifestOf([{ layers: [{ outputs: 4 }] }], []), [1, 2]);
    expect([space.cuts, space.inner]).toEqual([[1, 1], [2]]);
  });
});
