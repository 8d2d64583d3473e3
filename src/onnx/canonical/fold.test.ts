import { create } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { must } from '../../util/index.ts';
import { Random } from '../../util/internal.ts';
import { GraphBuilder } from '../builder.ts';
import { readModel, writeModel } from '../codec/codec.ts';
import { AttributeProto_AttributeType, AttributeProtoSchema } from '../codec/onnx_pb.ts';
import { type Attribute, ELEM, floatConstant, int, intConstant, ints, type Model, string } from '../graph.ts';
import { intsAttribute } from '../ops.ts';
import { inferShapes } from '../shapes/shapes.ts';
import { compareModels, randomConstant, SHARED_MODELS, sharedModel } from '../test-support/models.ts';
import { canonicalGraph } from './fold.ts';

const ops = (model: Model): string[] => model.graph.nodes.map((node) => node.op);
const random = new Random(2);

function started(dims: readonly (number | string)[] = ['N', 4, 6]): GraphBuilder {
  const builder = new GraphBuilder();
  builder.input('x', dims);
  return builder;
}

/** The canonical model, after checking at two batch sizes that ONNX Runtime gives equal outputs. */
async function checked(
  builder: GraphBuilder,
  result: string,
  opset = 17,
  elemType: number = ELEM.float32,
): Promise<Model> {
  builder.output(result, undefined, elemType);
  const model = builder.model(opset);
  const before = writeModel(model);
  const canonical = canonicalGraph(model);
  expect(writeModel(model)).toEqual(before); // the argument is untouched
  for (const batch of [1, 3]) expect(await compareModels(model, canonical, batch)).toBe(0);
  expect(readModel(writeModel(canonical), 'canonical').graph.nodes.length).toBe(canonical.graph.nodes.length);
  return canonical;
}

/** `Concat([Unsqueeze(Gather(Shape(value), 0)), ...rest])`. */
function batchThen(builder: GraphBuilder, value: string, rest: readonly number[]): string {
  const shape = builder.node('Shape', [value]);
  const size = builder.node('Gather', [shape, builder.constant(intConstant([0], []))], { axis: int(0) });
  const list = builder.node('Unsqueeze', [size, builder.ints([0])]);
  return builder.node('Concat', [list, builder.ints(rest)], { axis: int(0) });
}

const tensorAttribute = (values: readonly number[]): Attribute => ({
  type: 'tensor',
  value: floatConstant(values),
});

describe('canonicalGraph', () => {
  it('folds Constant nodes and what is computed from constants alone', async () => {
    const builder = started();
    const a = builder.node('Constant', [], { value: tensorAttribute([1, 2, 3, 4, 5, 6]) });
    const b = builder.node('Div', [builder.node('Mul', [a, builder.scalar(0.1)]), builder.scalar(3)]);
    const c = builder.node('Transpose', [builder.node('Reshape', [b, builder.ints([2, 3])])]);
    const d = builder.node('Slice', [
      c,
      builder.ints([2]),
      builder.ints([-10]),
      builder.ints([0]),
      builder.ints([-2]),
    ]);
    const e = builder.node('Concat', [d, c], { axis: int(0) });
    const f = builder.node('Gather', [e, builder.constant(intConstant([1], []))], { axis: int(1) });
    const g = builder.node('Sub', [
      builder.node('Expand', [builder.node('Unsqueeze', [f, builder.ints([1])]), builder.ints([1, 6])]),
      builder.scalar(1),
    ]);
    const h = builder.node('Squeeze', [
      builder.node('Slice', [g, builder.ints([0]), builder.ints([1]), builder.ints([0])]),
      builder.ints([0]),
    ]);
    const canonical = await checked(builder, builder.node('Add', ['x', h]));
    expect(ops(canonical)).toEqual(['Add']);
    expect(canonical.graph.constants.size).toBe(1);
  });

  it('folds integer division toward zero, casts and filled shapes', async () => {
    const builder = started();
    const halves = builder.node('Div', [builder.ints([-7, 7]), builder.ints([2, 2])]);
    const floats = builder.node('Cast', [halves], { to: int(ELEM.float32) });
    const filled = builder.node('ConstantOfShape', [builder.ints([4, 1])], { value: tensorAttribute([0.5]) });
    const picked = builder.node('Slice', [floats, builder.ints([0]), builder.ints([1])]);
    const canonical = await checked(
      builder,
      builder.node('Add', ['x', builder.node('Mul', [filled, picked])]),
    );
    expect(ops(canonical)).toEqual(['Add']);
    expect([...canonical.graph.constants.values()][0]).toMatchObject({
      data: Float32Array.of(-1.5, -1.5, -1.5, -1.5),
    });
  });

  it.each([
    ['the rest is -1', [-1], [0, -1]],
    ['the rest is written out', [24], [0, 24]],
    ['the rest keeps its axes', [4, 6], [0, 4, 6]],
  ])('turns a batch taken from Shape into a copied axis when %s', async (_, rest, target) => {
    const builder = started();
    const canonical = await checked(builder, builder.node('Reshape', ['x', batchThen(builder, 'x', rest)]));
    expect(ops(canonical)).toEqual(['Reshape']);
    expect([...canonical.graph.constants.values()]).toEqual([intConstant(target)]);
  });

  it('turns a multiple of the batch into the free axis', async () => {
    const builder = started();
    const shape = builder.node('Shape', ['x']);
    const size = builder.node('Slice', [shape, builder.ints([0]), builder.ints([1])]);
    const times = builder.node('Mul', [size, builder.ints([4])]);
    const target = builder.node('Concat', [times, builder.ints([6])], { axis: int(0) });
    const canonical = await checked(builder, builder.node('Reshape', ['x', target]));
    expect([...canonical.graph.constants.values()]).toEqual([intConstant([-1, 6])]);
  });

  it('does not take a rounded batch for a constant', async () => {
    // N / 4 is 0 at batches 2 and 3, and 1 at 7.
    const builder = started();
    const shape = builder.node('Shape', ['x']);
    const size = builder.node('Slice', [shape, builder.ints([0]), builder.ints([1])]);
    const quarter = builder.node('Div', [size, builder.ints([4])]);
    const added = builder.node('Add', ['x', builder.node('Cast', [quarter], { to: int(ELEM.float32) })]);
    expect(ops(await checked(builder, added))).toContain('Div');
  });

  it('folds sizes that do not depend on the batch', async () => {
    const builder = started();
    const shape = builder.node('Shape', ['x']);
    const width = builder.node('Gather', [shape, builder.constant(intConstant([-1], []))], { axis: int(0) });
    const half = builder.node('Div', [width, builder.constant(intConstant([2], []))]);
    const end = builder.node('Unsqueeze', [half, builder.ints([0])]);
    const canonical = await checked(
      builder,
      builder.node('Slice', ['x', builder.ints([0]), end, builder.ints([2])]),
    );
    expect(ops(canonical)).toEqual(['Slice']);
  });

  it('drops Identity and Dropout inside, and keeps an Identity that makes an output', async () => {
    const builder = started();
    const inner = builder.node('Relu', [builder.node('Dropout', [builder.node('Identity', ['x'])])]);
    const canonical = await checked(builder, builder.node('Dropout', [inner], {}, 'y'));
    expect(ops(canonical)).toEqual(['Relu', 'Identity']);
    expect(canonical.graph.outputs[0]?.name).toBe('y');
  });

  it('drops a Dropout that does not train', async () => {
    const builder = started();
    const flag = builder.node('Cast', [builder.constant(intConstant([0], []))], { to: int(ELEM.bool) });
    const dropped = builder.node('Dropout', ['x', builder.scalar(0.5), flag]);
    expect(ops(await checked(builder, builder.node('Relu', [dropped])))).toEqual(['Relu']);
  });

  const w = (...dims: number[]) => randomConstant(random, dims);
  it.each([
    ['Conv', 'SAME_UPPER', w(3, 4, 4), { strides: ints([3]) }],
    ['Conv', 'SAME_LOWER', w(3, 4, 4), { strides: ints([3]) }],
    ['Conv', 'VALID', w(3, 4, 4), {}],
    ['ConvTranspose', 'SAME_UPPER', w(4, 3, 3), { strides: ints([2]) }],
    ['ConvTranspose', 'SAME_LOWER', w(4, 3, 3), { strides: ints([2]) }],
    ['MaxPool', 'SAME_UPPER', undefined, { kernel_shape: ints([4]), strides: ints([3]) }],
    ['MaxPool', 'SAME_LOWER', undefined, { kernel_shape: ints([4]), strides: ints([3]) }],
    ['AveragePool', 'SAME_UPPER', undefined, { kernel_shape: ints([2]) }],
    ['AveragePool', 'SAME_LOWER', undefined, { kernel_shape: ints([2]) }],
  ] as const)('resolves auto_pad of %s %s', async (op, auto, weight, attributes) => {
    const builder = started();
    const inputs = weight ? ['x', builder.constant(weight)] : ['x'];
    const canonical = await checked(
      builder,
      builder.node(op, inputs, { ...attributes, auto_pad: string(auto) }),
    );
    const node = must(canonical.graph.nodes[0], 'node');
    expect(node.attributes.has('auto_pad')).toBe(false);
    expect(intsAttribute(node, 'pads')?.length).toBe(2);
  });

  it('resolves output_shape of ConvTranspose', async () => {
    const builder = started();
    const inputs = ['x', builder.constant(w(4, 3, 4))];
    const attributes = { strides: ints([2]), output_shape: ints([13]) };
    const canonical = await checked(builder, builder.node('ConvTranspose', inputs, attributes));
    expect(canonical.graph.nodes[0]?.attributes.has('output_shape')).toBe(false);
  });
  it.each([8, 11, 12])(
    'resolves an output_shape of %d, within or beyond what the window reaches',
    async (size) => {
      const builder = new GraphBuilder();
      builder.input('x', ['N', 2, 5]);
      const weight = builder.constant(randomConstant(random, [2, 3, 3]));
      const attributes = { strides: ints([2]), output_shape: ints([size]) };
      builder.output(builder.node('ConvTranspose', ['x', weight], attributes, 'y'), undefined);
      const model = builder.model();
      expect(inferShapes(model, 4).get('y')).toEqual([4, 3, size]);
      const canonical = canonicalGraph(model);
      expect(canonical.graph.nodes[0]?.attributes.has('output_shape')).toBe(false);
      expect(await compareModels(canonical, model)).toBe(0);
    },
  );

  it('names every node, uniquely, as ONNX Runtime demands', async () => {
    const builder = started();
    const a = builder.node('Relu', ['x']);
    const b = builder.node('Sigmoid', [a]);
    builder.output(builder.node('Tanh', [b]), undefined);
    for (const [index, name] of ['', 'same', 'same'].entries())
      must(builder.graph.nodes[index], '').name = name;
    const canonical = canonicalGraph(builder.model());
    const names = canonical.graph.nodes.map((node) => node.name);
    expect(new Set(names).size).toBe(3);
    expect(names).not.toContain('');
    expect(names[1]).toBe('same');
    expect(await compareModels(canonical, canonical)).toBe(0);
  });

  it('removes what no output needs, but not what a subgraph reads', () => {
    const builder = started();
    const weights = builder.constant(w(6), 'outer');
    builder.node('Exp', ['x']);
    builder.constant(w(9), 'unread');
    const result = builder.node('Relu', ['x'], {}, 'y');
    const carried = create(AttributeProtoSchema, {
      name: 'then_branch',
      type: AttributeProto_AttributeType.GRAPH,
      g: { node: [{ opType: 'Identity', input: [weights], output: ['inner'] }], output: [{ name: 'inner' }] },
    });
    builder.output(builder.node('If', [result], { then_branch: { type: 'other', carried } }), undefined);
    const { graph } = canonicalGraph(builder.model());
    expect(graph.nodes.map((node) => node.op)).toEqual(['Relu', 'If']);
    expect([...graph.constants.keys()]).toEqual(['outer']);
  });

  it.skipIf(SHARED_MODELS.length === 0)(
    'leaves the shared models equal (needs the shared folder)',
    async () => {
      for (const name of SHARED_MODELS) {
        const model = sharedModel(name);
        const canonical = canonicalGraph(model);
        expect(await compareModels(model, canonical)).toBe(0);
        expect(ops(canonical)).toEqual(ops(model));
      }
    },
  );
});
