// Recurrent layers through time: states against the engine, derivatives against differences, and the refit of a cut layer.
import { describe, expect, it } from 'vitest';
import { findGroups, sliceModel } from '../../channels/index.ts';
import { canonicalModel, type Model } from '../../onnx/index.ts';
import { float, int, ints, recurrentLayer } from '../../onnx/internal.ts';
import { lastStepNet, RecurrentNet, type RecurrentOptions } from '../../onnx/test-support/recurrent-nets.ts';
import { must } from '../../util/index.ts';
import { joinedRows, Random } from '../../util/internal.ts';
import { repairSamples } from '../augment.ts';
import { type Matrix, Products } from '../products.ts';
import { layerOf, sequencesOf } from '../recurrent.ts';
import { gateMaps } from '../recurrent-maps.ts';
import { repair } from '../repair.ts';
import { distance, samplesFor } from '../test-support/nets.ts';
import { visitValues } from '../walk.ts';
import { BehindLayer, comparedValue } from './behind.ts';
import { descend } from './lbfgs.ts';
import { runThroughTime, whyNotUnrolled } from './unrolled.ts';

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
      expect(whyNotUnrolled(layer)).toBeUndefined();
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

  it.each([
    ['one direction', () => lastStepNet('LSTM'), 0],
    ['both directions side by side', twoSided, 1],
    ['a shortcut around it', shortcut, 1],
  ] as const)('knows what lies behind a layer, and its derivative: %s', async (_kind, make, passing) => {
    const model = canonicalModel(make());
    const name = recurrentName(model);
    const { hidden } = layerOf(model, name);
    const samples = repairSamples(samplesFor(model, 2), 1, new Random(1));
    const sequences = await sequencesOf(model, name, samples, RUN);
    const { steps } = must(sequences[0], 'a sample');
    const behind = await BehindLayer.open(model, name, { steps, units: hidden }, RUN);
    if ('reason' in behind) throw new Error(behind.reason);
    try {
      expect(behind.beside).toHaveLength(passing);
      const answer = comparedValue(model);
      const values: Float32Array[] = [];
      const wanted: Float32Array[] = [];
      await visitValues(model, [answer, ...behind.beside], samples, RUN, (sample, read) => {
        values[sample] = joinedRows(behind.beside.map(read));
        wanted[sample] = read(answer).slice();
      });
      const beside = joinedRows(values);
      const states = joinedRows(sequences.map(({ h }) => h));
      expect((await behind.error(states, beside, joinedRows(wanted))).half).toBeLessThan(1e-9);
      const random = new Random(4);
      const other = joinedRows(wanted).map(() => random.normal());
      const { half, gradient } = await behind.error(states, beside, other);
      const all = steps * hidden;
      for (const i of [0, hidden - 1, all - hidden, all - 1, 2 * all - 2]) {
        const moved = (by: number) => states.map((value, k) => (k === i ? value + by : value));
        const up = (await behind.error(moved(1e-2), beside, other)).half;
        const down = (await behind.error(moved(-1e-2), beside, other)).half;
        expect(gradient[i]).toBeCloseTo((up - down) / 2e-2, 2);
      }
      expect(half).toBeGreaterThan(0);
    } finally {
      await behind.release();
    }
  });

  it('names why a layer is not refitted through time', async () => {
    const peepholes = canonicalModel(lastStepNet('LSTM', { attributes: { clip: float(3) } }));
    expect(whyNotUnrolled(layerOf(peepholes, recurrentName(peepholes)))).toMatch(/clipped/);
    const given = canonicalModel(lastCell());
    const found = await BehindLayer.open(given, recurrentName(given), { steps: 6, units: 5 }, RUN);
    expect(found).toEqual({ reason: 'its cells are read too' });
  });

  it.each([
    ['LSTM', () => lastStepNet('LSTM')],
    ['GRU', () => lastStepNet('GRU')],
    ['both directions', twoSided],
  ] as const)('brings a repaired network nearer: %s', async (_kind, make) => {
    const model = canonicalModel(make());
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
    expect(refitted.layers.map(({ throughTime: _, ...layer }) => layer)).toEqual(closed.layers);
    expect(refitted.layers.some(({ throughTime }) => throughTime?.refit)).toBe(true);
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

/** A head that reads the last states and the last cells. */
function lastCell(): Model {
  const net = new RecurrentNet(3, 6, 1);
  const [, state, cell] = net.recurrent('LSTM', net.turned(net.input, [2, 0, 1]), 3, 5);
  const both = net.op('Concat', [net.squeeze(state, 0), net.squeeze(cell, 0)], { axis: int(1) });
  return net.finish(net.dense('head', both, 10, 3));
}

/** What the layer reads goes past it to the head, too. */
function shortcut(): Model {
  const net = new RecurrentNet(2, 6, 3);
  const steps = net.turned(net.conv('conv', net.input, 2, 5), [2, 0, 1]);
  const [y] = net.recurrent('LSTM', steps, 5, 5);
  const sum = net.op('Add', [net.squeeze(y, 1), steps]);
  return net.finish(
    net.dense('head', net.op('ReduceMean', [sum], { axes: ints([0]), keepdims: int(0) }), 5, 3),
    13,
  );
}
