// Spans of requests with a small provider of our own.
import { type Context, type Span, type SpanOptions, trace } from '@opentelemetry/api';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { BedsideError } from '../../util/index.ts';
import type { Served } from '../service/served-model.ts';
import { RequestTrace } from './tracing.ts';

interface Seen {
  readonly name: string;
  readonly parent: string | undefined;
  readonly trace: string | undefined;
  readonly span: string;
  readonly attributes: Record<string, unknown>;
  readonly from: number;
  to?: number;
  status?: unknown;
}

let seen: Seen[] = [];

function startSpan(name: string, options: SpanOptions = {}, context?: Context): Span {
  const parent = context && trace.getSpanContext(context);
  const span = String(seen.length + 1).padStart(16, '0');
  const own: Seen = {
    ...{ name, parent: parent?.spanId, trace: parent?.traceId, span },
    ...{ attributes: { ...options.attributes }, from: Number(options.startTime ?? 0) },
  };
  seen.push(own);
  return {
    spanContext: () => ({ traceId: parent?.traceId ?? '1'.repeat(32), spanId: span, traceFlags: 1 }),
    setAttribute: (key: string, value: unknown) => void Object.assign(own.attributes, { [key]: value }),
    setAttributes: (values: object) => void Object.assign(own.attributes, values),
    setStatus: (status: unknown) => void Object.assign(own, { status }),
    isRecording: () => true,
    end: (to: number) => void Object.assign(own, { to }),
  } as unknown as Span;
}

beforeAll(() => {
  trace.setGlobalTracerProvider({ getTracer: () => ({ startSpan }) as never });
});
afterAll(() => trace.disable());
beforeEach(() => {
  seen = [];
});

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const served = {
  ...{ waited: 0.25, computed: 1, results: [{}, {}], variant: 3 },
  answer: { parameters: { levels: '0,1', devices: 'a,b' } },
} as unknown as Served;

it('stand below the span that the sender names, with those of their parts below them', () => {
  const request = new RequestTrace('infer', 'ecg', { traceparent: `00-${TRACE}-b7ad6b7169203331-01` });
  request.answered(served);
  const [whole, queue, compute] = seen;
  expect(whole).toMatchObject({ name: 'bedside infer', trace: TRACE, parent: 'b7ad6b7169203331' });
  expect(whole?.attributes).toEqual({
    ...{ 'bedside.model': 'ecg', 'bedside.levels': '0,1', 'bedside.devices': 'a,b' },
    ...{ 'bedside.samples': 2, 'bedside.variant': 3 },
  });
  expect(queue).toMatchObject({ name: 'queue', parent: whole?.span, trace: TRACE });
  expect(compute).toMatchObject({ name: 'compute', parent: whole?.span, from: queue?.to });
  expect((queue?.to ?? 0) - (queue?.from ?? 0)).toBeCloseTo(250);
  expect((compute?.to ?? 0) - (compute?.from ?? 0)).toBeCloseTo(1000);
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
    expect(seen.at(-1)?.parent).toBeUndefined();
  }
});

it('end with the code of an error, and not with its text', () => {
  new RequestTrace('explain', 'ecg', {}).failed(new BedsideError('E_REQUEST', 'the name of a patient'));
  expect(seen[0]).toMatchObject({ name: 'bedside explain', attributes: { 'error.type': 'E_REQUEST' } });
  expect(JSON.stringify(seen)).not.toContain('patient');
});
