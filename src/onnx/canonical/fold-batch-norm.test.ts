import { describe, expect, it } from 'vitest';
import { must } from '../../util/index.ts';
import { Random } from '../../util/internal.ts';
import { GraphBuilder } from '../builder.ts';
import { type Attribute, float, floatConstant, int, ints, type Model, string } from '../graph.ts';
import { compareModels, randomConstant } from '../test-support/models.ts';
import { affineOf, foldBatchNorm } from './fold-batch-norm.ts';

const random = new Random(9);

function started(dims: readonly (number | string)[]): GraphBuilder {
  const builder = new GraphBuilder();
  builder.input('x', dims);
  return builder;
}

function constant(builder: GraphBuilder, ...dims: number[]): string {
  return builder.constant(randomConstant(random, dims), 'w');
}

function norm(builder: GraphBuilder, input: string, channels: number): string {
  const variance = floatConstant(Float32Array.from({ length: channels }, () => 0.1 + random.uniform()));
  const three = [0, 1, 2].map(() => constant(builder, channels));
  return builder.node('BatchNormalization', [input, ...three, builder.constant(variance)], {
    epsilon: float(1e-3),
  });
}

/** The folded model's operators, after checking on ONNX Runtime that outputs are equal up to rounding. */
async function folded(builder: GraphBuilder, result: string): Promise<string[]> {
  builder.output(result, undefined);
  const model = builder.model();
  const after: Model = foldBatchNorm(model);
  expect(await compareModels(model, after)).toBeLessThan(5e-5);
  return after.graph.nodes.map((node) => node.op);
}

describe('foldBatchNorm', () => {
  it.each([
    ['Conv', ['N', 4, 7, 6], [6, 4, 3, 3], 6, { pads: ints([1, 1, 1, 1]) }],
    ['Conv', ['N', 4, 9], [6, 2, 3], 6, { group: int(2), strides: ints([2]) }],
    ['Conv', ['N', 4, 9], [4, 1, 3], 4, { group: int(4) }],
    ['ConvTranspose', ['N', 4, 5], [4, 3, 3], 3, { strides: ints([2]) }],
    ['ConvTranspose', ['N', 4, 5], [4, 3, 3], 6, { group: int(2) }],
    ['Gemm', ['N', 5], [5, 3], 3, {}],
    ['Gemm', ['N', 5], [3, 5], 3, { transB: int(1), alpha: float(0.5), beta: float(2) }],
  ] as const)(
    'merges into %s of %j before it, with and without bias (%#)',
    async (op, dims, weight, channels, attributes: Record<string, Attribute>) => {
      for (const hasBias of [true, false]) {
        const builder = started(dims);
        const bias = hasBias ? [constant(builder, channels)] : [];
        const layer = builder.node(op, ['x', constant(builder, ...weight), ...bias], attributes);
        expect(await folded(builder, norm(builder, layer, channels))).toEqual([op]);
      }
    },
  );

  it.each([
    ['Conv', ['N', 4, 7, 6], [6, 4, 3, 3], { strides: ints([2, 1]) }],
    ['Conv', ['N', 4, 9], [6, 2, 3], { group: int(2), auto_pad: string('VALID') }],
    ['Gemm', ['N', 4], [4, 3], { alpha: float(0.5) }],
    ['Gemm', ['N', 4], [3, 4], { transB: int(1) }],
  ] as const)(
    'merges into an unpadded %s of %j after it (%#)',
    async (op, dims, weight, attributes: Record<string, Attribute>) => {
      const builder = started(dims);
      const layer = builder.node(op, [norm(builder, 'x', 4), constant(builder, ...weight)], attributes);
      expect(await folded(builder, layer)).toEqual([op]);
    },
  );

  it('merges a chain of two, and leaves shared weights of another reader alone', async () => {
    const builder = started(['N', 4, 9]);
    const shared = constant(builder, 4, 4, 3);
    const left = norm(builder, norm(builder, builder.node('Conv', ['x', shared]), 4), 4);
    const right = builder.node('Conv', ['x', shared]);
    expect(await folded(builder, builder.node('Add', [left, right]))).toEqual(['Conv', 'Conv', 'Add']);
  });

  it('keeps one before a padded convolution, after a sum, and where the value is read twice', async () => {
    const padded = started(['N', 4, 9]);
    const normed = norm(padded, 'x', 4);
    const conv = padded.node('Conv', [normed, constant(padded, 4, 4, 3)], { pads: ints([1, 1]) });
    expect(await folded(padded, conv)).toEqual(['BatchNormalization', 'Conv']);
    const sum = started(['N', 4, 9]);
    expect(await folded(sum, norm(sum, sum.node('Add', ['x', 'x']), 4))).toEqual([
      'Add',
      'BatchNormalization',
    ]);
    const twice = started(['N', 4, 9]);
    const layer = twice.node('Conv', ['x', constant(twice, 4, 4, 1)]);
    const both = twice.node('Add', [norm(twice, layer, 4), layer]);
    expect(await folded(twice, both)).toEqual(['Conv', 'BatchNormalization', 'Add']);
  });
});

describe('affineOf', () => {
  it('is gamma / sqrt(var + eps) and beta - mean * scale', () => {
    const builder = started(['N', 1, 3]);
    // gamma 6, beta 1, mean 2, var 8, eps 1: scale 6/3 = 2, shift 1 - 2*2 = -3.
    const parameters = [6, 1, 2, 8].map((value) => builder.constant(floatConstant([value])));
    builder.node('BatchNormalization', ['x', ...parameters], { epsilon: float(1) });
    const node = must(builder.graph.nodes[0], 'node');
    expect(affineOf(builder.graph, node)).toEqual({ scale: Float64Array.of(2), shift: Float64Array.of(-3) });
    node.attributes.set('training_mode', int(1));
    expect(affineOf(builder.graph, node)).toBeUndefined();
  });
});
