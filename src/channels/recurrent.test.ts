// Recurrent layers: the canonical form gives what the model gives, cut equals masked, and units can be put in order.

import { create } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { AttributeProto_AttributeType, AttributeProtoSchema } from '../onnx/codec/onnx_pb.ts';
import { canonicalModel, type Model } from '../onnx/index.ts';
import { int } from '../onnx/internal.ts';
import {
  handedOnNet,
  lastStatesNet,
  lastStepNet,
  RecurrentNet,
  stackedNet,
  tiedNet,
} from '../onnx/test-support/recurrent-nets.ts';
import { findGroups } from './groups.ts';
import { reorderChannels } from './reorder.ts';
import { expectCutEqualsMasked, largestDifference, run } from './test-support/net.ts';

const NETS: readonly [string, () => Model, string[]][] = [
  ['LSTM, last step', () => lastStepNet('LSTM'), ['conv:6', 'LSTM:5']],
  [
    'LSTM in reverse, no bias',
    () => lastStepNet('LSTM', { direction: 'reverse', bias: false }),
    ['conv:6', 'LSTM:5'],
  ],
  ['LSTM with peepholes', () => lastStepNet('LSTM', { peephole: true }), ['conv:6', 'LSTM:5']],
  ['GRU', () => lastStepNet('GRU'), ['conv:6', 'GRU:5']],
  [
    'GRU, linear before reset',
    () => lastStepNet('GRU', { attributes: { linear_before_reset: int(1) } }),
    ['conv:6', 'GRU:5'],
  ],
  ['RNN', () => lastStepNet('RNN'), ['conv:6', 'RNN:5']],
  [
    'two LSTM of both directions: each has its own units',
    () => stackedNet('LSTM'),
    ['conv:6', 'LSTM/forward:4', 'LSTM/reverse:4', 'LSTM_1/forward:5', 'LSTM_1/reverse:5', 'middle:6'],
  ],
  [
    'two GRU of both directions',
    () => stackedNet('GRU', 2, { linear_before_reset: int(1) }),
    ['conv:6', 'GRU/forward:4', 'GRU/reverse:4', 'GRU_1/forward:5', 'GRU_1/reverse:5', 'middle:6'],
  ],
  ['last states of both directions', () => lastStatesNet('LSTM'), ['LSTM/forward:5', 'LSTM/reverse:5']],
  ['states handed on are tied', () => handedOnNet(), ['conv:4', 'LSTM+LSTM_1:5']],
  ['directions that are not read apart are tied', () => tiedNet(), ['GRU/forward+GRU/reverse:5']],
];

describe('recurrent layers', () => {
  it.each(NETS)('%s', async (_name, make, groups) => {
    const model = make();
    const canonical = canonicalModel(model);
    expect(largestDifference(await run(canonical), await run(model))).toBeLessThan(1e-5);
    const grouping = await expectCutEqualsMasked(canonical);
    expect(grouping.groups.map(({ layers, channels }) => `${layers.join('+')}:${channels}`)).toEqual(groups);
    const order = new Map(
      grouping.groups.map(({ id, channels }) => [id, [...Array(channels).keys()].reverse()]),
    );
    const { model: reordered, fixed } = reorderChannels(canonical, grouping, order);
    expect([...fixed]).toEqual([]);
    expect(largestDifference(await run(reordered), await run(canonical))).toBeLessThan(1e-5);
  });

  it('takes initial states that are zero away, and keeps others', async () => {
    const stated = (value: number): Model => {
      const net = new RecurrentNet(3, 6);
      const steps = net.turned(net.input, [2, 0, 1]);
      const size = net.op('Gather', [net.op('Shape', [steps]), net.builder.ints([1])]);
      const shape = net.op('Concat', [net.builder.ints([1]), size, net.builder.ints([4])], { axis: int(0) });
      const state = net.op('Expand', [net.weights([1, 1, 4], value), shape]);
      const [y] = net.recurrent('GRU', steps, 3, 4, { state });
      const last = net.op('Gather', [net.squeeze(y, 1), net.index(-1)], { axis: int(0) });
      return net.finish(net.dense('head', last, 4, 3));
    };
    expect(canonicalModel(stated(0)).graph.nodes.map(({ op }) => op)).not.toContain('Expand');
    const kept = canonicalModel(stated(1));
    expect(largestDifference(await run(kept), await run(stated(1)))).toBeLessThan(1e-5);
    expect(findGroups(kept).frozen[0]?.reason).toMatch(/starts from 'Expand', which cannot be cut/);
  });

  it('reads samples before steps (layout 1) as steps first', async () => {
    const net = new RecurrentNet(3, 6);
    const rows = net.turned(net.input, [0, 2, 1]);
    const [y, state] = net.recurrent('LSTM', rows, 3, 4, {
      direction: 'bidirectional',
      attributes: { layout: int(1) },
    });
    const sides = net.op('Reshape', [y, net.builder.ints([0, 0, -1])]);
    const last = net.op('Gather', [sides, net.index(0)], { axis: int(1) });
    const sum = net.op('Add', [last, net.op('Flatten', [state])]);
    const twin = new RecurrentNet(3, 6);
    const [y2, state2] = twin.recurrent('LSTM', twin.turned(twin.input, [2, 0, 1]), 3, 4, {
      direction: 'bidirectional',
    });
    const last2 = twin.op('Gather', [twin.sides(y2), twin.index(0)], { axis: int(0) });
    const sum2 = twin.op('Add', [last2, twin.op('Flatten', [twin.turned(state2, [1, 0, 2])])]);
    const [a, b] = [net.finish(net.dense('head', sum, 8, 3)), twin.finish(twin.dense('head', sum2, 8, 3))];
    expect(largestDifference(await run(canonicalModel(a)), await run(b))).toBeLessThan(1e-5);
  });

  it('keeps activations of each direction, and lengths that leave no step out', async () => {
    const net = new RecurrentNet(3, 6);
    const steps = net.turned(net.input, [2, 0, 1]);
    const [y] = net.recurrent('RNN', steps, 3, 4, {
      direction: 'bidirectional',
      attributes: { activations: { type: 'other', carried: activations('Relu', 'Tanh') } },
    });
    const mean = net.op('ReduceMean', [net.sides(y)], {
      axes: { type: 'ints', value: [0n] },
      keepdims: int(0),
    });
    const model = net.finish(net.dense('head', mean, 8, 3), 14);
    const canonical = canonicalModel(model);
    expect(largestDifference(await run(canonical), await run(model))).toBeLessThan(1e-5);
    expect(canonical.graph.nodes.filter(({ op }) => op === 'RNN')).toHaveLength(2);
  });
});

function activations(...names: string[]) {
  return create(AttributeProtoSchema, {
    name: 'activations',
    type: AttributeProto_AttributeType.STRINGS,
    strings: names.map((name) => new TextEncoder().encode(name)),
  });
}
