// Cut equals masked, net by net, through ONNX Runtime; and what the groups of each net are.
import { describe, expect, it } from 'vitest';
import { floatConstant, int, ints, string } from '../onnx/internal.ts';
import { findGroups, type Grouping } from './groups.ts';
import { maskModel } from './mask.ts';
import { sliceModel } from './slice.ts';
import { expectCutEqualsMasked, largestDifference, Net, run } from './test-support/net.ts';

/** `layers:units` of each group. */
function summary(grouping: Grouping): string[] {
  return grouping.groups.map((group) => `${group.layers.join('+')}:${group.channels}`);
}

describe('sliceModel equals maskModel', () => {
  it('chain of convolutions with standing batch normalisation', async () => {
    const net = new Net([2, 6, 6]);
    let x = net.relu(net.batchNorm(net.conv('a', net.input, 2, 8), 8));
    x = net.op('MaxPool', [x], { kernel_shape: ints([2, 2]), strides: ints([2, 2]) });
    x = net.relu(net.batchNorm(net.conv('b', x, 8, 12, { bias: false }), 12));
    const grouping = await expectCutEqualsMasked(net.head(x, 12));
    expect(summary(grouping)).toEqual(['a:8', 'b:12']);
    expect(grouping.groups.map((group) => group.readers)).toEqual([['b'], ['head']]);
    expect(grouping.frozen).toEqual([
      { layer: 'head', channels: 3, reason: "they reach the model's output 'head'" },
    ]);
  });

  it('residual sums without and with a projection', async () => {
    const net = new Net([2, 6, 6]);
    const stem = net.relu(net.conv('stem', net.input, 2, 8));
    const block = net.conv('b', net.relu(net.conv('a', stem, 8, 6)), 6, 8);
    const trunk = net.relu(net.op('Add', [block, stem]));
    const wide = net.conv('d', net.relu(net.conv('c', trunk, 8, 10, { stride: 2 })), 10, 12);
    const projection = net.conv('p', trunk, 8, 12, { kernel: 1, stride: 2 });
    const grouping = await expectCutEqualsMasked(net.head(net.relu(net.op('Add', [wide, projection])), 12));
    expect(summary(grouping)).toEqual(['stem+b:8', 'a:6', 'c:10', 'd+p:12']);
  });

  it('a residual sum with the input freezes what is added to it', () => {
    const net = new Net([4, 6, 6]);
    const x = net.op('Add', [net.conv('b', net.relu(net.conv('a', net.input, 4, 6)), 6, 4), net.input]);
    const grouping = findGroups(net.head(x, 4));
    expect(summary(grouping)).toEqual(['a:6']);
    expect(grouping.frozen[0]).toEqual({
      layer: 'b',
      channels: 4,
      reason: "Add 'Add' combines them with 'input', which cannot be cut",
    });
  });

  it('depthwise inverted residual, with a multiplier', async () => {
    const net = new Net([2, 6, 6]);
    const stem = net.conv('stem', net.input, 2, 6);
    const wide = net.op('HardSwish', [net.conv('expand', stem, 6, 10, { kernel: 1 })]);
    const deep = net.relu(net.conv('depth', wide, 10, 20, { group: 10 }));
    const x = net.op('Add', [net.conv('project', deep, 20, 6, { kernel: 1 }), stem]);
    const grouping = await expectCutEqualsMasked(net.head(x, 6));
    expect(summary(grouping)).toEqual(['stem+project:6', 'expand+depth:10']);
    expect(grouping.groups[1]?.members[1]?.units[3]).toEqual(Int32Array.of(6, 7));
  });

  it('squeeze and excitation gates, per channel and per position', async () => {
    const net = new Net([2, 6, 6]);
    const x = net.relu(net.conv('a', net.input, 2, 8));
    const squeezed = net.op('Tanh', [
      net.conv('squeeze', net.op('GlobalAveragePool', [x]), 8, 4, { kernel: 1 }),
    ]);
    const gate = net.op('HardSigmoid', [net.conv('excite', squeezed, 4, 8, { kernel: 1 })]);
    const gated = net.op('Mul', [x, gate]);
    const spatial = net.op('Sigmoid', [net.conv('attend', gated, 8, 1)]);
    const grouping = await expectCutEqualsMasked(net.head(net.op('Mul', [gated, spatial]), 8));
    expect(summary(grouping)).toEqual(['a+excite:8', 'squeeze:4']);
    expect(grouping.frozen).toContainEqual({
      layer: 'attend',
      channels: 1,
      reason: "'attend' holds a single channel",
    });
  });

  it('dense concatenation over two levels', async () => {
    const net = new Net([2, 6, 6]);
    const a = net.relu(net.conv('a', net.input, 2, 6));
    const b = net.relu(net.conv('b', a, 6, 4));
    const ab = net.op('Concat', [a, b], { axis: int(1) });
    const c = net.relu(net.conv('c', ab, 10, 5));
    const abc = net.op('Concat', [ab, c, net.input], { axis: int(1) });
    const grouping = await expectCutEqualsMasked(net.head(net.batchNorm(abc, 17), 17));
    expect(summary(grouping)).toEqual(['a:6', 'b:4', 'c:5']);
  });

  it('convolutions in groups stay balanced', async () => {
    const net = new Net([2, 6, 6]);
    const x = net.relu(net.conv('a', net.input, 2, 12));
    const y = net.relu(net.conv('b', x, 12, 8, { group: 2 }));
    const z = net.relu(net.conv('c', y, 8, 8, { group: 4, transposed: true }));
    const grouping = await expectCutEqualsMasked(net.head(z, 8));
    expect(summary(grouping)).toEqual(['a:6', 'b:2', 'c:2']);
    expect(grouping.groups[0]?.members[0]?.units[1]).toEqual(Int32Array.of(1, 7));
  });

  it('transposed convolutions, plain and depthwise', async () => {
    const net = new Net([2, 5, 5]);
    const x = net.relu(net.conv('a', net.input, 2, 6, { transposed: true }));
    const y = net.relu(net.conv('depth', x, 6, 12, { transposed: true, group: 6 }));
    const z = net.relu(net.conv('b', y, 12, 7, { transposed: true, stride: 2 }));
    const grouping = await expectCutEqualsMasked(net.head(z, 7));
    expect(summary(grouping)).toEqual(['a+depth:6', 'b:7']);
  });

  it('a depthwise layer on the input keeps its multiplier balanced', async () => {
    const net = new Net([3, 6, 6]);
    const x = net.relu(net.conv('a', net.input, 3, 12, { group: 3 }));
    const grouping = await expectCutEqualsMasked(net.head(x, 12));
    expect(summary(grouping)).toEqual(['a:4']);
  });

  it.each(['Flatten', 'Reshape', 'Reshape with the batch inferred', 'Reshape with zeros', 'Squeeze'])(
    '%s before a linear layer',
    async (kind) => {
      const net = new Net([2, 4, 4]);
      let x = net.relu(net.conv('a', net.input, 2, 6));
      let width = 96;
      if (kind === 'Flatten') x = net.op('Flatten', [x], { axis: int(1) });
      if (kind === 'Reshape') x = net.op('Reshape', [x, net.ints([-1, 96])]);
      if (kind.endsWith('inferred')) x = net.op('Reshape', [x, net.ints([0, -1])]);
      if (kind.endsWith('zeros')) {
        x = net.op('Reshape', [net.op('Reshape', [x, net.ints([0, 6, 16])]), net.ints([0, 0, 4, 4])]);
        x = net.op('Reshape', [x, net.ints([-1, 96])]);
      }
      if (kind === 'Squeeze') {
        x = net.op('Squeeze', [net.op('GlobalMaxPool', [x]), net.ints([2, 3])]);
        x = net.op('Unsqueeze', [x, net.ints([1])]);
        x = net.op('Squeeze', [x, net.ints([1])]);
        width = 6;
      }
      x = net.relu(net.gemm('b', x, width, 10));
      const grouping = await expectCutEqualsMasked(net.finish(net.gemm('c', x, 10, 3, false)));
      expect(summary(grouping)).toEqual(['a:6', 'b:10']);
    },
  );

  it('a channel shuffle ties the parts it interleaves', async () => {
    const net = new Net([2, 4, 4]);
    const x = net.relu(net.conv('a', net.input, 2, 12));
    const parts = net.op('Reshape', [x, net.ints([0, 3, 4, 4, 4])]);
    const turned = net.op('Transpose', [parts], { perm: ints([0, 2, 1, 3, 4]) });
    const shuffled = net.op('Reshape', [turned, net.ints([-1, 12, 4, 4])]);
    const grouping = await expectCutEqualsMasked(net.head(net.relu(net.conv('b', shuffled, 12, 6)), 6));
    expect(summary(grouping)).toEqual(['a:4', 'b:6']);
    expect(grouping.groups[0]?.members[0]?.units[1]).toEqual(Int32Array.of(1, 5, 9));
  });

  it('a Reshape that mixes parts of channels with space keeps these parts whole', async () => {
    const net = new Net([2, 4, 4]);
    const x = net.op('Reshape', [net.conv('a', net.input, 2, 6), net.ints([0, 3, 8, 4])]);
    const grouping = await expectCutEqualsMasked(net.head(net.relu(net.conv('b', x, 3, 5)), 5));
    expect(summary(grouping)).toEqual(['a:3', 'b:5']);
  });

  it('a Reshape that cuts across channels freezes them', () => {
    const net = new Net([2, 4, 4]);
    const x = net.op('Reshape', [net.conv('a', net.input, 2, 6), net.ints([0, 4, 6, 4])]);
    const grouping = findGroups(net.head(net.relu(net.conv('b', x, 4, 5)), 5));
    expect(summary(grouping)).toEqual(['b:5']);
    expect(grouping.frozen[0]?.reason).toBe("Reshape 'Reshape' spreads them over several axes");
  });

  it('MatMul on either side, with biases and residuals on the last axis', async () => {
    const net = new Net([5, 4]);
    const first = net.op('MatMul', [net.input, net.weights([4, 8], 0.5)], {}, 'right');
    const x = net.relu(net.op('Add', [net.weights([8], 0.5), first]));
    const y = net.op('Add', [net.op('MatMul', [x, net.weights([8, 8], 0.4)], {}, 'again'), x]);
    const turned = net.op('Transpose', [y], { perm: ints([0, 2, 1]) });
    const left = net.op('MatMul', [net.weights([6, 8], 0.4), turned], {}, 'left');
    const z = net.op('ReduceMean', [net.relu(left)], { axes: ints([2]), keepdims: int(0) });
    const grouping = await expectCutEqualsMasked(net.finish(net.gemm('head', z, 6, 3)));
    expect(summary(grouping)).toEqual(['right+again:8']);
    expect(grouping.frozen[0]?.layer).toBe('left'); // no criterion reads weights on the left
  });

  it.each(['attribute', 'input', 'implied'])('Split along channels, sizes as %s', async (how) => {
    const net = new Net([2, 6, 6]);
    const x = net.relu(net.conv('a', net.input, 2, 8));
    const sizes = [4, 4];
    const [left, right] = net.builder.nodes(
      'Split',
      how === 'input' ? [x, net.ints(sizes)] : [x],
      { axis: int(1), ...(how === 'attribute' ? { split: ints(sizes) } : {}) },
      ['left', 'right'],
    ) as [string, string];
    const b = net.relu(net.conv('b', right, 4, 4));
    const joined = net.op('Concat', [left, b], { axis: int(1) });
    const model = net.head(joined, 8);
    if (how === 'attribute') model.opsets.set('', 12);
    const grouping = await expectCutEqualsMasked(model);
    // Halves are groups of their own: neither may be emptied.
    expect(summary(grouping)).toEqual(['a:4', 'a:4', 'b:4']);
  });

  it('Slice and Gather along channels', async () => {
    const net = new Net([2, 6, 6]);
    const x = net.relu(net.conv('a', net.input, 2, 9));
    const low = net.op('Slice', [x, net.ints([0]), net.ints([5]), net.ints([1])]);
    const high = net.op('Slice', [x, net.ints([-4]), net.ints([2 ** 31]), net.ints([-3]), net.ints([1])]);
    const picked = net.op('Gather', [low, net.ints([4, 0, -3, 1])], { axis: int(1) });
    const joined = net.op('Add', [picked, high]);
    const grouping = await expectCutEqualsMasked(net.head(joined, 4));
    expect(summary(grouping)).toEqual(['a:4']);
  });

  it('a shortcut padded along channels', async () => {
    const net = new Net([2, 6, 6]);
    const stem = net.relu(net.conv('stem', net.input, 2, 6));
    const shortcut = net.op('Pad', [stem, net.ints([0, 2, 0, 0, 0, 4, 0, 0])], { mode: string('constant') });
    const x = net.op('Add', [net.conv('b', net.relu(net.conv('a', stem, 6, 5)), 5, 12), shortcut]);
    const narrow = net.op('Pad', [x, net.ints([0, -1, 1, 1, 0, -2, 1, 1])]);
    const grouping = await expectCutEqualsMasked(net.head(net.relu(narrow), 9));
    expect(summary(grouping)).toContain('stem+b:6');
    // Beside padding: channels 1, 8 and 9 of b; and 0, 10 and 11, which the second Pad takes off so that nobody reads them.
    const alone = grouping.groups.filter((group) => group.layers.join() === 'b');
    expect(alone.map((group) => [group.channels, group.readers])).toEqual([
      [3, []],
      [3, ['head']],
    ]);
  });

  it('PRelu slopes, constants of either rank, Expand, Clip, Dropout, Identity, pools', async () => {
    const net = new Net([2, 6, 6]);
    let x = net.op('PRelu', [net.conv('a', net.input, 2, 6), net.weights([6, 1, 1], 0.5)]);
    x = net.op('Div', [net.op('Sub', [x, net.weights([1, 6, 1, 1], 1)]), net.builder.scalar(1.5)]);
    x = net.op('Mul', [net.weights([6, 1, 6], 1), x]);
    x = net.op('Clip', [x, net.builder.scalar(-2), net.builder.scalar(2)]);
    x = net.op('Identity', [net.op('Dropout', [x])]);
    x = net.op('AveragePool', [x], { kernel_shape: ints([2, 2]) });
    const mean = net.op('ReduceMean', [x], { axes: ints([-1, -2]), keepdims: int(1) });
    x = net.op('Sub', [x, net.op('Expand', [mean, net.ints([6, 5, 1])])]);
    const grouping = await expectCutEqualsMasked(net.head(net.op('LeakyRelu', [x]), 6));
    expect(summary(grouping)).toEqual(['a:6']);
  });

  it('one-dimensional networks', async () => {
    const net = new Net([1, 24]);
    const stem = net.relu(net.conv('stem', net.input, 1, 6, { kernel: 5, stride: 2 }));
    const x = net.op('Add', [net.conv('b', net.relu(net.conv('a', stem, 6, 9)), 9, 6), stem]);
    const grouping = await expectCutEqualsMasked(net.head(net.relu(x), 6));
    expect(summary(grouping)).toEqual(['stem+b:6', 'a:9']);
  });

  it('weights shared by two layers are copied where they are cut differently', async () => {
    const net = new Net([4, 6, 6]);
    const weight = net.weights([4, 4, 3, 3], 0.3);
    const a = net.relu(net.conv('a', net.input, 4, 4, { weight }));
    const b = net.relu(net.conv('b', a, 4, 4, { weight }));
    const c = net.relu(net.conv('c', b, 4, 4, { weight }));
    const model = net.head(c, 4);
    const before = [...model.graph.constants.keys()].length;
    const grouping = await expectCutEqualsMasked(model);
    expect(summary(grouping)).toEqual(['a:4', 'b:4', 'c:4']);
    expect(model.graph.constants.size).toBe(before);
    // b and c are cut alike and share one copy; the original weight is gone from the cut model.
    const cut = sliceModel(model, grouping, new Map([0, 1, 2].map((id) => [id, [0, 2]])));
    const [, second, third] = cut.graph.nodes.filter((node) => node.op === 'Conv');
    expect(second?.inputs[1]).toBe(third?.inputs[1]);
    expect(cut.graph.constants.size).toBe(before + 1);
  });

  it('a channel taken out alone, and one broadcast over others, stay', async () => {
    const net = new Net([2, 6, 6]);
    const x = net.relu(net.conv('a', net.input, 2, 6));
    const alone = net.op('Slice', [x, net.ints([2]), net.ints([3]), net.ints([1])]);
    const wide = net.op('Mul', [alone, net.weights([5, 1, 1], 1)]);
    const y = net.op('Mul', [net.relu(net.conv('b', wide, 5, 7)), alone]);
    const z = net.op('Concat', [y, x, alone], { axis: int(1) });
    const grouping = await expectCutEqualsMasked(net.head(z, 14));
    expect(summary(grouping)).toEqual(['a:5', 'b:7']);
    expect(grouping.frozen[0]).toEqual({ layer: 'a', channels: 1, reason: "'Slice' holds a single channel" });
  });

  it('products of computed values pair the channels that they sum over', async () => {
    const net = new Net([5, 4]);
    const q = net.op('MatMul', [net.input, net.weights([4, 6], 0.5)], {}, 'q');
    const k = net.op('MatMul', [net.input, net.weights([4, 6], 0.5)], {}, 'k');
    const turned = net.op('Transpose', [k], { perm: ints([0, 2, 1]) });
    const scores = net.op('ReduceMean', [net.op('MatMul', [q, turned])], {
      axes: ints([2]),
      keepdims: int(0),
    });
    const grouping = await expectCutEqualsMasked(net.finish(net.gemm('head', scores, 5, 3)));
    expect(summary(grouping)).toEqual(['q+k:6']);
    expect(grouping.frozen.map((row) => `${row.layer}:${row.channels}`)).toEqual(['head:3']);
  });

  it('normalisation across channels freezes them', () => {
    const net = new Net([2, 6, 6]);
    const x = net.op('LRN', [net.conv('a', net.input, 2, 6)], { size: int(3) });
    const y = net.op('Softmax', [net.conv('b', x, 6, 5)], { axis: int(1) });
    const z = net.op('Softmax', [net.conv('c', y, 5, 4)], { axis: int(3) });
    const grouping = findGroups(net.head(z, 4));
    expect(summary(grouping)).toEqual(['c:4']);
    expect(grouping.frozen.map(({ layer, reason }) => [layer, reason]).slice(0, 2)).toEqual([
      ['a', "LRN 'LRN' normalises across them"],
      ['b', "Softmax 'Softmax' normalises across them"],
    ]);
  });

  it.each([true, false])(
    'unknown operators freeze what they read; shape of the result known: %s',
    async (known) => {
      const net = new Net([2, 6, 6]);
      const x = net.op('Hardmax', [net.conv('b', net.relu(net.conv('a', net.input, 2, 6)), 6, 5)]);
      const model = net.head(net.relu(net.conv('c', x, 5, 7)), 7);
      if (known) model.graph.outputs.push({ name: x, elemType: 1, dims: ['batch', 5, 6, 6] });
      const grouping = await expectCutEqualsMasked(model);
      expect(summary(grouping)).toEqual(known ? ['a:6', 'c:7'] : ['a:6']);
      expect(grouping.frozen[0]).toEqual({
        layer: 'b',
        channels: 5,
        reason: "Hardmax 'Hardmax' is an operator whose channels are not known",
      });
      if (!known)
        expect(grouping.frozen[1]?.reason).toBe(
          "Flatten 'Flatten' has a shape that is not known before run time",
        );
    },
  );
});

describe('sliceModel', () => {
  const net = new Net([2, 6, 6]);
  const model = net.head(net.relu(net.conv('a', net.input, 2, 8)), 8);
  const grouping = findGroups(model);

  it.each([
    ['an unknown group', new Map([[7, [0]]])],
    ['an emptied group', new Map([[0, []]])],
    ['units out of order', new Map([[0, [2, 1]]])],
    ['units out of range', new Map([[0, [8]]])],
  ])('refuses %s', (_, keep) => {
    for (const apply of [sliceModel, maskModel]) {
      expect(() => apply(model, grouping, keep)).toThrow(expect.objectContaining({ code: 'E_INTERNAL' }));
    }
  });

  it('leaves the original alone, and an empty plan changes nothing', async () => {
    const before = await run(model);
    sliceModel(model, grouping, new Map([[0, [1, 3]]]));
    expect(largestDifference(await run(model), before)).toBe(0);
    const same = sliceModel(model, grouping, new Map());
    expect(same.graph.constants).toEqual(model.graph.constants);
    expect(same.graph.nodes).toEqual(model.graph.nodes);
  });

  it('leaves a broadcast bias alone', async () => {
    const other = new Net([2, 4, 4]);
    const flat = other.op('Flatten', [other.relu(other.conv('a', other.input, 2, 4))], { axis: int(1) });
    const bias = other.builder.constant(floatConstant([0.5], [1]), 'bias');
    const hidden = other.op('Gemm', [flat, other.weights([64, 6], 0.2), bias], {}, 'hidden');
    const grouped = await expectCutEqualsMasked(other.finish(other.gemm('head', other.relu(hidden), 6, 3)));
    expect(summary(grouped)).toEqual(['a:4', 'hidden:6']);
  });
});
