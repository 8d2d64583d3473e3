// Counts against a slow twin: every operator's definition as loops that count one product after another, over the shapes
// that the engine gives.
import { create } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { withEngineShapes } from '../../engine/index.ts';
import { EngineTensor, openSession } from '../../engine/internal.ts';
import { must } from '../../util/index.ts';
import { Random } from '../../util/internal.ts';
import { GraphBuilder } from '../builder.ts';
import { AttributeProto_AttributeType, AttributeProtoSchema, GraphProtoSchema } from '../codec/onnx_pb.ts';
import {
  type Attribute,
  type Constant,
  ELEM,
  floatConstant,
  int,
  intConstant,
  ints,
  type Model,
  string,
} from '../graph.ts';
import { randomConstant } from '../test-support/models.ts';
import { modelCosts } from './costs.ts';

const random = new Random(11);
const w = (...dims: number[]): Constant => randomConstant(random, dims, 0.2);

/** How often the innermost line of nested loops of these lengths is reached. */
function loops(...lengths: readonly number[]): number {
  let count = 0;
  const enter = (depth: number): void => {
    if (depth === lengths.length) count++;
    else for (let i = 0; i < (lengths[depth] ?? 0); i++) enter(depth + 1);
  };
  enter(0);
  return count;
}

interface Case {
  readonly what: string;
  readonly op: string;
  readonly inputs: readonly (readonly number[])[];
  readonly constants?: readonly (Constant | undefined)[];
  readonly attributes?: Record<string, Attribute>;
  readonly opset?: number;
  readonly domain?: string;
  /** Products, from the shapes of what the node reads and gives. */
  readonly twin: (reads: readonly number[][], gives: readonly number[]) => number;
}

const recurrentTwin =
  (gates: number) =>
  ([x = [], , r = []]: readonly number[][]): number => {
    const [steps = 0, batch = 0, inputs = 0] = x;
    const [directions = 0, , state = 0] = r;
    return (
      loops(directions, steps, batch, gates, state, inputs) +
      loops(directions, steps, batch, gates, state, state)
    );
  };

/** For every element of the result, every kernel position and channel of its group. */
const convTwin = ([, weight = []]: readonly number[][], gives: readonly number[]): number =>
  loops(...gives, ...weight.slice(1));
/** For every element of the input, every channel and kernel position that it goes to. */
const transposedTwin = ([x = [], weight = []]: readonly number[][]): number =>
  loops(...x, ...weight.slice(1));
const productTwin = ([a = []]: readonly number[][], gives: readonly number[]): number =>
  loops(...gives, a.at(-1) ?? 1);

const CASES: readonly Case[] = [
  ...(['forward', 'reverse', 'bidirectional'] as const).flatMap((direction) =>
    (
      [
        ['LSTM', 4],
        ['GRU', 3],
        ['RNN', 1],
      ] as const
    ).map(([op, gates]): Case => {
      const d = direction === 'bidirectional' ? 2 : 1;
      return {
        what: direction,
        op,
        inputs: [[6, 1, 5]],
        constants: [undefined, w(d, gates * 7, 5), w(d, gates * 7, 7), w(d, gates * 14)],
        attributes: { hidden_size: int(7), direction: string(direction) },
        twin: recurrentTwin(gates),
      };
    }),
  ),
  {
    what: 'matrices',
    op: 'Einsum',
    inputs: [
      [1, 3, 4],
      [1, 4, 5],
    ],
    attributes: { equation: string('bij,bjk->bik') },
    twin: () => loops(1, 3, 4, 5),
  },
  {
    what: 'a weight, no arrow',
    op: 'Einsum',
    inputs: [[1, 3, 4]],
    constants: [undefined, w(4, 5)],
    attributes: { equation: string('btc, cd') },
    twin: () => loops(1, 3, 4, 5),
  },
  {
    what: 'an ellipsis',
    op: 'Einsum',
    inputs: [
      [1, 6, 3, 4],
      [1, 6, 5, 4],
    ],
    attributes: { equation: string('...ij,...kj->...ik') },
    twin: () => loops(1, 6, 3, 4, 5),
  },
  {
    what: 'heads',
    op: 'Einsum',
    inputs: [
      [1, 3, 2, 4],
      [1, 5, 2, 4],
    ],
    attributes: { equation: string('bqhd,bkhd->bhqk') },
    twin: () => loops(1, 3, 2, 4, 5),
  },
  {
    what: 'three operands',
    op: 'Einsum',
    inputs: [
      [1, 3],
      [3, 4],
      [4, 5],
    ],
    attributes: { equation: string('bi,ij,jk->bk') },
    twin: () => loops(1, 3, 4) + loops(1, 4, 5),
  },
  {
    what: 'one operand',
    op: 'Einsum',
    inputs: [[1, 3, 4]],
    attributes: { equation: string('bij->bji') },
    twin: () => 0,
  },
  {
    what: 'both computed, broadcast',
    op: 'MatMul',
    inputs: [
      [1, 3, 2, 4],
      [3, 4, 5],
    ],
    twin: productTwin,
  },
  { what: 'weight on the left', op: 'MatMul', inputs: [[1, 4, 5]], constants: [w(6, 4)], twin: productTwin },
  {
    what: 'weight on the right',
    op: 'MatMul',
    inputs: [[1, 3, 4]],
    constants: [undefined, w(4, 5)],
    twin: productTwin,
  },
  {
    what: 'a vector on the right',
    op: 'MatMul',
    inputs: [[1, 3, 4]],
    constants: [undefined, w(4)],
    twin: productTwin,
  },
  {
    what: 'turned',
    op: 'Gemm',
    inputs: [
      [4, 3],
      [5, 4],
    ],
    constants: [undefined, undefined, w(5)],
    attributes: { transA: int(1), transB: int(1) },
    twin: ([[depth = 0] = []], gives) => loops(...gives, depth),
  },
  {
    what: 'three axes',
    op: 'Conv',
    inputs: [[1, 2, 5, 6, 4]],
    constants: [undefined, w(4, 2, 2, 3, 1), w(4)],
    attributes: { pads: ints([1, 0, 0, 1, 1, 0]), strides: ints([1, 2, 1]) },
    twin: convTwin,
  },
  {
    what: 'in groups, dilated',
    op: 'Conv',
    inputs: [[1, 6, 12]],
    constants: [undefined, w(4, 3, 3)],
    attributes: { group: int(2), dilations: ints([2]) },
    twin: convTwin,
  },
  {
    what: 'padded alike',
    op: 'Conv',
    inputs: [[1, 6, 12]],
    constants: [undefined, w(6, 1, 4)],
    attributes: { group: int(6), auto_pad: string('SAME_UPPER'), strides: ints([5]) },
    twin: convTwin,
  },
  {
    what: 'computed weights',
    op: 'Conv',
    inputs: [
      [1, 2, 8],
      [3, 2, 3],
    ],
    twin: convTwin,
  },
  {
    what: 'output_shape',
    op: 'ConvTranspose',
    inputs: [[1, 4, 5, 6]],
    constants: [undefined, w(4, 3, 3, 3)],
    attributes: { strides: ints([2, 2]), output_shape: ints([10, 12]) },
    twin: transposedTwin,
  },
  {
    what: 'output_shape beyond the window',
    op: 'ConvTranspose',
    inputs: [[1, 4, 5]],
    constants: [undefined, w(4, 3, 2)],
    attributes: { strides: ints([2]), output_shape: ints([11]) },
    twin: transposedTwin,
  },
  {
    what: 'output_padding',
    op: 'ConvTranspose',
    inputs: [[1, 4, 5]],
    constants: [undefined, w(4, 3, 3)],
    attributes: { strides: ints([2]), output_padding: ints([1]), pads: ints([1, 1]) },
    twin: transposedTwin,
  },
  {
    what: 'in groups, padded alike',
    op: 'ConvTranspose',
    inputs: [[1, 4, 5]],
    constants: [undefined, w(4, 3, 3)],
    attributes: { strides: ints([2]), group: int(2), auto_pad: string('SAME_LOWER') },
    twin: transposedTwin,
  },
  {
    what: 'several heads',
    op: 'Attention',
    opset: 23,
    inputs: [
      [1, 3, 8],
      [1, 5, 8],
      [1, 5, 12],
    ],
    attributes: { q_num_heads: int(2), kv_num_heads: int(2) },
    // Of both heads: 3 queries on 5 keys over 4 numbers, and the sum of 5 values of 6.
    twin: () => loops(2, 3, 5, 4) + loops(2, 3, 5, 6),
  },
  {
    what: "of the engine's own",
    op: 'FusedMatMul',
    domain: 'com.microsoft',
    inputs: [[1, 4, 3]],
    constants: [undefined, w(4, 5)],
    attributes: { transA: int(1) },
    twin: ([a = []], gives) => loops(...gives, a.at(-2) ?? 1),
  },
  {
    what: "of the engine's own",
    op: 'Attention',
    domain: 'com.microsoft',
    inputs: [[1, 3, 8]],
    constants: [undefined, w(8, 24), w(24)],
    attributes: { num_heads: int(2) },
    twin: () => loops(3, 8, 24) + 2 * loops(2, 3, 3, 4),
  },
  {
    what: "of the engine's own",
    op: 'MultiHeadAttention',
    domain: 'com.microsoft',
    inputs: [
      [1, 3, 8],
      [1, 5, 8],
      [1, 5, 8],
    ],
    attributes: { num_heads: int(2) },
    twin: () => 2 * loops(2, 3, 5, 4),
  },
];

/** A node alone, its computed inputs as inputs of the graph. */
function alone({ op, inputs, constants = [], attributes = {}, opset = 17, domain = '' }: Case): Model {
  const builder = new GraphBuilder();
  const waiting = inputs.values();
  const count = Math.max(constants.length, inputs.length + constants.filter(Boolean).length);
  const names = Array.from({ length: count }, (_, index) => {
    const constant = constants[index];
    if (constant) return builder.constant(constant, 'w');
    const dims = waiting.next().value;
    return dims ? builder.input('x', dims) : '';
  });
  const y = builder.node(op, names, attributes, 'y');
  must(builder.graph.nodes[0], 'node').domain = domain;
  builder.output(y, undefined);
  const model = builder.model(opset);
  if (domain) model.opsets.set(domain, 1);
  return model;
}

/** The shapes that the engine reads and gives. */
async function shapesOf(model: Model): Promise<[number[][], number[]]> {
  const session = await openSession(model, { name: 'twin', optimization: 'disabled' });
  const feeds = Object.fromEntries(
    model.graph.inputs.map(({ name, dims }) => {
      const sizes = (dims ?? []).map(Number);
      return [name, new EngineTensor('float32', new Float32Array(sizes.reduce((a, b) => a * b, 1)), sizes)];
    }),
  );
  const [result] = Object.values(await session.run(feeds));
  await session.release();
  const [node] = model.graph.nodes;
  const reads = (node?.inputs ?? []).map((name) => {
    const given =
      model.graph.constants.get(name)?.dims ?? model.graph.inputs.find((input) => input.name === name)?.dims;
    return (given ?? []).map(Number);
  });
  return [reads, [...must(result, 'a result').dims]];
}

/** Either branch of an If gives the matrix through one operator. */
function branching(op: 'Neg' | 'MatMul'): Model {
  const builder = new GraphBuilder();
  const x = builder.input('x', ['N', 4, 4]);
  const condition = builder.node('Greater', [
    builder.node('Size', [x]),
    builder.constant(intConstant([99], [])),
  ]);
  const branch = (name: string): Attribute => ({
    type: 'other',
    carried: create(AttributeProtoSchema, {
      name,
      type: AttributeProto_AttributeType.GRAPH,
      g: create(GraphProtoSchema, {
        name,
        node: [{ opType: op, input: op === 'Neg' ? [x] : [x, x], output: [`${name}_y`] }],
        output: [{ name: `${name}_y` }],
      }),
    }),
  });
  const branches = { then_branch: branch('then_branch'), else_branch: branch('else_branch') };
  builder.output(builder.node('If', [condition], branches, 'either'), ['N', 4, 4]);
  return builder.model();
}

describe('multiply-accumulates', () => {
  it.each(CASES.map((one) => [one.op, one.what, one] as const))(
    'of %s (%s) are what its loops do',
    async (_, __, one) => {
      const model = alone(one);
      const [reads, gives] = await shapesOf(model);
      const costs = modelCosts(await withEngineShapes(model, 'one node'));
      expect(costs.uncounted).toEqual([]);
      // A first axis that input and output share is taken for a batch, and divided out.
      const first = model.graph.inputs[0]?.dims?.[0];
      const samples = first === gives[0] ? Number(first) : 1;
      expect(costs.macs * samples).toBe(one.twin(reads, gives));
    },
  );

  it('of integer convolutions and products are those of their float twins', async () => {
    const builder = new GraphBuilder();
    const x = builder.input('x', ['N', 3, 10]);
    const [quantised = '', scale = '', zero = ''] = builder.nodes('DynamicQuantizeLinear', [x], {}, [
      'q',
      's',
      'z',
    ]);
    const bytes = (...dims: number[]): string => {
      const floats = builder.constant(
        floatConstant(new Float32Array(dims.reduce((a, b) => a * b, 1)).fill(1), dims),
      );
      return builder.node('Cast', [floats], { to: int(ELEM.uint8) });
    };
    const conv = builder.node('ConvInteger', [quantised, bytes(4, 3, 3), zero], {}, 'conv');
    const rest = builder.node('Mul', [builder.node('Cast', [conv], { to: int(ELEM.float32) }), scale]);
    const [again = '', , zero2 = ''] = builder.nodes('DynamicQuantizeLinear', [rest], {}, ['q2', 's2', 'z2']);
    const product = builder.node('MatMulInteger', [again, bytes(8, 5), zero2], {}, 'product');
    builder.output(builder.node('Cast', [product], { to: int(ELEM.float32) }, 'y'), undefined);
    const costs = modelCosts(await withEngineShapes(builder.model(), 'integers'));
    expect(costs.uncounted).toEqual([]);
    expect(costs.macs).toBe(loops(4, 8, 3, 3) + loops(4, 5, 8));
  });

  it('of branches are none where nothing in them multiplies, and unknown otherwise', async () => {
    expect(modelCosts(await withEngineShapes(branching('Neg'), 'if')).uncounted).toEqual([]);
    expect(modelCosts(await withEngineShapes(branching('MatMul'), 'if')).uncounted).toEqual([
      { name: 'either', op: 'If' },
    ]);
  });
});
