// Attributions over several points: integrated and expected gradients, SmoothGrad. References: closed forms, sums over
// the points written out by hand, and completeness.
import { describe, expect, it } from 'vitest';
import type { Model } from '../../onnx/index.ts';
import { floatConstant, ints } from '../../onnx/internal.ts';
import { BedsideError, must } from '../../util/index.ts';
import { Random } from '../../util/internal.ts';
import { isAttribution } from '../criteria/attribution.ts';
import type { CriterionContext } from '../criterion.ts';
import { findPlainCriterion } from '../registry.ts';
import { context } from '../test-support/calibration.ts';
import { worst } from '../test-support/compare.ts';
import { runModel } from '../test-support/differences.ts';
import { Net } from '../test-support/nets.ts';
import { forward } from '../test-support/twin.ts';
import { type AttributionBatch, attribute } from './attribute.ts';
import { AttributionPass, oneHot } from './pass.ts';

const COUNT = 4;
const LABELS = [0, 1, 2, 1];

/** Every layer's channels and the input, sample by sample. */
async function attributed(name: string, given: CriterionContext): Promise<AttributionBatch[]> {
  const criterion = findPlainCriterion(name);
  if (!isAttribution(criterion)) throw new Error(`${name} explains no single sample`);
  const batches: AttributionBatch[] = [];
  await attribute(given, criterion.spec, (batch) => batches.push(batch), { wantInput: true });
  return batches;
}

const inputsOf = (batches: AttributionBatch[]): number[] =>
  batches.flatMap(({ input }) => Array.from(must(input, 'the input')));

const layerOf = (batches: AttributionBatch[], layer: string): number[] =>
  batches.flatMap(({ layers }) => Array.from(must(layers.find(({ name }) => name === layer)?.values, layer)));

/** Smooth and dense, so that every channel is one place. */
function dense(seed = 3): Model {
  const net = new Net([5], seed);
  const hidden = net.op('Tanh', [net.gemm(net.input, 5, 4)]);
  return net.finish(net.gemm(hidden, 4, 3), 3);
}

function convolutional(seed: number): Model {
  const same = [1, 1, 1, 1];
  const net = new Net([2, 6, 6], seed);
  const a = net.relu(net.conv(net.input, 2, 4, { pads: same }));
  const window = { kernel_shape: ints([3, 3]), strides: ints([2, 2]), pads: ints(same) };
  const b = net.op('Add', [
    net.conv(net.op('MaxPool', [a], window), 4, 4, { pads: same }),
    net.op('AveragePool', [a], window),
  ]);
  const c = net.op('Sigmoid', [net.conv(net.relu(b), 4, 5)]);
  return net.classify(c, 5, 3);
}

/** The gradient of the label's score at given points of the input: by layer, and at the input. */
async function gradients(model: Model, points: Float32Array, labels: readonly number[]) {
  const pass = await AttributionPass.create(model, {
    attribution: { kind: 'gradient' },
    readout: 'sum',
    start: 'given',
    wantInput: true,
    modelName: 'test',
  });
  try {
    const dims = [labels.length, ...(model.graph.inputs[0]?.dims ?? []).slice(1).map(Number)];
    return await pass.run(points, dims, oneHot(labels, 3));
  } finally {
    await pass.release();
  }
}

describe('integrated gradients', () => {
  it('of a sigmoid of a dot product is the closed form', async () => {
    // f = s(w x): the path integral is w_i x_i (s(w x) - s(0)) / (w x).
    const net = new Net([3]);
    const weights = [0.8, -1.5, 2];
    const w = net.builder.constant(floatConstant(weights, [3, 1]));
    const model = net.finish(net.op('Sigmoid', [net.op('Gemm', [net.input, w])]), 1);
    const given = context(model, { count: COUNT, labels: [0, 0, 0, 0] });
    const { samples } = given.calibration;
    const batches = await attributed('integrated-gradients=64', given);
    const [whole, parts]: [number[], number[]] = [[], []];
    for (let n = 0; n < COUNT; n++) {
      const terms = weights.map((weight, i) => weight * (samples[3 * n + i] as number));
      const z = terms.reduce((a, b) => a + b, 0);
      const rise = 1 / (1 + Math.exp(-z)) - 0.5;
      whole.push(rise);
      parts.push(...terms.map((term) => (term * rise) / z));
    }
    expect(worst(inputsOf(batches), parts)).toBeLessThan(1e-3);
    expect(worst(layerOf(batches, 'Gemm'), whole)).toBeLessThan(1e-3);
  });

  it.each(['integrated-gradients=512', 'expected-gradients=512'])(
    '%s is complete at the input and at every cut',
    async (name) => {
      const seed = 5;
      for (const model of [convolutional(1), convolutional(2)]) {
        const given = context(model, { count: COUNT, labels: LABELS, batch: 600, seed });
        const { samples, sampleShape } = given.calibration;
        const from = name.startsWith('expected') ? drawn(samples, seed) : new Float32Array(samples.length);
        const dims = [COUNT, ...sampleShape];
        const [now, before] = [await runModel(model, samples, dims), await runModel(model, from, dims)];
        const batches = await attributed(name, given);
        const change = LABELS.map(
          (label, n) => (now[3 * n + label] as number) - (before[3 * n + label] as number),
        );
        const most = Math.max(...change.map(Math.abs));
        expect(most).toBeGreaterThan(0.02);
        const found = {
          input: inputsOf(batches),
          Conv: layerOf(batches, 'Conv'),
          Conv_2: layerOf(batches, 'Conv_2'),
          Gemm: layerOf(batches, 'Gemm'),
        };
        for (const [where, values] of Object.entries(found)) {
          const size = values.length / COUNT;
          change.forEach((expected, n) => {
            const sum = values.slice(n * size, (n + 1) * size).reduce((a, b) => a + b, 0);
            expect(Math.abs(sum - expected), `${where}, sample ${n}`).toBeLessThan(1e-3 * Math.max(1, most));
          });
        }
      }
    },
  );

  it.each([
    ['integrated-gradients=1', 1],
    ['integrated-gradients=5', 5],
    ['integrated-gradients', 8],
  ])('%s is the trapezoid sum over %i intervals', async (name, steps) => {
    const model = dense();
    const given = context(model, { count: COUNT, labels: LABELS, batch: 20 });
    const { samples } = given.calibration;
    const batches = await attributed(name, given);
    const expected = await trapezoid(model, samples, new Float32Array(samples.length), steps);
    expect(worst(layerOf(batches, 'Gemm'), expected.layer)).toBeLessThan(1e-5);
    expect(worst(inputsOf(batches), expected.input)).toBeLessThan(1e-5);
  });
});

describe('expected gradients', () => {
  it('are integrated gradients from the samples drawn, repeat with the seed and change with another', async () => {
    const model = dense();
    const run = (seed: number, batch = 20) =>
      attributed('expected-gradients=3', context(model, { count: COUNT, labels: LABELS, batch, seed }));
    const { samples } = context(model, { count: COUNT }).calibration;
    const expected = await trapezoid(model, samples, drawn(samples, 11), 3);
    const first = await run(11);
    expect(worst(layerOf(first, 'Gemm'), expected.layer)).toBeLessThan(1e-5);
    expect(worst(inputsOf(first), expected.input)).toBeLessThan(1e-5);
    expect(inputsOf(await run(11))).toEqual(inputsOf(first));
    expect(worst(inputsOf(await run(11, 1)), inputsOf(first))).toBeLessThan(1e-5);
    expect(worst(inputsOf(await run(12)), inputsOf(first))).toBeGreaterThan(0.1);
  });
});

describe('SmoothGrad', () => {
  it('is the size of the mean gradient over the same noisy copies, each run by itself', async () => {
    const draws = 6;
    const model = dense();
    const run = (seed: number, batch = 20) =>
      attributed(`smoothgrad=${draws}`, context(model, { count: COUNT, labels: LABELS, batch, seed }));
    const { samples } = context(model, { count: COUNT }).calibration;
    const random = new Random(21);
    const [input, layer] = [new Float64Array(samples.length), new Float64Array(COUNT * 4)];
    for (let n = 0; n < COUNT; n++) {
      const sample = samples.subarray(5 * n, 5 * n + 5);
      const deviation = 0.15 * (Math.max(...sample) - Math.min(...sample));
      for (let k = 0; k < draws; k++) {
        const copy = Float32Array.from(sample, (value) => value + deviation * random.normal());
        const { layers, input: atInput } = await gradients(model, copy, [LABELS[n] as number]);
        layers[0]?.values.forEach((value, c) => {
          layer[4 * n + c] = (layer[4 * n + c] as number) + value / draws;
        });
        atInput?.forEach((value, i) => {
          input[5 * n + i] = (input[5 * n + i] as number) + value / draws;
        });
      }
    }
    const first = await run(21);
    expect(worst(layerOf(first, 'Gemm'), layer.map(Math.abs))).toBeLessThan(1e-5);
    expect(worst(inputsOf(first), input)).toBeLessThan(1e-5);
    expect(inputsOf(await run(21))).toEqual(inputsOf(first));
    expect(worst(inputsOf(await run(21, 1)), inputsOf(first))).toBeLessThan(1e-5);
    expect(worst(inputsOf(await run(22)), inputsOf(first))).toBeGreaterThan(1e-3);
  });

  it('sums the size of the mean over space, not the mean of sizes', async () => {
    const model = convolutional(3);
    const given = context(model, { count: 2, labels: [0, 1], seed: 4 });
    const [smooth, plain] = [
      await attributed('smoothgrad=1', given),
      await attributed('gradient', context(model, { count: 2, labels: [0, 1] })),
    ];
    const random = new Random(4);
    const { samples } = given.calibration;
    const size = samples.length / 2;
    const copies = Float32Array.from(samples);
    for (const n of [0, 1]) {
      const sample = samples.subarray(n * size, (n + 1) * size);
      const deviation = 0.15 * (Math.max(...sample) - Math.min(...sample));
      for (let i = 0; i < size; i++)
        copies[n * size + i] = (sample[i] as number) + deviation * random.normal();
    }
    const noisy = await attributed('gradient', {
      ...context(model, { count: 2, labels: [0, 1] }),
      calibration: { ...given.calibration, samples: copies },
    });
    expect(worst(layerOf(smooth, 'Conv'), layerOf(noisy, 'Conv'))).toBeLessThan(1e-5);
    expect(worst(layerOf(smooth, 'Conv'), layerOf(plain, 'Conv'))).toBeGreaterThan(1e-2);
  });
});

describe('memory', () => {
  it.each([
    ['integrated-gradients=8', 20, 9],
    ['integrated-gradients=100', 20, 101],
    ['smoothgrad=3', 20, 3],
    ['expected-gradients', 4, 5],
    ['taylor', 3, 1],
  ])(
    '%s with batches of %i runs no more inputs at once, or the points of one sample',
    async (name, batch, points) => {
      const batches = await attributed(
        name,
        context(dense(), { count: 11, labels: new Array<number>(11).fill(1), batch }),
      );
      const inputs = batches.map(({ logits }) => logits.length / 3);
      expect(Math.max(...inputs)).toBeLessThanOrEqual(Math.max(batch, points));
      // And no fewer than fit.
      expect(Math.max(...inputs)).toBe(Math.max(1, Math.floor(batch / points)) * points);
      expect(batches.map(({ count }) => count).reduce((a, b) => a + b, 0)).toBe(11);
      expect(inputs.reduce((a, b) => a + b, 0)).toBe(11 * points);
    },
  );
});

describe('a model that fixes its batch', () => {
  const fixed = (batch: number): Model => {
    const model = dense();
    model.graph.inputs = model.graph.inputs.map((input) => ({ ...input, dims: [batch, 5] }));
    return model;
  };

  it('is refused where the points of a sample do not fill it', async () => {
    for (const name of ['integrated-gradients', 'smoothgrad=3', 'expected-gradients']) {
      const failed: unknown = await attributed(
        name,
        context(fixed(4), { count: COUNT, labels: LABELS }),
      ).catch((error: unknown) => error);
      expect(BedsideError.is(failed, 'E_UNSUPPORTED') && failed.message, name).toContain(
        'fixes a batch of 4',
      );
    }
  });

  it('works where they do', async () => {
    const options = { count: COUNT, labels: LABELS, batch: 8 };
    const expected = await attributed('integrated-gradients=3', context(dense(), options));
    const found = await attributed('integrated-gradients=3', context(fixed(8), options));
    expect(worst(inputsOf(found), inputsOf(expected))).toBeLessThan(1e-6);
  });
});

/** The samples that expected gradients compare with. */
function drawn(samples: Float32Array, seed: number): Float32Array {
  const random = new Random(seed);
  const size = samples.length / COUNT;
  const result = new Float32Array(samples.length);
  for (let n = 0; n < COUNT; n++) {
    const at = random.integer(COUNT) * size;
    result.set(samples.subarray(at, at + size), n * size);
  }
  return result;
}

/** Sums over the intervals of mean gradient x step, in the dense network's first layer and at its input. */
async function trapezoid(model: Model, samples: Float32Array, from: Float32Array, steps: number) {
  const at = (t: number): Float32Array =>
    samples.map((value, i) => (from[i] as number) + t * (value - (from[i] as number)));
  const points = await Promise.all(
    Array.from({ length: steps + 1 }, async (_, k) => {
      const x = at(k / steps);
      const { layers, input } = await gradients(model, x, LABELS);
      const hidden = must(
        forward(model, { dims: [COUNT, 5], data: Float64Array.from(x) }).values.get('Gemm'),
        'Gemm',
      );
      return {
        x,
        slope: must(input, 'the input'),
        y: hidden.data,
        slopes: must(layers[0], 'a layer').values,
      };
    }),
  );
  const sum = (
    values: (point: (typeof points)[number]) => ArrayLike<number>,
    slopes: (point: (typeof points)[number]) => ArrayLike<number>,
  ): number[] =>
    Array.from(values(must(points[0], 'a point')), (_, i) => {
      let total = 0;
      for (let k = 0; k < steps; k++) {
        const [a, b] = [must(points[k], 'a point'), must(points[k + 1], 'a point')];
        const slope = ((slopes(a)[i] as number) + (slopes(b)[i] as number)) / 2;
        total += slope * ((values(b)[i] as number) - (values(a)[i] as number));
      }
      return total;
    });
  return {
    input: sum(
      ({ x }) => x,
      ({ slope }) => slope,
    ),
    layer: sum(
      ({ y }) => y,
      ({ slopes }) => slopes,
    ),
  };
}
