// What devices give when they round is, to the last bit, what the same pieces give on one machine.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Bundle } from '../../bundle/index.ts';
import { canonicalGraph } from '../../onnx/internal.ts';
import type { RunPlan } from '../../run/index.ts';
import { randomPlan, randomSample, writtenBundle } from '../../run/test-support/bundles.ts';
import { eightBitBundle } from '../../run/test-support/eight-bit-bundle.ts';
import { inOneProcess } from '../../run/test-support/in-one-process.ts';
import { mixedNet } from '../../run/test-support/mixed-net.ts';
import { Random } from '../../util/internal.ts';
import { SingleMachine } from './single-machine.ts';

const DEVICES = ['source', 'b', 'c'];

let folder: string;
let bundle: Bundle;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bedside-pieces-'));
  const plain = await writtenBundle(join(folder, 'plain'), canonicalGraph(mixedNet()));
  bundle = await eightBitBundle(plain, join(folder, 'eight-bit'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Half of the stages in eight bits, and some float32 stages that get their input so. */
function rounding({ levels, stages }: RunPlan, random: Random): RunPlan {
  return {
    levels,
    stages: stages.map((stage) => {
      const has = (bundle.manifest.eightBit?.[stage.index]?.layers.length ?? 0) > 0;
      const sums = bundle.manifest.stages[stage.index]?.split === 'partial-sums';
      const int8 = has && random.integer(2) === 0 && !(sums && stage.segments.length > 1);
      const wire = stage.index > 0 && (int8 || random.integer(3) === 0) ? 'uint8' : 'float32';
      return { ...stage, precision: int8 ? 'int8' : 'float32', wire } as const;
    }),
  };
}

it('is the same for random plans with parts, sums and rounded tensors, also when stages run as one', async () => {
  await using run = await inOneProcess(
    bundle,
    DEVICES.map((name) => ({ name })),
  );
  const random = new Random(3);
  const single = new SingleMachine(bundle);
  for (let draw = 0; draw < 6; draw++) {
    const plan = rounding(randomPlan(bundle, DEVICES, random), random);
    const input = randomSample(bundle, random);
    for (let again = 0; again < 2; again++) {
      const { logits } = await run.requester.infer(input, plan);
      expect([...logits.data]).toEqual([...(await single.run(plan.levels, input, plan))]);
      await run.requester.warm(plan);
    }
  }
  await single.close();
});
