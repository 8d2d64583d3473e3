// The pre-trained networks: their groups, cut equals masked on each, and budgets met.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { findGroups, type Grouping, sliceModel } from '../channels/index.ts';
import { expectCutEqualsMasked, run } from '../channels/test-support/net.ts';
import { loadModel, type Model, modelCosts, readModel, writeModel } from '../onnx/index.ts';
import { canonicalGraph } from '../onnx/internal.ts';
import { Random } from '../util/internal.ts';
import { LONG } from '../util/test-support/rounds.ts';
import { selectForMacs } from './select/budget.ts';

const FOLDER = join(process.env.BEDSIDE_SHARED ?? join(import.meta.dirname, '../../../shared'), 'models');

interface Expected {
  /** Units, and number of producing layers, of each group in execution order. */
  readonly groups: readonly (readonly [units: number, layers: number])[];
  readonly classes: number;
}

const chain = (...units: number[]): [number, number][] => units.map((count) => [count, 1]);

const NETWORKS: Record<string, Expected> = {
  // A stem, then four stages of two convolutions of which the second meets a projection.
  'ecg-resnet1d.onnx': {
    groups: [
      [32, 1],
      ...[32, 64, 128, 128].flatMap((w): [number, number][] => [
        [w, 1],
        [w, 2],
      ]),
    ],
    classes: 5,
  },
  'medical-mnist-vgg16.onnx': {
    groups: chain(32, 32, 64, 64, 128, 128, 128, 256, 256, 256, 256, 256, 256, 256),
    classes: 6,
  },
  // In each stage the trunk joins what starts it (stem or projection) and both blocks' second convolutions.
  'medical-mnist-resnet18.onnx': {
    groups: [
      [64, 3],
      ...chain(64, 64),
      ...[128, 256, 512].flatMap((w): [number, number][] => [
        [w, 1],
        [w, 3],
        [w, 1],
      ]),
    ],
    classes: 6,
  },
};
describe.each(Object.entries(NETWORKS))('%s', (file, expected) => {
  const path = join(FOLDER, file);
  const missing = !existsSync(path);
  let model: Model;
  let grouping: Grouping;
  beforeAll(async () => {
    if (missing) return;
    model = canonicalGraph(await loadModel(path));
    grouping = findGroups(model);
  });

  it('has the groups of its architecture', (context) => {
    context.skip(missing, `no pre-trained models in ${FOLDER}`);
    expect(grouping.groups.map((group) => [group.channels, group.layers.length])).toEqual(expected.groups);
    expect(grouping.frozen).toEqual([
      {
        layer: expect.any(String),
        channels: expected.classes,
        reason: "they reach the model's output 'logits'",
      },
    ]);
  });

  it('computes the same cut as masked, group by group and mixed', async (context) => {
    context.skip(missing, `no pre-trained models in ${FOLDER}`);
    // A run of the wide ones takes long, and one after the other their groups are alike.
    await expectCutEqualsMasked(model, 5, LONG || file.startsWith('ecg') ? 1 : 3);
  });

  it.each([0.5, 0.25])('meets a budget of %d of its multiply-accumulates', async (macsFraction) => {
    if (missing) return; // said above
    const random = new Random(7);
    const scores = new Map(
      grouping.groups.map((g) => [g.id, Float64Array.from({ length: g.channels }, () => random.uniform())]),
    );
    const full = modelCosts(model).macs;
    const blocks = [
      [1, 0.02],
      [16, 0.12],
    ] as const;
    // The wide ones take long: single channels for the one budget, blocks for the other.
    const usual = LONG || file.startsWith('ecg') ? blocks : [blocks[Number(macsFraction < 0.5)] ?? blocks[0]];
    for (const [block, slack] of usual) {
      const keep = selectForMacs(model, grouping, scores, { macsFraction, block });
      const written = readModel(writeModel(sliceModel(model, grouping, keep)), 'cut');
      const fraction = modelCosts(written).macs / full;
      expect(fraction).toBeLessThanOrEqual(macsFraction);
      expect(fraction).toBeGreaterThan(macsFraction - slack);
      expect((await run(written, 2)).every(Number.isFinite)).toBe(true);
    }
  });
});
