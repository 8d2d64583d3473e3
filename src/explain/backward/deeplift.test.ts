// DeepLIFT against its slow twin (test-support/deeplift-twin.ts), and completeness: contributions at the input and at
// every set of layers that cuts the network add up to the change of the explained score.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { canonicalModel, loadModel, type Model } from '../../onnx/index.ts';
import { cloneModel, float, floatConstant, int, ints, sizeOf } from '../../onnx/internal.ts';
import { must } from '../../util/index.ts';
import { Random } from '../../util/internal.ts';
import { LONG, rounds } from '../../util/test-support/rounds.ts';
import { attribute } from '../attribution/attribute.ts';
import { AttributionPass } from '../attribution/pass.ts';
import type { ReferenceKind } from '../attribution/sampling-path.ts';
import { isAttribution } from '../criteria/attribution.ts';
import { findPlainCriterion } from '../registry.ts';
import { context } from '../test-support/calibration.ts';
import { worst } from '../test-support/compare.ts';
import { multipliers } from '../test-support/deeplift-twin.ts';
import { runModel } from '../test-support/differences.ts';
import { Net, normals } from '../test-support/nets.ts';
import { randomNetwork } from '../test-support/random-net.ts';
import { forward } from '../test-support/twin.ts';

const same = [1, 1, 1, 1];
const overlapping = { kernel_shape: ints([3, 3]), strides: ints([2, 2]), pads: ints(same) };

/** Each with the sets of layers that cut it. */
const NETWORKS: Record<string, { build: (seed: number) => Model; cuts: readonly (readonly string[])[] }> = {
  'rectifiers and sigmoids': {
    build: (seed) => {
      const net = new Net([2, 5, 5], seed);
      const a = net.relu(net.conv(net.input, 2, 4, { pads: same }));
      const b = net.op('Sigmoid', [net.conv(a, 4, 4)]);
      return net.classify(net.op('LeakyRelu', [net.conv(b, 4, 3)], { alpha: float(0.2) }), 3);
    },
    cuts: [['Conv'], ['Conv_1'], ['Conv_2'], ['Gemm']],
  },
  'pools: overlapping, apart, average, global': {
    build: (seed) => {
      const net = new Net([2, 9, 9], seed);
      const a = net.relu(net.conv(net.input, 2, 4, { pads: same }));
      const b = net.conv(net.op('MaxPool', [a], overlapping), 4, 4, { pads: same });
      const apart = { kernel_shape: ints([2, 2]), strides: ints([2, 2]) };
      const c = net.conv(net.op('MaxPool', [b], apart), 4, 5, { pads: same });
      const d = net.op('AveragePool', [net.relu(c)], { kernel_shape: ints([2, 2]) });
      return net.classify(net.op('GlobalMaxPool', [net.conv(d, 5, 6, { kernel: [1, 1] })]), 6);
    },
    cuts: [['Conv'], ['Conv_1'], ['Conv_2'], ['Conv_3'], ['Gemm']],
  },
  'a residual block': {
    build: (seed) => {
      const net = new Net([2, 6, 6], seed);
      const stem = net.relu(net.conv(net.input, 2, 4, { pads: same }));
      const inner = net.relu(net.conv(stem, 4, 4, { stride: 2, pads: same }));
      const outer = net.conv(inner, 4, 4, { pads: same });
      const side = net.conv(stem, 4, 4, { kernel: [1, 1], stride: 2 });
      return net.classify(net.op('GlobalAveragePool', [net.relu(net.op('Add', [outer, side]))]), 4);
    },
    cuts: [['Conv'], ['Conv_1', 'Conv_3'], ['Conv_2', 'Conv_3'], ['Gemm']],
  },
  'gates: products, a quotient, hard swish': {
    build: (seed) => {
      const net = new Net([2, 4, 4], seed);
      const a = net.conv(net.input, 2, 4, { pads: same });
      const swish = net.op('Mul', [a, net.op('Sigmoid', [a])]);
      const gate = net.op('Sigmoid', [
        net.conv(net.op('GlobalAveragePool', [swish]), 4, 4, { kernel: [1, 1] }),
      ]);
      const gated = net.op('Mul', [gate, swish]);
      const size = net.op('Add', [
        net.op('Exp', [net.op('GlobalAveragePool', [gated])]),
        net.builder.scalar(1),
      ]);
      const divided = net.op('Div', [gated, size]);
      const b = net.conv(divided, 4, 3, { pads: same });
      const bounds = [net.builder.scalar(0), net.builder.scalar(6)];
      const part = net.op('Clip', [net.op('Add', [b, net.builder.scalar(3)]), ...bounds]);
      return net.classify(net.op('Mul', [b, net.op('Div', [part, net.builder.scalar(6)])]), 48);
    },
    cuts: [['Conv'], ['Conv_2'], ['Gemm']],
  },
  'batch normalisation alone, and concatenation': {
    build: (seed) => {
      const net = new Net([3, 5, 5], seed);
      const normalised = (x: string, channels: number): string => {
        const variance = Float32Array.from({ length: channels }, () => 0.5 + net.random.uniform());
        const parameters = [0, 1, 2].map(() => net.weights([channels]));
        return net.op('BatchNormalization', [
          x,
          ...parameters,
          net.builder.constant(floatConstant(variance)),
        ]);
      };
      const a = net.relu(net.conv(normalised(net.input, 3), 3, 4));
      const b = net.op('Tanh', [net.conv(net.input, 3, 2)]);
      const joined = normalised(net.op('Concat', [a, b], { axis: int(1) }), 6);
      return net.classify(net.relu(net.conv(joined, 6, 3)), 3);
    },
    cuts: [['Conv', 'Conv_1'], ['Conv_2'], ['Gemm']],
  },
};

/** The pass under test and the twin on random samples, references and starts. */
async function expectTwin(model: Model, seed: number, references: number, tolerance: number): Promise<void> {
  const dims = [3, ...(model.graph.inputs[0]?.dims ?? []).slice(1).map(Number)];
  const classes = Number(model.graph.outputs[0]?.dims?.[1]);
  const [samples, start] = [normals(sizeOf(dims), seed + 1), normals(3 * classes, seed + 2)];
  const reference = normals((sizeOf(dims) / 3) * references, seed + 3);
  const pass = await AttributionPass.create(model, {
    attribution: { kind: 'deeplift' },
    readout: 'times-difference',
    start: 'given',
    wantInput: true,
    modelName: 'test',
  });
  try {
    const result = await pass.run(samples, dims, start, reference);
    const each = Float64Array.from(samples, (_, i) => reference[i % reference.length] as number);
    const trace = forward(model, { dims, data: Float64Array.from(samples) });
    const before = forward(model, { dims, data: each });
    const found = multipliers(model, trace, before, Float64Array.from(start));
    const input = must(found.get(model.graph.inputs[0]?.name ?? ''), 'the input');
    expect(worst(must(result.input, 'the input'), input), 'input').toBeLessThan(tolerance);
    for (const { name, channels, values } of result.layers) {
      const m = found.get(name);
      const sums = new Float64Array(3 * channels);
      const [now, then] = [must(trace.values.get(name), name).data, must(before.values.get(name), name).data];
      const places = now.length / sums.length;
      m?.forEach((value, i) => {
        const to = Math.floor(i / places);
        sums[to] = (sums[to] as number) + value * ((now[i] as number) - (then[i] as number));
      });
      expect(worst(values, sums), name).toBeLessThan(tolerance);
      expect(sums.some((value) => value !== 0)).toBe(true);
    }
  } finally {
    await pass.release();
  }
}

describe.each(Object.entries(NETWORKS))('DeepLIFT through %s', (_name, { build, cuts }) => {
  it('equals the twin, with one reference for all and one for each', async () => {
    for (const seed of [1, 2]) {
      await expectTwin(build(seed), seed, 1, 1e-3);
      await expectTwin(build(seed), seed + 10, 3, 1e-3);
    }
  });

  it.each(['zero', 'mean', 'sample'] satisfies ReferenceKind[])('is complete from %s', async (kind) => {
    const model = build(4);
    const count = 5;
    const labels = [0, 1, 2, 3, 0];
    const given = context(model, { count, labels, batch: 2, seed: 9 });
    const { samples, sampleShape } = given.calibration;
    const references = referencesOf(kind, samples, count, 9);
    const [now, before] = [
      await runModel(model, samples, [count, ...sampleShape]),
      await runModel(model, references, [count, ...sampleShape]),
    ];
    const seen: number[] = [];
    await attribute(
      given,
      {
        attribution: { kind: 'deeplift' },
        readout: 'times-difference',
        reference: kind,
        input: 'times-difference',
      },
      (batch) => {
        for (let i = 0; i < batch.count; i++) {
          const n = batch.first + i;
          const label = n * 4 + (labels[n] as number);
          const change = (now[label] as number) - (before[label] as number);
          const close = (values: Float32Array[], where: string): void => {
            const sum = values.reduce((total, list) => total + rowSum(list, i, batch.count), 0);
            expect(Math.abs(sum - change), where).toBeLessThan(1e-3 * Math.max(1, Math.abs(change)));
          };
          close([must(batch.input, 'the input')], 'input');
          for (const cut of cuts) {
            const layers = batch.layers.filter(({ name }) => cut.includes(name));
            expect(layers).toHaveLength(cut.length);
            close(
              layers.map(({ values }) => values),
              cut.join(' + '),
            );
          }
          seen.push(Math.abs(change));
        }
      },
      { wantInput: true },
    );
    expect(seen).toHaveLength(count);
    // A change worth explaining, or the test says nothing.
    expect(Math.max(...seen)).toBeGreaterThan(0.02);
  });
});

describe('a model that fixes its batch', () => {
  it('is explained as one that does not', async () => {
    const { build } = must(NETWORKS['pools: overlapping, apart, average, global'], 'a network');
    const dims = [3, 2, 9, 9];
    const samples = normals(sizeOf(dims), 5);
    const start = normals(12, 6);
    const run = async (model: Model): Promise<Float32Array> => {
      const pass = await AttributionPass.create(model, {
        attribution: { kind: 'deeplift' },
        start: 'given',
        wantInput: true,
        modelName: 'test',
      });
      try {
        return must(
          (await pass.run(samples, dims, start, new Float32Array(162).fill(0.1))).input,
          'the input',
        );
      } finally {
        await pass.release();
      }
    };
    const fixed = cloneModel(build(1));
    fixed.graph.inputs = fixed.graph.inputs.map((input) => ({ ...input, dims }));
    expect(worst(await run(fixed), await run(build(1)))).toBeLessThan(1e-5);
  });
});

const SHARED = process.env.BEDSIDE_SHARED ?? join(import.meta.dirname, '../../../../shared');

describe.each(['ecg-resnet1d', 'medical-mnist-vgg16', 'medical-mnist-resnet18'])('on %s', (name) => {
  const path = join(SHARED, 'models', `${name}.onnx`);

  // The wide ones take long; from which reference makes no difference to how they are passed through.
  const wide = name !== 'ecg-resnet1d' && !LONG;
  it.for(['deeplift-rescale', ...(wide ? [] : ['deeplift-rescale=mean'])])(
    '%s is complete at the input',
    async (text, test) => {
      test.skip(!existsSync(path), `no model in ${SHARED}`);
      const model = canonicalModel(await loadModel(path));
      const criterion = findPlainCriterion(text);
      if (!isAttribution(criterion)) throw new Error(text);
      const count = 2;
      const given = context(model, { count, labels: [0, 3], batch: 2 });
      const { samples, sampleShape } = given.calibration;
      const references = referencesOf(text.endsWith('mean') ? 'mean' : 'zero', samples, count, 1);
      const [now, before] = [
        await runModel(model, samples, [count, ...sampleShape]),
        await runModel(model, references, [count, ...sampleShape]),
      ];
      const classes = now.length / count;
      let done = 0;
      await attribute(
        given,
        criterion.spec,
        (batch) => {
          for (let i = 0; i < batch.count; i++, done++) {
            const at = done * classes + (done === 0 ? 0 : 3);
            const change = (now[at] as number) - (before[at] as number);
            const sum = rowSum(must(batch.input, 'the input'), i, batch.count);
            expect(Math.abs(sum - change)).toBeLessThan(1e-3 * Math.max(1, Math.abs(change)));
          }
        },
        { wantInput: true },
      );
      expect(done).toBe(count);
    },
  );
});

describe('DeepLIFT through networks at random', () => {
  it.each(Array.from({ length: rounds(4, 12) }, (_, i) => i + 1))(
    'equals the twin, network %i',
    async (seed) => {
      await expectTwin(randomNetwork(seed), seed, 1, 2e-3);
    },
  );
});

/** What each sample is compared with, drawn as the attribution does. */
function referencesOf(kind: ReferenceKind, samples: Float32Array, count: number, seed: number): Float32Array {
  const size = samples.length / count;
  const random = new Random(seed);
  const result = new Float32Array(samples.length);
  for (let n = 0; n < count; n++) {
    const drawn = kind === 'sample' ? random.integer(count) : 0;
    for (let i = 0; i < size; i++) {
      let mean = 0;
      for (let k = 0; k < count; k++) mean += (samples[k * size + i] as number) / count;
      const from = { zero: 0, mean, sample: samples[drawn * size + i] as number };
      result[n * size + i] = from[kind];
    }
  }
  return result;
}

function rowSum(values: Float32Array, row: number, rows: number): number {
  const size = values.length / rows;
  return values.subarray(row * size, (row + 1) * size).reduce((a, b) => a + b, 0);
}
