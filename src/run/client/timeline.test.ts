// The timeline of a request: what each device says of its part, put together and believed no further than the plan goes.
import { expect, it } from 'vitest';
import { canonicalGraph } from '../../onnx/internal.ts';
import { Random } from '../../util/internal.ts';
import { Spans } from '../protocol/spans.ts';
import { randomPlan, randomSample, splitBundle } from '../test-support/bundles.ts';
import { inOneProcess } from '../test-support/in-one-process.ts';
import { mixedNet } from '../test-support/mixed-net.ts';
import { Batcher } from './batches.ts';
import { inferWithFallback } from './confidence.ts';

const DEVICES = ['source', 'b', 'c', 'd'];
const bundle = splitBundle(canonicalGraph(mixedNet()));

it('has every segment of the plan once, in the order of its tensors, within the time of the request', async () => {
  await using run = await inOneProcess(
    bundle,
    DEVICES.map((name) => ({ name })),
    true,
  );
  const random = new Random(5);
  for (let draw = 0; draw < 4; draw++) {
    const plan = randomPlan(bundle, DEVICES, random);
    const result = await run.requester.infer(randomSample(bundle, random), plan, { timed: true });
    const timeline = result.timeline ?? [];
    const covered = timeline.flatMap(({ stage, last, segment, device }) =>
      Array.from({ length: last - stage + 1 }, (_, at) => `${stage + at} ${segment} ${device}`),
    );
    const planned = plan.stages.flatMap(({ index, segments }) =>
      segments.map(({ device }, segment) => `${index} ${segment} ${device}`),
    );
    expect(covered.toSorted()).toEqual(planned.toSorted());
    for (const { arrived, started, ended } of timeline) {
      expect(arrived).toBeGreaterThanOrEqual(0);
      expect(started).toBeGreaterThanOrEqual(arrived);
      expect(ended).toBeGreaterThan(started);
      expect(ended).toBeLessThanOrEqual(result.seconds + 1e-6);
    }
    for (const { stage, arrived, device } of timeline) {
      const before = timeline.filter((one) => one.last === stage - 1 && one.device === device);
      for (const one of before) expect(arrived).toBeGreaterThanOrEqual(one.ended - 2e-6);
    }
  }
});

it('is asked for: other requests carry nothing of it', async () => {
  await using run = await inOneProcess(
    bundle,
    DEVICES.map((name) => ({ name })),
  );
  const random = new Random(6);
  const plan = randomPlan(bundle, DEVICES, random);
  const result = await run.requester.infer(randomSample(bundle, random), plan);
  expect('timeline' in result).toBe(false);
  const asked = ({ spans, timed }: { spans?: unknown; timed?: unknown }): unknown => spans ?? timed;
  expect(run.fabric.sent.filter(({ message }) => asked(message as object) !== undefined)).toEqual([]);
});

it('counts from the request itself in a batch, and has both runs of an uncertain answer', async () => {
  await using run = await inOneProcess(
    bundle,
    DEVICES.map((name) => ({ name })),
  );
  const random = new Random(7);
  const plan = randomPlan(
    bundle,
    DEVICES,
    random,
    bundle.manifest.groups.map(() => 1),
  );
  const batcher = new Batcher(run.requester, { most: 2, window: 0.03 });
  const [first, second] = await Promise.all(
    [1, 2].map(() => batcher.infer(randomSample(bundle, random), plan, { timed: true })),
  );
  expect(first?.timeline?.length).toBe(second?.timeline?.length);
  const alone = await batcher.infer(randomSample(bundle, random), plan, { timed: true });
  expect(alone.timeline?.[0]?.arrived).toBeGreaterThan(0.02);
  const unpruned = randomPlan(
    bundle,
    DEVICES,
    random,
    bundle.manifest.groups.map(() => 0),
  );
  const again = await inferWithFallback(
    run.requester,
    randomSample(bundle, random),
    plan,
    { deadline: 10, timed: true },
    { margin: 1, plan: unpruned, seconds: 0 },
  );
  expect(again.fallback).toBe('taken');
  expect(again.timeline?.filter(({ stage }) => stage === 0)).toHaveLength(2);
});

it('has no input arrive before it was sent', () => {
  const segment = (device: string) => [{ device, from: 0, to: 1 }];
  const plan = {
    levels: [],
    stages: ['source', 'b', 'c', 'b'].map((device, index) => ({ index, segments: segment(device) })),
  };
  const spans = new Spans(plan);
  const span = (stage: number, arrived: number) => ({
    ...{ stage, last: stage, segment: 0, arrived, started: arrived + 1, ended: arrived + 2, bytes: 4 },
  });
  // The second device heard of the request 3 ms before the first one did, the third 5 ms after the second.
  spans.add([span(0, 0), span(1, 0), span(2, 0), span(3, 9)]);
  const times = spans
    .timeline()
    .map(({ arrived, ended }) => [arrived, ended].map((time) => Math.round(1000 * time)));
  expect(times).toEqual([
    [0, 2],
    [2, 4],
    [4, 6],
    [11, 13],
  ]);
});

it('believes nothing that the plan does not have', () => {
  const plan = randomPlan(bundle, DEVICES, new Random(8));
  const spans = new Spans(plan, 1);
  const good = { stage: 0, last: 0, segment: 0, arrived: 1, started: 2, ended: 3, bytes: 4 };
  const bad = [
    ...[7, 'text', null, undefined, {}, [null], [[]]],
    [{ ...good, segment: 1 }],
    [{ ...good, stage: -1 }],
    [{ ...good, last: plan.stages.length }],
    [{ ...good, started: 0 }],
    [{ ...good, ended: Number.POSITIVE_INFINITY }],
    [{ ...good, arrived: Number.NaN }],
    [{ ...good, arrived: '1' }],
    [{ ...good, bytes: -1 }],
    [{ ...good, bytes: '4' }],
  ];
  for (const one of bad) spans.add(one);
  expect(spans.all).toEqual([]);
  spans.add([good]);
  spans.add([{ ...good, ended: 9 }]);
  expect(spans.timeline()).toEqual([
    {
      ...{ device: 'source', stage: 0, last: 0, segment: 0, bytes: 4 },
      ...{ arrived: 1.001, started: 1.002, ended: 1.003 },
    },
  ]);
});
