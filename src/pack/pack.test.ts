// Packing end to end: what is written is opened again, and what it says of its variants is measured once more.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { assembleModel, type Bundle, openBundle } from '../bundle/index.ts';
import { findVariant, totalCosts, type Variant, writeBundle } from '../bundle/internal.ts';
import { largestDifference, run } from '../channels/test-support/net.ts';
import { randomNet } from '../channels/test-support/random-net.ts';
import type { Dataset } from '../data/index.ts';
import { createSession, tensor } from '../engine/index.ts';
import { canonicalModel, type Model } from '../onnx/index.ts';
import { findCriterion } from '../prune/index.ts';
import { samplesFor } from '../repair/test-support/nets.ts';
import { must } from '../util/index.ts';
import { binomialLowerBound } from '../util/internal.ts';
import { LONG } from '../util/test-support/rounds.ts';
import { certifyLevels } from './certify.ts';
import { frontierOf } from './frontier.ts';
import { type PackedModel, type PackModelOptions, packModel } from './pack.ts';
import {
  PASSING,
  PLANTED_PROVENANCE,
  plantedCriterion,
  plantedNet,
  plantedSamples,
} from './test-support/planted.ts';

const OPTIONS = {
  name: 'planted',
  calibration: plantedSamples(24, 1),
  validation: plantedSamples(90, 2),
  criterion: plantedCriterion('good'),
  ratios: [0, 0.5, 0.75, 0.9],
  block: 1,
  measureSeconds: false,
  // Nothing is gained by them on this network; low-rank.test.ts and the command's tests have networks where it is.
  lowRankFrom: 1,
} satisfies PackModelOptions;

const pack = (options: Partial<PackModelOptions> = {}, model = plantedNet()): Promise<PackedModel> =>
  packModel(model, PLANTED_PROVENANCE, { ...OPTIONS, ...options });

/** Predictions by one run of the engine over all samples. */
async function predictions(model: Model, { samples, size, sampleShape }: Dataset): Promise<number[]> {
  const session = await createSession(model, { name: 'variant' });
  try {
    const output = must(model.graph.outputs[0], 'output').name;
    const found = await session.run({ input: tensor(samples, [size, ...sampleShape]) });
    const logits = found[output];
    if (logits?.type !== 'float32') throw new Error('no logits');
    return Array.from({ length: size }, (_, i) => {
      const own = [...logits.data.subarray(i * 3, i * 3 + 3)];
      return own.indexOf(Math.max(...own));
    });
  } finally {
    await session.release();
  }
}

/** What a variant should say, from its predictions and the unpruned network's. */
function figures(found: readonly number[], whole: readonly number[], labels: Int32Array) {
  const classes = [0, 1, 2].map((label) => {
    const own = found.filter((_, i) => labels[i] === label);
    const right = own.filter((value) => value === label).length;
    return { recall: right / own.length, bound: binomialLowerBound(right, own.length, 0.95) };
  });
  const mean = (values: number[]): number => values.reduce((a, b) => a + b) / values.length;
  return {
    accuracy: mean(classes.map(({ recall }) => recall)),
    lowerBound: mean(classes.map(({ bound }) => bound)),
    recall: classes.map(({ recall }) => recall),
    agreement: found.filter((value, i) => value === whole[i]).length / found.length,
  };
}

async function expectMeasured(bundle: Bundle, variant: Variant, validation: Dataset): Promise<void> {
  const index = must(findVariant(bundle.manifest, variant.levels), 'a variant');
  const model = assembleModel(bundle, variant.levels, { correction: index });
  const whole = await predictions(bundle.model, validation);
  const labels = must(validation.labels, 'labels');
  const wanted = figures(await predictions(model, validation), whole, labels);
  for (const name of ['accuracy', 'lowerBound', 'agreement'] as const) {
    expect(variant[name], `${name} at ${variant.levels}`).toBeCloseTo(wanted[name], 12);
  }
  expect(variant.recall).toEqual(wanted.recall);
}

let dir: string;
let packed: PackedModel;
let bundle: Bundle;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'bedside-pack-'));
  packed = await pack();
  await writeBundle(join(dir, 'planted'), packed.contents);
  bundle = await openBundle(join(dir, 'planted'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

describe('a packed network', () => {
  it('is a bundle, of the network with its best channels first', async () => {
    const { manifest, model } = bundle;
    expect(manifest.ratios).toEqual(OPTIONS.ratios);
    expect(manifest.groups.map(({ counts }) => counts)).toEqual([
      [12, 6, 3, 1],
      [12, 6, 3, 1],
    ]);
    expect(manifest.provenance).toMatchObject({
      criterion: 'good',
      dataset: 'planted',
      calibration: 24,
      validation: 90,
      labelled: true,
      seed: 1,
    });
    expect(packed.fixed.size).toBe(0);
    expect(largestDifference(await run(model, 20), await run(plantedNet(), 20))).toBeLessThan(1e-5);
    const rows = (of: Model) => {
      const constant = must(of.graph.constants.get(of.graph.nodes[0]?.inputs[1] ?? ''), 'weights');
      if (constant.type !== 'float32') throw new Error('no weights');
      return Array.from({ length: 12 }, (_, unit) => constant.data.subarray(unit * 27, (unit + 1) * 27));
    };
    const before = rows(plantedNet());
    const order = [...PASSING].reverse().concat([10, 9, 8, 6, 5, 3, 2, 1, 0]);
    expect(rows(model)).toEqual(order.map((unit) => before[unit]));
  });

  it('begins with the unpruned network', async () => {
    const [first] = bundle.manifest.variants;
    expect(first).toMatchObject({ levels: [0, 0], corrected: false, agreement: 1 });
    const model = assembleModel(bundle, [0, 0], { correction: 0 });
    expect(largestDifference(await run(model, 20), await run(plantedNet(), 20))).toBeLessThan(1e-5);
    // Neither chance nor without a fault: the figures below mean something.
    expect(first?.accuracy).toBeGreaterThan(0.8);
    expect(first?.accuracy).toBeLessThan(1);
  });

  it('has variants that are as accurate as it says', async () => {
    const { variants } = bundle.manifest;
    // All mixes, for there are no more than 16.
    expect(variants.length).toBeGreaterThanOrEqual(12);
    expect(variants.filter(({ corrected }) => corrected).length).toBeGreaterThan(variants.length / 3);
    for (const variant of variants) {
      await expectMeasured(bundle, variant, OPTIONS.validation);
      expect(variant.lowerBound).toBeLessThan(variant.accuracy);
      const { seconds, ...costs } = totalCosts(bundle.manifest, variant.levels);
      expect(variant).toMatchObject(costs);
      expect(variant.seconds).toBe(seconds);
    }
    const passing = must(
      variants.find(({ levels }) => levels.join() === '2,2'),
      'the passing units',
    );
    expect(passing.accuracy).toBeGreaterThan(0.75);
  });

  it('keeps what matters when the criterion knows what does', async () => {
    const bad = await pack({ criterion: plantedCriterion('bad', -1), variants: 4 });
    const at = (of: PackedModel): Variant =>
      must(
        of.contents.manifest.variants.find(({ levels }) => levels.join() === '2,2'),
        'the passing units',
      );
    expect(at(packed).accuracy).toBeGreaterThan(at(bad).accuracy + 0.05);
  });

  it('has an accuracy model of its own measurements', () => {
    const { accuracy, variants } = bundle.manifest;
    expect(accuracy).toMatchObject({ unpruned: variants[0]?.accuracy, measure: 'balanced' });
    // Those that check it are variants too.
    expect(accuracy.checked).toBeGreaterThan(0);
    expect(accuracy.fitted + accuracy.checked).toBe(variants.length);
    const errors = variants.map(({ levels, accuracy: measured }) => {
      const loss = levels.reduce((sum, level, group) => sum + (accuracy.loss[group]?.[level] ?? 0), 0);
      return Math.abs(accuracy.unpruned * Math.exp(-loss) - measured);
    });
    expect(errors.reduce((a, b) => a + b) / errors.length).toBeLessThan(0.1);
  });

  it('has a frontier that nothing beats, the largest first', () => {
    const { variants } = bundle.manifest;
    const { frontier } = packed;
    expect(frontier.length).toBeGreaterThan(1);
    frontier.forEach((variant, i) => {
      const next = frontier[i + 1];
      if (next) expect(next.macs).toBeLessThan(variant.macs);
      const better = variants.filter(
        ({ macs, accuracy }) =>
          macs <= variant.macs &&
          accuracy >= variant.accuracy &&
          (macs < variant.macs || accuracy > variant.accuracy),
      );
      expect(better).toEqual([]);
    });
    const kept = new Set(frontier.map(({ levels }) => levels.join()));
    for (const { levels, macs, accuracy } of variants) {
      if (kept.has(levels.join())) continue;
      expect(frontier.some((other) => other.macs <= macs && other.accuracy >= accuracy)).toBe(true);
    }
    expect(frontierOf([])).toEqual([]);
  });

  it('is the same again by its seed', async () => {
    const few = { variants: 5 };
    const [one, again] = [await pack(few), await pack(few)];
    expect(again.contents).toEqual(one.contents);
    const other = await pack({ ...few, seed: 2 });
    expect(other.contents.tensors).not.toEqual(one.contents.tensors);
  });
});

describe('how it is packed', () => {
  it('measures agreement without labels', async () => {
    const validation = plantedSamples(60, 2, false);
    const { contents } = await pack({ validation, calibration: plantedSamples(24, 1, false), variants: 6 });
    expect(contents.manifest.accuracy).toMatchObject({ measure: 'agreement', unpruned: 1 });
    expect(contents.manifest.provenance.labelled).toBe(false);
    for (const { accuracy, agreement, recall, lowerBound } of contents.manifest.variants) {
      expect(accuracy).toBe(agreement);
      expect(recall).toEqual([null, null, null]);
      expect(lowerBound).toBeCloseTo(binomialLowerBound(Math.round(60 * agreement), 60, 0.95), 12);
    }
  });

  it('chooses its criterion by measurement, and says which', async () => {
    const candidates = [plantedCriterion('bad', -1), plantedCriterion('good')];
    const criterion = { name: 'auto', candidates: [], repaired: candidates } as const;
    const { contents, choice, criterion: chosen } = await pack({ criterion, variants: 4 });
    expect(chosen).toBe('good');
    expect(contents.manifest.provenance.criterion).toBe('good');
    expect(choice?.candidates.map((row) => row.criterion)).toEqual(['good', 'bad']);
  });

  it('reports steps that end', async () => {
    const steps = new Map<string, [number, number]>();
    await pack({
      variants: 6,
      onStep: (step, done, total) => {
        expect(done).toBeLessThanOrEqual(total);
        steps.set(step, [done, total]);
      },
    });
    expect([...steps.keys()]).toEqual(['repairing at every level', 'measuring level vectors']);
    expect(steps.get('repairing at every level')).toEqual([6, 6]);
  });

  it('keeps a correction of low rank only where it loses nothing by it', async () => {
    // Of this network and these levels it is nearer on the samples that choose it, and a tenth less accurate.
    const model = canonicalModel(randomNet(2));
    const given = {
      ...{ calibration: samplesFor(model, 40), validation: samplesFor(model, 60, 9), seed: 2 },
      ...{ criterion: findCriterion('l2'), ratios: [0, 0.75], variants: 1, lowRankFrom: 1 },
    };
    const { contents } = await pack(given, model);
    await writeBundle(join(dir, 'low-rank'), contents);
    const small = await openBundle(join(dir, 'low-rank'));
    const at = (lowRankFrom: number) =>
      certifyLevels(small, [0, 0, 0, 0, 1, 0], { ...OPTIONS, ...given, lowRankFrom });
    const [affine, tried] = [await at(1), await at(-1)];
    expect(tried.variant.accuracy).toBe(affine.variant.accuracy);
    expect([...tried.contents.tensors.keys()]).toEqual([...affine.contents.tensors.keys()]);
  });

  it.each(LONG ? [0, 7, 16, 26] : [0])('packs random networks, seed %i', async (seed) => {
    const model = canonicalModel(randomNet(seed));
    const calibration = samplesFor(model, 12);
    const validation = samplesFor(model, 16, 9);
    const criterion = findCriterion('l2');
    const { contents } = await pack(
      { calibration, validation, criterion, ratios: LONG ? [0, 0.3, 0.6] : [0, 0.5], variants: 3 },
      model,
    );
    const path = join(dir, `random-${seed}`);
    await writeBundle(path, contents);
    const opened = await openBundle(path);
    for (const [index, { levels }] of opened.manifest.variants.entries()) {
      const logits = await run(assembleModel(opened, levels, { correction: index }), 8);
      expect(logits.every(Number.isFinite)).toBe(true);
      if (index === 0) expect(largestDifference(logits, await run(model, 8))).toBeLessThan(1e-5);
    }
  });

  it('packs networks that fix their batch', async () => {
    const fixed = plantedNet();
    for (const value of [...fixed.graph.inputs, ...fixed.graph.outputs]) value.dims = value.dims?.with(0, 4);
    const { contents } = await pack({ variants: 4 }, fixed);
    await writeBundle(join(dir, 'fixed'), contents);
    const { manifest } = await openBundle(join(dir, 'fixed'));
    expect(manifest.variants[0]).toMatchObject({ accuracy: bundle.manifest.variants[0]?.accuracy });
  });

  it.each<[string, Partial<PackModelOptions>, string]>([
    ['no validation samples', { validation: plantedSamples(0, 2) }, 'E_DATA'],
    ['one calibration sample', { calibration: plantedSamples(1, 2) }, 'E_DATA'],
    [
      'samples of another shape',
      { validation: { ...plantedSamples(4, 2), sampleShape: [3, 36] } },
      'E_DATA_FIT',
    ],
    ['one ratio', { ratios: [0] }, 'E_USAGE'],
    ['ratios that do not begin at 0', { ratios: [0.1, 0.5] }, 'E_USAGE'],
    ['ratios that do not ascend', { ratios: [0, 0.5, 0.5] }, 'E_USAGE'],
    ['a ratio of 1', { ratios: [0, 1] }, 'E_USAGE'],
    ['a ratio that is no number', { ratios: [0, Number.NaN] }, 'E_USAGE'],
  ])('refuses %s', async (_name, options, code) => {
    await expect(pack(options)).rejects.toMatchObject({ code });
  });
});

describe('certifyLevels', () => {
  const draws = { calibration: plantedSamples(24, 5), validation: plantedSamples(60, 6) };

  it('adds a variant that can be opened and holds what it says', async () => {
    const few = await pack({ variants: 4 });
    const path = join(dir, 'few');
    await writeBundle(path, few.contents);
    const before = await openBundle(path);
    const all = [0, 1, 2, 3].flatMap((a) => [0, 1, 2, 3].map((b) => [a, b]));
    const levels = must(
      all.find((mix) => mix[0] !== mix[1] && findVariant(before.manifest, mix) === undefined),
      'a mix that is not measured',
    );
    const { contents, variant } = await certifyLevels(before, levels, draws);
    await writeBundle(path, contents);
    const after = await openBundle(path);
    expect(after.manifest.variants).toEqual([...before.manifest.variants, variant]);
    expect(variant.levels).toEqual(levels);
    expect(after.tensors.size).toBeGreaterThan(before.tensors.size);
    await expectMeasured(after, variant, draws.validation);
    expect(after.manifest.accuracy).toEqual(before.manifest.accuracy);
  });

  it('measures anew what there is, in its place', async () => {
    const levels = [2, 2];
    const index = must(findVariant(bundle.manifest, levels), 'a variant');
    const { contents, variant } = await certifyLevels(bundle, levels, draws);
    const path = join(dir, 'anew');
    await writeBundle(path, contents);
    const after = await openBundle(path);
    expect(after.manifest.variants).toEqual(bundle.manifest.variants.with(index, variant));
    expect(variant.accuracy).not.toBe(bundle.manifest.variants[index]?.accuracy);
    await expectMeasured(after, variant, draws.validation);
    for (const [name, found] of after.tensors) {
      if (!name.startsWith(`variant/${index}/`)) expect(found).toEqual(bundle.tensors.get(name));
    }
    // The other variants still are what was measured.
    const other = must(bundle.manifest.variants.at(-1), 'a variant');
    await expectMeasured(after, other, OPTIONS.validation);
  });

  it('keeps to the measure of the bundle', async () => {
    const unlabelled = { ...draws, validation: plantedSamples(60, 6, false) };
    await expect(certifyLevels(bundle, [1, 2], unlabelled)).rejects.toMatchObject({ code: 'E_DATA' });
    const agreeing = await pack({ validation: plantedSamples(60, 2, false), variants: 4 });
    const path = join(dir, 'agreeing');
    await writeBundle(path, agreeing.contents);
    const { variant } = await certifyLevels(await openBundle(path), [1, 2], draws);
    expect(variant.accuracy).toBe(variant.agreement);
    expect(variant.recall).toEqual([null, null, null]);
  });

  it.each<[string, number[], Partial<typeof draws>, string]>([
    ['levels that there are not', [0, 4], {}, 'E_LEVELS'],
    ['too few levels', [0], {}, 'E_LEVELS'],
    ['one calibration sample', [0, 1], { calibration: plantedSamples(1, 2) }, 'E_DATA'],
    ['no validation samples', [0, 1], { validation: plantedSamples(0, 2) }, 'E_DATA'],
  ])('refuses %s', async (_name, levels, given, code) => {
    await expect(certifyLevels(bundle, levels, { ...draws, ...given })).rejects.toMatchObject({ code });
  });
});
