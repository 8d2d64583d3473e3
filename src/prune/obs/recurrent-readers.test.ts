// The elimination inside recurrent layers finds features and hidden units that say the same.
import { describe, expect, it } from 'vitest';
import type { Dataset } from '../../data/index.ts';
import { canonicalModel, type Model } from '../../onnx/index.ts';
import { int } from '../../onnx/internal.ts';
import { RecurrentNet } from '../../onnx/test-support/recurrent-nets.ts';
import { plantedSamples } from '../../pack/test-support/planted.ts';
import { must } from '../../util/index.ts';
import { Random } from '../../util/internal.ts';
import { findCriterion } from '../criteria.ts';
import { rankModel } from '../prune-model.ts';

const HALF = 3;

/** A convolution and a recurrent layer whose channels 3 to 5 are channels 0 to 2 again. */
function twiceNet(op: 'LSTM' | 'GRU' | 'RNN', resetsBehind = false): Model {
  const net = new RecurrentNet(2, 8, 5);
  const steps = net.turned(net.conv('conv', net.input, 2, 2 * HALF), [2, 0, 1]);
  const [y] = net.recurrent(op, steps, 2 * HALF, 2 * HALF, {
    attributes: resetsBehind ? { linear_before_reset: int(1) } : {},
  });
  const last = net.op('Gather', [net.squeeze(y, 1), net.index(-1)], { axis: int(0) });
  const model = net.finish(net.dense('head', last, 2 * HALF, 3));
  const { nodes, constants } = model.graph;
  for (const node of nodes.filter((given) => given.op === 'Conv' || given.op === op)) {
    for (const name of node.inputs.slice(1, 4)) {
      const constant = constants.get(name);
      if (constant?.type !== 'float32') continue;
      // Blocks of one row for each channel: all of a convolution, or one gate.
      const gates = constant.dims.length === 2 ? must(constant.dims[1], 'rows') / (2 * HALF) : 1;
      const rows =
        node.op === 'Conv'
          ? 1
          : constant.dims.length === 2
            ? gates
            : must(constant.dims[1], 'rows') / (2 * HALF);
      const block = constant.data.length / rows;
      for (let from = 0; from < constant.data.length; from += block)
        constant.data.copyWithin(from + block / 2, from, from + block / 2);
    }
  }
  return canonicalModel(model);
}

function noise(size: number): Dataset {
  const random = new Random(11);
  const samples = Float32Array.from({ length: size * 16 }, () => random.normal());
  return { ...plantedSamples(4, 1, false), size, sampleShape: [2, 8], samples };
}

describe('obs in recurrent layers', () => {
  it.each([
    ['obs', 'LSTM', false],
    ['obs=none', 'LSTM', false],
    ['obs', 'GRU', false],
    ['obs', 'GRU', true],
    ['obs', 'RNN', false],
  ] as const)(
    '%s lets one of each two channels go that say the same: %s, reset behind the map: %s',
    async (criterion, op, resetsBehind) => {
      const model = twiceNet(op, resetsBehind);
      const { scores, grouping } = await rankModel(model, {
        name: 'net',
        criterion: findCriterion(criterion),
        calibration: noise(40),
        block: 1,
        seed: 3,
      });
      expect(grouping.groups).toHaveLength(2);
      for (const own of scores.values()) {
        const kept = [...own.keys()].sort((a, b) => (own[b] as number) - (own[a] as number)).slice(0, HALF);
        expect(new Set(kept.map((unit) => unit % HALF)).size).toBe(HALF);
      }
    },
  );
});
