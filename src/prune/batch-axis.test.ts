// Networks that hold their samples elsewhere than on the first axis are cut, repaired and corrected as their twins that
// do: the same channels, the same places, the same weights.
import { describe, expect, it } from 'vitest';
import { findGroups, type KeptUnits, maskModel, sliceModel } from '../channels/index.ts';
import { canonicalModel, type Model } from '../onnx/index.ts';
import { batchAxes, isBatchFirst } from '../onnx/internal.ts';
import { BATCH_NETS, TWINS } from '../onnx/test-support/batch-nets.ts';
import { randomFeeds, run } from '../onnx/test-support/models.ts';
import { AffineCorrector, describeModel, isTimeable, layerSubgraphs, withSamples } from '../pack/internal.ts';
import { repair } from '../repair/index.ts';
import { withBiases } from '../repair/internal.ts';
import { samplesFor } from '../repair/test-support/nets.ts';
import { must } from '../util/index.ts';
import { Random } from '../util/internal.ts';
import { findCriterion } from './criteria.ts';

async function logits(model: Model, batch = 3): Promise<Float32Array> {
  const { y } = await run(model, randomFeeds(model, batch));
  return must(y?.type === 'float32' ? y.data : undefined, 'no logits');
}

/** The largest difference, as a share of the largest value. */
function apart(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(b.length).toBe(a.length);
  const most = Math.max(...Array.from(a, Math.abs));
  return Math.max(...Array.from(a, (x, i) => Math.abs(x - (b[i] as number)))) / most;
}

/** Every second unit of each group. */
function halved(model: Model) {
  const grouping = findGroups(model);
  const keep: KeptUnits = new Map(
    grouping.groups.map(({ id, channels }) => [id, Array.from({ length: channels >> 1 }, (_, i) => 2 * i)]),
  );
  return { grouping, keep, cut: sliceModel(model, grouping, keep) };
}

describe('the batch on another axis', () => {
  it.each(Object.keys(BATCH_NETS))('stages and timed parts make the network: %s', async (kind) => {
    const model = canonicalModel((BATCH_NETS[kind] as () => Model)());
    const grouping = findGroups(model);
    const counts = grouping.groups.map(({ channels }) => [channels, channels >> 1]);
    const { stages } = describeModel(model, grouping, counts, new Set());
    const places = batchAxes(model);
    for (const { output } of stages) expect(isBatchFirst(places.get(output)), output).toBe(true);
    expect(stages.length).toBeGreaterThan(1);
    const parts = [...layerSubgraphs(model, stages).values()].map((part) => withSamples(part, places, 3));
    const values = new Map(Object.entries(randomFeeds(model, 3)));
    for (const part of parts) {
      expect(isTimeable(part)).toBe(true);
      const feeds = part.graph.inputs.map(({ name, dims }) => {
        const value = must(values.get(name), name);
        // Sizes that are open are those of the batch alone.
        expect(dims?.map((dim) => (typeof dim === 'number' ? dim : 3))).toEqual(value.dims);
        return [name, value] as const;
      });
      for (const [name, value] of Object.entries(await run(part, Object.fromEntries(feeds))))
        values.set(name, value);
    }
    const { y } = Object.fromEntries(values);
    expect(apart(await logits(model), y?.data as Float32Array)).toBeLessThan(1e-5);
  });

  it.each(Object.keys(BATCH_NETS))('cut equals masked, and most layers can be cut: %s', async (kind) => {
    const model = canonicalModel((BATCH_NETS[kind] as () => Model)());
    const { grouping, keep, cut } = halved(model);
    expect(grouping.groups.length).toBeGreaterThan(1);
    expect(apart(await logits(maskModel(model, grouping, keep)), await logits(cut))).toBeLessThan(1e-5);
  });

  it.each(TWINS)('repaired as its twin: %s', async (_, make, plain) => {
    const repaired = await Promise.all(
      [make(), plain()].map(async (given) => {
        const model = canonicalModel(given);
        const { grouping, keep, cut } = halved(model);
        const calibration = samplesFor(model, 16);
        // Fewer places than there are, so that they are drawn.
        const options = { name: 'net', calibration, maxPositions: 256 };
        const result = await repair(model, cut, grouping, keep, options);
        return { layers: result.layers, logits: await logits(result.model), cut: await logits(cut) };
      }),
    );
    const [own, twin] = repaired as [(typeof repaired)[0], (typeof repaired)[0]];
    expect(own.layers.some(({ refit }) => refit)).toBe(true);
    expect(own.layers.map(({ rows }) => rows)).toEqual(twin.layers.map(({ rows }) => rows));
    expect(apart(twin.cut, own.cut)).toBeLessThan(1e-5);
    expect(apart(twin.logits, own.logits)).toBeLessThan(1e-3);
    expect(apart(twin.cut, twin.logits)).toBeGreaterThan(0.01);
  });

  it.each(TWINS)(
    'corrected as its twin, by factors and by changes of low rank: %s',
    async (_, make, plain) => {
      const [own, twin] = await Promise.all(
        [make(), plain()].map(async (given) => {
          const model = withBiases(canonicalModel(given));
          const { grouping, keep, cut } = halved(model);
          const options = { name: 'net', calibration: samplesFor(model, 16), threads: 1, batch: 5, seed: 3 };
          const corrector = await AffineCorrector.create(model, grouping, options);
          try {
            const fitted = await corrector.fit(cut, keep);
            return { fitted, enriched: await corrector.enrich(cut, keep, fitted) };
          } finally {
            await corrector.release();
          }
        }),
      );
      for (const step of ['fitted', 'enriched'] as const) {
        const [a, b] = [must(own, 'own')[step], must(twin, 'twin')[step]];
        expect(a.errorAfter / a.errorBefore).toBeLessThan(1);
        expect(a.errorAfter / b.errorAfter).toBeCloseTo(1, 2);
        const [x, y] = [must(a.correction, 'a correction'), must(b.correction, 'a correction')];
        expect(apart(y.scale, x.scale)).toBeLessThan(1e-2);
      }
    },
  );

  it.each(TWINS)('ranked by obs as its twin: %s', async (_, make, plain) => {
    const [own, twin] = await Promise.all(
      [make(), plain()].map((given) => {
        const model = canonicalModel(given);
        const { samples, size, sampleShape } = samplesFor(model, 12);
        return findCriterion('obs').score({
          model,
          modelName: 'net',
          calibration: { samples, count: size, sampleShape, labels: undefined },
          random: new Random(2),
          target: 'label',
          batch: 5,
          threads: 1,
        });
      }),
    );
    must(own, 'scores').forEach(({ scores }, l) => {
      const expected = must(twin?.[l], 'a layer').scores;
      if (expected.some((score) => score !== 0)) expect(apart(expected, scores)).toBeLessThan(1e-3);
    });
  });
});
