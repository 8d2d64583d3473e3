import { describe, expect, it } from 'vitest';
import { must } from '../../util/index.ts';
import { Random } from '../../util/internal.ts';
import { GraphBuilder } from '../builder.ts';
import {
  type Attribute,
  type Constant,
  ELEM,
  float,
  floatConstant,
  floats,
  int,
  intConstant,
  ints,
  string,
} from '../graph.ts';
import {
  ARGUMENT_OPS,
  COMPARISON_OPS,
  FUNCTION_OPS,
  LOGIC_OPS,
  NARY_OPS,
  REDUCTION_OPS,
  STEP_OPS,
} from '../op-families.ts';
import { OPS } from '../ops.ts';
import { randomConstant, randomFeeds, run, SHARED_MODELS, sharedModel } from '../test-support/models.ts';
import { inferShapes, inferValues, symbolicShapes } from './shapes.ts';

const random = new Random(7);
const w = (...dims: number[]): Constant => randomConstant(random, dims, 0.3);
const positive = (...dims: number[]): Constant => {
  const constant = w(...dims);
  return floatConstant((constant as { data: Float32Array }).data.map(Math.abs), dims);
};
const i64 = (...values: number[]): Constant => intConstant(values);
const scalarInt = (value: number): Constant => intConstant([value], []);

interface Case {
  readonly op: string;
  /** Shapes of computed inputs, as graph inputs. */
  readonly inputs: readonly (readonly number[])[];
  readonly constants?: readonly (Constant | undefined)[];
  readonly attributes?: Record<string, Attribute>;
  readonly outputs?: number;
  readonly opset?: number;
  readonly type?: number;
}

const image = [2, 4, 9, 8];
const line = [2, 4, 17];
const CASES: readonly Case[] = [
  {
    op: 'Add',
    inputs: [
      [2, 3, 4],
      [3, 1],
    ],
  },
  { op: 'Add', inputs: [[4], [2, 1, 1]] },
  { op: 'Sub', inputs: [[2, 3], [1]] },
  {
    op: 'Mul',
    inputs: [
      [2, 3, 4, 4],
      [2, 3, 1, 1],
    ],
  },
  { op: 'Div', inputs: [[2, 3]], constants: [positive(3)] },
  { op: 'PRelu', inputs: [image], constants: [w(4, 1, 1)] },
  { op: 'BatchNormalization', inputs: [image], constants: [w(4), w(4), w(4), positive(4)], opset: 15 },
  { op: 'BatchNormalization', inputs: [line], constants: [w(4), w(4), w(4), positive(4)], opset: 9 },
  ...[
    ...FUNCTION_OPS.filter((op) => op !== 'Mish' && op !== 'Swish'),
    ...STEP_OPS,
    'IsInf',
    'IsNaN',
    'Elu',
    'Erf',
    'Exp',
    'HardSigmoid',
    'HardSwish',
    'Identity',
    'LeakyRelu',
    'Relu',
    'Sigmoid',
    'Sqrt',
    'Tanh',
  ].map((op): Case => ({ op, inputs: [[2, 3, 5]] })),
  { op: 'Gelu', inputs: [[2, 3]], opset: 20 },
  { op: 'Mish', inputs: [[2, 3]], opset: 18 },
  { op: 'Swish', inputs: [[2, 3]], opset: 24 },
  { op: 'Not', inputs: [[2, 3]], type: ELEM.bool },
  ...COMPARISON_OPS.map(
    (op): Case => ({
      op,
      inputs: [
        [2, 1, 3],
        [4, 1],
      ],
    }),
  ),
  ...LOGIC_OPS.map(
    (op): Case => ({
      op,
      inputs: [
        [2, 1, 3],
        [4, 1],
      ],
      type: ELEM.bool,
    }),
  ),
  ...NARY_OPS.map((op): Case => ({ op, inputs: [[2, 1, 3], [4, 1], [1]] })),
  ...ARGUMENT_OPS.map((op): Case => ({ op, inputs: [[2, 3, 5]], attributes: { axis: int(-2) } })),
  { op: 'ArgMax', inputs: [[2, 3, 5]], attributes: { axis: int(1), keepdims: int(0) } },
  { op: 'CumSum', inputs: [[2, 5]], constants: [scalarInt(1)] },
  { op: 'GlobalLpPool', inputs: [image] },
  { op: 'InstanceNormalization', inputs: [image], constants: [w(4), w(4)] },
  {
    op: 'GroupNormalization',
    inputs: [image],
    constants: [w(4), w(4)],
    attributes: { num_groups: int(2) },
    opset: 21,
  },
  { op: 'LpNormalization', inputs: [line] },
  { op: 'LpPool', inputs: [image], attributes: { kernel_shape: ints([3, 2]), strides: ints([2, 2]) } },
  {
    op: 'LpPool',
    inputs: [line],
    attributes: { kernel_shape: ints([3]), strides: ints([2]), ceil_mode: int(1) },
    opset: 18,
  },
  { op: 'MeanVarianceNormalization', inputs: [image] },
  { op: 'Mod', inputs: [[2, 3]], constants: [i64(3)], type: ELEM.int64 },
  { op: 'Range', inputs: [], constants: [scalarInt(2), scalarInt(11), scalarInt(3)] },
  { op: 'Range', inputs: [], constants: [scalarInt(2), scalarInt(2), scalarInt(3)] },
  { op: 'Size', inputs: [image] },
  { op: 'SpaceToDepth', inputs: [[2, 3, 4, 6]], attributes: { blocksize: int(2) } },
  { op: 'Tile', inputs: [[2, 3]], constants: [i64(2, 3)] },
  { op: 'Upsample', inputs: [image], constants: [floatConstant([1, 1, 1.3, 2])], opset: 9 },
  { op: 'Upsample', inputs: [image], attributes: { scales: floats([1, 1, 1.3, 2]) }, opset: 8 },
  { op: 'Resize', inputs: [image], constants: [floatConstant([1, 1, 0.6, 1.7])], opset: 10 },
  { op: 'Resize', inputs: [image], constants: [undefined, floatConstant([1, 1, 0.6, 1.7])] },
  { op: 'Resize', inputs: [image], constants: [undefined, undefined, i64(2, 4, 5, 19)] },
  {
    op: 'Resize',
    inputs: [image],
    constants: [undefined, floatConstant([1.5, 3])],
    attributes: { axes: ints([2, -1]) },
    opset: 18,
  },
  {
    op: 'Pow',
    inputs: [
      [2, 3],
      [4, 1, 1],
    ],
  },
  { op: 'Where', inputs: [[2, 3]], constants: [w(4, 1, 1), w(1)], type: ELEM.bool },
  ...REDUCTION_OPS.flatMap((op): Case[] => [
    { op, inputs: [[2, 3, 5]], constants: [i64(1, -1)], opset: 18 },
    { op, inputs: [[2, 3, 5]], constants: [i64(1)], attributes: { keepdims: int(0) }, opset: 18 },
    { op, inputs: [[2, 3, 5]], attributes: { keepdims: int(0) } },
  ]),
  ...REDUCTION_OPS.filter((op) => op !== 'ReduceSum').map(
    (op): Case => ({ op, inputs: [[2, 3, 5]], attributes: { axes: ints([0, 2]), keepdims: int(0) } }),
  ),
  { op: 'Softmax', inputs: [[2, 3, 4]], attributes: { axis: int(1) } },
  { op: 'LogSoftmax', inputs: [[2, 3, 4]], attributes: { axis: int(-1) }, opset: 11 },
  { op: 'Clip', inputs: [[2, 3]], constants: [floatConstant([0], []), floatConstant([6], [])] },
  { op: 'Clip', inputs: [[2, 3]], attributes: { min: float(0), max: float(6) }, opset: 9 },
  { op: 'LRN', inputs: [image], attributes: { size: int(3) } },
  { op: 'LayerNormalization', inputs: [[2, 3, 4]], constants: [w(4), w(4)], outputs: 3 },
  { op: 'LayerNormalization', inputs: [[2, 3, 4]], constants: [w(3, 4)], attributes: { axis: int(1) } },
  {
    op: 'Einsum',
    inputs: [
      [2, 3, 4, 5],
      [2, 3, 6, 5],
    ],
    attributes: { equation: string('bhid, bhjd -> bhij') },
  },
  {
    op: 'Einsum',
    inputs: [
      [2, 3, 4],
      [4, 5],
    ],
    attributes: { equation: string('...c,cd') },
  },
  {
    op: 'LSTM',
    inputs: [[6, 2, 3]],
    constants: [w(1, 20, 3), w(1, 20, 5)],
    attributes: { hidden_size: int(5) },
  },
  {
    op: 'GRU',
    inputs: [[6, 2, 3]],
    constants: [w(1, 15, 3), w(1, 15, 5)],
    attributes: { hidden_size: int(5) },
  },
  {
    op: 'RNN',
    inputs: [[6, 2, 3]],
    constants: [w(2, 5, 3), w(2, 5, 5)],
    attributes: { hidden_size: int(5), direction: string('bidirectional') },
  },
  { op: 'Dropout', inputs: [[2, 3]] },
  { op: 'Cast', inputs: [[2, 3]], attributes: { to: int(ELEM.int64) } },
  {
    op: 'Concat',
    inputs: [
      [2, 3, 4],
      [2, 5, 4],
    ],
    attributes: { axis: int(1) },
  },
  {
    op: 'Concat',
    inputs: [
      [2, 3, 4],
      [2, 3, 1],
    ],
    attributes: { axis: int(-1) },
  },
  { op: 'Constant', inputs: [], attributes: { value: { type: 'tensor', value: w(2, 3) } } },
  { op: 'Constant', inputs: [], attributes: { value_float: float(2) } },
  { op: 'Constant', inputs: [], attributes: { value_ints: ints([1, 2, 3]) } },
  { op: 'ConstantOfShape', inputs: [], constants: [i64(2, 3)] },
  {
    op: 'ConstantOfShape',
    inputs: [],
    constants: [i64(4)],
    attributes: { value: { type: 'tensor', value: i64(9) } },
  },
  { op: 'Conv', inputs: [image], constants: [w(6, 4, 3, 3), w(6)] },
  {
    op: 'Conv',
    inputs: [image],
    constants: [w(6, 4, 3, 2)],
    attributes: { pads: ints([1, 0, 2, 1]), strides: ints([2, 3]) },
  },
  {
    op: 'Conv',
    inputs: [image],
    constants: [w(8, 2, 3, 3)],
    attributes: { group: int(2), dilations: ints([2, 2]) },
  },
  {
    op: 'Conv',
    inputs: [image],
    constants: [w(4, 1, 3, 3)],
    attributes: { group: int(4), auto_pad: string('SAME_UPPER'), strides: ints([2, 2]) },
  },
  { op: 'Conv', inputs: [image], constants: [w(4, 4, 2, 4)], attributes: { auto_pad: string('SAME_LOWER') } },
  {
    op: 'Conv',
    inputs: [image],
    constants: [w(4, 4, 3, 3)],
    attributes: { auto_pad: string('VALID'), strides: ints([2, 2]) },
  },
  {
    op: 'Conv',
    inputs: [line],
    constants: [w(6, 4, 5)],
    attributes: { pads: ints([2, 2]), strides: ints([2]), kernel_shape: ints([5]) },
  },
  {
    op: 'Conv',
    inputs: [line],
    constants: [w(6, 4, 4)],
    attributes: { auto_pad: string('SAME_UPPER'), strides: ints([3]) },
  },
  {
    op: 'Conv',
    inputs: [[1, 2, 5, 6, 7]],
    constants: [w(3, 2, 2, 3, 3)],
    attributes: { pads: ints([0, 1, 1, 1, 1, 0]) },
  },
  { op: 'ConvTranspose', inputs: [image], constants: [w(4, 3, 3, 3)] },
  {
    op: 'ConvTranspose',
    inputs: [image],
    constants: [w(4, 3, 3, 3)],
    attributes: { strides: ints([2, 2]), pads: ints([1, 1, 1, 1]), output_padding: ints([1, 1]) },
  },
  {
    op: 'ConvTranspose',
    inputs: [line],
    constants: [w(4, 2, 4)],
    attributes: { strides: ints([3]), group: int(2), dilations: ints([2]) },
  },
  {
    op: 'ConvTranspose',
    inputs: [image],
    constants: [w(4, 3, 3, 3)],
    attributes: { strides: ints([2, 2]), auto_pad: string('SAME_UPPER') },
  },
  {
    op: 'ConvTranspose',
    inputs: [image],
    constants: [w(4, 3, 4, 4)],
    attributes: { strides: ints([2, 2]), auto_pad: string('SAME_LOWER') },
  },
  {
    op: 'ConvTranspose',
    inputs: [image],
    constants: [w(4, 3, 4, 4)],
    attributes: { strides: ints([2, 2]), output_shape: ints([17, 18]) },
  },
  { op: 'AveragePool', inputs: [image], attributes: { kernel_shape: ints([2, 2]), strides: ints([2, 2]) } },
  {
    op: 'AveragePool',
    inputs: [image],
    attributes: {
      kernel_shape: ints([3, 3]),
      strides: ints([2, 2]),
      pads: ints([1, 1, 1, 1]),
      ceil_mode: int(1),
      count_include_pad: int(1),
    },
  },
  {
    op: 'AveragePool',
    inputs: [line],
    attributes: { kernel_shape: ints([3]), auto_pad: string('SAME_UPPER'), strides: ints([2]) },
  },
  {
    op: 'AveragePool',
    inputs: [line],
    attributes: { kernel_shape: ints([3]), dilations: ints([2]) },
    opset: 19,
  },
  {
    op: 'MaxPool',
    inputs: [image],
    attributes: { kernel_shape: ints([3, 3]), strides: ints([2, 2]), pads: ints([1, 1, 1, 1]) },
  },
  {
    op: 'MaxPool',
    inputs: [image],
    attributes: { kernel_shape: ints([2, 3]), strides: ints([2, 3]), ceil_mode: int(1) },
    outputs: 2,
  },
  // The last window would start in the end padding.
  {
    op: 'MaxPool',
    inputs: [[1, 1, 5, 5]],
    attributes: {
      kernel_shape: ints([2, 2]),
      strides: ints([3, 3]),
      pads: ints([1, 1, 1, 1]),
      ceil_mode: int(1),
    },
  },
  {
    op: 'MaxPool',
    inputs: [[1, 1, 6, 6]],
    attributes: {
      kernel_shape: ints([1, 1]),
      strides: ints([4, 2]),
      pads: ints([0, 0, 0, 0]),
      ceil_mode: int(1),
    },
  },
  {
    op: 'MaxPool',
    inputs: [line],
    attributes: { kernel_shape: ints([4]), dilations: ints([3]), strides: ints([2]) },
  },
  {
    op: 'MaxPool',
    inputs: [image],
    attributes: { kernel_shape: ints([2, 2]), strides: ints([2, 2]), auto_pad: string('SAME_LOWER') },
  },
  {
    op: 'MaxPool',
    inputs: [image],
    attributes: { kernel_shape: ints([2, 2]), strides: ints([2, 2]), auto_pad: string('VALID') },
  },
  { op: 'GlobalAveragePool', inputs: [image] },
  { op: 'GlobalMaxPool', inputs: [line] },
  { op: 'DepthToSpace', inputs: [[2, 8, 3, 4]], attributes: { blocksize: int(2) } },
  { op: 'Expand', inputs: [[3, 1]], constants: [i64(2, 1, 6)] },
  { op: 'Flatten', inputs: [image] },
  { op: 'Flatten', inputs: [image], attributes: { axis: int(0) } },
  { op: 'Flatten', inputs: [image], attributes: { axis: int(4) } },
  { op: 'Flatten', inputs: [image], attributes: { axis: int(-1) } },
  {
    op: 'Gather',
    inputs: [[2, 5, 3]],
    constants: [intConstant([0, -1, 2, 2], [2, 2])],
    attributes: { axis: int(1) },
  },
  { op: 'Gather', inputs: [[2, 5, 3]], constants: [scalarInt(1)], attributes: { axis: int(-1) } },
  { op: 'Gemm', inputs: [[2, 5]], constants: [w(5, 3), w(3)] },
  { op: 'Gemm', inputs: [[5, 2]], constants: [w(3, 5)], attributes: { transA: int(1), transB: int(1) } },
  { op: 'MatMul', inputs: [[2, 5]], constants: [w(5, 3)] },
  {
    op: 'MatMul',
    inputs: [
      [2, 1, 4, 5],
      [3, 5, 2],
    ],
  },
  { op: 'MatMul', inputs: [[5], [2, 5, 3]] },
  { op: 'MatMul', inputs: [[2, 5], [5]] },
  { op: 'Pad', inputs: [image], constants: [i64(0, 0, 1, 2, 0, 0, 3, -1)] },
  { op: 'Pad', inputs: [line], attributes: { pads: ints([0, 0, 2, 0, 0, 1]) }, opset: 10 },
  { op: 'Pad', inputs: [image], constants: [i64(1, 2, 3, 4), undefined, i64(-1, 2)], opset: 18 },
  { op: 'ReduceMean', inputs: [image], attributes: { axes: ints([2, -1]) } },
  { op: 'ReduceMean', inputs: [image], attributes: { axes: ints([1]), keepdims: int(0) } },
  { op: 'ReduceMean', inputs: [image], constants: [i64(-2)], attributes: { keepdims: int(0) }, opset: 18 },
  { op: 'ReduceMean', inputs: [image], attributes: { keepdims: int(0) } },
  { op: 'ReduceMean', inputs: [image], attributes: { noop_with_empty_axes: int(1) }, opset: 18 },
  { op: 'Reshape', inputs: [[2, 3, 4]], constants: [i64(0, -1)] },
  { op: 'Reshape', inputs: [[2, 3, 4]], constants: [i64(-1, 0, 2, 2)] },
  { op: 'Reshape', inputs: [[0, 3]], constants: [i64(3, 0)], attributes: { allowzero: int(1) } },
  { op: 'Reshape', inputs: [[1, 1]], constants: [intConstant([], [0])] },
  { op: 'Shape', inputs: [image] },
  { op: 'Shape', inputs: [image], attributes: { start: int(1), end: int(-1) } },
  {
    op: 'Slice',
    inputs: [[2, 9, 8]],
    constants: [i64(1, 0), i64(Number.MAX_SAFE_INTEGER, -2), i64(1, 2), i64(3, 2)],
  },
  { op: 'Slice', inputs: [[2, 9, 8]], constants: [i64(-1), i64(-100), i64(1), i64(-2)] },
  { op: 'Slice', inputs: [[2, 9, 8]], constants: [i64(6), i64(3), i64(1)] },
  { op: 'Slice', inputs: [[2, 9, 8]], constants: [i64(20), i64(2), i64(1), i64(-3)] },
  { op: 'Slice', inputs: [[2, 9, 8]], attributes: { starts: ints([1, 2]), ends: ints([2, 100]) }, opset: 9 },
  { op: 'Split', inputs: [[2, 6, 3]], attributes: { axis: int(1) }, outputs: 3 },
  { op: 'Split', inputs: [[2, 6, 3]], constants: [i64(1, 5)], attributes: { axis: int(-2) }, outputs: 2 },
  {
    op: 'Split',
    inputs: [[2, 6, 3]],
    attributes: { axis: int(1), split: ints([2, 4]) },
    outputs: 2,
    opset: 11,
  },
  {
    op: 'Split',
    inputs: [[2, 7, 3]],
    attributes: { axis: int(1), num_outputs: int(3) },
    outputs: 3,
    opset: 18,
  },
  { op: 'Squeeze', inputs: [[2, 1, 3, 1]] },
  { op: 'Squeeze', inputs: [[2, 1, 3, 1]], constants: [i64(-1)] },
  { op: 'Squeeze', inputs: [[2, 1, 3, 1]], attributes: { axes: ints([1, -1]) }, opset: 11 },
  { op: 'Transpose', inputs: [[2, 3, 4]] },
  { op: 'Transpose', inputs: [[2, 3, 4]], attributes: { perm: ints([0, 2, 1]) } },
  { op: 'Unsqueeze', inputs: [[2, 3]], constants: [i64(0, -1)] },
  { op: 'Unsqueeze', inputs: [[2, 3]], attributes: { axes: ints([2, 0]) }, opset: 11 },
];

function build(test: Case) {
  const builder = new GraphBuilder();
  const names = test.inputs.map((dims, i) => {
    const input = builder.input(`x${i}`, dims, test.type === ELEM.bool ? ELEM.float32 : test.type);
    return test.type === ELEM.bool ? builder.node('Cast', [input], { to: int(ELEM.bool) }) : input;
  });
  for (const constant of test.constants ?? []) names.push(constant ? builder.constant(constant) : '');
  const outputs = Array.from({ length: test.outputs ?? 1 }, (_, i) => `y${i}`);
  const made = builder.nodes(test.op, names, test.attributes ?? {}, outputs);
  const model = builder.model(test.opset ?? 17);
  const shapes = inferShapes(model, 1);
  const { types } = inferValues(model, 1);
  // The engine's booleans are not read, so they go out as numbers.
  const read = made.map((name) =>
    types.get(name) === ELEM.bool ? builder.node('Cast', [name], { to: int(ELEM.float32) }) : name,
  );
  for (const name of read) builder.output(name, undefined, types.get(name));
  return { model, shapes, made, read };
}

const describeCase = (test: Case): string =>
  `${test.op} of ${JSON.stringify(test.inputs)}${Object.keys(test.attributes ?? {}).map((name) => ` ${name}`)}`;

describe('inferShapes equals what ONNX Runtime returns', () => {
  it.each(CASES.map((test) => [describeCase(test), test] as const))('%s', async (_, test) => {
    const { model, shapes, made, read } = build(test);
    const real = await run(model, randomFeeds(model, 1));
    made.forEach((name, i) => {
      expect(shapes.get(name)).toEqual(must(real[read[i] ?? ''], name).dims);
    });
  });

  it('has a case for every operator', () => {
    const covered = new Set(CASES.map((test) => test.op));
    expect(OPS.filter((op) => !covered.has(op))).toEqual([]);
  });

  it.skipIf(SHARED_MODELS.length === 0)(
    'on every value of the shared models (needs the shared folder)',
    async () => {
      for (const name of SHARED_MODELS) {
        const model = sharedModel(name);
        const shapes = inferShapes(model, 3);
        const { graph } = model;
        const all = graph.nodes.map((node) => ({
          name: node.outputs[0] ?? '',
          elemType: ELEM.float32,
          dims: undefined,
        }));
        const real = await run({ ...model, graph: { ...graph, outputs: all } }, randomFeeds(model, 3));
        for (const [value, tensor] of Object.entries(real)) expect(shapes.get(value)).toEqual(tensor.dims);
      }
    },
  );
});

describe('inferShapes', () => {
  it('puts the batch into symbolic first axes and follows it through Shape arithmetic', () => {
    // Reshape(x, Concat(Shape(x)[0], -1)): the common export of x.view(x.size(0), -1).
    const builder = new GraphBuilder();
    builder.input('x', ['N', 3, 4]);
    const shape = builder.node('Shape', ['x']);
    const size = builder.node('Gather', [shape, builder.constant(scalarInt(0))], { axis: int(0) });
    const list = builder.node('Unsqueeze', [size, builder.ints([0])]);
    const target = builder.node('Concat', [list, builder.ints([-1])], { axis: int(0) });
    const flat = builder.node('Reshape', ['x', target], {}, 'flat');
    builder.output(flat, undefined);
    const model = builder.model();
    expect(inferShapes(model, 5).get('flat')).toEqual([5, 12]);
    expect(symbolicShapes(model).get('flat')).toEqual(['N', 12]);
  });

  it('refuses another symbolic axis, naming it', () => {
    const builder = new GraphBuilder();
    builder.input('x', ['N', 3, 'time']);
    builder.output(builder.node('Relu', ['x']), undefined);
    expect(() => inferShapes(builder.model(), 1)).toThrow(/'x': axis 2 \(time\)/);
  });

  it('leaves out what follows an unknown operator, unless its shape is declared', () => {
    const builder = new GraphBuilder();
    builder.input('x', ['N', 3]);
    const odd = builder.node('Det', ['x'], {}, 'odd');
    builder.output(builder.node('Relu', [odd], {}, 'y'), ['N', 3]);
    const shapes = inferShapes(builder.model(), 4);
    expect(shapes.has('odd')).toBe(false);
    expect(shapes.get('y')).toEqual([4, 3]);
  });

  it.each([
    ['Conv', [[1, 3, 8, 8]], [w(4, 5, 3, 3)], {}, /does not fit 3 channels/],
    ['Conv', [[1, 3, 2, 2]], [w(4, 3, 3, 3)], {}, /does not fit axis 2/],
    ['Conv', [[1, 3, 8, 8]], [w(4, 3, 3, 3)], { strides: ints([0, 1]) }, /strides is \[0,1\]/],
    [
      'Add',
      [
        [2, 3],
        [2, 4],
      ],
      [],
      {},
      /do not broadcast/,
    ],
    ['Gemm', [[2, 3]], [w(4, 5)], {}, /inner sizes 3 and 4/],
    ['Reshape', [[2, 3]], [i64(4, -1)], {}, /cannot be reshaped/],
    ['Transpose', [[2, 3]], [], { perm: ints([0, 0]) }, /not a permutation/],
    [
      'Concat',
      [
        [2, 3],
        [2, 3],
      ],
      [],
      { axis: int(5) },
      /axis 5 is outside/,
    ],
    ['Slice', [[2, 3]], [i64(0), i64(1), i64(0), i64(0)], {}, /a step is 0/],
  ] as const)('refuses an impossible %s of %j', (op, inputs, constants, attributes, message) => {
    expect(() => build({ op, inputs, constants, attributes })).toThrow(
      expect.objectContaining({ code: 'E_MODEL', message: expect.stringMatching(message) }),
    );
  });
});
