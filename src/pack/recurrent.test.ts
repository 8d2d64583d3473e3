// Recurrent layers in bundles: costs at levels are those of the cut network, no stage with one is split, and variants have
// refitted weights for them.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { assembleModel, type Bundle, openBundle, stageCosts } from '../bundle/index.ts';
import { cutBundle, isRecurrentPart, storedCorrection, totalCosts, writeBundle } from '../bundle/internal.ts';
import { contentsOf, manifestOf } from '../bundle/test-support/contents.ts';
import { findGroups } from '../channels/index.ts';
import { macsCounter } from '../channels/internal.ts';
import type { Dataset } from '../data/index.ts';
import { evaluateModel } from '../evaluate/internal.ts';
import { canonicalModel, type Model } from '../onnx/index.ts';
import { lastStepNet, stackedNet } from '../onnx/test-support/recurrent-nets.ts';
import { findCriterion } from '../prune/index.ts';
import { must } from '../util/index.ts';
import { Random } from '../util/internal.ts';
import { describeModel } from './describe.ts';
import { packModel } from './pack.ts';
import { PLANTED_PROVENANCE, plantedSamples } from './test-support/planted.ts';

describe('recurrent layers in bundles', () => {
  it.each([
    ['an LSTM behind a convolution', () => lastStepNet('LSTM')],
    ['stacked layers of both directions', () => stackedNet('GRU')],
  ])('have exact costs at every level and are not split: %s', (_title, make: () => Model) => {
    const model = canonicalModel(make());
    const grouping = findGroups(model);
    const counts = grouping.groups.map(({ channels }) => [channels, channels - 1, 2]);
    const { signature, ...parts } = describeModel(model, grouping, counts, new Set());
    const { manifest: made } = contentsOf(model);
    const manifest = manifestOf({
      ...made,
      ...parts,
      ratios: [0, 0.3, 0.6],
      model: { ...made.model, ...signature },
    });
    for (const levels of [grouping.groups.map(() => 1), grouping.groups.map((_, i) => (i * 2 + 1) % 3)]) {
      const keep = new Map(
        grouping.groups.map(({ id }) => [id, [...Array(counts[id]?.[levels[id] as number]).keys()]]),
      );
      expect(Math.round(totalCosts(manifest, levels).macs)).toBe(macsCounter(model, grouping)(keep));
    }
    const recurrent = new Set(
      model.graph.nodes.filter(({ op }) => op !== 'Conv' && op.length < 5).map(({ name }) => name),
    );
    for (const stage of manifest.stages) {
      expect(stage.otherMacs).toBeUndefined();
      if (stage.layers.some((name) => recurrent.has(name) && name !== 'head' && name !== 'middle')) {
        expect(stage.split).toBe('none');
      }
      expect(
        stageCosts(
          manifest,
          stage.index,
          grouping.groups.map(() => 0),
        ).weightBytes,
      ).toBeGreaterThan(0);
    }
  });
});

/** Samples `[2, 7]` without labels, smooth over the steps. */
function waves(size: number, seed: number): Dataset {
  const random = new Random(seed);
  const samples = new Float32Array(size * 14);
  for (let row = 0; row < 2 * size; row++) {
    const [height, turn] = [random.normal(), 6 * random.uniform()];
    for (let t = 0; t < 7; t++) samples[row * 7 + t] = height * Math.sin(turn + t) + 0.2 * random.normal();
  }
  return { ...plantedSamples(4, 1, false), labels: undefined, size, sampleShape: [2, 7], samples };
}

describe('the recurrent layers of variants', () => {
  let root: string;
  let bundle: Bundle;
  const contents = async () => {
    const { contents: packed } = await packModel(canonicalModel(lastStepNet('LSTM')), PLANTED_PROVENANCE, {
      name: 'net',
      calibration: waves(40, 2),
      validation: waves(60, 3),
      criterion: findCriterion('l2'),
      ratios: [0, 0.4],
      block: 1,
      variants: 16,
      measureSeconds: false,
      seed: 1,
    });
    return packed;
  };
  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'bedside-recurrent-'));
    await writeBundle(join(root, 'b'), await contents());
    bundle = await openBundle(join(root, 'b'));
  });
  afterAll(() => rm(root, { recursive: true, force: true }));

  /** Variants with refitted recurrent weights. */
  const refitted = (): number[] =>
    bundle.manifest.variants.flatMap((_, index) =>
      [...bundle.tensors.keys()].some((name) => name.startsWith(`variant/${index}/recurrent/`))
        ? [index]
        : [],
    );

  it('are refitted: answers come nearer to the unpruned ones, on samples of neither draw', async () => {
    const samples = waves(200, 9);
    const answers = async (model: Model) =>
      (await evaluateModel(model, samples, { name: 'net', reference: 'own' })).logits;
    const whole = await answers(bundle.model);
    const distance = async (model: Model) =>
      (await answers(model)).reduce((sum, value, i) => sum + (value - (whole[i] as number)) ** 2, 0);
    expect(refitted().length).toBeGreaterThan(0);
    let [plain, corrected] = [0, 0];
    for (const index of refitted()) {
      const { levels } = must(bundle.manifest.variants[index], 'a variant');
      plain += await distance(assembleModel(bundle, levels));
      corrected += await distance(assembleModel(bundle, levels, { correction: index }));
    }
    expect(corrected).toBeLessThan(0.6 * plain);
  });

  it('make a version that older readers refuse, which bundles without them do not need', async () => {
    expect(bundle.manifest.version).toBe(4);
    const { tensors, ...rest } = await contents();
    const without = new Map([...tensors].filter(([name]) => !isRecurrentPart(name)));
    expect((await writeBundle(join(root, 'old'), { tensors: without, ...rest })).version).toBe(2);
    expect((await openBundle(join(root, 'old'))).manifest.version).toBe(2);
  });

  it('belong to the part of a bundle that has their stage', async () => {
    const { index: cut } = cutBundle(bundle, await readFile(join(bundle.dir, 'bundle.json')));
    expect(Object.keys(cut.tensors).filter(isRecurrentPart)).toHaveLength(3 * refitted().length);
  });

  it('must be complete, and as large as the layer', () => {
    const [index = 0] = refitted();
    const { levels } = must(bundle.manifest.variants[index], 'a variant');
    const correction = storedCorrection(bundle.tensors, index, bundle.manifest.layers);
    const [[layer, weights] = []] = correction.recurrent ?? [];
    const bias = { dims: [1, 2], data: new Float32Array(2) };
    const recurrent = new Map([[must(layer, 'a layer'), { ...must(weights, 'weights'), bias }]]);
    expect(() => assembleModel(bundle, levels, { correction: { ...correction, recurrent } })).toThrow(
      /bias of 'LSTM' is \[1, 2\]/,
    );
  });
});
