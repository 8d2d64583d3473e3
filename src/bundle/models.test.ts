// The pre-trained networks put in order and packed: the same logits, and each mix of levels as small as it should be.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { findGroups } from '../channels/index.ts';
import { reorderChannels } from '../channels/internal.ts';
import { largestDifference, run } from '../channels/test-support/net.ts';
import { loadModel, modelCosts } from '../onnx/index.ts';
import { canonicalGraph } from '../onnx/internal.ts';
import { Random } from '../util/internal.ts';
import { assembleModel } from './assemble.ts';
import { totalCosts } from './costs.ts';
import { bundleOf, randomLevels } from './test-support/contents.ts';

const FOLDER = join(process.env.BEDSIDE_SHARED ?? join(import.meta.dirname, '../../../shared'), 'models');

describe.each(['ecg-resnet1d', 'medical-mnist-vgg16', 'medical-mnist-resnet18'])('%s', (name) => {
  const path = join(FOLDER, `${name}.onnx`);

  it.skipIf(!existsSync(path))('is put in order, and together again (needs the shared folder)', async () => {
    const model = canonicalGraph(await loadModel(path));
    const grouping = findGroups(model);
    const random = new Random(1);
    const order = grouping.groups.map(({ id, channels }): [number, number[]] => [
      id,
      random.shuffle(Array.from({ length: channels }, (_, unit) => unit)),
    ]);
    const { model: reordered, fixed } = reorderChannels(model, grouping, new Map(order));
    expect(fixed.size).toBe(0);
    const [before, after] = [await run(model, 2), await run(reordered, 2)];
    const scale = before.reduce((most, value) => Math.max(most, Math.abs(value)), 1);
    expect(largestDifference(before, after) / scale).toBeLessThan(1e-5);

    const bundle = bundleOf(reordered);
    expect(bundle.grouping.groups).toEqual(grouping.groups);
    const levels = randomLevels(bundle.manifest, random);
    const { macs, parameters } = modelCosts(assembleModel(bundle, levels));
    const costs = totalCosts(bundle.manifest, levels);
    expect(macs).toBe(Math.round(costs.macs));
    const other = bundle.manifest.stages.reduce((sum, stage) => sum + stage.otherBytes, 0);
    expect(4 * parameters).toBeGreaterThanOrEqual(Math.round(costs.weightBytes - other));
  });
});
