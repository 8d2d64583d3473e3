// What folding must not do: take the memory of large constants, fold what follows the batch, or pass over training mode.
import { create } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { BedsideError, must } from '../../util/index.ts';
import { GraphBuilder } from '../builder.ts';
import { AttributeProto_AttributeType, AttributeProtoSchema } from '../codec/onnx_pb.ts';
import { type Attribute, ELEM, floatConstant, int, intConstant, type Model, sizeOf } from '../graph.ts';
import { integersOf } from '../shapes/known.ts';
import { compareModels } from '../test-support/models.ts';
import { canonicalGraph } from './fold.ts';

const ops = (model: Model): string[] => model.graph.nodes.map((node) => node.op);

function started(dims: readonly (number | string)[] = ['N', 4, 6]): GraphBuilder {
  const builder = new GraphBuilder();
  builder.input('x', dims);
  return builder;
}

/** Elements of all constants of a model. */
function elements(model: Model): number {
  return [...model.graph.constants.values()].reduce((sum, { dims }) => sum + sizeOf(dims), 0);
}

describe('folding is bounded', () => {
  it('a small file of doubling Concats stays small', () => {
    const builder = started();
    let wide = builder.constant(floatConstant([1, 2]));
    for (let i = 0; i < 40; i++) wide = builder.node('Concat', [wide, wide], { axis: int(0) });
    builder.output(builder.node('Add', ['x', builder.node('Gather', [wide, builder.ints([0])])]), undefined);
    const canonical = canonicalGraph(builder.model());
    expect(elements(canonical)).toBeLessThanOrEqual(2 ** 24 + 64);
    expect(ops(canonical).filter((op) => op === 'Concat').length).toBeGreaterThan(15);
  });

  it.each([
    ['ConstantOfShape', (b: GraphBuilder, size: number) => b.node('ConstantOfShape', [b.ints([size])])],
    ['Expand', (b: GraphBuilder, size: number) => b.node('Expand', [b.scalar(1), b.ints([size])])],
  ])('a large %s is left to the engine, a small one is folded', (op, make) => {
    for (const [size, left] of [
      [2 ** 30, true],
      [2 ** 10, false],
    ] as const) {
      const builder = started();
      builder.output(builder.node('Relu', [make(builder, size)]), undefined);
      builder.output(builder.node('Relu', ['x']), undefined);
      const canonical = canonicalGraph(builder.model());
      expect(elements(canonical)).toBeLessThan(2 ** 11);
      expect(ops(canonical).includes(op)).toBe(left);
    }
  });

  it('many medium constants together are bounded too', () => {
    const builder = started();
    const parts = Array.from({ length: 40 }, () =>
      builder.node('ConstantOfShape', [builder.ints([2 ** 20])]),
    );
    for (const part of parts) builder.output(builder.node('Relu', [part]), undefined);
    expect(elements(canonicalGraph(builder.model()))).toBeLessThanOrEqual(2 ** 24 + 64);
  });

  it('a weight as large as the file stores is still moved', () => {
    const builder = started(['N', 3000]);
    const weight = builder.constant(floatConstant(new Float32Array(3000 * 3000).fill(0.5), [3000, 3000]));
    builder.output(builder.node('MatMul', ['x', builder.node('Transpose', [weight])]), undefined);
    expect(ops(canonicalGraph(builder.model()))).toEqual(['MatMul']);
  });
});

describe('what follows the batch is not folded', () => {
  /** `Gather(Shape(x), 0)` as a list of one. */
  const batchOf = (builder: GraphBuilder): string =>
    builder.node('Gather', [builder.node('Shape', ['x']), builder.ints([0])], { axis: int(0) });

  it.each([8, 100, 1000])('the batch divided by %i and rounded', async (divisor) => {
    const builder = started();
    const count = builder.node('Div', [batchOf(builder), builder.ints([divisor])]);
    const float = builder.node('Cast', [count], { to: int(ELEM.float32) });
    builder.output(builder.node('Add', ['x', float], {}, 'y'), undefined);
    const canonical = canonicalGraph(builder.model());
    expect(ops(canonical)).toContain('Div');
    for (const batch of [1, 2, divisor + 1])
      expect(await compareModels(builder.model(), canonical, batch)).toBe(0);
  });

  it('what is only different for one sample', async () => {
    const builder = started();
    const rest = builder.node('Div', [builder.ints([1]), batchOf(builder)]);
    const float = builder.node('Cast', [rest], { to: int(ELEM.float32) });
    builder.output(builder.node('Add', ['x', float], {}, 'y'), undefined);
    const canonical = canonicalGraph(builder.model());
    for (const batch of [1, 2, 5]) expect(await compareModels(builder.model(), canonical, batch)).toBe(0);
  });

  it('a table cut to the batch', async () => {
    const builder = started(['N', 4]);
    const table = builder.constant(
      floatConstant(
        Float32Array.from({ length: 8 * 4 }, (_, i) => i),
        [8, 4],
      ),
    );
    const rows = builder.node('Slice', [table, builder.ints([0]), batchOf(builder), builder.ints([0])]);
    builder.output(builder.node('Add', ['x', rows], {}, 'y'), undefined);
    const canonical = canonicalGraph(builder.model());
    for (const batch of [1, 2, 5, 8]) expect(await compareModels(builder.model(), canonical, batch)).toBe(0);
  });
});

describe('integers of 32 bits', () => {
  it('are axes, sizes and indices like those of 64', async () => {
    const builder = started(['N', 4, 6]);
    const int32 = (values: number[]) => builder.node('Cast', [builder.ints(values)], { to: int(ELEM.int32) });
    const target = builder.node('Cast', [int32([-1, 8])], { to: int(ELEM.int64) });
    const cut = builder.node('Slice', ['x', int32([0]), int32([4]), int32([2])]);
    const picked = builder.node('Gather', [cut, int32([1, 0])], { axis: int(1) });
    builder.output(builder.node('Reshape', [picked, target], {}, 'y'), undefined);
    const model = builder.model();
    const canonical = canonicalGraph(model);
    expect(ops(canonical)).toEqual(['Slice', 'Gather', 'Reshape']);
    const [slice, , reshape] = canonical.graph.nodes;
    expect(integersOf(canonical.graph.constants.get(must(slice, '').inputs[2] ?? ''))).toEqual([4]);
    expect(integersOf(canonical.graph.constants.get(must(reshape, '').inputs[1] ?? ''))).toEqual([-1, 8]);
    expect(await compareModels(model, canonical, 3)).toBe(0);
  });

  it('numbers that would wrap around are left to the engine', () => {
    const builder = started();
    const large = builder.node('Cast', [builder.ints([2 ** 31 - 1])], { to: int(ELEM.int32) });
    const sum = builder.node('Add', [large, large]);
    builder.output(builder.node('Cast', [sum], { to: int(ELEM.float32) }), undefined);
    expect(ops(canonicalGraph(builder.model()))).toContain('Add');
    const most = started();
    const end = most.constant(intConstant([2n ** 63n - 1n]));
    most.output(
      most.node('Cast', [most.node('Sub', [end, most.ints([1])])], { to: int(ELEM.float32) }),
      undefined,
    );
    expect(ops(canonicalGraph(most.model()))).toContain('Sub');
  });
});

describe('training mode is refused by name', () => {
  const vector = (builder: GraphBuilder) => builder.constant(floatConstant([1, 1, 1, 1]));
  const norm = (builder: GraphBuilder, attributes: Record<string, Attribute>, outputs: string[]) => {
    const inputs = ['x', vector(builder), vector(builder), vector(builder), vector(builder)];
    const [first] = builder.nodes('BatchNormalization', inputs, attributes, outputs);
    builder.output(must(first, 'an output'), undefined);
  };
  const dropout = (builder: GraphBuilder, ratio: number, flag: string) =>
    builder.output(builder.node('Dropout', ['x', builder.scalar(ratio), flag], {}, 'drop'), undefined);
  const on = (builder: GraphBuilder) =>
    builder.node('Cast', [builder.constant(intConstant([1], []))], { to: int(ELEM.bool) });
  const branch = (nodes: object[]): Attribute => ({
    type: 'other',
    carried: create(AttributeProtoSchema, {
      name: 'then_branch',
      type: AttributeProto_AttributeType.GRAPH,
      g: { node: nodes, output: [{ name: 'inner' }] },
    }),
  });

  const cases: readonly [string, number, string, (builder: GraphBuilder) => void][] = [
    [
      'training_mode of batch normalisation',
      17,
      "'norm'",
      (b) => norm(b, { training_mode: int(1) }, ['norm']),
    ],
    [
      'statistics given by batch normalisation',
      9,
      "'norm'",
      (b) => norm(b, {}, ['norm', 'mean', 'variance']),
    ],
    ['Dropout with its flag set', 17, "'drop'", (b) => dropout(b, 0.5, on(b))],
    ['Dropout with a flag of run time', 17, "'drop'", (b) => dropout(b, 0.5, b.input('flag', [], ELEM.bool))],
    [
      'batch normalisation inside a subgraph',
      17,
      "'inside'",
      (b) => {
        const attribute = { name: 'training_mode', type: AttributeProto_AttributeType.INT, i: 1n };
        const node = {
          opType: 'BatchNormalization',
          name: 'inside',
          input: ['x'],
          output: ['inner'],
          attribute: [attribute],
        };
        b.output(b.node('If', ['x'], { then_branch: branch([node]) }), undefined);
      },
    ],
  ];
  it.each(cases)('%s', (_, opset, name, add) => {
    const builder = started(['N', 4, 6]);
    add(builder);
    try {
      canonicalGraph(builder.model(opset));
      expect.unreachable();
    } catch (error) {
      expect(BedsideError.is(error) && error.code).toBe('E_UNSUPPORTED');
      expect(String(error)).toContain(name);
      expect(String(error)).toContain('training mode');
    }
  });

  it('a ratio of 0 drops nothing, and inference is taken', () => {
    const builder = started();
    builder.output(
      builder.node('Relu', [builder.node('Dropout', ['x', builder.scalar(0), on(builder)])]),
      undefined,
    );
    expect(ops(canonicalGraph(builder.model()))).toEqual(['Relu']);
    const plain = started(['N', 4, 6]);
    norm(plain, { training_mode: int(0) }, ['norm']);
    expect(ops(canonicalGraph(plain.model()))).toEqual(['BatchNormalization']);
  });
});
