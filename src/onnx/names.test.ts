// Names that are handed out stand nowhere in the graph: as a value, a node, or inside a subgraph.
import { create } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { GraphBuilder } from './builder.ts';
import { canonicalGraph } from './canonical/fold.ts';
import { foldBatchNorm } from './canonical/fold-batch-norm.ts';
import { AttributeProto_AttributeType, AttributeProtoSchema, GraphProtoSchema } from './codec/onnx_pb.ts';
import { type Attribute, floatConstant } from './graph.ts';
import { NameAllocator } from './names.ts';
import { compareModels } from './test-support/models.ts';

const GRAPH = AttributeProto_AttributeType.GRAPH;

/** A graph with a name of each kind. */
function graphWithNames(): GraphBuilder {
  const builder = new GraphBuilder();
  builder.input('input', ['N', 4]);
  builder.constant(floatConstant([1]), 'constant');
  builder.node('Relu', ['input'], {}, 'value');
  const [node] = builder.graph.nodes;
  if (node) node.name = 'node';
  const deepest = {
    node: [{ opType: 'Abs', name: 'deep_node', input: ['deep_read'], output: ['deep_value'] }],
    initializer: [{ name: 'deep_constant' }],
  };
  const inside = { name: 'body', type: GRAPH, g: deepest };
  const attribute: Attribute = {
    type: 'other',
    carried: create(AttributeProtoSchema, {
      name: 'then_branch',
      type: GRAPH,
      g: {
        node: [
          {
            opType: 'Loop',
            name: 'inner_node',
            input: ['inner_read'],
            output: ['inner_value'],
            attribute: [inside],
          },
        ],
        input: [{ name: 'inner_input' }],
        output: [{ name: 'inner_output' }],
        valueInfo: [{ name: 'inner_declared' }],
      },
    }),
  };
  builder.node('If', ['value'], { then_branch: attribute }, 'if');
  builder.graph.carried = create(GraphProtoSchema, {
    valueInfo: [{ name: 'declared' }],
    sparseInitializer: [{ values: { name: 'sparse' } }],
  });
  builder.output('if', undefined);
  return builder;
}

const NAMES = [
  'input',
  'constant',
  'value',
  'node',
  'if',
  'inner_node',
  'inner_read',
  'inner_value',
  'inner_input',
  'inner_output',
  'inner_declared',
  'deep_node',
  'deep_read',
  'deep_value',
  'deep_constant',
  'declared',
  'sparse',
];

describe('fresh names', () => {
  it.each(NAMES)("'%s' is taken", (name) => {
    const builder = new GraphBuilder(graphWithNames().graph);
    expect(builder.fresh(name)).toBe(`${name}_1`);
    expect(builder.fresh(name)).toBe(`${name}_2`);
    expect(NameAllocator.of(graphWithNames().graph).fresh(name)).toBe(`${name}_1`);
  });

  it('numbers that stand there already are passed over', () => {
    const names = new NameAllocator(new Set(['a', 'a_1', 'a_3', '']));
    expect([
      names.fresh('a'),
      names.fresh('a'),
      names.fresh('a_2'),
      names.fresh(''),
      names.fresh('b'),
    ]).toEqual(['a_2', 'a_4', 'a_2_1', '_1', 'b']);
  });

  it('many of one hint take no longer than few', () => {
    const names = new NameAllocator(new Set());
    for (let i = 0; i < 200_000; i++) names.fresh('x');
    expect(names.fresh('x')).toBe('x_200000');
  });
});

describe('canonical models', () => {
  it('get folded weights and shapes under new names, whatever the nodes are called', async () => {
    const builder = new GraphBuilder();
    builder.input('x', ['N', 2, 4]);
    const w = builder.constant(floatConstant([1, 2, 3, 4], [2, 2, 1]), 'w');
    const vector = (hint: string) => builder.constant(floatConstant([1, 2]), hint);
    const conv = builder.node('Conv', ['x', w], {}, 'conv');
    const inputs = [conv, vector('g'), vector('b'), vector('m'), vector('v')];
    const normed = builder.node('BatchNormalization', inputs, {}, 'w_folded');
    builder.output(builder.node('Relu', [normed], {}, 'w_bias_folded'), undefined);
    for (const node of builder.graph.nodes) node.name = `${node.outputs[0]}_1`;
    const model = builder.model();
    const canonical = canonicalGraph(foldBatchNorm(model));
    expect(canonical.graph.nodes.map(({ op }) => op)).toEqual(['Conv', 'Relu']);
    expect(await compareModels(model, canonical)).toBeLessThan(1e-5);
    const names = [...canonical.graph.constants.keys(), ...canonical.graph.nodes.map(({ name }) => name)];
    expect(new Set(names).size).toBe(names.length);
  });
});
