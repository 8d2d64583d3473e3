// Arithmetic on constants and shapes, as exporters leave it, is folded away, and the result is the engine's.
import { describe, expect, it } from 'vitest';
import { GraphBuilder } from '../builder.ts';
import { canonicalGraph } from '../canonical/fold.ts';
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
import { compareModels } from '../test-support/models.ts';

const f = (...values: number[]): Constant => floatConstant(values);
const i = (...values: number[]): Constant => intConstant(values);
const scalar = (value: number): Constant => intConstant([value], []);

/** Adds what an expression of constants gives to the input. */
function added(
  op: string,
  inputs: readonly Constant[],
  attributes: Record<string, Attribute>,
  opset: number,
): Model {
  const builder = new GraphBuilder();
  const x = builder.input('x', ['N', 1]);
  const made = builder.node(
    op,
    inputs.map((constant) => builder.constant(constant)),
    attributes,
  );
  const numbers = builder.node('Cast', [made], { to: int(ELEM.float32) });
  const flat = builder.node('Reshape', [numbers, builder.ints([1, -1])]);
  builder.output(builder.node('Add', [x, flat]), undefined);
  return builder.model(opset);
}

const CASES: readonly [
  op: string,
  inputs: readonly Constant[],
  attributes?: Record<string, Attribute>,
  opset?: number,
][] = [
  ['Equal', [i(1, 2, 3), i(1, 5, 3)]],
  ['Greater', [f(1, 2, 3), f(2)]],
  ['LessOrEqual', [i(1, 2, 3), i(2)]],
  ['Max', [i(1, 7), i(3), i(-2, 9)]],
  ['Min', [f(1.5, 7), f(3), f(-2, 9)]],
  ['Mod', [i(7, -7, 6), i(4, 4, -4)]],
  ['Mod', [i(7, -7, 6), i(4, 4, -4)], { fmod: int(1) }],
  ['Range', [scalar(3), scalar(12), scalar(4)]],
  ['Range', [scalar(3), scalar(-4), scalar(-2)]],
  ['Tile', [intConstant([1, 2, 3, 4], [2, 2]), i(2, 3)]],
  ['Abs', [f(-1.5, 2)]],
  ['Neg', [i(-1, 2)]],
  ['Sign', [f(-1.5, 2, 0)]],
  ['Floor', [f(-1.5, 2.5)]],
  ['Ceil', [f(-1.5, 2.5)]],
  ['Round', [f(-1.5, 2.5, 0.5, 0.7)]],
  ['Sqrt', [f(2, 3)]],
  ['ReduceProd', [i(2, 3, 4)]],
  ['ReduceMax', [floatConstant([1, 5, 2, 3], [2, 2])], { axes: ints([1]), keepdims: int(0) }],
  ['ReduceSum', [intConstant([1, 5, 2, 3], [2, 2]), i(0)]],
  ['ReduceL2', [floatConstant([1, 5, 2, 3, 4, 9], [2, 3])], { axes: ints([1]) }],
  ['ReduceMean', [floatConstant([1, 5, 2, 3], [2, 2]), i(-1)], {}, 18],
];

describe('constants are folded as the engine computes them', () => {
  it.each(CASES.map((one, n) => [`${one[0]}, case ${n}`, one] as const))('%s', async (_, given) => {
    const [op, inputs, attributes = {}, opset = 17] = given;
    const model = added(op, inputs, attributes, opset);
    const folded = canonicalGraph(model);
    expect(folded.graph.nodes.map((node) => node.op)).toEqual(['Add']);
    expect(await compareModels(model, folded)).toBeLessThan(1e-6);
  });

  it('Where and Not, of comparisons of shapes at every batch size', async () => {
    // The export of `expand(-1, 4)`: ones where -1 stands, otherwise the wanted size.
    const builder = new GraphBuilder();
    const x = builder.input('x', ['N', 1]);
    const wanted = builder.ints([-1, 4]);
    const minus = builder.node('Equal', [wanted, builder.ints([-1])]);
    const target = builder.node('Where', [minus, builder.ints([1, 1]), wanted]);
    const unused = builder.node('Not', [minus]);
    const most = builder.node('Where', [unused, target, builder.ints([1, 1])]);
    builder.output(builder.node('Expand', [x, most]), undefined);
    const model = builder.model();
    const folded = canonicalGraph(model);
    expect(folded.graph.nodes.map((node) => node.op)).toEqual(['Expand']);
    expect(await compareModels(model, folded)).toBe(0);
  });

  it('a weight written as a length and a direction becomes one constant', async () => {
    const builder = new GraphBuilder();
    const x = builder.input('x', ['N', 2, 5]);
    const values = Array.from({ length: 18 }, (_, k) => Math.sin(k + 1));
    const direction = builder.constant(floatConstant(values, [3, 2, 3]));
    const length = builder.constant(floatConstant([1, 2, 3], [3, 1, 1]));
    const norm = builder.node('ReduceL2', [direction], { axes: ints([1, 2]), keepdims: int(1) });
    const weight = builder.node('Mul', [builder.node('Div', [direction, norm]), length]);
    builder.output(builder.node('Conv', [x, weight], { kernel_shape: ints([3]) }), undefined);
    const model = builder.model();
    const folded = canonicalGraph(model);
    expect(folded.graph.nodes.map((node) => node.op)).toEqual(['Conv']);
    expect(await compareModels(model, folded)).toBeLessThan(1e-5);
  });
});

describe('sizes that name the batch', () => {
  it('are known where another size is left open', async () => {
    // `h.view(x.shape[0], 4, -1)` behind a network that ran over four slices of each sample.
    const builder = new GraphBuilder();
    const x = builder.input('x', ['N', 4, 6]);
    const slices = builder.node('Reshape', [x, builder.ints([-1, 6])]);
    const batch = builder.node('Slice', [builder.node('Shape', [x]), builder.ints([0]), builder.ints([1])]);
    const target = builder.node('Concat', [batch, builder.ints([4, -1])], { axis: int(0) });
    builder.output(builder.node('Reshape', [builder.node('Relu', [slices]), target], {}, 'y'), undefined);
    const model = builder.model();
    const folded = canonicalGraph(model);
    expect(folded.graph.nodes.map(({ op }) => op)).toEqual(['Reshape', 'Relu', 'Reshape']);
    expect(await compareModels(model, folded)).toBe(0);
  });

  it.each([
    ['exact scales', 'nearest', 17, [6, 10], ['Resize']],
    ['positions where scales would be rounded', 'nearest', 17, [5, 8], ['Gather', 'Gather']],
    ['scales of an interpolation', 'linear', 17, [5, 8], ['Resize']],
    ['sizes of the axes that change', 'nearest', 18, [5, 8], ['Resize']],
  ] as const)('become constants of a Resize: %s', async (_, mode, opset, target, expected) => {
    const builder = new GraphBuilder();
    const x = builder.input('x', ['N', 2, 3, 5]);
    const kept = builder.node('Slice', [builder.node('Shape', [x]), builder.ints([0]), builder.ints([2])]);
    const sizes = builder.node('Concat', [kept, builder.ints([...target])], { axis: int(0) });
    const attributes = {
      mode: string(mode),
      coordinate_transformation_mode: string('asymmetric'),
      nearest_mode: string('floor'),
    };
    builder.output(builder.node('Resize', [x, '', '', sizes], attributes), undefined);
    const model = builder.model(opset);
    const folded = canonicalGraph(model);
    expect(folded.graph.nodes.map(({ op }) => op)).toEqual(expected);
    expect(await compareModels(model, folded)).toBeLessThan(1e-5);
  });
});
