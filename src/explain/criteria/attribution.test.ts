// Criteria that explain: means over samples of what the slow twin (relevance) or central differences (gradients) give.
import { describe, expect, it } from 'vitest';
import type { Model } from '../../onnx/index.ts';
import { cloneModel } from '../../onnx/internal.ts';
import { BedsideError, must } from '../../util/index.ts';
import { attribute } from '../attribution/attribute.ts';
import { oneHot } from '../attribution/pass.ts';
import type { Criterion } from '../criterion.ts';
import { findPlainCriterion, PLAIN_CRITERIA } from '../registry.ts';
import { context, smallNetwork } from '../test-support/calibration.ts';
import { differences, runModel } from '../test-support/differences.ts';
import { Net } from '../test-support/nets.ts';
import { forward, relevance, type TwinRule } from '../test-support/twin.ts';
import { isAttribution } from './attribution.ts';

const COUNT = 6;
const LABELS = [0, 1, 2, 2, 1, 0];
const EXPLAINING = PLAIN_CRITERIA.filter(isAttribution);

/** The mean over samples of the absolute value of each channel's sum over space. `[samples, channels, places]` in. */
function meanOfSums(
  values: ArrayLike<number>,
  channels: number,
  term = (x: number, _i: number): number => x,
  ofSample: (sum: number) => number = Math.abs,
) {
  const places = values.length / COUNT / channels;
  const scores = new Array<number>(channels).fill(0);
  for (let n = 0; n < COUNT; n++) {
    for (let c = 0; c < channels; c++) {
      let sum = 0;
      for (let p = 0; p < places; p++) {
        const i = (n * channels + c) * places + p;
        sum += term(values[i] as number, i);
      }
      scores[c] = (scores[c] as number) + ofSample(sum) / COUNT;
    }
  }
  return scores;
}

function expectScores(
  actual: Float64Array | undefined,
  expected: readonly number[],
  tolerance: number,
): void {
  const most = Math.max(...expected.map(Math.abs));
  expect(most).toBeGreaterThan(0);
  expect(actual).toHaveLength(expected.length);
  expected.forEach((score, c) => {
    expect(Math.abs((actual?.[c] ?? Number.NaN) - score)).toBeLessThan(tolerance * most);
  });
}

const CHANNELS: Record<string, number> = { Conv: 4, Conv_1: 4, Conv_2: 5, Gemm: 3 };

describe('relevance criteria', () => {
  const epsilon: TwinRule = { kind: 'epsilon', epsilon: 1e-6 };
  const inConvolutions: Record<string, TwinRule> = {
    'lrp-epsilon': epsilon,
    'lrp-zplus': { kind: 'alpha-beta', alpha: 1, beta: 0, epsilon: 1e-6 },
    'lrp-gamma': { kind: 'gamma', gamma: 0.25, epsilon: 1e-6 },
    'lrp-alpha2beta1': { kind: 'alpha-beta', alpha: 2, beta: 1, epsilon: 1e-6 },
    'lrp-alpha-beta': { kind: 'alpha-beta', alpha: 2, beta: 1, epsilon: 1e-6 },
    'lrp-alpha-beta=1': { kind: 'alpha-beta', alpha: 1, beta: 0, epsilon: 1e-6 },
    'lrp-alpha-beta=1.7': { kind: 'alpha-beta', alpha: 1.7, beta: 0.7, epsilon: 1e-6 },
    'lrp-gamma=0': { kind: 'gamma', gamma: 0, epsilon: 1e-6 },
    'lrp-gamma=3.5': { kind: 'gamma', gamma: 3.5, epsilon: 1e-6 },
  };

  it.each(Object.entries(inConvolutions))(
    '%s: its rule in convolutions, epsilon in dense layers',
    async (name, rule) => {
      const model = smallNetwork();
      const given = context(model, { count: COUNT, labels: LABELS });
      const scores = await findPlainCriterion(name).score(given);
      const { samples, sampleShape } = given.calibration;
      const trace = forward(model, { dims: [COUNT, ...sampleShape], data: Float64Array.from(samples) });
      const start = Float64Array.from(oneHot(LABELS, 3));
      const arrived = relevance(model, trace, start, (node) => (node.op === 'Conv' ? rule : epsilon));
      expect(scores.map(({ layer }) => layer)).toEqual(Object.keys(CHANNELS));
      for (const { layer, scores: actual } of scores) {
        expectScores(actual, meanOfSums(must(arrived.get(layer), layer), CHANNELS[layer] as number), 1e-3);
      }
    },
  );
});

describe('lrp-composite', () => {
  it.each([
    // Depths 0, 1/3, 2/3 and 1; by default gamma falls from 0.5 to 0.05 and dense layers have epsilon.
    ['lrp-composite', [0.5, 0.5 * 0.1 ** (1 / 3), 0.5 * 0.1 ** (2 / 3)], 1e-6],
    ['lrp-composite=dense:epsilon=0.01+conv@0..0.4:gamma=2+conv:gamma=0.1', [2, 2, 0.1], 0.01],
    ['lrp-composite=conv@0.3..0.4:gamma=1+conv:gamma=4..4', [4, 1, 4], 1e-6],
  ] as const)('%s gives each layer its rule', async (name, gammas, epsilon) => {
    const model = smallNetwork();
    const given = context(model, { count: COUNT, labels: LABELS });
    const scores = await findPlainCriterion(name).score(given);
    const { samples, sampleShape } = given.calibration;
    const trace = forward(model, { dims: [COUNT, ...sampleShape], data: Float64Array.from(samples) });
    const layers = ['Conv', 'Conv_1', 'Conv_2'];
    const arrived = relevance(model, trace, Float64Array.from(oneHot(LABELS, 3)), ({ name: layer }) => {
      const gamma = gammas[layers.indexOf(layer)];
      return gamma === undefined ? { kind: 'epsilon', epsilon } : { kind: 'gamma', gamma, epsilon: 1e-6 };
    });
    for (const { layer, scores: actual } of scores) {
      expectScores(actual, meanOfSums(must(arrived.get(layer), layer), CHANNELS[layer] as number), 1e-3);
    }
  });
});

describe('parameters', () => {
  it.each([
    'lrp-gamma=-1',
    'lrp-gamma=x',
    'lrp-gamma=',
    'lrp-gamma=0.1=5',
    'lrp-epsilon=0',
    'lrp-alpha-beta=0.9',
    'lrp-alpha-beta=Infinity',
    'integrated-gradients=0',
    'integrated-gradients=2.5',
    'expected-gradients=-3',
    'smoothgrad=0',
    'deeplift-rescale=median',
    'taylor=2',
    'l1=2',
    'fisher=',
  ])('%s is refused', (text) => {
    let thrown: unknown;
    try {
      findPlainCriterion(text);
    } catch (error) {
      thrown = error;
    }
    expect(BedsideError.is(thrown, 'E_CRITERION') && thrown.message, String(thrown)).toContain(
      text.slice(text.indexOf('=') + 1),
    );
    expect(BedsideError.is(thrown) && thrown.hint).toContain(text.slice(0, text.indexOf('=')));
  });

  it.each(['lrp-composite=', 'lrp-composite=conv', 'lrp-composite=conv:gamma=-1'])(
    '%s is refused',
    (text) => {
      expect(() => findPlainCriterion(text)).toThrow(BedsideError);
    },
  );

  it('are kept in the name', () => {
    for (const name of [
      'lrp-gamma=0.1',
      'lrp-composite=any:zplus',
      'deeplift-rescale=mean',
      'smoothgrad=3',
    ]) {
      expect(findPlainCriterion(name).name).toBe(name);
    }
  });
});

describe('gradient criteria', () => {
  /** Smooth, so that differences are exact enough everywhere. */
  function smooth(): Model {
    const net = new Net([2, 4, 4], 6);
    const a = net.op('Tanh', [net.conv(net.input, 2, 3, { pads: [1, 1, 1, 1] })]);
    const b = net.op('Sigmoid', [net.conv(a, 3, 4)]);
    return net.classify(b, 16, 3);
  }

  it.each([
    { criterion: findPlainCriterion('taylor'), term: (g: number, a: number) => g * a },
    {
      criterion: findPlainCriterion('taylor-signed'),
      term: (g: number, a: number) => g * a,
      ofSample: (sum: number) => sum,
    },
    { criterion: findPlainCriterion('gradient'), term: (g: number) => Math.abs(g) },
    // The size of the gradient's mean over space, times the places.
    { criterion: findPlainCriterion('grad-cam'), term: (g: number) => g },
  ])('$criterion.name', async ({ criterion, term, ofSample }) => {
    const model = smooth();
    const given = context(model, { count: COUNT, labels: LABELS });
    const scores = await criterion.score(given);
    const { samples, sampleShape } = given.calibration;
    for (const [name, dims] of [
      ['Conv', [3, 4, 4]],
      ['Conv_1', [4, 2, 2]],
    ] as const) {
      const probed = cloneModel(model);
      probed.graph.outputs = [{ name, elemType: 1, dims: undefined }];
      const activations = await runModel(probed, samples, [COUNT, ...sampleShape]);
      const rest = cloneModel(model);
      rest.graph.nodes = rest.graph.nodes.slice(1 + rest.graph.nodes.findIndex((node) => node.name === name));
      rest.graph.inputs = [{ name, elemType: 1, dims: ['batch', ...dims] }];
      const gradient = await differences(rest, activations, [COUNT, ...dims], oneHot(LABELS, 3), 4e-3);
      const expected = meanOfSums(gradient, dims[0], (g, i) => term(g, activations[i] as number), ofSample);
      expectScores(scores.find(({ layer }) => layer === name)?.scores, expected, 1e-2);
    }
  });
});

describe.each(EXPLAINING)('$name', (criterion: Criterion) => {
  const model = smallNetwork();
  const flat = async (options: Parameters<typeof context>[1]): Promise<number[]> =>
    (await criterion.score(context(model, { count: COUNT, ...options }))).flatMap(({ scores }) =>
      Array.from(scores),
    );

  async function predictions(): Promise<number[]> {
    const { samples, sampleShape } = context(model, { count: COUNT }).calibration;
    const logits = await runModel(model, samples, [COUNT, ...sampleShape]);
    return Array.from({ length: COUNT }, (_, n) => {
      const row = Array.from(logits.subarray(n * 3, n * 3 + 3));
      return row.indexOf(Math.max(...row));
    });
  }

  it('does not depend on the batch', async () => {
    const single = await flat({ batch: 1, labels: LABELS });
    const most = Math.max(...single.map(Math.abs));
    // The last holds several samples for criteria with several points each.
    for (const batch of [7, 40]) {
      const other = await flat({ batch, labels: LABELS });
      single.forEach((score, i) => {
        expect(Math.abs((other[i] as number) - score)).toBeLessThan(1e-4 * most);
      });
    }
  });

  it('explains a class as a mix of that class alone, and refuses a mix of other classes than the model', async () => {
    const fixed = await flat({ labels: new Array<number>(COUNT).fill(2) });
    const mixed = await flat({ target: Float32Array.of(0, 0, 1) });
    const most = Math.max(...fixed.map(Math.abs));
    fixed.forEach((score, i) => {
      expect(Math.abs((mixed[i] as number) - score)).toBeLessThan(1e-5 * most);
    });
    const failed: unknown = await flat({ target: Float32Array.of(0.5, 0.5) }).catch(
      (error: unknown) => error,
    );
    expect(BedsideError.is(failed, 'E_DATA_FIT') && failed.message).toContain('2 classes');
  });

  it('explains the label or the predicted class, and the latter where there are no labels', async () => {
    const predicted = await predictions();
    const others = predicted.map((label) => (label + 1) % 3);
    const asPredicted = await flat({ labels: others, target: 'predicted' });
    expect(await flat({ labels: predicted })).toEqual(asPredicted);
    expect(await flat({})).toEqual(asPredicted);
    expect(await flat({ labels: others })).not.toEqual(asPredicted);
  });
});

describe('a mix of classes', () => {
  const MIX = Float32Array.of(0.6, 0.3, 0.1);
  // All that is linear in the start, sample by sample.
  const LINEAR = EXPLAINING.filter(
    ({ spec }) => spec.start !== 'loss' && (spec.readout === 'sum' || spec.readout === 'times-activation'),
  );

  it('is tried with relevance and gradients', () => {
    expect(LINEAR.length).toBeGreaterThan(5);
  });

  it.each(LINEAR)('$name is the weighted sum of those of single classes', async ({ spec }) => {
    const signed = async (target: Float32Array): Promise<number[]> => {
      const values: number[] = [];
      const model = smallNetwork();
      await attribute(context(model, { count: COUNT, target }), spec, ({ layers, targets }) => {
        for (const layer of layers) values.push(...layer.values);
        expect(Array.from(targets)).toEqual(Array.from(targets, () => -1));
      });
      return values;
    };
    const single = await Promise.all(
      [0, 1, 2].map((k) => signed(Float32Array.from([0, 1, 2], (j) => (j === k ? 1 : 0)))),
    );
    const mixed = await signed(MIX);
    const most = Math.max(...mixed.map(Math.abs));
    mixed.forEach((value, i) => {
      const expected = MIX.reduce((sum, share, k) => sum + share * (single[k]?.[i] as number), 0);
      expect(Math.abs(value - expected)).toBeLessThan(1e-4 * most);
    });
  });
});

describe('attribute', () => {
  it('gives every sample once, in order, with the input when asked for', async () => {
    const seen: [number, number, number | undefined][] = [];
    const progress: number[] = [];
    const given = context(smallNetwork(), {
      count: COUNT,
      labels: LABELS,
      batch: 4,
      onProgress: (done) => progress.push(done),
    });
    await attribute(
      given,
      { attribution: { kind: 'gradient' }, readout: 'sum' },
      ({ first, count, input }) => seen.push([first, count, input?.length]),
      { wantInput: true },
    );
    expect(seen).toEqual([
      [0, 4, 4 * 50],
      [4, 2, 2 * 50],
    ]);
    expect(progress).toEqual([4, 6]);
  });
});
