// Conservation of relevance (Bach et al., 2015): what leaves a layer equals what entered it. Theory promises it only
// without biases and with a vanishing stabiliser, and then
// - for epsilon and gamma: always, as an output's shares sum to 1;
// - for z+: where some contribution is positive, so at every output that a Relu lets through;
// - for alpha-beta: where contributions of both signs exist, since alpha - beta = 1 needs both halves.
// Max pools, moves and activations conserve trivially, sums and averages like epsilon. The last tests show what is
// lost, and how much, where a condition fails.
import { describe, expect, it } from 'vitest';
import type { Model } from '../../onnx/index.ts';
import { floatConstant, ints } from '../../onnx/internal.ts';
import { type RulePair, rulePairs, runPass, setting } from '../test-support/compare.ts';
import { Net } from '../test-support/nets.ts';

const same = [1, 1, 1, 1];
const bias = false;
const TINY = rulePairs(1e-9);

/** Each with the layers whose sums together make up all relevance, cut by cut from the logits down. */
const NETWORKS: Record<string, { build: (seed: number) => Model; cuts: readonly (readonly string[])[] }> = {
  'a chain with pools': {
    build: (seed) => {
      const net = new Net([3, 8, 8], seed);
      const a = net.relu(net.conv(net.input, 3, 8, { pads: same, bias }));
      const pool = { kernel_shape: ints([3, 3]), strides: ints([2, 2]), pads: ints(same) };
      const b = net.relu(net.conv(net.op('MaxPool', [a], pool), 8, 8, { pads: same, bias }));
      const c = net.relu(net.conv(net.op('AveragePool', [b], pool), 8, 8, { pads: same, bias }));
      return net.classify(net.op('GlobalAveragePool', [c]), 8, 4, bias);
    },
    cuts: [['Gemm'], ['Conv_2'], ['Conv_1'], ['Conv']],
  },
  'a residual block with a projection': {
    build: (seed) => {
      const net = new Net([3, 8, 8], seed);
      const stem = net.relu(net.conv(net.input, 3, 8, { pads: same, bias }));
      const inner = net.relu(net.conv(stem, 8, 8, { stride: 2, pads: same, bias }));
      const outer = net.relu(net.conv(inner, 8, 8, { pads: same, bias }));
      // Not the usual 1x1: with few rectified inputs some outputs would have positive contributions alone.
      const projection = net.relu(net.conv(stem, 8, 8, { stride: 2, pads: same, bias }));
      return net.classify(net.op('Add', [outer, projection]), 128, 4, bias);
    },
    cuts: [['Gemm'], ['Conv_2', 'Conv_3'], ['Conv_1', 'Conv_3'], ['Conv']],
  },
};

describe.each(Object.entries(NETWORKS))('conservation in %s', (_name, { build, cuts }) => {
  it.each(TINY)('$name', async ({ rule }) => {
    for (const seed of [1, 2]) {
      const given = setting(build(seed), 2, seed);
      const batch = given.dims[0] as number;
      const result = await runPass(given, () => rule);
      const total = (values: Float32Array, n: number): number =>
        values
          .subarray((n * values.length) / batch, ((n + 1) * values.length) / batch)
          .reduce((a, b) => a + b, 0);
      for (let n = 0; n < batch; n++) {
        const started = total(given.start, n);
        const tolerance = 2e-3 * Math.abs(started);
        for (const cut of cuts) {
          const layers = result.layers.filter(({ name }) => cut.includes(name));
          expect(layers).toHaveLength(cut.length);
          const held = layers.reduce((sum, { values }) => sum + total(values, n), 0);
          expect(Math.abs(held - started), cut.join(' + ')).toBeLessThan(tolerance);
        }
        expect(Math.abs(total(result.input ?? new Float32Array(), n) - started), 'input').toBeLessThan(
          tolerance,
        );
      }
    }
  });
});

/** One neuron of two inputs and a bias; what the input holds of the 1 that starts at it. */
async function heldByInput(pair: RulePair, weights: [number, number], offset: number, x: [number, number]) {
  const net = new Net([2]);
  const w = net.builder.constant(floatConstant(weights, [2, 1]));
  const b = net.builder.constant(floatConstant([offset]));
  const model = net.finish(net.op('Gemm', [net.input, w, b]), 1);
  const given = { ...setting(model, 1), samples: Float32Array.from(x), start: Float32Array.of(1) };
  return (await runPass(given, () => pair.rule)).input?.reduce((a, c) => a + c, 0);
}

const tiny = (name: string): RulePair => TINY.find((pair) => pair.name === name) as RulePair;

describe('where relevance is not conserved', () => {
  // Contributions 3 and -1, bias 2: z = 4, of which the bias keeps 2/4; z+: 2/5; gamma 1.5: 5/11.5; alpha 2:
  // 2 (3/5) - 1 (-1/-1).
  it.each([
    ['epsilon', 2 / 4],
    ['zplus', 3 / 5],
    ['gamma 1.5', (2.5 * 3 - 1) / (2.5 * 3 - 1 + 2.5 * 2)],
    ['alpha 2', 2 * (3 / 5) - 1],
  ])('a bias keeps its share: %s', async (name, held) => {
    expect(await heldByInput(tiny(name), [3, -1], 2, [1, 1])).toBeCloseTo(held, 5);
  });

  it('alpha-beta without a negative contribution hands on alpha times as much', async () => {
    expect(await heldByInput(tiny('alpha 3'), [3, 1], 0, [1, 1])).toBeCloseTo(3, 5);
  });

  it('z+ without a positive contribution hands on nothing', async () => {
    expect(await heldByInput(tiny('zplus'), [3, 1], 0, [-1, -1])).toBe(0);
  });

  it('a large stabiliser keeps epsilon / (z + epsilon)', async () => {
    const pair = rulePairs(0.5)[0] as RulePair;
    expect(await heldByInput(pair, [3, 1], 0, [1, 1])).toBeCloseTo(4 / 4.5, 5);
  });
});
