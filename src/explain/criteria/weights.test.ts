// Criteria of the weights alone, against sums taken by hand in every layout a weight may have.
import { describe, expect, it } from 'vitest';
import type { Model } from '../../onnx/index.ts';
import { float, floatConstant, int, ints } from '../../onnx/internal.ts';
import { context } from '../test-support/calibration.ts';
import { Net } from '../test-support/nets.ts';
import { FPGM, L1, L2, LAMP, RANDOM } from './weights.ts';

/** Weights 1, -2, 3, -4 ... so that each sum can be read off. */
function counting(net: Net, dims: readonly number[]): string {
  const size = dims.reduce((a, b) => a * b, 1);
  const data = Array.from({ length: size }, (_, i) => (i % 2 === 0 ? i + 1 : -i - 1));
  return net.builder.constant(floatConstant(data, dims));
}

interface Layout {
  readonly title: string;
  readonly sample: readonly number[];
  readonly build: (net: Net) => string;
  /** Flattened outputs. */
  readonly features: number;
  /** The absolute weights of each output channel. */
  readonly weights: readonly (readonly number[])[];
  /** What the first weight counts; even multiples of it are negative. */
  readonly unit?: number;
}

const LAYOUTS: readonly Layout[] = [
  {
    title: 'Conv [out, in, kernel]',
    sample: [2, 4],
    features: 6,
    build: (net) => net.op('Conv', [net.input, counting(net, [2, 2, 2])], { kernel_shape: ints([2]) }),
    weights: [
      [1, 2, 3, 4],
      [5, 6, 7, 8],
    ],
  },
  {
    title: 'Conv of two groups [out, in / 2, kernel]',
    sample: [4, 3],
    features: 12,
    build: (net) => net.op('Conv', [net.input, counting(net, [4, 2, 1])], { group: int(2) }),
    weights: [
      [1, 2],
      [3, 4],
      [5, 6],
      [7, 8],
    ],
  },
  {
    title: 'depthwise Conv [out, 1, kernel]',
    sample: [2, 3, 3],
    features: 8,
    build: (net) => net.op('Conv', [net.input, counting(net, [2, 1, 2, 2])], { group: int(2) }),
    weights: [
      [1, 2, 3, 4],
      [5, 6, 7, 8],
    ],
  },
  {
    title: 'ConvTranspose [in, out, kernel]',
    sample: [2, 3],
    features: 12,
    build: (net) => net.op('ConvTranspose', [net.input, counting(net, [2, 3, 2])]),
    weights: [
      [1, 2, 7, 8],
      [3, 4, 9, 10],
      [5, 6, 11, 12],
    ],
  },
  {
    // Inputs 0 and 1 feed outputs 0 and 1, inputs 2 and 3 feed outputs 2 and 3.
    title: 'ConvTranspose of two groups [in, out / 2, kernel]',
    sample: [4, 3],
    features: 12,
    build: (net) => net.op('ConvTranspose', [net.input, counting(net, [4, 2, 1])], { group: int(2) }),
    weights: [
      [1, 3],
      [2, 4],
      [5, 7],
      [6, 8],
    ],
  },
  {
    title: 'Gemm [in, out] with alpha',
    sample: [2],
    features: 3,
    build: (net) => net.op('Gemm', [net.input, counting(net, [2, 3])], { alpha: float(-2) }),
    weights: [
      [2, 8],
      [4, 10],
      [6, 12],
    ],
    unit: 2,
  },
  {
    title: 'Gemm [out, in]',
    sample: [2],
    features: 3,
    build: (net) => net.op('Gemm', [net.input, counting(net, [3, 2])], { transB: int(1) }),
    weights: [
      [1, 2],
      [3, 4],
      [5, 6],
    ],
  },
  {
    title: 'MatMul [in, out] over positions',
    sample: [4, 2],
    features: 12,
    build: (net) => net.op('MatMul', [net.input, counting(net, [2, 3])]),
    weights: [
      [1, 4],
      [2, 5],
      [3, 6],
    ],
  },
];

function network({ sample, build, features }: Layout): Model {
  const net = new Net(sample);
  return net.classify(net.relu(build(net)), features, 3);
}

describe.each(LAYOUTS)('weight criteria: $title', (layout) => {
  it('l1 is the sum of absolute weights', async () => {
    const [scores] = await L1.score(context(network(layout)));
    expect(Array.from(scores?.scores ?? [])).toEqual(
      layout.weights.map((list) => list.reduce((a, b) => a + b, 0)),
    );
  });

  it('l2 is the root of the sum of squares', async () => {
    const [scores] = await L2.score(context(network(layout)));
    const expected = layout.weights.map((list) => Math.hypot(...list));
    expect(scores?.scores).toHaveLength(expected.length);
    expected.forEach((value, c) => {
      expect(scores?.scores[c]).toBeCloseTo(value, 10);
    });
  });
});

describe.each(LAYOUTS)('weight criteria between channels: $title', (layout) => {
  it('fpgm is the sum of distances to the other channels', async () => {
    const { unit = 1 } = layout;
    const signed = layout.weights.map((list) => list.map((w) => ((w / unit) % 2 === 1 ? w : -w)));
    const expected = signed.map((u) =>
      signed.reduce((sum, v) => sum + Math.hypot(...u.map((x, i) => x - (v[i] as number))), 0),
    );
    const [scores] = await FPGM.score(context(network(layout)));
    expect(scores?.scores).toHaveLength(expected.length);
    expected.forEach((value, c) => {
      expect(scores?.scores[c]).toBeCloseTo(value, 10);
    });
  });

  it('lamp is the squared norm over that of all channels at least as large', async () => {
    const squares = layout.weights.map((list) => list.reduce((sum, w) => sum + w * w, 0));
    const expected = squares.map(
      (own) => own / squares.filter((other) => other >= own).reduce((a, b) => a + b, 0),
    );
    const [scores] = await LAMP.score(context(network(layout)));
    expect(scores?.scores).toHaveLength(expected.length);
    expected.forEach((value, c) => {
      expect(scores?.scores[c]).toBeCloseTo(value, 10);
    });
    // The largest channel of a layer always has 1.
    expect(Math.max(...expected)).toBe(1);
  });
});

describe('lamp', () => {
  it('of a layer of zeros is zero', async () => {
    const net = new Net([2]);
    const zeros = net.builder.constant(floatConstant(new Float32Array(6), [2, 3]));
    const model = net.classify(net.op('Gemm', [net.input, zeros]), 3, 3);
    const [scores] = await LAMP.score(context(model));
    expect(Array.from(scores?.scores ?? [])).toEqual([0, 0, 0]);
  });
});

describe('random', () => {
  const model = network(LAYOUTS[0] as Layout);
  it('repeats with the seed, changes with another, and covers every layer in [0, 1)', async () => {
    const flat = async (seed: number): Promise<number[]> =>
      (await RANDOM.score(context(model, { seed }))).flatMap(({ scores }) => Array.from(scores));
    const first = await flat(1);
    expect(first).toHaveLength(2 + 3);
    expect(first.every((score) => score >= 0 && score < 1)).toBe(true);
    expect(new Set(first).size).toBe(first.length);
    expect(await flat(1)).toEqual(first);
    expect(await flat(2)).not.toEqual(first);
  });
});
