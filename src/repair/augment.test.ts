// What repair fits on: samples, mixtures and translations, and a held-out part that has nothing of the fitted one.
import { describe, expect, it } from 'vitest';
import { Net } from '../channels/test-support/net.ts';
import { canonicalModel, modelCosts } from '../onnx/index.ts';
import { sizeOf } from '../onnx/internal.ts';
import { Random } from '../util/internal.ts';
import { copiesWithin, type RepairSamples, repairSamples } from './augment.ts';
import { datasetOf } from './test-support/nets.ts';

const COPIES = 6;

/** Sample `i` has a 1 in its own channel, all over the plane: what a mixture is made of can be read off it. */
function marked(size: number, axes: readonly number[] = []) {
  const plane = sizeOf(axes);
  const samples = new Float32Array(size * size * plane);
  for (let i = 0; i < size; i++) {
    samples.fill(1, (i * size + i) * plane, (i * size + i + 1) * plane);
  }
  return datasetOf(samples, [size, ...axes]);
}

/** Share of every marked sample in sample `at`; the same at every place, for edges are repeated. */
function sharesAt({ samples, sampleShape }: RepairSamples, at: number): number[] {
  const [channels, plane] = [sampleShape[0] as number, sizeOf(sampleShape.slice(1))];
  return Array.from({ length: channels }, (_, c) => {
    const own = samples.subarray((at * channels + c) * plane, (at * channels + c + 1) * plane);
    expect(new Set(own).size).toBe(1);
    return own[0] as number;
  });
}

function sourcesOf(made: RepairSamples, from: number, to: number): Set<number> {
  const found = new Set<number>();
  for (let at = from; at < to; at++) {
    sharesAt(made, at).forEach((share, source) => {
      if (share > 0) found.add(source);
    });
  }
  return found;
}

describe('repair samples', () => {
  it.each([
    [2, 1],
    [3, 1],
    [4, 1],
    [9, 2],
    [16, 4],
  ])('of %i hold out %i, of which nothing is in what fits', (size, heldOut) => {
    for (let seed = 0; seed < 8; seed++) {
      const made = repairSamples(marked(size, [2, 3]), COPIES, new Random(seed));
      expect(made.size).toBe(size * COPIES);
      expect(made.fitSize).toBe((size - heldOut) * COPIES);
      expect(made.samples.length).toBe(made.size * size * 6);
      const fitted = sourcesOf(made, 0, made.fitSize);
      const held = sourcesOf(made, made.fitSize, made.size);
      expect(fitted.size).toBe(size - heldOut);
      expect(held.size).toBe(heldOut);
      expect([...fitted].filter((source) => held.has(source))).toEqual([]);
    }
  });

  it('are the samples themselves, each once, with one copy', () => {
    const size = 7;
    const random = new Random(2);
    const given = datasetOf(
      Float32Array.from({ length: size * 12 }, () => random.normal()),
      [3, 4],
    );
    const { samples, origins, ...rest } = repairSamples(given, 1, new Random(1));
    expect(rest).toEqual({ size, sampleShape: [3, 4], fitSize: 6 });
    const rows = (data: Float32Array) =>
      Array.from({ length: size }, (_, i) => data.subarray(i * 12, (i + 1) * 12).join()).sort();
    expect(rows(samples)).toEqual(rows(given.samples));
    for (const [at, origin] of origins.entries()) {
      expect(samples.subarray(at * 12, (at + 1) * 12)).toEqual(
        given.samples.subarray(origin * 12, (origin + 1) * 12),
      );
    }
  });

  it('begin each part with its samples, then mix convexly: at most half of one other', () => {
    const size = 12;
    const made = repairSamples(marked(size), COPIES, new Random(3));
    const mixedShares: number[] = [];
    for (const [from, to] of [
      [0, made.fitSize],
      [made.fitSize, made.size],
    ] as const) {
      const own = (to - from) / COPIES;
      for (let at = from; at < to; at++) {
        const all = sharesAt(made, at);
        expect(made.origins[at]).toBe(all.indexOf(Math.max(...all)));
        const shares = all.filter((share) => share !== 0);
        expect(shares.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 6);
        expect(Math.min(...shares)).toBeGreaterThan(0);
        if (at - from < own) expect(shares).toEqual([1]);
        expect(shares.length).toBeLessThanOrEqual(2);
        if (shares.length === 2) mixedShares.push(Math.min(...shares));
      }
      // Every copy has each sample of the part as its larger share once.
      for (let copy = 0; copy < COPIES; copy++) {
        const first = Array.from({ length: own }, (_, i) => {
          const shares = sharesAt(made, from + copy * own + i);
          return shares.indexOf(Math.max(...shares));
        });
        expect(new Set(first).size).toBe(own);
      }
    }
    expect(Math.max(...mixedShares)).toBeLessThanOrEqual(0.5);
    // Shares are spread over all that is allowed.
    expect(Math.max(...mixedShares)).toBeGreaterThan(0.4);
    expect(Math.min(...mixedShares)).toBeLessThan(0.1);
  });

  it.each([[[90]], [[60, 120]], [[28, 31, 64]]])(
    'are moved along every axis of %j by a thirtieth at most, edges repeated',
    (axes) => {
      // One channel for each axis that holds its coordinate, the same in all samples: mixing changes nothing.
      const plane = sizeOf(axes);
      const one = new Float32Array(axes.length * plane);
      const coordinate = (flat: number, axis: number): number =>
        Math.floor(flat / sizeOf(axes.slice(axis + 1))) % (axes[axis] as number);
      axes.forEach((_, axis) => {
        for (let k = 0; k < plane; k++) one[axis * plane + k] = coordinate(k, axis);
      });
      const size = 6;
      const all = new Float32Array(size * one.length);
      for (let i = 0; i < size; i++) all.set(one, i * one.length);
      const made = repairSamples(datasetOf(all, [axes.length, ...axes]), COPIES, new Random(5));
      const seen = axes.map(() => new Set<number>());
      for (let at = 0; at < made.size; at++) {
        axes.forEach((extent, axis) => {
          const from = (at * axes.length + axis) * plane;
          const values = made.samples.subarray(from, from + plane);
          // A place in the middle tells the shift; all others follow from it.
          const middle = axes.reduce((flat, length) => flat * length + (length >> 1), 0);
          const shift = (extent >> 1) - Math.round(values[middle] as number);
          expect(Math.abs(shift)).toBeLessThanOrEqual(Math.round(extent / 30));
          seen[axis]?.add(shift);
          for (let k = 0; k < plane; k++) {
            const expected = Math.min(Math.max(coordinate(k, axis) - shift, 0), extent - 1);
            // Mixtures of equal numbers are equal up to rounding.
            if (Math.abs((values[k] as number) - expected) > 1e-4) {
              expect(values[k], `sample ${at}, axis ${axis}, place ${k}`).toBeCloseTo(expected, 4);
            }
          }
        });
      }
      axes.forEach((extent, axis) => {
        expect(seen[axis]?.size).toBe(2 * Math.round(extent / 30) + 1);
      });
    },
  );

  it('without axes behind the channels are mixed alone', () => {
    const made = repairSamples(marked(4), 3, new Random(1));
    for (let at = 0; at < made.size; at++) {
      expect(sharesAt(made, at).reduce((a, b) => a + b, 0)).toBeCloseTo(1, 6);
    }
  });

  it('repeat by the seed', () => {
    const given = marked(8, [30]);
    const first = repairSamples(given, 3, new Random(9));
    expect(repairSamples(given, 3, new Random(9))).toEqual(first);
    expect(repairSamples(given, 3, new Random(10))).not.toEqual(first);
  });
});

describe('repairSamples of several inputs', () => {
  const inputs = [
    { name: 'image', shape: [1, 40], elemType: 1 },
    { name: 'site', shape: [], elemType: 7 },
    { name: 'age', shape: [2], elemType: 1 },
  ];
  const size = 12;
  const row = 43;
  const random = new Random(3);
  const samples = Float32Array.from({ length: size * row }, (_, i) => {
    const at = i % row;
    const sample = Math.floor(i / row);
    return at === 40 ? sample : at < 40 ? random.normal() : 100 + sample;
  });

  it('mixes numbers, keeps whole ones, and moves each input by itself', () => {
    const made = repairSamples({ size, sampleShape: [row], samples, inputs }, COPIES, new Random(1));
    for (let i = 0; i < made.size; i++) {
      const own = made.samples.subarray(i * row, (i + 1) * row);
      // The number that names the sample stays that of the one that makes up most.
      expect(own[40]).toBe(made.origins[i]);
      // Both ages are the same mixture: nothing of the image, nothing moved.
      expect(own[41]).toBe(own[42]);
      expect(own[41]).toBeGreaterThanOrEqual(100);
    }
  });
});

describe('copiesWithin', () => {
  it('makes fewer samples of a network so large that one pass takes long, but at least the given ones', () => {
    const net = new Net([3, 512, 512]);
    const model = canonicalModel(
      net.head(net.conv('a', net.relu(net.conv('b', net.input, 3, 64)), 64, 64), 64),
    );
    const { macs } = modelCosts(model);
    expect(copiesWithin(model, 4, 4)).toBe(4);
    const size = Math.floor(4e11 / (2 * macs));
    expect([copiesWithin(model, size, 4), copiesWithin(model, size, 1)]).toEqual([2, 1]);
    expect(copiesWithin(model, 10 * size, 4)).toBe(1);
  });
});
