// Attention: its heads, the inner units of feed-forward blocks and the embedding are units that are cut and put in
// order, however the exporter writes the projections.
import { describe, expect, it } from 'vitest';
import { type Model, modelCosts } from '../onnx/index.ts';
import { float, int, intConstant, ints } from '../onnx/internal.ts';
import { findGroups } from './groups.ts';
import { macsCounter } from './macs.ts';
import { reorderChannels } from './reorder.ts';
import { sliceModel } from './slice.ts';
import { expectCutEqualsMasked, largestDifference, Net, run } from './test-support/net.ts';

const [TOKENS, WIDTH, HEADS] = [5, 12, 3];
const SIZE = WIDTH / HEADS;

/** Queries, keys and values as `[batch, heads, tokens, size]`, or with other axes in front of the last two. */
type Parts = (net: Net, x: string) => readonly [string, string, string];

const part = (net: Net, x: string, shape: readonly number[], perm: readonly number[]): string =>
  net.op('Transpose', [net.op('Reshape', [x, net.ints(shape)])], { perm: ints(perm) });

/** Three layers. */
const apart: Parts = (net, x) => {
  const one = (name: string): string =>
    part(net, dense(net, name, x, WIDTH, WIDTH), [0, TOKENS, HEADS, SIZE], [0, 2, 1, 3]);
  return [one('q'), one('k'), one('v')];
};

/** One layer, cut by Slice. */
const sliced: Parts = (net, x) => {
  const all = dense(net, 'qkv', x, WIDTH, 3 * WIDTH);
  const one = (i: number): string => {
    const slice = [net.ints([i * WIDTH]), net.ints([(i + 1) * WIDTH]), net.ints([-1])];
    return part(net, net.op('Slice', [all, ...slice]), [0, -1, HEADS, SIZE], [0, 2, 1, 3]);
  };
  return [one(0), one(1), one(2)];
};

/** One layer, its three parts on an axis of their own, taken by Split or by Gather. */
const stacked =
  (gathered: boolean): Parts =>
  (net, x) => {
    const all = dense(net, 'qkv', x, WIDTH, 3 * WIDTH);
    const turned = part(net, all, [0, TOKENS, 3, HEADS, SIZE], [2, 0, 3, 1, 4]);
    if (!gathered) {
      const parts = net.builder.nodes('Split', [turned, net.ints([1, 1, 1])], { axis: int(0) }, [
        'a',
        'b',
        'c',
      ]);
      return parts.map((one) => net.op('Squeeze', [one, net.ints([0])])) as [string, string, string];
    }
    const one = (i: number): string =>
      net.op('Gather', [turned, net.builder.constant(intConstant([i], []))], { axis: int(0) });
    return [one(0), one(1), one(2)];
  };

function dense(net: Net, name: string, x: string, from: number, to: number): string {
  return net.op('Add', [net.matmul(name, x, from, to), net.weights([to], 0.3)]);
}

const normalised = (net: Net, x: string, width = WIDTH): string =>
  net.op('LayerNormalization', [x, net.weights([width], 1), net.weights([width], 0.3)], {
    epsilon: float(1e-5),
  });

/** Scores, softmax and the weighted sum, `[batch, tokens, width]`. */
function attended(net: Net, [q, k, v]: readonly [string, string, string]): string {
  const keys = net.op('Transpose', [k], { perm: ints([0, 1, 3, 2]) });
  const scores = net.op('MatMul', [net.op('Div', [q, net.scalar(2)]), keys]);
  const biased = net.op('Add', [scores, net.weights([1, HEADS, TOKENS, TOKENS], 1)]);
  const seen = net.op('MatMul', [net.op('Softmax', [biased], { axis: int(-1) }), v]);
  const turned = net.op('Transpose', [seen], { perm: ints([0, 2, 1, 3]) });
  return net.op('Reshape', [turned, net.ints([0, TOKENS, WIDTH])]);
}

/** A convolutional stem, positions, one block with normalisations before or behind its sums, and a head. */
function transformer(parts: Parts, behind = false): Model {
  const net = new Net([3, 2 * TOKENS]);
  const stem = net.conv('stem', net.input, 3, WIDTH, { kernel: 2, stride: 2 });
  const tokens = net.op('Transpose', [stem], { perm: ints([0, 2, 1]) });
  const x = net.op('Add', [tokens, net.weights([1, TOKENS, WIDTH], 1)]);
  const norm = (value: string, here: boolean): string => (here ? normalised(net, value) : value);
  const attention = dense(net, 'out', attended(net, parts(net, norm(x, !behind))), WIDTH, WIDTH);
  const first = norm(net.op('Add', [x, attention]), behind);
  const wide = net.op('Tanh', [dense(net, 'wide', norm(first, !behind), WIDTH, 10)]);
  const last = normalised(net, net.op('Add', [first, dense(net, 'narrow', wide, 10, WIDTH)]));
  const picked = net.op('Gather', [last, net.builder.constant(intConstant([0], []))], { axis: int(1) });
  return net.finish(net.gemm('head', picked, WIDTH, 3), 17);
}

const FORMS: readonly [string, Parts][] = [
  ['three layers', apart],
  ['one layer and slices', sliced],
  ['one layer and a split axis', stacked(false)],
  ['one layer and picks', stacked(true)],
];

describe('channels of attention', () => {
  it.each(FORMS)('heads, inner units and the embedding are cut: %s', async (_, parts) => {
    for (const behind of [false, true]) {
      const model = transformer(parts, behind);
      const grouping = await expectCutEqualsMasked(model);
      const units = grouping.groups.map(({ channels, layers }) => `${layers.join('+')}:${channels}`);
      const makers = parts === apart ? 'q+k+v' : 'qkv';
      expect(units).toEqual([`stem+out+narrow:${WIDTH}`, `${makers}:${HEADS}`, 'wide:10']);
      expect(grouping.groups[1]?.members[0]?.units[1]?.length).toBe(parts === apart ? SIZE : 3 * SIZE);
      expect(grouping.groups[1]?.readers).toEqual(['out']);
    }
  });

  it.each(FORMS)('counts and orders hold: %s', async (_, parts) => {
    const model = transformer(parts);
    const grouping = findGroups(model);
    const keep = new Map([
      [0, [0, 2, 3, 7, 9]],
      [1, [1, 2]],
      [2, [4, 5, 8]],
    ]);
    expect(macsCounter(model, grouping)(keep)).toBe(modelCosts(sliceModel(model, grouping, keep)).macs);
    const order = new Map([
      [0, [3, 1, 2, 0, 11, 10, 5, 4, 6, 7, 9, 8]],
      [1, [2, 0, 1]],
      [2, [9, 0, 8, 1, 7, 2, 6, 3, 5, 4]],
    ]);
    const reordered = reorderChannels(model, grouping, order);
    expect([...reordered.fixed]).toEqual([]);
    expect(findGroups(reordered.model).groups).toEqual(grouping.groups);
    expect(largestDifference(await run(model), await run(reordered.model))).toBeLessThan(1e-5);
  });
});
