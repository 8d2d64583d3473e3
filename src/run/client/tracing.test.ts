// Requests that are part of a trace: devices add their spans to it, and nothing else in the messages changes.
import { expect, it } from 'vitest';
import { largestDifference } from '../../channels/test-support/net.ts';
import { canonicalGraph } from '../../onnx/internal.ts';
import { must } from '../../util/index.ts';
import { Random } from '../../util/internal.ts';
import { isValidMessage } from '../nats/transport/message-validation.ts';
import { recordTransfer, spanContextOf } from '../protocol/tracing.ts';
import { fromWire, toWire } from '../protocol/wire.ts';
import { onOneMachine, randomPlan, randomSample, splitBundle } from '../test-support/bundles.ts';
import { inOneProcess } from '../test-support/in-one-process.ts';
import { mixedNet } from '../test-support/mixed-net.ts';
import { SpanRecorder } from '../test-support/span-recorder.ts';

const DEVICES = ['source', 'b', 'c', 'd'];
const TRACE = '0af7651916cd43dd8448eb211c80319c';
const PARENT = `00-${TRACE}-b7ad6b7169203331-01`;
const bundle = splitBundle(canonicalGraph(mixedNet()));

it('has a span for each run of a segment, and for each tensor that crosses, below the run of the request', async () => {
  using recorder = new SpanRecorder();
  // Over sockets, so that the messages are written and read.
  await using rig = await inOneProcess(
    bundle,
    DEVICES.map((name) => ({ name })),
    false,
    true,
  );
  const random = new Random(11);
  const plan = randomPlan(bundle, DEVICES, random);
  const sample = randomSample(bundle, random);
  const result = await rig.requester.infer(sample, plan, { traceparent: PARENT, timed: true });
  const alone = await onOneMachine(bundle, plan.levels, sample);
  expect(largestDifference(result.logits.data, alone)).toBeLessThan(1e-4);
  expect(new Set(recorder.spans.map((span) => span.trace))).toEqual(new Set([TRACE]));
  const [run] = recorder.named('run');
  expect(run).toMatchObject({ parent: 'b7ad6b7169203331', end: expect.any(Number) });
  const stages = recorder.named('stage');
  expect(stages.every(({ parent }) => parent === run?.id)).toBe(true);
  const key = (attributes: Record<string, unknown>): string =>
    ['stage', 'last', 'segment', 'device'].map((name) => attributes[`bedside.${name}`]).join();
  expect(stages.map(({ attributes }) => key(attributes)).sort()).toEqual(
    must(result.timeline, 'a timeline')
      .map(({ stage, last, segment, device }) => [stage, last, segment, device].join())
      .sort(),
  );
  const crossed = rig.fabric.sent.filter(({ message }) => message.kind === 'part');
  const transfers = recorder.named('transfer');
  expect(
    transfers
      .map(({ attributes: a }) => `${a['bedside.from']} ${a['bedside.to']} ${a['bedside.bytes']}`)
      .sort(),
  ).toEqual(
    crossed
      .map(
        ({ from, to, message }) =>
          `${from} ${to} ${'tensor' in message ? message.tensor.data.byteLength : 0}`,
      )
      .sort(),
  );
  const senders = new Set([run?.id, ...stages.map(({ id }) => id)]);
  for (const { start, end, parent } of transfers) {
    expect(senders).toContain(parent);
    expect(end).toBeGreaterThanOrEqual(start);
  }
});

it('is handed on without a provider, and not at all without a trace', async () => {
  await using rig = await inOneProcess(
    bundle,
    DEVICES.map((name) => ({ name })),
  );
  const random = new Random(12);
  const plan = randomPlan(bundle, DEVICES, random);
  await rig.requester.infer(randomSample(bundle, random), plan, { traceparent: PARENT });
  const carried = rig.fabric.sent.flatMap(({ message }) => [
    ...('traceparent' in message ? [message.traceparent] : []),
    ...('sent' in message ? [message.sent?.traceparent] : []),
  ]);
  expect(new Set(carried)).toEqual(new Set([PARENT]));
  const before = rig.fabric.sent.length;
  await rig.requester.infer(randomSample(bundle, random), plan);
  const later = rig.fabric.sent.slice(before);
  expect(later.map(({ message }) => toWire(message).head.toString()).join()).not.toMatch(
    /traceparent|"sent"/,
  );
});

it('is no way into another trace, and bad clocks give no negative times', () => {
  using recorder = new SpanRecorder();
  const between = { from: 'a', to: 'b', bytes: 4 };
  recordTransfer(PARENT, { traceparent: `00-${'2'.repeat(32)}-b7ad6b7169203331-01`, at: 1 }, between);
  recordTransfer(undefined, { traceparent: PARENT, at: 1 }, between);
  expect(recorder.spans).toEqual([]);
  recordTransfer(PARENT, { traceparent: PARENT, at: Date.now() + 60_000 }, between);
  const [late] = recorder.spans;
  expect(late).toMatchObject({ attributes: { 'bedside.clocks_differ': true } });
  expect(late?.end).toBe(late?.start);
});

it.each<readonly [string, object, boolean]>([
  ['nothing of a trace', {}, true],
  ['a trace', { traceparent: PARENT, sent: { traceparent: PARENT, at: 1 } }, true],
  ['a trace that is none', { traceparent: `00-${'0'.repeat(32)}-b7ad6b7169203331-01` }, false],
  ['a long trace', { traceparent: `${PARENT}-${'x'.repeat(9999)}` }, false],
  ['a trace of another type', { traceparent: 7 }, false],
  ['a time that is none', { sent: { traceparent: PARENT, at: 'now' } }, false],
  ['a sender without a trace', { sent: { at: 1 } }, false],
  ['a sender of another type', { sent: null }, false],
])('checks messages with %s over NATS', (_what, fields, isValid) => {
  const part = {
    ...{
      kind: 'part' as const,
      request: 'r',
      epoch: 0,
      requester: 'coordinator/x',
      remaining: 1,
      stage: 0,
      segment: 0,
    },
    tensor: { type: 'float32' as const, dims: [1], data: new Float32Array(1) },
    ...fields,
  };
  const { head } = toWire(part as never);
  expect(isValidMessage('worker-1', fromWire(head, new Float32Array(1)))).toBe(isValid);
});

it('is read as W3C Trace Context says', () => {
  expect(spanContextOf(PARENT)).toMatchObject({ traceId: TRACE, spanId: 'b7ad6b7169203331', traceFlags: 1 });
  // A later version may say more behind it.
  expect(spanContextOf(`cc-${TRACE}-b7ad6b7169203331-09-more`)?.traceFlags).toBe(1);
  for (const bad of [
    undefined,
    '',
    PARENT.toUpperCase(),
    `ff${PARENT.slice(2)}`,
    `00-${TRACE}-${'0'.repeat(16)}-01`,
  ]) {
    expect(spanContextOf(bad)).toBeUndefined();
  }
});
