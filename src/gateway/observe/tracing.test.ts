// Spans of requests with a small provider of our own.
import { afterEach, beforeEach, expect, it } from 'vitest';
import { SpanRecorder } from '../../run/test-support/span-recorder.ts';
import { BedsideError } from '../../util/index.ts';
import type { Served } from '../service/served-model.ts';
import { RequestTrace } from './tracing.ts';

let recorder: SpanRecorder;
beforeEach(() => {
  recorder = new SpanRecorder();
});
afterEach(() => recorder[Symbol.dispose]());

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const served = {
  ...{ waited: 0.25, computed: 1, results: [{}, {}], variant: 3 },
  answer: { parameters: { levels: '0,1', devices: 'a,b' } },
} as unknown as Served;

it('stand below the span that the sender names, with those of their parts below them', () => {
  const request = new RequestTrace('infer', 'ecg', { traceparent: `00-${TRACE}-b7ad6b7169203331-01` });
  expect(request.traceparent).toBe(`00-${TRACE}-${recorder.spans[0]?.id}-01`);
  request.answered(served);
  const [whole, queue, compute] = recorder.spans;
  expect(whole).toMatchObject({ name: 'bedside infer', trace: TRACE, parent: 'b7ad6b7169203331' });
  expect(whole?.attributes).toEqual({
    ...{ 'bedside.model': 'ecg', 'bedside.levels': '0,1', 'bedside.devices': 'a,b' },
    ...{ 'bedside.samples': 2, 'bedside.variant': 3 },
  });
  expect(queue).toMatchObject({ name: 'queue', parent: whole?.id, trace: TRACE });
  expect(compute).toMatchObject({ name: 'compute', parent: whole?.id, start: queue?.end });
  expect((queue?.end ?? 0) - (queue?.start ?? 0)).toBeCloseTo(250);
  expect((compute?.end ?? 0) - (compute?.start ?? 0)).toBeCloseTo(1000);
});

it('begin a trace of their own where the header is none', () => {
  for (const traceparent of [
    undefined,
    '',
    `ff-${TRACE}-b7ad6b7169203331-01`,
    `00-${'0'.repeat(32)}-b7ad6b7169203331-01`,
    `00-${TRACE}-short-01`,
  ]) {
    new RequestTrace('infer', 'ecg', { traceparent });
    expect(recorder.spans.at(-1)?.parent).toBeUndefined();
  }
});

it('end with the code of an error, and not with its text', () => {
  new RequestTrace('explain', 'ecg', {}).failed(new BedsideError('E_REQUEST', 'the name of a patient'));
  expect(recorder.spans[0]).toMatchObject({
    name: 'bedside explain',
    attributes: { 'error.type': 'E_REQUEST' },
  });
  expect(JSON.stringify(recorder.spans)).not.toContain('patient');
});

it('are handed on to devices though nobody records them here', () => {
  recorder[Symbol.dispose]();
  const traceparent = `00-${TRACE}-b7ad6b7169203331-01`;
  expect(new RequestTrace('infer', 'ecg', { traceparent }).traceparent).toBe(traceparent);
  expect(new RequestTrace('infer', 'ecg', {}).traceparent).toBeUndefined();
});
