// Where pruned hidden units are copies of kept ones, a repaired recurrent layer can be exact.
import { describe, expect, it } from 'vitest';
import { findGroups, sliceModel } from '../channels/index.ts';
import { canonicalModel, type Model } from '../onnx/index.ts';
import { int, recurrentLayer } from '../onnx/internal.ts';
import { RecurrentNet, type RecurrentOptions } from '../onnx/test-support/recurrent-nets.ts';
import { repair } from './repair.ts';
import { distance, samplesFor } from './test-support/nets.ts';

const UNITS = 6;

/** A layer whose second half of units are copies of the first, but for the weights that read the copies. */
function redundant(op: 'LSTM' | 'GRU' | 'RNN', options: RecurrentOptions = {}): Model {
  const net = new RecurrentNet(3, 8, 5);
  const [y] = net.recurrent(op, net.turned(net.input, [2, 0, 1]), 3, UNITS, options);
  const last = net.op('Gather', [net.squeeze(y, 1), net.index(-1)], { axis: int(0) });
  const model = canonicalModel(net.finish(net.dense('head', last, UNITS, 3)));
  for (const node of model.graph.nodes) {
    const layer = recurrentLayer(model.graph, node);
    if (!layer) continue;
    for (const constant of [layer.weight, layer.recurrence, layer.bias]) {
      if (!constant) continue;
      const row = constant === layer.bias ? 1 : (constant.dims[2] as number);
      const half = (UNITS / 2) * row;
      for (let at = 0; at < constant.data.length; at += 2 * half)
        constant.data.copyWithin(at + half, at, at + half);
    }
  }
  return model;
}

describe('repair of recurrent layers', () => {
  it.each([
    ['LSTM', () => redundant('LSTM')],
    ['LSTM in reverse, without bias', () => redundant('LSTM', { direction: 'reverse', bias: false })],
    ['GRU', () => redundant('GRU')],
    ['GRU, linear before reset', () => redundant('GRU', { attributes: { linear_before_reset: int(1) } })],
    ['RNN', () => redundant('RNN')],
  ])('is exact where pruned units are copies of kept ones: %s', async (_title, make) => {
    const model = make();
    const grouping = findGroups(model);
    const keep = new Map([[0, [0, 1, 2]]]);
    const cut = sliceModel(model, grouping, keep);
    const calibration = samplesFor(model, 24);
    const repaired = await repair(model, cut, grouping, keep, { name: 'net', calibration });
    const [before, after] = [await distance(model, cut), await distance(model, repaired.model)];
    expect(before).toBeGreaterThan(1e-3);
    expect(after).toBeLessThan(1e-2 * before);
    expect(repaired.layers.map(({ layer, refit }) => [layer, refit])).toEqual([
      [make().graph.nodes.find((node) => recurrentLayer(model.graph, node))?.name, true],
      ['head', true],
    ]);
  });

  it('keeps what it cannot refit: a layer that starts from a state', async () => {
    const net = new RecurrentNet(3, 6, 5);
    const steps = net.turned(net.input, [2, 0, 1]);
    const [, state] = net.recurrent('GRU', steps, 3, 4);
    const [, last] = net.recurrent('GRU', steps, 3, 4, { state });
    const model = canonicalModel(net.finish(net.dense('head', net.squeeze(last, 0), 4, 3)));
    const grouping = findGroups(model);
    const keep = new Map([[0, [0, 2]]]);
    const cut = sliceModel(model, grouping, keep);
    const calibration = samplesFor(model, 12);
    const { layers } = await repair(model, cut, grouping, keep, { name: 'net', calibration });
    expect(layers.map(({ layer, refit }) => [layer, refit])).toContainEqual(['GRU_1', false]);
  });
});
