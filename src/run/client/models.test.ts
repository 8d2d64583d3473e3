// The shared pre-trained networks on workers, with random plans: they give the logits of one machine.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { largestDifference } from '../../channels/test-support/net.ts';
import { loadModel } from '../../onnx/index.ts';
import { canonicalGraph } from '../../onnx/internal.ts';
import { Random } from '../../util/internal.ts';
import { onOneMachine, randomPlan, randomSample, splitBundle } from '../test-support/bundles.ts';
import { inOneProcess } from '../test-support/in-one-process.ts';

const FOLDER = join(process.env.BEDSIDE_SHARED ?? join(import.meta.dirname, '../../../../shared'), 'models');
const DEVICES = ['source', 'b', 'c', 'd'];

describe.each(['ecg-resnet1d', 'medical-mnist-vgg16', 'medical-mnist-resnet18'])('%s', (name) => {
  const path = join(FOLDER, `${name}.onnx`);

  it.skipIf(!existsSync(path))('gives the same on workers (needs the shared folder)', async () => {
    const bundle = splitBundle(canonicalGraph(await loadModel(path)));
    await using run = await inOneProcess(
      bundle,
      DEVICES.map((device) => ({ name: device })),
      false,
      true,
    );
    const random = new Random(12);
    for (let draw = 0; draw < 2; draw++) {
      let plan = randomPlan(bundle, DEVICES, random);
      while (plan.stages.every(({ segments }) => segments.length === 1)) {
        plan = randomPlan(bundle, DEVICES, random);
      }
      const input = randomSample(bundle, random);
      const single = await onOneMachine(bundle, plan.levels, input);
      // Announced or not: whole stages run as one, or one by one.
      if (draw === 0) await run.requester.warm(plan);
      const { logits } = await run.requester.infer(input, plan);
      expect(largestDifference(logits.data, single)).toBeLessThan(1e-4);
    }
  });
});
