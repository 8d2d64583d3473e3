// Channels that must stay, and the reason that is given for each layer.
import { create } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { AttributeProto_AttributeType, AttributeProtoSchema } from '../onnx/codec/onnx_pb.ts';
import { type Attribute, canonicalModel, type Model } from '../onnx/index.ts';
import { ELEM, float, floatConstant, int, intConstant, ints } from '../onnx/internal.ts';
import { assertPrunable, findGroups, type Grouping } from './groups.ts';
import { expectCutEqualsMasked, Net } from './test-support/net.ts';

const reasonOf = (grouping: Grouping, layer: string): string | undefined =>
  grouping.frozen.find((row) => row.layer === layer)?.reason;

/** Two convolutions, `a` and `b`; what `a` gives is handed to `more`. */
function twoLayers(more: (net: Net, value: string) => void): Net {
  const net = new Net([2, 6, 6]);
  const a = net.relu(net.conv('a', net.input, 2, 8));
  more(net, a);
  const others = net.builder.graph.outputs;
  net.head(net.relu(net.conv('b', a, 8, 6)), 6);
  net.builder.graph.outputs.push(...others);
  return net;
}

/** An If whose branches give `name`, a value of the enclosing graph. */
function ifReading(net: Net, name: string, elemType: number): string {
  const branch = (key: string): Attribute => ({
    type: 'other',
    carried: create(AttributeProtoSchema, {
      name: key,
      type: AttributeProto_AttributeType.GRAPH,
      g: {
        name: key,
        node: [{ opType: 'Identity', input: [name], output: [`${key}_inner`] }],
        output: [{ name: `${key}_inner`, type: { value: { case: 'tensorType', value: { elemType } } } }],
      },
    }),
  });
  const condition = net.op('Cast', [net.builder.constant(intConstant([1], []))], { to: int(ELEM.bool) });
  return net.op('If', [condition], {
    then_branch: branch('then_branch'),
    else_branch: branch('else_branch'),
  });
}

describe('a shape that is read at run time', () => {
  const shapes: readonly [string, string, (net: Net, value: string) => void][] = [
    [
      'inside a subgraph',
      'reads their number',
      (net, value) => {
        const read = ifReading(net, net.op('Shape', [value]), ELEM.int64);
        net.builder.output(net.op('Cast', [read], { to: int(1) }), undefined);
      },
    ],
    [
      'inside a subgraph, through another node',
      'reads their number',
      (net, value) => {
        const size = net.op('Cast', [net.op('Shape', [value])], { to: int(1) });
        net.builder.output(net.op('Sigmoid', [ifReading(net, size, 1)]), undefined);
      },
    ],
    [
      'as an output',
      'gives their number',
      (net, value) => net.builder.output(net.op('Shape', [value]), undefined, ELEM.int64),
    ],
    [
      'as an output, through other nodes',
      'reads their number',
      (net, value) => {
        const size = net.op('Mul', [net.op('Shape', [value]), net.ints([2])]);
        net.builder.output(size, undefined, ELEM.int64);
      },
    ],
    [
      'by Size',
      'reads their number',
      (net, value) => net.builder.output(net.op('Size', [value]), undefined, ELEM.int64),
    ],
    [
      'the value itself inside a subgraph',
      'is an operator whose channels are not known',
      (net, value) => net.builder.output(net.op('Relu', [ifReading(net, value, 1)]), undefined),
    ],
  ];
  it.each(shapes)('%s', (_, reason, more) => {
    const net = twoLayers(more);
    const grouping = findGroups(canonicalModel(net.builder.model(17)));
    expect(reasonOf(grouping, 'a')).toContain(reason);
    expect(grouping.groups.map(({ layers }) => layers)).toEqual([['b']]);
  });

  it('the batch picked from it is harmless', async () => {
    const net = new Net([2, 6, 6]);
    const a = net.relu(net.conv('a', net.input, 2, 8));
    const batch = net.op('Gather', [net.op('Shape', [a]), net.ints([0])], { axis: int(0) });
    const scale = net.op('Cast', [batch], { to: int(1) });
    const grouping = await expectCutEqualsMasked(net.head(net.op('Mul', [a, scale]), 8));
    expect(grouping.groups.map(({ layers }) => layers)).toEqual([['a']]);
  });
});

describe('weights that cannot be cut', () => {
  /** A convolution whose weight is the given value, a linear layer behind it. */
  function withWeight(make: (net: Net) => string, input: (net: Net) => string = (net) => net.input): Model {
    const net = new Net([2, 6, 6]);
    const x = net.op('Conv', [input(net), make(net)], { kernel_shape: ints([1, 1]) }, 'odd');
    const y = net.op('Cast', [net.relu(x)], { to: int(1) });
    return net.head(y, 8);
  }
  const int8 = (net: Net) =>
    net.op('Cast', [net.builder.constant(floatConstant(new Float32Array(16).fill(3), [8, 2, 1, 1]))], {
      to: int(3),
    });

  it('of float16: the type is named', () => {
    const half = (net: Net) =>
      net.op('Cast', [net.builder.constant(floatConstant(new Float32Array(16).fill(0.5), [8, 2, 1, 1]))], {
        to: int(ELEM.float16),
      });
    const grouping = findGroups(
      canonicalModel(withWeight(half, (net) => net.op('Cast', [net.input], { to: int(ELEM.float16) }))),
    );
    expect(grouping.frozen[0]).toEqual({
      layer: 'odd',
      channels: 8,
      reason: "Conv 'odd' has float16 weights; only float32 ones are cut",
    });
    expect(() => assertPrunable(grouping, 'm')).toThrow(/odd \(8 channels\): Conv 'odd' has float16 weights/);
  });

  it('behind DequantizeLinear: they are called quantised', () => {
    const scale = (net: Net) => net.builder.constant(floatConstant([0.1], []));
    const quantised = (net: Net) => net.op('DequantizeLinear', [int8(net), scale(net)]);
    const grouping = findGroups(canonicalModel(withWeight(quantised)));
    expect(grouping.frozen[0]).toMatchObject({ layer: 'odd', channels: 8 });
    expect(reasonOf(grouping, 'odd')).toContain('quantised weights (int8)');
  });

  it('float16 that is cast to float32 is folded and can be cut', async () => {
    const half = (net: Net) => {
      const weight = net.builder.constant(
        floatConstant(
          Float32Array.from({ length: 16 }, () => Math.fround(net.random.normal())),
          [8, 2, 1, 1],
        ),
      );
      const down = net.op('Cast', [net.op('Cast', [weight], { to: int(ELEM.float16) })], { to: int(1) });
      return down;
    };
    const grouping = await expectCutEqualsMasked(canonicalModel(withWeight(half)));
    expect(grouping.groups.map(({ layers }) => layers)).toEqual([['odd']]);
  });

  it('computed at run time', () => {
    const computed = (net: Net) => {
      const weight = net.builder.constant(floatConstant(new Float32Array(16).fill(1), [8, 2, 1, 1]));
      return net.op('Mul', [weight, net.op('ReduceMax', [net.input], { keepdims: int(0) })]);
    };
    expect(reasonOf(findGroups(canonicalModel(withWeight(computed))), 'odd')).toContain(
      'computed at run time',
    );
  });

  it('of operators that are not known: quantised and recurrent layers are listed', () => {
    const net = new Net([2, 6, 6]);
    const rows = net.op('Reshape', [net.input, net.ints([6, -1, 12])]);
    const lstm = net.op(
      'LSTM',
      [rows, net.weights([1, 20, 12], 1), net.weights([1, 20, 5], 1)],
      { hidden_size: int(5) },
      'recurrent',
    );
    net.builder.output(net.op('Elu', [lstm], { alpha: float(1) }), undefined);
    const grouping = findGroups(canonicalModel(net.builder.model(17)));
    expect(grouping.frozen).toMatchObject([{ layer: 'recurrent', channels: 5 }]);
  });

  it('on the left of a product: their own channels stay, those that they read can go', async () => {
    const net = new Net([2, 6, 6]);
    const a = net.relu(net.conv('a', net.input, 2, 8));
    const flat = net.op('Reshape', [a, net.ints([0, 8, 36])]);
    const mixed = net.op('MatMul', [net.weights([10, 8], 1), flat], {}, 'left');
    const back = net.op('Reshape', [net.relu(mixed), net.ints([0, 10, 6, 6])]);
    const grouping = await expectCutEqualsMasked(net.head(back, 10));
    expect(grouping.groups.map(({ layers }) => layers)).toEqual([['a']]);
    expect(reasonOf(grouping, 'left')).toContain('weights on the left');
  });

  it('on the left of a product, beside a layer that can be scored: they go together', async () => {
    const net = new Net([2, 6, 6]);
    const a = net.conv('a', net.input, 2, 8);
    const flat = net.op('Reshape', [net.relu(a), net.ints([0, 8, 36])]);
    const back = net.op('Reshape', [
      net.op('MatMul', [net.weights([8, 8], 1), flat], {}, 'left'),
      net.ints([0, 8, 6, 6]),
    ]);
    const grouping = await expectCutEqualsMasked(net.head(net.relu(net.op('Add', [back, a])), 8));
    expect(grouping.groups.map(({ layers }) => layers)).toEqual([['a', 'left']]);
  });
});
