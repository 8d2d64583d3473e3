// HRank against ranks by construction and by singular values (one-sided Jacobi).
import { describe, expect, it } from 'vitest';
import type { Model } from '../../onnx/index.ts';
import { cloneModel, floatConstant, ints } from '../../onnx/internal.ts';
import { Random } from '../../util/internal.ts';
import { context, smallNetwork } from '../test-support/calibration.ts';
import { runModel } from '../test-support/differences.ts';
import { Net } from '../test-support/nets.ts';
import { HRANK, rankOf } from './hrank.ts';

/** Singular values by turning pairs of columns until all are orthogonal (Hestenes, 1958). */
function singularValues(matrix: ArrayLike<number>, rows: number, columns: number): number[] {
  const column = Array.from({ length: columns }, (_, c) =>
    Float64Array.from({ length: rows }, (_unused, r) => matrix[r * columns + c] as number),
  );
  const dot = (u: Float64Array, v: Float64Array): number =>
    u.reduce((sum, x, i) => sum + x * (v[i] as number), 0);
  for (let sweep = 0; sweep < 40; sweep++) {
    for (let p = 0; p < columns; p++) {
      for (let q = p + 1; q < columns; q++) {
        const [u, v] = [column[p] as Float64Array, column[q] as Float64Array];
        const [a, b, g] = [dot(u, u), dot(v, v), dot(u, v)];
        if (Math.abs(g) <= 1e-15 * Math.sqrt(a * b)) continue;
        const zeta = (b - a) / (2 * g);
        const t = (zeta < 0 ? -1 : 1) / (Math.abs(zeta) + Math.hypot(1, zeta));
        const cos = 1 / Math.hypot(1, t);
        column[p] = u.map((x, i) => cos * (x - t * (v[i] as number)));
        column[q] = v.map((x, i) => cos * (x + t * (u[i] as number)));
      }
    }
  }
  return column.map((u) => Math.sqrt(dot(u, u))).sort((a, b) => b - a);
}

function rankBySvd(matrix: ArrayLike<number>, rows: number, columns: number): number {
  const values = singularValues(matrix, rows, columns);
  const most = values[0] ?? 0;
  return most === 0 ? 0 : values.filter((value) => value > 1e-6 * most).length;
}

/** A product of two random factors, `[rows, rank] [rank, columns]`. */
function ofRank(rank: number, rows: number, columns: number, random: Random): Float64Array {
  const [left, right] = [rows * rank, rank * columns].map((size) =>
    Float64Array.from({ length: size }, () => random.normal()),
  ) as [Float64Array, Float64Array];
  return Float64Array.from({ length: rows * columns }, (_, i) => {
    let sum = 0;
    for (let k = 0; k < rank; k++) {
      sum +=
        (left[Math.floor(i / columns) * rank + k] as number) * (right[k * columns + (i % columns)] as number);
    }
    return sum;
  });
}

describe('rankOf', () => {
  it.each([
    [5, 5],
    [4, 7],
    [7, 4],
    [1, 6],
  ])('of %i x %i matrices of every rank', (rows, columns) => {
    const random = new Random(3);
    for (let rank = 0; rank <= Math.min(rows, columns); rank++) {
      for (let trial = 0; trial < 5; trial++) {
        const matrix = ofRank(rank, rows, columns, random);
        expect(rankBySvd(matrix, rows, columns)).toBe(rank);
        expect(rankOf(matrix.slice(), rows, columns)).toBe(rank);
        // As float32 holds it.
        expect(rankOf(Float64Array.from(Float32Array.from(matrix)), rows, columns)).toBe(rank);
      }
    }
  });

  it('of rectified random matrices is that by singular values', () => {
    const random = new Random(4);
    for (let trial = 0; trial < 40; trial++) {
      const [rows, columns] = [2 + random.integer(5), 2 + random.integer(5)];
      const matrix = Float64Array.from({ length: rows * columns }, () =>
        Math.max(0, Math.round(random.normal() - 0.6)),
      );
      expect(rankOf(matrix.slice(), rows, columns)).toBe(rankBySvd(matrix, rows, columns));
    }
  });
});

describe('hrank', () => {
  const COUNT = 11;

  async function mapsOf(model: Model, value: string): Promise<Float32Array> {
    const probed = cloneModel(model);
    probed.graph.outputs = [{ name: value, elemType: 1, dims: undefined }];
    const { samples, sampleShape } = context(model, { count: COUNT }).calibration;
    return runModel(probed, samples, [COUNT, ...sampleShape]);
  }

  it('is the mean rank of the feature maps behind the activation', async () => {
    const model = smallNetwork();
    const scores = await HRANK.score(context(model, { count: COUNT }));
    const read = { Conv: ['Relu', 4, 5], Conv_1: ['Conv_1', 4, 5], Conv_2: ['Relu_2', 5, 2] } as const;
    for (const [layer, [value, channels, side]] of Object.entries(read)) {
      const maps = await mapsOf(model, value);
      const expected = new Float64Array(channels);
      for (let i = 0; i < COUNT * channels; i++) {
        const map = maps.subarray(i * side * side, (i + 1) * side * side);
        expected[i % channels] = (expected[i % channels] as number) + rankBySvd(map, side, side) / COUNT;
      }
      const found = scores.find((entry) => entry.layer === layer)?.scores;
      expect(found).toHaveLength(channels);
      expected.forEach((rank, c) => {
        expect(found?.[c], `${layer} ${c}`).toBeCloseTo(rank, 10);
      });
    }
    const dense = scores.find(({ layer }) => layer === 'Gemm')?.scores;
    expect(Array.from(dense ?? [])).toEqual([1, 1, 1]);
  });

  it('in one dimension, and over positions of a MatMul, is the share of samples where the channel is not zero', async () => {
    const net = new Net([2, 6], 5);
    // Biases so low that whole maps are zero.
    const bias = net.builder.constant(floatConstant([0, -1, -1.5, -9]));
    const a = net.relu(net.op('Conv', [net.input, net.weights([4, 2, 3], 0.4), bias]));
    const rows = net.op('Transpose', [a], { perm: { type: 'ints', value: [0n, 2n, 1n] } });
    const b = net.relu(net.op('MatMul', [rows, net.weights([4, 5])]));
    const model = net.classify(b, 20, 3);
    const scores = await HRANK.score(context(model, { count: COUNT }));
    const share = (
      maps: Float32Array,
      channels: number,
      at: (n: number, c: number, p: number) => number,
    ): number[] =>
      Array.from({ length: channels }, (_, c) => {
        let lively = 0;
        for (let n = 0; n < COUNT; n++) {
          if ([0, 1, 2, 3].some((p) => maps[at(n, c, p)] !== 0)) lively++;
        }
        return lively / COUNT;
      });
    const conv = share(await mapsOf(model, 'Relu'), 4, (n, c, p) => (n * 4 + c) * 4 + p);
    const dense = share(await mapsOf(model, 'Relu_1'), 5, (n, c, p) => (n * 4 + p) * 5 + c);
    expect(conv.some((value) => value > 0 && value < 1)).toBe(true);
    expect(conv[3]).toBe(0);
    for (const [i, expected] of [conv, dense].entries()) {
      expected.forEach((value, c) => {
        expect(scores[i]?.scores[c]).toBeCloseTo(value, 10);
      });
    }
  });

  it('reads activations that are padded for an average pool behind them, twice', async () => {
    const net = new Net([2, 8, 8], 6);
    const pooled = (x: string, from: number): string => {
      const elu = net.op('Elu', [net.conv(x, from, 4, { pads: [1, 1, 1, 1] })]);
      const padded = net.op('Pad', [elu, net.builder.ints([0, 0, 0, 0, 0, 0, 0, 0])]);
      return net.op('AveragePool', [padded], { kernel_shape: ints([2, 2]), strides: ints([2, 2]) });
    };
    const model = net.classify(pooled(pooled(net.input, 2), 4), 16, 3);
    const [first, second] = await HRANK.score(context(model, { count: 3 }));
    expect([...(first?.scores ?? [])].every((rank) => rank > 6 && rank <= 8)).toBe(true);
    expect([...(second?.scores ?? [])].every((rank) => rank > 2 && rank <= 4)).toBe(true);
  });
});
