// Stages in their eight-bit forms, and tensors that travel as eight bits: devices give what the stages give one after the
// other on one machine, in whole and in parts, and the bytes that they say cross links.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { assembleModel, type Bundle } from '../bundle/index.ts';
import { findVariant, rangesAt } from '../bundle/internal.ts';
import { largestDifference } from '../channels/test-support/net.ts';
import { tensor } from '../engine/index.ts';
import { canonicalGraph, sizeOf } from '../onnx/internal.ts';
import { StageChain } from '../pack/internal.ts';
import { must } from '../util/index.ts';
import { Random } from '../util/internal.ts';
import { Device } from './device/device.ts';
import { StageModels } from './device/stage-model.ts';
import type { TensorMessage } from './protocol/messages.ts';
import { type RunPlan, takesIntegers } from './protocol/plan.ts';
import { floatsOf, roundTensor } from './protocol/rounded-tensor.ts';
import { fromWire, toWire } from './protocol/wire.ts';
import { localPlanOf, randomPlan, randomSample, splitBundle, writtenBundle } from './test-support/bundles.ts';
import { eightBitBundle, samplesOf } from './test-support/eight-bit-bundle.ts';
import { inOneProcess } from './test-support/in-one-process.ts';
import { mixedNet } from './test-support/mixed-net.ts';

const DEVICES = ['source', 'b', 'c', 'd'];
const UNSEEN = 'levels that were not measured';

let folder: string;
let bundle: Bundle;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bedside-eight-bit-'));
  const plain = await writtenBundle(join(folder, 'plain'), canonicalGraph(mixedNet()));
  bundle = await eightBitBundle(plain, join(folder, 'eight-bit'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** The stages one after the other, each as the plan says, with the input of every eight-bit stage rounded. */
async function byStages(of: Bundle, plan: RunPlan, sample: Float32Array): Promise<Float32Array> {
  const { manifest } = of;
  const variant = findVariant(manifest, plan.levels);
  const correction =
    variant !== undefined && manifest.variants[variant]?.corrected ? { correction: variant } : {};
  const model = assembleModel(of, plan.levels, correction);
  const forms = must(manifest.eightBit, 'forms');
  const chain = new StageChain(
    { model, stages: manifest.stages, forms, ranges: rangesAt(of, plan.levels) },
    { name: 'whole', threads: 1, batch: 1 },
  );
  const one = { ...samplesOf(of, 1, 1), samples: sample };
  const scores = await chain.scores(one, {
    int8: (stage) => plan.stages[stage]?.precision === 'int8',
    rounded: (stage) => plan.stages[stage]?.wire === 'uint8',
  });
  await chain.release();
  return scores;
}

/** The plan with precisions: stages of several partial sums stay in float32, as planners have it. */
function inPrecisions(plan: RunPlan, choose: (stage: number) => boolean): RunPlan {
  const stages = plan.stages.map((stage) => {
    const { split } = must(bundle.manifest.stages[stage.index], 'a stage');
    const has = (bundle.manifest.eightBit?.[stage.index]?.layers.length ?? 0) > 0;
    const int8 = has && choose(stage.index) && (split !== 'partial-sums' || stage.segments.length === 1);
    return {
      ...stage,
      ...(int8 ? { precision: 'int8' as const } : {}),
      ...(int8 && stage.index > 0 ? { wire: 'uint8' as const } : {}),
    };
  });
  return { ...plan, stages };
}

describe('eight-bit forms', () => {
  it('are there for stages with convolutions and dense layers, near the float32 network', () => {
    const forms = must(bundle.manifest.eightBit, 'forms');
    expect(forms.filter(({ layers }) => layers.length > 0).length).toBeGreaterThan(4);
    expect(bundle.manifest.variants[0]?.eightBit?.agreement).toBeGreaterThan(0.9);
    for (const { loss, inputLoss = 0 } of forms) expect(Math.max(loss, inputLoss)).toBeLessThan(0.2);
  });

  it('run on devices, whole and in parts, as one after the other on one machine', async () => {
    await using run = await inOneProcess(
      bundle,
      DEVICES.map((name) => ({ name })),
    );
    const random = new Random(5);
    let parts = 0;
    for (let draw = 0; draw < 8; draw++) {
      const float32 =
        draw % 2 === 0
          ? randomPlan(bundle, DEVICES, random)
          : localPlanOf(
              bundle,
              'source',
              random.integer(2) === 0
                ? bundle.manifest.groups.map(() => 0)
                : bundle.manifest.groups.map(() => 1),
            );
      const plan = inPrecisions(float32, (stage) => draw < 4 || (stage + draw) % 3 > 0);
      parts += plan.stages.filter(
        ({ segments, precision }) => segments.length > 1 && precision === 'int8',
      ).length;
      const input = randomSample(bundle, random);
      const { logits } = await run.requester.infer(input, plan);
      const expected = await byStages(bundle, plan, input.data);
      // A number between two integers may be rounded to either: parts add in another order.
      const spread = Math.max(...expected.map(Math.abs));
      expect(largestDifference(logits.data, expected)).toBeLessThan(0.08 * spread);
    }
    expect(parts).toBeGreaterThan(2);
  });

  it('give the same to the last bit when a device runs several stages as one', async () => {
    await using run = await inOneProcess(bundle, [{ name: 'source' }]);
    const levels = bundle.manifest.groups.map(() => 0);
    const { stages } = inPrecisions(localPlanOf(bundle, 'source', levels), () => true);
    // Nothing crosses a link, so nothing is rounded on the way.
    const plan = { levels, stages: stages.map((stage) => ({ ...stage, wire: 'float32' as const })) };
    expect(plan.stages.filter(({ precision }) => precision === 'int8').length).toBeGreaterThan(4);
    const input = randomSample(bundle, new Random(21));
    const first = await run.requester.infer(input, plan);
    await run.requester.warm(plan);
    const { sessions } = await run.requester.report('source');
    const fused = await run.requester.infer(input, plan);
    expect(sessions).toBeGreaterThan(plan.stages.length);
    expect([...fused.logits.data]).toEqual([...first.logits.data]);
    expect([...fused.logits.data]).toEqual([...(await byStages(bundle, plan, input.data))]);
  });

  it('take integers that came over a link as they are, and give the same to the last bit', async () => {
    const levels = bundle.manifest.groups.map(() => 0);
    const { stages } = inPrecisions(localPlanOf(bundle, 'source', levels), () => true);
    const local = { levels, stages: stages.map((stage) => ({ ...stage, wire: 'float32' as const })) };
    // Every stage on another device than the one before.
    const apart = {
      levels,
      stages: stages.map((stage) => ({
        ...stage,
        segments: stage.segments.map((segment) => ({
          ...segment,
          device: DEVICES[stage.index % 2] as string,
        })),
      })),
    };
    const random = new Random(13);
    const [here, there] = [new Device({ name: 'source' }, [bundle]), new Device({ name: 'b' }, [bundle])];
    const models = here.stages(bundle.sha256);
    let taken = 0;
    for (const { index, wire } of stages) {
      if (wire !== 'uint8') continue;
      const dims = [2, ...models.inputShape(index, levels).slice(1)];
      const data = Float32Array.from({ length: sizeOf(dims) }, () => random.normal());
      const rounded = roundTensor(tensor(data, dims), models.inputScale(index, levels));
      const device = index % 2 === 0 ? here : there;
      const at = { bundle: bundle.sha256, stage: index, segment: 0 };
      const given = await device.run(`integers ${index}`, { ...at, plan: apart }, rounded);
      const same = await here.run(`numbers ${index}`, { ...at, plan: local }, floatsOf(rounded));
      expect([...given.output.data]).toEqual([...same.output.data]);
      taken += takesIntegers(apart, index) && !takesIntegers(local, index) ? 1 : 0;
    }
    expect(taken).toBeGreaterThan(4);
    await here.close();
    await there.close();
  });

  it('send a quarter of the bytes, and the numbers that one machine rounds to', async () => {
    await using run = await inOneProcess(
      bundle,
      DEVICES.map((name) => ({ name })),
    );
    const random = new Random(9);
    const levels = bundle.manifest.groups.map(() => 0);
    const { stages } = localPlanOf(bundle, 'source', levels);
    const alternate = {
      levels,
      stages: stages.map((stage) => ({
        ...stage,
        ...(stage.index > 0 ? { wire: 'uint8' as const } : {}),
        segments: stage.segments.map((segment) => ({
          ...segment,
          device: DEVICES[stage.index % 2] as string,
        })),
      })),
    };
    const input = randomSample(bundle, random);
    const { logits } = await run.requester.infer(input, alternate);
    const expected = await byStages(bundle, alternate, input.data);
    expect(largestDifference(logits.data, expected)).toBeLessThan(1e-5);
    const crossed = run.fabric.sent.flatMap(({ to, message }) =>
      message.kind === 'part' && message.stage >= 0 && to !== 'requester' ? [message.tensor] : [],
    );
    expect(crossed.length).toBe(stages.length - 1);
    expect(new Set(crossed.map(({ type }) => type))).toEqual(new Set(['uint8']));
    const bytes = crossed.reduce((sum, { data }) => sum + data.byteLength, 0);
    const whole = bundle.manifest.stages.slice(0, -1).reduce((sum, stage) => sum + stage.outputBytes, 0);
    expect(bytes).toBe(whole / 4);
  });

  it(`run at ${UNSEEN} by what the ranges of all variants span`, async () => {
    await using run = await inOneProcess(bundle, [{ name: 'source' }]);
    const levels = bundle.manifest.groups.map((_, group) => (group % 2 === 0 ? 2 : 0));
    const plan = inPrecisions(localPlanOf(bundle, 'source', levels), () => true);
    const input = randomSample(bundle, new Random(11));
    const { logits } = await run.requester.infer(input, plan);
    expect(largestDifference(logits.data, await byStages(bundle, plan, input.data))).toBeLessThan(0.05);
  });

  it('are timed by devices beside the float32 ones', async () => {
    await using run = await inOneProcess(bundle, [{ name: 'source' }]);
    const { seconds, secondsInt8 } = await run.requester.measure('source');
    const { name, stages, ratios } = bundle.manifest;
    for (const table of [seconds[name], secondsInt8?.[name]]) {
      expect(table?.map((row) => row.length)).toEqual(stages.map(() => ratios.length));
    }
  });
});

describe('tensors as eight bits', () => {
  it('are the nearest integers, and the same after a way over a wire', () => {
    const scale = { scale: 0.5, zero: 3 };
    const given = {
      type: 'float32' as const,
      dims: [1, 7],
      data: Float32Array.of(0, 0.5, 0.25, 0.75, -9, 1e9, 0.3),
    };
    const rounded = roundTensor(given, scale);
    expect([...rounded.data]).toEqual([3, 4, 3, 5, 0, 255, 4]);
    const message = {
      kind: 'part',
      request: 'r',
      epoch: 0,
      requester: 'q',
      stage: 1,
      segment: 0,
      remaining: 1,
    };
    const { head, body } = toWire({ ...message, tensor: rounded } as TensorMessage);
    expect(body.length).toBe(8);
    const back = fromWire<TensorMessage>(head, new Float32Array(Uint8Array.from(body).buffer));
    expect(back.tensor).toMatchObject({ type: 'uint8', dims: [1, 7], scale: 0.5, zero: 3 });
    expect([...back.tensor.data]).toEqual([...rounded.data]);
    expect([...floatsOf(back.tensor).data]).toEqual([0, 0.5, 0, 1, -1.5, 126, 0.5]);
  });

  it('are refused where scale, zero point or length are wrong', () => {
    const head = (tensor: object) => Buffer.from(JSON.stringify({ kind: 'part', stage: 1, tensor }));
    const good = { dims: [1, 4], scale: 0.5, zero: 3 };
    expect(() => fromWire(head(good), new Float32Array(1))).not.toThrow();
    for (const wrong of [{ scale: 0 }, { scale: 'x' }, { zero: 256 }, { zero: 0.5 }, { dims: [1, 9] }]) {
      expect(() => fromWire(head({ ...good, ...wrong }), new Float32Array(1))).toThrow(/malformed/);
    }
  });
});

describe('a bundle', () => {
  it('without eight-bit forms refuses a plan that asks for them', async () => {
    const plain = splitBundle(canonicalGraph(mixedNet()));
    await using run = await inOneProcess(plain, [{ name: 'source' }]);
    const levels = plain.manifest.groups.map(() => 0);
    const { stages } = localPlanOf(plain, 'source', levels);
    const plan = { levels, stages: stages.map((stage) => ({ ...stage, precision: 'int8' as const })) };
    const asked = run.requester.infer(randomSample(plain, new Random(1)), plan);
    await expect(asked).rejects.toMatchObject({ code: 'E_BUNDLE' });
  });
});

it('has its turns between the layers of a stage that is rounded, so that a device is heard meanwhile', async () => {
  const { stages, eightBit, groups } = bundle.manifest;
  const models = new StageModels(bundle);
  const levels = groups.map(() => 0);
  const whole = { first: 0, last: stages.length - 1 };
  const round = () => models.eightBit(models.span(whole, levels), whole, levels, false);
  // The first one loads what it needs, which has turns of its own.
  await round();
  let turns = 0;
  let isOver = false;
  const turn = (): void => {
    turns++;
    if (!isOver) setImmediate(turn);
  };
  setImmediate(turn);
  await round();
  isOver = true;
  expect(turns).toBeGreaterThanOrEqual(must(eightBit, 'forms').flatMap(({ layers }) => layers).length - 1);
});
