// Cut equals masked through normalisations, resizing, and exchanges of channels and space.
import { describe, expect, it } from 'vitest';
import type { Attribute } from '../onnx/index.ts';
import { floatConstant, int, ints, string } from '../onnx/internal.ts';
import { findGroups, type Grouping } from './groups.ts';
import { expectCutEqualsMasked, Net } from './test-support/net.ts';

/** `layers:units` of each group. */
const summary = (grouping: Grouping): string[] =>
  grouping.groups.map((group) => `${group.layers.join('+')}:${group.channels}`);

const floats = (net: Net, values: readonly number[]): string => net.builder.constant(floatConstant(values));

/** A convolution of 8 channels, what `build` makes of it, and another one. */
async function between(
  build: (net: Net, x: string) => string,
  channels: number,
  opset = 14,
): Promise<Grouping> {
  const net = new Net([2, 4, 4]);
  const x = build(net, net.relu(net.conv('a', net.input, 2, 8)));
  const y = net.relu(net.conv('b', x, channels, 6));
  const flat = net.op('Flatten', [net.op('GlobalAveragePool', [y])], { axis: int(1) });
  return expectCutEqualsMasked(net.finish(net.gemm('head', flat, 6, 3), opset));
}

const op =
  (name: string, attributes: Record<string, Attribute>, more: (net: Net) => string[] = () => []) =>
  (net: Net, x: string): string =>
    net.op(name, [x, ...more(net)], attributes);

describe('cut equals masked', () => {
  it.each([
    [
      'InstanceNormalization',
      op('InstanceNormalization', {}, (net) => [net.weights([8], 1), net.weights([8], 1)]),
      8,
      14,
    ],
    ['MeanVarianceNormalization', op('MeanVarianceNormalization', { axes: ints([2, 3]) }), 8, 14],
    ['LpPool', op('LpPool', { kernel_shape: ints([2, 2]) }), 8, 14],
    ['Tile over space', op('Tile', {}, (net) => [net.ints([1, 1, 2, 1])]), 8, 14],
    ['Tile over channels', op('Tile', {}, (net) => [net.ints([1, 2, 1, 1])]), 16, 14],
    ['SpaceToDepth', op('SpaceToDepth', { blocksize: int(2) }), 32, 14],
    ['CumSum over space', op('CumSum', {}, (net) => [net.ints([2])]), 8, 14],
    [
      'Resize by scales',
      op('Resize', { mode: string('linear') }, (net) => ['', floats(net, [1, 1, 2, 2])]),
      8,
      14,
    ],
    ['Upsample', op('Upsample', { mode: string('nearest') }, (net) => [floats(net, [1, 1, 2, 2])]), 8, 9],
    [
      'Resize to sizes',
      (net: Net, x: string) => {
        const sizes = net.ints([8, 7, 7]);
        return net.op('Resize', [x, '', '', sizes], { axes: ints([1, 2, 3]) });
      },
      8,
      18,
    ],
  ] as const)('%s', async (_, build, channels, opset) => {
    const grouping = await between(build, channels, opset);
    expect(summary(grouping)).toEqual(['a:8', 'b:6']);
  });

  it.each(['DCR', 'CRD'])('DepthToSpace in order %s ties what becomes one block', async (mode) => {
    const grouping = await between(op('DepthToSpace', { blocksize: int(2), mode: string(mode) }), 2);
    expect(summary(grouping)).toEqual(['a:2', 'b:6']);
    const units = grouping.groups[0]?.members[0]?.units.map((unit) => [...unit]);
    expect(units?.[1]).toEqual(mode === 'CRD' ? [4, 5, 6, 7] : [1, 3, 5, 7]);
  });

  it.each([
    ['one scale a group', 4, 18],
    ['one scale a channel', 8, 21],
  ])('GroupNormalization with %s loses whole groups', async (_, size, opset) => {
    const more = (net: Net): string[] => [net.weights([size], 1), net.weights([size], 1)];
    const grouping = await between(op('GroupNormalization', { num_groups: int(4) }, more), 8, opset);
    expect(summary(grouping)).toEqual(['a:4', 'b:6']);
    expect([...(grouping.groups[0]?.members[0]?.units[1] ?? [])]).toEqual([2, 3]);
  });

  it('a group normalisation exported as an instance normalisation between reshapes', async () => {
    const grouping = await between((net, x) => {
      const grouped = net.op('Reshape', [x, net.ints([0, 4, -1])]);
      const parameters = [floats(net, [1, 1, 1, 1]), floats(net, [0, 0, 0, 0])];
      const unit = net.op('InstanceNormalization', [grouped, ...parameters]);
      const whole = net.op('Reshape', [unit, net.ints([-1, 8, 4, 4])]);
      const scaled = net.op('Mul', [whole, net.weights([8, 1, 1], 1)]);
      return net.op('Add', [scaled, net.weights([8, 1, 1], 1)]);
    }, 8);
    expect(summary(grouping)).toEqual(['a:4', 'b:6']);
  });

  it('a pixel shuffle written out', async () => {
    const grouping = await between((net, x) => {
      const parts = net.op('Reshape', [x, net.ints([0, 2, 2, 2, 4, 4])]);
      const turned = net.op('Transpose', [parts], { perm: ints([0, 1, 4, 2, 5, 3]) });
      return net.op('Reshape', [turned, net.ints([0, 2, 8, 8])]);
    }, 2);
    expect(summary(grouping)).toEqual(['a:2', 'b:6']);
    expect([...(grouping.groups[0]?.members[0]?.units[1] ?? [])]).toEqual([4, 5, 6, 7]);
  });

  it('a group normalisation written out over five axes', async () => {
    const grouping = await between((net, x) => {
      const grouped = net.op('Reshape', [x, net.ints([0, 4, 2, 4, 4])]);
      const mean = (value: string): string => net.op('ReduceMean', [value], { axes: ints([2, 3, 4]) });
      const centred = net.op('Sub', [grouped, mean(grouped)]);
      const variance = net.op('Add', [mean(net.op('Mul', [centred, centred])), net.builder.scalar(1e-5)]);
      const unit = net.op('Div', [centred, net.op('Sqrt', [variance])]);
      return net.op('Mul', [net.op('Reshape', [unit, net.ints([-1, 8, 4, 4])]), net.weights([8, 1, 1], 1)]);
    }, 8);
    expect(summary(grouping)).toEqual(['a:4', 'b:6']);
  });
});

describe('reductions over channels', () => {
  it.each(['ReduceMean', 'ReduceMax', 'ReduceMin', 'ReduceL2', 'ReduceLogSumExp'])(
    '%s runs over what stays, as in attention over space',
    async (name) => {
      const grouping = await between((net, x) => {
        const map = net.op(name, [x], { axes: ints([1]), keepdims: int(1) });
        return net.op('Mul', [x, net.op('Sigmoid', [map])]);
      }, 8);
      expect(summary(grouping)).toEqual(['a:8', 'b:6']);
    },
  );
});

describe('channels stay, with the reason', () => {
  it.each([
    ['CumSum', op('CumSum', {}, (net) => [net.ints([1])]), 'adds them up'],
    ['LpNormalization', op('LpNormalization', { axis: int(1) }), 'normalises across them'],
    [
      'MeanVarianceNormalization',
      op('MeanVarianceNormalization', { axes: ints([1, 2]) }),
      'normalises across them',
    ],
    ['Resize', op('Resize', {}, (net) => ['', floats(net, [1, 2, 1, 1])]), 'resizes their axis'],
  ] as const)('%s', (name, build, reason) => {
    const net = new Net([2, 4, 4]);
    const x = build(net, net.conv('a', net.input, 2, 8));
    const channels = name === 'Resize' ? 16 : 8;
    const grouping = findGroups(net.head(net.relu(net.conv('b', x, channels, 6)), 6));
    expect(grouping.frozen[0]?.reason).toContain(reason);
  });
});
