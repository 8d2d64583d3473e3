// Recurrent layers through time: states against the engine, derivatives against differences, and the refit of a cut layer.
import { describe, expect, it } from 'vitest';
import { findGroups, sliceModel } from '../../channels/index.ts';
import { canonicalModel, type Model } from '../../onnx/index.ts';
import { int, recurrentLayer } from '../../onnx/internal.ts';
import { lastStepNet, RecurrentNet, type RecurrentOptions } from '../../onnx/test-support/recurrent-nets.ts';
import { must } from '../../util/index.ts';
import { Random } from '../../util/internal.ts';
import { repairSamples } from '../augment.ts';
import { type Matrix, Products } from '../products.ts';
import { layerOf, sequencesOf } from '../recurrent.ts';
import { gateMaps } from '../recurrent-maps.ts';
import { repair } from '../repair.ts';
import { distance, samplesFor } from '../test-support/nets.ts';
import { BehindLayer } from './behind.ts';
import { descend } from './lbfgs.ts';
import { canUnroll, runThroughTime } from './unrolled.ts';

const RUN = { name: 'net', batch: 4, threads: 1 };

function recurrentName({ graph }: Model): string {
  return must(
    graph.nodes.find((node) => recurrentLayer(graph, node)),
    'a recurrent layer',
  ).name;
}

const KINDS: readonly [string, () => Model][] = [
  ['LSTM', () => lastStepNet('LSTM')],
  ['LSTM in reverse', () => lastStepNet('LSTM', { direction: 'reverse' })],
  ['GRU', () => lastStepNet('GRU')],
  ['GRU, linear before reset', () => lastStepNet('GRU', { attributes: { linear_before_reset: int(1) } })],
  ['RNN', () => lastStepNet('RNN')],
];

async function opened(model: Model) {
  const name = recurrentName(model);
  const layer = layerOf(model, name);
  const samples = repairSamples(samplesFor(model, 3), 1, new Random(1));
  const sequences = await sequencesOf(model, name, samples, RUN);
  const { steps, isReverse } = must(sequences[0], 'a sample');
  const weights = gateMaps(
    layer,
    sequences,
    sequences,
    sequences.map(() => Int32Array.of(0)),
  ).map((map) => map.weights);
  const data = new Float64Array(steps * sequences.length * layer.inputs);
  const stateAt = (t: number, sample: number): Float32Array => {
    const at = isReverse ? steps - 1 - t : t;
    return must(sequences[sample], 'a sample').h.subarray(at * layer.hidden, (at + 1) * layer.hidden);
  };
  for (let t = 0; t < steps; t++) {
    sequences.forEach(({ x }, sample) => {
      const at = isReverse ? steps - 1 - t : t;
      const own = x.subarray(at * layer.inputs, (at + 1) * layer.inputs);
      data.set(own, (t * sequences.length + sample) * layer.inputs);
    });
  }
  const x: Matrix = { rows: steps * sequences.length, columns: layer.inputs, data };
  return { layer, weights, x, size: sequences.length, steps, stateAt };
}

describe('through time', () => {
  it.each(KINDS)(
    'has the states of the engine, and derivatives like differences: %s',
    async (_kind, make) => {
      const { layer, weights, x, size, steps, stateAt } = await opened(canonicalModel(make()));
      expect(canUnroll(layer)).toBe(true);
      const products = await Products.create(1);
      try {
        const run = await runThroughTime(layer, weights, x, size, products);
        for (let t = 0; t < steps; t++) {
          for (let sample = 0; sample < size; sample++) {
            const from = (t * size + sample) * layer.hidden;
            const own = run.states.data.subarray(from, from + layer.hidden);
            stateAt(t, sample).forEach((value, unit) => {
              expect(own[unit]).toBeCloseTo(value, 5);
            });
          }
        }
        // A weighted sum of all states, whose derivative by them is the weights.
        const random = new Random(2);
        const by = Float64Array.from({ length: run.states.data.length }, () => random.normal());
        const sumAt = async (of: readonly Matrix[]): Promise<number> => {
          const { states } = await runThroughTime(layer, of, x, size, products);
          return states.data.reduce((sum, value, i) => sum + value * (by[i] as number), 0);
        };
        const found = await run.backward(by.slice());
        for (const [m, { data }] of weights.entries()) {
          for (let trial = 0; trial < 6; trial++) {
            // The bias is among the places.
            const i = trial === 0 ? data.length - 1 : random.integer(data.length);
            const moved = (by: number): Matrix[] =>
              weights.map((matrix, at) =>
                at === m ? { ...matrix, data: matrix.data.map((w, k) => (k === i ? w + by : w)) } : matrix,
              );
            const slope = ((await sumAt(moved(1e-5))) - (await sumAt(moved(-1e-5)))) / 2e-5;
            expect(found[m]?.data[i]).toBeCloseTo(slope, 6);
          }
        }
      } finally {
        await products.release();
      }
    },
  );

  it('knows the derivative of what lies behind a layer, and where it does not follow from its states', async () => {
    const model = canonicalModel(lastStepNet('LSTM'));
    const name = recurrentName(model);
    const { hidden } = layerOf(model, name);
    const behind = must(await BehindLayer.open(model, name, { steps: 7, units: hidden }, RUN), 'a part');
    try {
      const random = new Random(4);
      const states = Float32Array.from({ length: 2 * 7 * hidden }, () => random.normal());
      const wanted = Float32Array.from({ length: 2 * 3 }, () => random.normal());
      const { half, gradient } = await behind.error(states, wanted);
      for (const i of [6 * hidden, 7 * hidden - 1, 14 * hidden - 2, 3]) {
        const moved = (by: number) => states.map((value, k) => (k === i ? value + by : value));
        const up = (await behind.error(moved(1e-2), wanted)).half;
        const down = (await behind.error(moved(-1e-2), wanted)).half;
        expect(gradient[i]).toBeCloseTo((up - down) / 2e-2, 2);
      }
      expect(half).toBeGreaterThan(0);
    } finally {
      await behind.release();
    }
    const both = canonicalModel(twoSided());
    expect(await BehindLayer.open(both, recurrentName(both), { steps: 6, units: 5 }, RUN)).toBeUndefined();
  });

  it.each(['LSTM', 'GRU'] as const)('brings a repaired network nearer: %s', async (op) => {
    const model = canonicalModel(lastStepNet(op));
    const grouping = findGroups(model);
    const group = must(
      grouping.groups.find(({ isRecurrent }) => isRecurrent),
      'units',
    );
    const keep = new Map([[group.id, [0, 1, 3]]]);
    const cut = sliceModel(model, grouping, keep);
    const given = { name: 'net', calibration: samplesFor(model, 60) };
    const closed = await repair(model, cut, grouping, keep, { ...given, throughTime: false });
    const refitted = await repair(model, cut, grouping, keep, given);
    expect(await distance(model, refitted.model)).toBeLessThan(0.9 * (await distance(model, closed.model)));
    expect(refitted.layers).toEqual(closed.layers);
  });

  it('finds the minimum of a quadratic function', async () => {
    const scales = [1, 10, 100];
    const found = await descend(
      (point) => ({
        value: scales.reduce((sum, s, i) => sum + (s / 2) * ((point[i] as number) - i) ** 2, 0),
        gradient: point.map((value, i) => (scales[i] as number) * (value - i)),
      }),
      Float64Array.of(3, -2, 5),
      { steps: 40 },
    );
    found.forEach((value, i) => {
      expect(value).toBeCloseTo(i, 6);
    });
  });
});

/** Both directions side by side, so that the end also reads the other direction. */
function twoSided(): Model {
  const options: RecurrentOptions = { direction: 'bidirectional' };
  const net = new RecurrentNet(3, 6, 1);
  const [y] = net.recurrent('GRU', net.turned(net.input, [2, 0, 1]), 3, 5, options);
  const last = net.op('Gather', [net.sides(y), net.index(-1)], { axis: int(0) });
  return net.finish(net.dense('head', last, 10, 3));
}
