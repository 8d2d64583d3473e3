// Costs of levels against counting on the cut model itself, and times against tables worked out by hand.
import { describe, expect, it } from 'vitest';
import { findGroups, sliceModel } from '../channels/index.ts';
import { macsCounter, reorderChannels } from '../channels/internal.ts';
import { randomNet } from '../channels/test-support/random-net.ts';
import { inferShapes, modelCosts } from '../onnx/index.ts';
import { sizeOf } from '../onnx/internal.ts';
import { must } from '../util/index.ts';
import { Random } from '../util/internal.ts';
import { layerCosts, stageCosts, totalCosts } from './costs.ts';
import { keptUnitsAt } from './levels.ts';
import type { BundleManifest, Share } from './manifest.ts';
import { bundleOf, randomLevels } from './test-support/contents.ts';
import { weightLayouts } from './weight-layout.ts';

/** Seeds of networks in which the units of every group are equally wide, as proportions assume. */
const SEEDS = Array.from({ length: 30 }, (_, seed) => seed).filter((seed) => {
  const model = randomNet(seed);
  const grouping = findGroups(model);
  const backwards = grouping.groups.map(({ id, channels }): [number, number[]] => [
    id,
    Array.from({ length: channels }, (_, unit) => channels - 1 - unit),
  ]);
  return reorderChannels(model, grouping, new Map(backwards)).fixed.size === 0;
});

describe('costs', () => {
  it('has networks to look at', () => {
    expect(SEEDS.length).toBeGreaterThan(15);
  });

  it.each(SEEDS)('are those of the cut model, on random network %i', (seed) => {
    const { manifest, model, grouping } = bundleOf(randomNet(seed));
    const random = new Random(seed);
    for (let mix = 0; mix < 4; mix++) {
      const levels = randomLevels(manifest, random);
      const keep = keptUnitsAt(manifest, levels);
      const cut = sliceModel(model, grouping, keep);
      const shapes = inferShapes(cut, 1);
      const bytes = (value: string): number => 4 * sizeOf(must(shapes.get(value), value));
      const total = totalCosts(manifest, levels);
      expect(Math.round(total.macs)).toBe(macsCounter(model, grouping)(keep));
      expect(Math.round(total.macs)).toBe(modelCosts(cut).macs);
      const regrouped = { ...grouping, shapes };
      let weightBytes = 0;
      for (const [name, view] of weightLayouts(cut, regrouped)) {
        const own = 4 * (view.weight.data.length + (view.bias?.data.length ?? 0));
        weightBytes += own;
        const layer = layerCosts(manifest, name, levels);
        expect(layer.weightBytes, name).toBeCloseTo(own, 6);
        expect(layer.outputBytes, name).toBeCloseTo(bytes(view.node.outputs[0] ?? ''), 6);
        expect(layer.inputBytes, name).toBeCloseTo(bytes(view.node.inputs[view.layout.data] ?? ''), 6);
        expect(layer.seconds).toBeUndefined();
      }
      const other = manifest.stages.reduce((sum, stage) => sum + stage.otherBytes, 0);
      expect(total.weightBytes).toBeCloseTo(weightBytes + other, 6);
      let crossing = 0;
      for (const { index, input, output, layers } of manifest.stages) {
        const stage = stageCosts(manifest, index, levels);
        expect([stage.inputBytes, stage.outputBytes]).toEqual(
          [input, output].map((v) => expect.closeTo(bytes(v), 6)),
        );
        if (index < manifest.stages.length - 1) crossing += bytes(output);
        const held = layers
          .map((name) => layerCosts(manifest, name, levels))
          .map((l) => l.inputBytes + l.outputBytes);
        expect(stage.activationBytes).toBe(Math.max(...held));
      }
      expect(total.crossingBytes).toBeCloseTo(crossing, 6);
      expect(total.seconds).toBeUndefined();
    }
  });

  it('refuse levels and layers that there are not', () => {
    const { manifest } = bundleOf(randomNet(0));
    const none = manifest.groups.map(() => 0);
    expect(() => totalCosts(manifest, [])).toThrow(expect.objectContaining({ code: 'E_LEVELS' }));
    expect(() => stageCosts(manifest, 99, none)).toThrow(/no stage 99/);
    expect(() => layerCosts(manifest, 'ghost', none)).toThrow(/no layer 'ghost'/);
  });
});

/** Layers in one stage, three groups of 8 channels at three levels. */
function timed(
  layers: readonly {
    reads: readonly Share[];
    outputs: readonly Share[];
    seconds: readonly (readonly number[])[];
  }[],
  stageSeconds?: readonly number[],
): BundleManifest {
  const { manifest } = bundleOf(randomNet(0));
  const rest = {
    stage: 0,
    macs: 0,
    weightBytes: 0,
    biasBytes: 0,
    inputBytes: 0,
    outputBytes: 0,
    tables: false,
  };
  return {
    ...manifest,
    ratios: [0, 0.25, 0.75],
    groups: [0, 1, 2].map((id) => ({ id, channels: 8, layers: [], counts: [8, 6, 2] })),
    layers: layers.map((layer, i) => ({ name: `l${i}`, inputs: layer.reads, ...rest, ...layer })),
    stages: [{ ...must(manifest.stages[0], 'stage'), index: 0, outputShares: [], seconds: stageSeconds }],
  };
}

describe('seconds', () => {
  const table = [
    [9, 8, 7],
    [6, 5, 4],
    [3, 2, 1],
  ];
  const one = (group: number): Share[] => [{ group, share: 1 }];

  it('are those of the table where each side is at one level', () => {
    const manifest = timed([{ reads: one(0), outputs: one(1), seconds: table }]);
    expect(layerCosts(manifest, 'l0', [0, 0, 0]).seconds).toBe(9);
    expect(layerCosts(manifest, 'l0', [2, 1, 0]).seconds).toBe(2);
    expect(totalCosts(manifest, [1, 2, 0]).seconds).toBe(4);
  });

  it('lie between levels by the fraction of channels that stays', () => {
    const halves = [
      { group: 0, share: 0.5 },
      { group: 1, share: 0.5 },
    ];
    const manifest = timed([{ reads: halves, outputs: one(2), seconds: table }]);
    // 1 and 1/4 of the halves stay: 5/8, a quarter of the way from level 1 (3/4) to level 2 (1/4).
    expect(layerCosts(manifest, 'l0', [0, 2, 0]).seconds).toBeCloseTo(6 - 0.25 * 3, 12);
    // 1 and 3/4: 7/8, halfway from level 0 to level 1.
    expect(layerCosts(manifest, 'l0', [1, 0, 2]).seconds).toBeCloseTo((7 + 4) / 2, 12);
    // The sum over half a tensor that always stays: both at level 2 is level 2.
    const part = [
      { group: 0, share: 0.25 },
      { group: 1, share: 0.25 },
    ];
    const beside = timed([{ reads: part, outputs: [], seconds: table }]);
    expect(layerCosts(beside, 'l0', [2, 2, 0]).seconds).toBe(3);
    expect(layerCosts(beside, 'l0', [0, 0, 0]).seconds).toBe(9);
  });

  it('of a stage are corrected by what it took as a whole', () => {
    const layers = [
      { reads: one(0), outputs: one(1), seconds: table },
      { reads: one(1), outputs: one(0), seconds: table },
    ];
    // Twice the layers at level 0, three times at level 1, four times at level 2.
    const manifest = timed(layers, [36, 30, 8]);
    expect(stageCosts(manifest, 0, [0, 0, 2]).seconds).toBe(36);
    expect(stageCosts(manifest, 0, [1, 1, 0]).seconds).toBe(30);
    expect(stageCosts(manifest, 0, [2, 2, 0]).seconds).toBe(8);
    // Layers 8 and 6; mean level 1/2.
    expect(stageCosts(manifest, 0, [0, 1, 0]).seconds).toBeCloseTo(2.5 * (8 + 6), 12);
    expect(stageCosts(timed(layers), 0, [0, 1, 0]).seconds).toBe(14);
  });
});
