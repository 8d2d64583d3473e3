// Passes through recurrent layers: gradients against central differences, relevance against a slow twin and against what
// it must sum to, multipliers against the difference that they explain.
import { describe, expect, it } from 'vitest';
import { canonicalModel, type Model } from '../../onnx/index.ts';
import { float, int, integersOf, recurrentLayer } from '../../onnx/internal.ts';
import {
  handedOnNet,
  lastStepNet,
  RecurrentNet,
  type RecurrentOptions,
} from '../../onnx/test-support/recurrent-nets.ts';
import { must } from '../../util/index.ts';
import { AttributionPass, type PassOptions, type PassResult } from '../attribution/pass.ts';
import { readoutOf } from '../attribution/readouts.ts';
import { epsilonRule } from '../lrp/rules.ts';
import { worst } from '../test-support/compare.ts';
import { differences } from '../test-support/differences.ts';
import { normals } from '../test-support/nets.ts';
import { buildBackward } from './backward.ts';
import { GRADIENT_RULES } from './gradient-rules.ts';
import { MOST_STEPS } from './unroll-recurrent.ts';

const [CHANNELS, STEPS, UNITS] = [3, 5, 4];

/** A recurrent layer over the input, its last step and a dense head; smooth everywhere. */
function plain(op: 'LSTM' | 'GRU' | 'RNN', options: RecurrentOptions = {}, steps = STEPS): Model {
  const net = new RecurrentNet(CHANNELS, steps, 3);
  const [y] = net.recurrent(op, net.turned(net.input, [2, 0, 1]), CHANNELS, UNITS, options);
  const both = options.direction === 'bidirectional';
  const rows = both ? net.sides(y) : net.squeeze(y, 1);
  const last = net.op('Gather', [rows, net.index(-1)], { axis: int(0) });
  const width = both ? 2 * UNITS : UNITS;
  const head =
    options.bias === false
      ? net.op('MatMul', [last, net.weights([width, 3], 1)], {}, 'head')
      : net.dense('head', last, width, 3);
  return canonicalModel(net.finish(head));
}

const BATCH = 2;
const start = Float32Array.of(1, 0, -0.5, 0.3, 1, 0);

async function pass(
  model: Model,
  options: Partial<PassOptions>,
  samples: Float32Array,
  dims: number[],
): Promise<PassResult> {
  const opened = await AttributionPass.create(model, {
    attribution: { kind: 'gradient' },
    start: 'given',
    wantInput: true,
    modelName: 'test',
    ...options,
  });
  try {
    const reference =
      options.attribution?.kind === 'deeplift' ? normals(samples.length / BATCH, 8) : undefined;
    return await opened.run(samples, dims, start, reference);
  } finally {
    await opened.release();
  }
}

const CASES: readonly [string, () => Model][] = [
  [
    'LSTM with peepholes and a bound',
    () => plain('LSTM', { peephole: true, attributes: { clip: float(5) } }),
  ],
  ['LSTM in both directions', () => plain('LSTM', { direction: 'bidirectional' })],
  ['GRU', () => plain('GRU')],
  [
    'GRU, linear before reset, in reverse',
    () => plain('GRU', { direction: 'reverse', attributes: { linear_before_reset: int(1) } }),
  ],
  ['RNN', () => plain('RNN')],
  ['states handed on', () => canonicalModel(handedOnNet())],
];

it('opens quickly: weights stand once, and the engine knows that all results are of one batch', () => {
  const graphs = [STEPS, 2 * STEPS].map((steps) => {
    const { model } = buildBackward(plain('LSTM', {}, steps), {
      rules: GRADIENT_RULES,
      readout: readoutOf('sum'),
      start: 'input',
    });
    return model.graph;
  });
  const [few, many] = graphs.map(({ constants }) =>
    [...constants.values()].reduce((sum, one) => sum + (one.type === 'float32' ? one.data.length : 0), 0),
  );
  expect(many).toBe(few);
  for (const { nodes, constants } of graphs) {
    // A size of -1 would be one of its own, and no memory of before would be taken for it.
    const open = nodes.filter(
      ({ op, inputs }) => op === 'Reshape' && integersOf(constants.get(inputs[1] ?? ''))?.includes(-1),
    );
    expect(open).toEqual([]);
  }
});

describe('gradients through recurrent layers', () => {
  it.each(CASES)('%s', async (_title, make) => {
    const model = make();
    const dims = [BATCH, ...(model.graph.inputs[0]?.dims ?? []).slice(1).map(Number)];
    const samples = normals(
      dims.reduce((product, size) => product * size, 1),
      4,
    );
    const { input } = await pass(model, {}, samples, dims);
    const expected = await differences(model, samples, dims, start, 2e-3);
    expect(worst(must(input, 'a gradient'), expected)).toBeLessThan(2e-3);
  });
});

const sum = (values: Iterable<number>): number => [...values].reduce((total, value) => total + value, 0);

describe('relevance through recurrent layers', () => {
  it('is the same where the model fixes a batch of 1', async () => {
    const open = canonicalModel(lastStepNet('LSTM'));
    const dims = [1, 2, 7];
    const inputs = open.graph.inputs.map((x) => ({ ...x, dims }));
    const outputs = open.graph.outputs.map((y) => ({ ...y, dims: [1, 3] }));
    const fixed = { ...open, graph: { ...open.graph, inputs, outputs } };
    const attribution = { kind: 'relevance', ruleOf: () => epsilonRule() } as const;
    const samples = normals(14, 4);
    const [a, b] = [
      await pass(open, { attribution, start: 'predicted' }, samples, dims),
      await pass(fixed, { attribution, start: 'predicted' }, samples, dims),
    ];
    expect(worst(must(b.input, 'relevance'), must(a.input, 'relevance'))).toBeLessThan(1e-5);
  });

  it.each([
    ['LSTM', () => plain('LSTM', { bias: false, direction: 'bidirectional' })],
    ['GRU', () => plain('GRU', { bias: false })],
    [
      'GRU, linear before reset',
      () => plain('GRU', { bias: false, attributes: { linear_before_reset: int(1) } }),
    ],
    ['RNN', () => plain('RNN', { bias: false })],
  ])('is conserved without biases: %s', async (_title, make) => {
    const model = make();
    const samples = normals(BATCH * CHANNELS * STEPS, 4);
    const attribution = { kind: 'relevance', ruleOf: () => epsilonRule() } as const;
    const result = await pass(model, { attribution }, samples, [BATCH, CHANNELS, STEPS]);
    const explained = sum(start);
    expect(sum(must(result.input, 'relevance'))).toBeCloseTo(explained, 2);
  });

  it('agrees with the slow twin: an LSTM by the rules of Arras et al.', async () => {
    const model = plain('LSTM');
    const samples = normals(BATCH * CHANNELS * STEPS, 4);
    const attribution = { kind: 'relevance', ruleOf: () => epsilonRule() } as const;
    const result = await pass(model, { attribution }, samples, [BATCH, CHANNELS, STEPS]);
    const units = must(
      result.layers.find(({ name }) => name === 'LSTM'),
      'read-out',
    );
    expect(result.layers.map(({ name }) => name)).toEqual(['LSTM', 'head']);
    for (let n = 0; n < BATCH; n++) {
      const twin = twinLstm(model, samples.subarray(n * CHANNELS * STEPS), start.subarray(3 * n, 3 * n + 3));
      const size = CHANNELS * STEPS;
      expect(
        worst(must(result.input, 'relevance').subarray(n * size, (n + 1) * size), twin.input),
      ).toBeLessThan(1e-3);
      expect(worst(units.values.subarray(n * UNITS, (n + 1) * UNITS), twin.units)).toBeLessThan(1e-3);
    }
  });

  it('explains the difference to a reference by DeepLIFT', async () => {
    const model = plain('LSTM');
    const samples = normals(BATCH * CHANNELS * STEPS, 4);
    const dims = [BATCH, CHANNELS, STEPS];
    const result = await pass(model, { attribution: { kind: 'deeplift' } }, samples, dims);
    const reference = normals(CHANNELS * STEPS, 8);
    const twice = Float32Array.from(
      { length: samples.length },
      (_, i) => reference[i % reference.length] as number,
    );
    const base = await pass(model, {}, twice, dims);
    for (let n = 0; n < BATCH; n++) {
      const size = CHANNELS * STEPS;
      let explained = 0;
      for (let i = 0; i < size; i++) {
        const difference = (samples[n * size + i] as number) - (reference[i] as number);
        explained += (result.input?.[n * size + i] as number) * difference;
      }
      let change = 0;
      for (let c = 0; c < 3; c++) {
        change +=
          (start[3 * n + c] as number) *
          ((result.logits[3 * n + c] as number) - (base.logits[3 * n + c] as number));
      }
      expect(explained).toBeCloseTo(change, 3);
    }
  });

  it('is refused beyond a number of steps, and for what is not unrolled', async () => {
    const refused = (model: Model): Promise<unknown> =>
      pass(model, {}, new Float32Array(6), [1]).catch((error: unknown) => error);
    expect(await refused(plain('GRU', {}, MOST_STEPS + 1))).toMatchObject({
      code: 'E_UNSUPPORTED',
      message: `the recurrent layers take ${MOST_STEPS + 1} steps together`,
    });
    expect(await refused(plain('LSTM', { attributes: { input_forget: int(1) } }))).toMatchObject({
      code: 'E_UNSUPPORTED',
      message: expect.stringMatching(/gates are coupled/),
    });
  });
});

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
const at = (values: ArrayLike<number>, index: number): number => values[index] as number;
/** The epsilon rule: what an addend gets of the relevance of a sum. */
const part = (addend: number, total: number, relevance: number): number =>
  (addend * relevance) / (total + (total >= 0 ? 1e-6 : -1e-6));

/** One sample `[channels, steps]` through the LSTM and back, number by number. */
function twinLstm(model: Model, sample: Float32Array, given: Float32Array) {
  const node = must(
    model.graph.nodes.find(({ op }) => op === 'LSTM'),
    'an LSTM',
  );
  const { weight, recurrence, bias } = must(recurrentLayer(model.graph, node), 'weights');
  const head = must(
    model.graph.nodes.find(({ name }) => name === 'head'),
    'a head',
  );
  const [matrix, shift] = [1, 2].map(
    (i) => (model.graph.constants.get(head.inputs[i] ?? '') as { data: Float32Array }).data,
  );
  const gate = (g: number, u: number, t: number, h: Float64Array): number => {
    const row = g * UNITS + u;
    let z = at(must(bias, 'bias').data, row) + at(must(bias, 'bias').data, 4 * UNITS + row);
    for (let i = 0; i < CHANNELS; i++) z += at(weight.data, row * CHANNELS + i) * at(sample, i * STEPS + t);
    for (let v = 0; v < UNITS; v++) z += at(recurrence.data, row * UNITS + v) * at(h, v);
    return z;
  };
  const h = [new Float64Array(UNITS)];
  const c = [new Float64Array(UNITS)];
  const z: Float64Array[] = [];
  const [kept, added] = [[] as Float64Array[], [] as Float64Array[]];
  for (let t = 0; t < STEPS; t++) {
    const before = h[t] as Float64Array;
    const all = (g: number): Float64Array => new Float64Array(UNITS).map((_, u) => gate(g, u, t, before));
    const [i, o, f, g] = [all(0), all(1), all(2), all(3)] as const;
    z.push(g);
    kept.push(f.map((value, u) => sigmoid(value) * at(c[t] as Float64Array, u)));
    added.push(i.map((value, u) => sigmoid(value) * Math.tanh(at(g, u))));
    c.push(
      new Float64Array(UNITS).map((_, u) => at(kept[t] as Float64Array, u) + at(added[t] as Float64Array, u)),
    );
    h.push(o.map((value, u) => sigmoid(value) * Math.tanh(at(c[t + 1] as Float64Array, u))));
  }
  const last = h[STEPS] as Float64Array;
  let ofState = new Float64Array(UNITS);
  for (let k = 0; k < 3; k++) {
    let score = at(shift as Float32Array, k);
    for (let u = 0; u < UNITS; u++) score += at(last, u) * at(matrix as Float32Array, u * 3 + k);
    ofState = ofState.map(
      (r, u) => r + part(at(last, u) * at(matrix as Float32Array, u * 3 + k), score, at(given, k)),
    );
  }
  const input = new Float64Array(CHANNELS * STEPS);
  const units = new Float64Array(UNITS);
  let ofCell = new Float64Array(UNITS);
  for (let t = STEPS - 1; t >= 0; t--) {
    ofState.forEach((r, u) => {
      units[u] = at(units, u) + r;
    });
    const cell = ofCell.map((r, u) => r + at(ofState, u));
    const total = c[t + 1] as Float64Array;
    const update = cell.map((r, u) => part(at(added[t] as Float64Array, u), at(total, u), r));
    ofCell = cell.map((r, u) => part(at(kept[t] as Float64Array, u), at(total, u), r));
    ofState = new Float64Array(UNITS);
    update.forEach((r, u) => {
      const [row, sum] = [3 * UNITS + u, at(z[t] as Float64Array, u)];
      for (let i = 0; i < CHANNELS; i++) {
        const addend = at(weight.data, row * CHANNELS + i) * at(sample, i * STEPS + t);
        input[i * STEPS + t] = at(input, i * STEPS + t) + part(addend, sum, r);
      }
      for (let v = 0; v < UNITS; v++) {
        const addend = at(recurrence.data, row * UNITS + v) * at(h[t] as Float64Array, v);
        ofState[v] = at(ofState, v) + part(addend, sum, r);
      }
    });
  }
  return { input, units };
}
