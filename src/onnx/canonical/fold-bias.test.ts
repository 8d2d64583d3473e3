// Constants of one number a channel behind a layer become the layer's; what comes out stays the same.
import { describe, expect, it } from 'vitest';
import { Random } from '../../util/internal.ts';
import { GraphBuilder } from '../builder.ts';
import { type Attribute, int, ints, type Model } from '../graph.ts';
import { compareModels, randomConstant } from '../test-support/models.ts';
import { canonicalGraph } from './fold.ts';
import { foldBatchNorm } from './fold-batch-norm.ts';
import { foldBias } from './fold-bias.ts';

const C = 6;

interface Layer {
  readonly op: string;
  readonly input: readonly number[];
  readonly weight: readonly number[];
  readonly attributes?: Record<string, Attribute>;
  readonly bias?: boolean;
  /** Channels counted from the end of the output's axes. */
  readonly behind: number;
}

const LAYERS: Readonly<Record<string, Layer>> = {
  conv: { op: 'Conv', input: [3, 5, 5], weight: [C, 3, 3, 3], behind: 2, bias: true },
  'conv without a bias': { op: 'Conv', input: [3, 5, 5], weight: [C, 3, 3, 3], behind: 2 },
  'conv of signals': { op: 'Conv', input: [3, 9], weight: [C, 3, 3], behind: 1 },
  'conv of groups': {
    ...{ op: 'Conv', input: [4, 5, 5], weight: [C, 2, 3, 3], behind: 2 },
    attributes: { group: int(2) },
  },
  'transposed conv of groups': {
    ...{ op: 'ConvTranspose', input: [4, 5, 5], weight: [4, 3, 3, 3], behind: 2, bias: true },
    attributes: { group: int(2) },
  },
  gemm: { op: 'Gemm', input: [5], weight: [5, C], behind: 0, bias: true },
  'gemm, transposed': { op: 'Gemm', input: [5], weight: [C, 5], behind: 0, attributes: { transB: int(1) } },
  matmul: { op: 'MatMul', input: [5], weight: [5, C], behind: 0 },
};

type Form = (builder: GraphBuilder, x: string, random: Random, behind: number, lead: number) => string;

const perChannel = (builder: GraphBuilder, random: Random, behind: number, lead: number): string =>
  builder.constant(randomConstant(random, [...Array(lead).fill(1), C, ...Array(behind).fill(1)]));

const FORMS: Readonly<Record<string, Form>> = {
  'a sum': (builder, x, random, behind) => builder.node('Add', [x, perChannel(builder, random, behind, 0)]),
  'a sum of all axes': (builder, x, random, behind) =>
    builder.node('Add', [x, perChannel(builder, random, behind, 1)]),
  'a constant first': (builder, x, random, behind) =>
    builder.node('Add', [perChannel(builder, random, behind, 0), x]),
  'a difference': (builder, x, random, behind) =>
    builder.node('Sub', [x, perChannel(builder, random, behind, 0)]),
  'a constant less it': (builder, x, random, behind) =>
    builder.node('Sub', [perChannel(builder, random, behind, 1), x]),
  'a normalisation taken apart': (builder, x, random, behind) => {
    const scaled = builder.node('Div', [x, perChannel(builder, random, behind, 1)]);
    const turned = builder.node('Mul', [perChannel(builder, random, behind, 0), scaled]);
    return builder.node('Add', [turned, perChannel(builder, random, behind, 1)]);
  },
};

function network(layer: Layer, form: Form, finish = 'Relu'): Model {
  const random = new Random(5);
  const builder = new GraphBuilder();
  const x = builder.input('x', ['batch', ...layer.input]);
  const inputs = [x, builder.constant(randomConstant(random, layer.weight))];
  if (layer.bias) inputs.push(builder.constant(randomConstant(random, [C])));
  const value = builder.node(layer.op, inputs, layer.attributes ?? {}, 'layer');
  builder.output(builder.node(finish, [form(builder, value, random, layer.behind, 0)]), undefined);
  return canonicalGraph(builder.model());
}

const ops = ({ graph }: Model): string[] => graph.nodes.map(({ op }) => op);

describe('a constant behind a layer', () => {
  for (const [what, layer] of Object.entries(LAYERS)) {
    it.each(Object.keys(FORMS))(`${what}: %s becomes the layer's`, async (name) => {
      const model = network(layer, FORMS[name] as Form);
      const merged = canonicalGraph(foldBias(model));
      expect(ops(merged)).toEqual([layer.op === 'MatMul' ? 'Gemm' : layer.op, 'Relu']);
      expect(merged.graph.nodes[0]?.name).toBe(model.graph.nodes[0]?.name);
      expect(await compareModels(model, merged, 3)).toBeLessThan(1e-4);
    });
  }

  it('between a layer and its batch normalisation leaves that to be merged too', async () => {
    const model = network(LAYERS.conv as Layer, (builder, x, random, behind) => {
      const sum = builder.node('Add', [x, perChannel(builder, random, behind, 0)]);
      const [gamma, beta, mean] = [1, 2, 3].map(() => builder.constant(randomConstant(random, [C])));
      const variance = randomConstant(random, [C]);
      if (variance.type === 'float32')
        variance.data.forEach((v, i) => {
          variance.data[i] = v * v + 0.5;
        });
      return builder.node('BatchNormalization', [
        sum,
        gamma,
        beta,
        mean,
        builder.constant(variance),
      ] as string[]);
    });
    const merged = canonicalGraph(foldBatchNorm(foldBias(model)));
    expect(ops(merged)).toEqual(['Conv', 'Relu']);
    expect(await compareModels(model, merged)).toBeLessThan(1e-4);
  });

  it.each<[string, Form]>([
    ['one number for all channels', (b, x, r) => b.node('Add', [x, b.constant(randomConstant(r, [1]))])],
    ['a number for each place', (b, x, r) => b.node('Add', [x, b.constant(randomConstant(r, [C, 3, 3]))])],
    ['a number for each column', (b, x, r) => b.node('Add', [x, b.constant(randomConstant(r, [3]))])],
    ['what makes more axes', (b, x, r) => b.node('Add', [x, b.constant(randomConstant(r, [2, 1, C, 1, 1]))])],
    [
      'where the layer is read besides',
      (b, x, r) => b.node('Mul', [b.node('Add', [x, b.constant(randomConstant(r, [C, 1, 1]))]), x]),
    ],
    [
      'where the layer is an output besides',
      (b, x, r) => {
        b.output(x, undefined);
        return b.node('Add', [x, b.constant(randomConstant(r, [C, 1, 1]))]);
      },
    ],
  ])('stays: %s', (_what, form) => {
    const model = network(LAYERS.conv as Layer, form);
    expect(ops(foldBias(model))).toEqual(ops(model));
  });

  it('of signals written as images, channels last, becomes that of the convolution', async () => {
    // As Keras exports Conv1D: axes are moved to the convolution and back before the bias is added.
    const random = new Random(6);
    const builder = new GraphBuilder();
    const x = builder.input('x', ['batch', 9, 2]);
    const axes = (): string => builder.constant({ type: 'int64', dims: [1], data: BigInt64Array.of(2n) });
    const turned = builder.node('Transpose', [x], { perm: ints([0, 2, 1]) });
    const high = builder.node('Unsqueeze', [turned, axes()]);
    const conv = builder.node('Conv', [high, builder.constant(randomConstant(random, [C, 2, 1, 3]))]);
    const flat = builder.node('Squeeze', [conv, axes()]);
    const back = builder.node('Transpose', [flat], { perm: ints([0, 2, 1]) });
    const bias = builder.constant(randomConstant(random, [C]));
    builder.output(builder.node('Relu', [builder.node('Add', [back, bias])]), undefined);
    const model = canonicalGraph(builder.model());
    const merged = canonicalGraph(foldBias(model));
    expect(ops(merged)).toEqual(['Transpose', 'Unsqueeze', 'Conv', 'Squeeze', 'Transpose', 'Relu']);
    expect(await compareModels(model, merged, 3)).toBeLessThan(1e-4);
  });

  it('of a MatMul of three axes stays, as there is no place for it', () => {
    const layer: Layer = { op: 'MatMul', input: [4, 5], weight: [5, C], behind: 0 };
    const model = network(layer, FORMS['a sum'] as Form);
    expect(ops(foldBias(model))).toEqual(['MatMul', 'Add', 'Relu']);
  });
});
