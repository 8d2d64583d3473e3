// Corrections undo what was done to a network on purpose, and bring cut networks nearer to the unpruned one.
import { describe, expect, it } from 'vitest';
import { findGroups } from '../../channels/index.ts';
import { Net, run } from '../../channels/test-support/net.ts';
import { canonicalModel, type Model } from '../../onnx/index.ts';
import { cloneModel, int, weightedLayers } from '../../onnx/internal.ts';
import { setWeights, visitValues, withBiases } from '../../repair/internal.ts';
import { allMixes, distance, draftOf, KINDS, ofKind, samplesFor } from '../../repair/test-support/nets.ts';
import { must } from '../../util/index.ts';
import { Random } from '../../util/internal.ts';
import { AffineCorrector, type FittedCorrection } from './affine.ts';
import { affordableSamples } from './single-batch.ts';

const OPTIONS = { name: 'net', threads: 1, batch: 8, seed: 2 } as const;

/** Fits the correction of a whole network that gives other values than the one it is corrected toward. */
async function correct(whole: Model, damaged: Model, size = 16) {
  const corrector = await AffineCorrector.create(whole, findGroups(whole), {
    ...OPTIONS,
    calibration: samplesFor(whole, size),
  });
  try {
    const fitted = await corrector.fit(damaged, new Map());
    const { groups, draft } = draftOf(damaged, [1, 0.5]);
    const levels = groups.map(() => 0);
    return { fitted, model: draft.assemble(levels, fitted.correction) };
  } finally {
    await corrector.release();
  }
}

/** Multiplies each output channel of a layer by a factor, then adds to it. */
function scaled(model: Model, name: string, factors: readonly number[], added: readonly number[]): Model {
  const layer = must(
    weightedLayers(model).find((one) => one.name === name),
    name,
  );
  const inner = layer.weight.length / layer.channels;
  const channelOf = (i: number): number =>
    layer.kind === 'dense' ? i % layer.channels : Math.floor(i / inner);
  const weight = layer.weight.map((value, i) => value * (factors[channelOf(i)] as number));
  const bias = layer.bias?.map((value, c) => value * (factors[c] as number) + (added[c] as number));
  return setWeights(model, layer, weight, bias);
}

/** The part of a correction that belongs to one layer of a whole network. */
function partOf({ correction }: FittedCorrection, model: Model, name: string) {
  const { scale, bias } = must(correction, 'a correction');
  const layers = weightedLayers(model);
  const at = layers.findIndex((layer) => layer.name === name);
  const from = layers.slice(0, at).reduce((sum, { channels }) => sum + channels, 0);
  const to = from + (layers[at]?.channels ?? 0);
  return {
    scale: [...scale.subarray(from, to)],
    shift: [...bias.subarray(from, to)],
    others: [...scale.subarray(0, from), ...scale.subarray(to)],
  };
}

/** Vectors with the channels last. */
function sequence(): Model {
  const net = new Net([5, 6], 2);
  const a = net.op('Tanh', [net.op('MatMul', [net.input, net.weights([6, 8], 0.7)], {}, 'hidden')]);
  const b = net.op('Tanh', [net.op('MatMul', [a, net.weights([8, 4], 0.7)], {}, 'second')]);
  const flat = net.op('Flatten', [b], { axis: int(1) });
  return withBiases(canonicalModel(net.finish(net.gemm('head', flat, 20, 3))));
}

/** Ends in a convolution, so that no last layer is refit. */
function endingInConvolution(): Model {
  const net = new Net([2, 8, 8], 11);
  const a = net.relu(net.conv('a', net.input, 2, 8));
  const b = net.relu(net.conv('b', a, 8, 8));
  const c = net.conv('c', b, 8, 3, { kernel: 1 });
  return withBiases(
    canonicalModel(net.finish(net.op('Flatten', [net.op('GlobalAveragePool', [c])], { axis: int(1) }))),
  );
}

/** Mean of each channel of a layer over the samples that fit, from runs of the network as it is. */
async function meansOf(model: Model, name: string, size = 16): Promise<number[]> {
  const samples = affordableSamples(model, samplesFor(model, size), OPTIONS.seed);
  const layer = must(
    weightedLayers(model).find((one) => one.name === name),
    name,
  );
  const sums = new Float64Array(layer.channels);
  let places = 0;
  await visitValues(model, [layer.output], samples, OPTIONS, (sample, read) => {
    if (sample >= samples.fitSize) return;
    const values = read(layer.output);
    places = values.length / layer.channels;
    values.forEach((value, i) => {
      const c = Math.floor(i / places);
      sums[c] = (sums[c] as number) + value;
    });
  });
  return Array.from(sums, (sum) => sum / places / samples.fitSize);
}

const PLACES: readonly [string, () => Model, string][] = [
  ['2-D', () => ofKind('convolutions and a linear layer'), 'b'],
  ['1-D', () => ofKind('one dimension'), 'b'],
  ['dense', () => ofKind('a linear layer behind Flatten'), 'hidden'],
];
const FACTORS = [0.5, 2, 1.5, 0.8, 1, 3, 0.3, 1.2];
const ADDED = [1, -1, 0.5, -0.5, 2, 0, 0.7, -2];

describe('what was added to a layer on purpose', () => {
  it.each(PLACES)('is taken off again: %s', async (_name, make, layer) => {
    const whole = make();
    const ones = FACTORS.map(() => 1);
    const damaged = scaled(whole, layer, ones, ADDED);
    const before = await distance(whole, damaged);
    const { fitted, model } = await correct(whole, damaged);
    const found = partOf(fitted, whole, layer);
    found.scale.forEach((value) => {
      expect(value).toBeCloseTo(1, 3);
    });
    found.shift.forEach((value, c) => {
      expect(value).toBeCloseTo(-(ADDED[c] as number), 3);
    });
    found.others.forEach((value) => {
      expect(value).toBeCloseTo(1, 3);
    });
    expect(before).toBeGreaterThan(1e-2);
    expect(await distance(whole, model)).toBeLessThan(1e-7);
    expect(fitted.errorAfter).toBeLessThan(1e-6 * fitted.errorBefore);
  });
});

describe('what a layer was multiplied with on purpose', () => {
  it.each(PLACES)('is divided out, but for a pull of 2 % toward 1: %s', async (_name, make, layer) => {
    const whole = make();
    const damaged = scaled(whole, layer, FACTORS, ADDED);
    const { fitted, model } = await correct(whole, damaged);
    const found = partOf(fitted, whole, layer);
    const means = await meansOf(whole, layer);
    FACTORS.forEach((factor, c) => {
      const scale = (1 / factor + 0.02) / 1.02;
      expect(found.scale[c]).toBeCloseTo(scale, 3);
      const [mean, added] = [means[c] as number, ADDED[c] as number];
      expect(found.shift[c]).toBeCloseTo(mean - scale * (factor * mean + added), 2);
    });
    expect(await distance(whole, model)).toBeLessThan(0.01 * (await distance(whole, damaged)));
  });

  it('is divided out where channels lie on the last axis, with nothing added to what has no bias', async () => {
    const whole = sequence();
    const damaged = scaled(whole, 'hidden', FACTORS, []);
    const { fitted } = await correct(whole, damaged);
    const found = partOf(fitted, whole, 'hidden');
    FACTORS.forEach((factor, c) => {
      expect(found.scale[c]).toBeCloseTo((1 / factor + 0.02) / 1.02, 3);
    });
    expect(found.shift).toEqual(FACTORS.map(() => 0));
    expect(fitted.errorAfter).toBeLessThan(0.01 * fitted.errorBefore);
  });
});

describe('a last layer', () => {
  it.each(['convolutions and a linear layer', 'products with a constant'])(
    'that was damaged is refit: %s',
    async (kind) => {
      const whole = ofKind(kind);
      const layer = must(weightedLayers(whole).at(-1), 'head');
      const random = new Random(6);
      const noise = layer.weight.map((value) => value + random.normal());
      const damaged = setWeights(
        whole,
        layer,
        noise,
        layer.bias?.map(() => 1),
      );
      const { fitted, model } = await correct(whole, damaged);
      const { head, scale, bias } = must(fitted.correction, 'a correction');
      expect(head?.weight.dims).toEqual(layer.weightDims);
      expect(head?.bias?.data.length).toBe(layer.bias?.length);
      // Its own factors are in its weights.
      expect([...scale.subarray(-3)]).toEqual([1, 1, 1]);
      expect([...bias.subarray(-3)]).toEqual([0, 0, 0]);
      expect(await distance(whole, damaged)).toBeGreaterThan(0.01);
      expect(await distance(whole, model)).toBeLessThan(1e-4 * (await distance(whole, damaged)));
    },
  );
});

describe('cut networks', () => {
  async function fitMixes(model: Model, mixes: (groups: number) => number[][], size = 24) {
    const { grouping, groups, draft } = draftOf(model, [1, 0.75, 0.5]);
    const corrector = await AffineCorrector.create(model, grouping, {
      ...OPTIONS,
      calibration: samplesFor(model, size),
    });
    try {
      const found: { levels: number[]; cut: Model; fitted: FittedCorrection; corrected: Model }[] = [];
      for (const levels of mixes(groups.length)) {
        const cut = draft.assemble(levels);
        const fitted = await corrector.fit(cut, draft.keepAt(levels));
        found.push({ levels, cut, fitted, corrected: draft.assemble(levels, fitted.correction) });
      }
      return found;
    } finally {
      await corrector.release();
    }
  }
  const some = (groups: number): number[][] => allMixes(groups, 3).filter((_, i) => i % 4 === 2);

  it.each(Object.keys(KINDS))('come nearer to the unpruned one: %s', async (kind) => {
    const model = ofKind(kind);
    let [before, after] = [0, 0];
    for (const { cut, corrected, fitted } of await fitMixes(model, some)) {
      expect(fitted.errorAfter).toBeLessThanOrEqual(fitted.errorBefore);
      if (!fitted.correction) expect(fitted.errorAfter).toBe(fitted.errorBefore);
      else expect(fitted.errorAfter).toBeLessThan(fitted.errorBefore);
      before += await distance(model, cut);
      after += await distance(model, corrected);
    }
    expect(after).toBeLessThan(0.9 * before);
  });

  it('have the errors that are stated, on samples that did not fit', async () => {
    const model = endingInConvolution();
    const samples = affordableSamples(model, samplesFor(model, 24), OPTIONS.seed);
    const logits = async (of: Model): Promise<Float32Array> => {
      const found: number[] = [];
      const output = must(of.graph.outputs[0], 'output').name;
      await visitValues(of, [output], samples, OPTIONS, (sample, read) => {
        if (sample >= samples.fitSize) found.push(...read(output));
      });
      return Float32Array.from(found);
    };
    const wanted = await logits(model);
    const error = async (of: Model): Promise<number> => {
      const given = await logits(of);
      return given.reduce((sum, value, i) => sum + (value - (wanted[i] as number)) ** 2, 0) / given.length;
    };
    const found = await fitMixes(model, some);
    expect(found.some(({ fitted }) => fitted.correction !== undefined)).toBe(true);
    for (const { cut, corrected, fitted } of found) {
      expect(fitted.correction?.head).toBeUndefined();
      expect((await error(cut)) / fitted.errorBefore).toBeCloseTo(1, 3);
      expect((await error(corrected)) / fitted.errorAfter).toBeCloseTo(1, 3);
    }
  });

  it('need none where nothing is wrong', async () => {
    const [whole] = await fitMixes(ofKind('a residual sum'), (groups) => [new Array<number>(groups).fill(0)]);
    expect(whole?.fitted).toEqual({ correction: undefined, errorBefore: 0, errorAfter: 0 });
  });

  it('are corrected the same whatever their values are called', async () => {
    const model = ofKind('convolutions and a linear layer');
    const numbered = cloneModel(model);
    const names = new Map(numbered.graph.nodes.map((node, i) => [node.outputs[0] ?? '', String(500 - i)]));
    names.delete(numbered.graph.outputs[0]?.name ?? '');
    for (const node of numbered.graph.nodes) {
      node.inputs = node.inputs.map((name) => names.get(name) ?? name);
      node.outputs = node.outputs.map((name) => names.get(name) ?? name);
    }
    const results = (of: { fitted: FittedCorrection }[]): FittedCorrection[] =>
      of.map(({ fitted }) => fitted);
    const found = results(await fitMixes(numbered, some));
    expect(found).toEqual(results(await fitMixes(model, some)));
    expect(found.some(({ correction }) => correction?.head)).toBe(true);
  });

  it('that fix their batch have their last layer refit', async () => {
    const fixed = ofKind('convolutions and a linear layer');
    for (const value of [...fixed.graph.inputs, ...fixed.graph.outputs]) value.dims = value.dims?.with(0, 5);
    const found = await fitMixes(fixed, some);
    let improved = 0;
    for (const { fitted } of found) {
      if (!fitted.correction) continue;
      expect(fitted.correction.head).toBeDefined();
      expect([...fitted.correction.scale].every((value) => value === 1)).toBe(true);
      expect(fitted.errorAfter).toBeLessThan(fitted.errorBefore);
      improved++;
    }
    expect(improved).toBeGreaterThan(0);
  });

  it('may have transposed convolutions, and products with a constant on the left', async () => {
    const net = new Net([2, 6, 6], 12);
    const a = net.relu(net.conv('a', net.input, 2, 8));
    const b = net.relu(net.conv('up', a, 8, 6, { transposed: true }));
    // Mixes rows of the picture.
    const left = net.op('MatMul', [net.weights([6, 6], 0.5), b], {}, 'rows');
    const c = net.relu(net.conv('c', net.op('Add', [left, b]), 6, 8));
    const model = withBiases(canonicalModel(net.head(c, 8)));
    const found = await fitMixes(model, (groups) => [new Array<number>(groups).fill(2)]);
    for (const { fitted, corrected } of found) {
      expect(fitted.correction).toBeDefined();
      expect((await run(corrected)).every(Number.isFinite)).toBe(true);
    }
  });

  it('repeat by the seed', async () => {
    const model = ofKind('one dimension');
    const once = async () => (await fitMixes(model, some)).map(({ fitted }) => fitted);
    expect(await once()).toEqual(await once());
  });

  it('ask for two samples', async () => {
    await expect(fitMixes(ofKind('one dimension'), some, 1)).rejects.toMatchObject({ code: 'E_DATA' });
  });
});
