// Traces across nodes, as W3C Trace Context has them: a request carries the span that it is part of in the heads of its
// messages, and each node adds spans of its own below it. Nothing is sent or recorded for requests without a trace, and
// nothing is recorded where no OpenTelemetry provider is registered; then the trace is handed on as it came.
import {
  type Attributes,
  type Context,
  isSpanContextValid,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  SpanKind,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import { VERSION } from '../../util/index.ts';

/** When a tensor was sent, and by which span. */
export interface SentBy {
  readonly traceparent: string;
  /** Milliseconds since 1970, on the clock of the sender. */
  readonly at: number;
}

/** `version-trace-parent-flags` in hexadecimal; later versions may have more behind it. */
const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;

/** Letters of a `traceparent` that this version writes. */
const LETTERS = 55;

/** Where spans begin and end, on the clock of `performance`. */
interface Times {
  readonly start: number;
  readonly end: number;
}

/** The tracer of all spans of bedside. */
export function tracer(): Tracer {
  return trace.getTracer('bedside', VERSION);
}

/** The span that a `traceparent` names; undefined for what is none. */
export function spanContextOf(traceparent: unknown): SpanContext | undefined {
  if (typeof traceparent !== 'string') return undefined;
  const [, traceId = '', spanId = '', flags = '0'] = TRACEPARENT.exec(traceparent) ?? [];
  const found = { traceId, spanId, traceFlags: Number.parseInt(flags, 16) & 1, isRemote: true };
  return isSpanContextValid(found) ? found : undefined;
}

/** The `traceparent` of a span; undefined where there is no trace. */
export function traceparentOf(span: Span): string | undefined {
  const context = span.spanContext();
  if (!isSpanContextValid(context)) return undefined;
  return `00-${context.traceId}-${context.spanId}-0${context.traceFlags & 1}`;
}

/** Whether a field of a message is absent or a `traceparent` of the usual length. */
export function isTraceparent(value: unknown): boolean {
  return (
    value === undefined ||
    (typeof value === 'string' && value.length === LETTERS && spanContextOf(value) !== undefined)
  );
}

/** Whether a field of a message is absent or says when it was sent. */
export function isSentBy(value: unknown): value is SentBy | undefined {
  if (value === undefined) return true;
  if (typeof value !== 'object' || value === null) return false;
  const { traceparent, at } = value as Partial<SentBy>;
  return traceparent !== undefined && isTraceparent(traceparent) && Number.isFinite(at);
}

/** Begins a span below another one; undefined where there is none. */
export function beginSpan(
  parent: string | undefined,
  name: string,
  attributes: Attributes,
): Span | undefined {
  const below = parentContext(parent);
  return below && tracer().startSpan(name, { attributes }, below);
}

/** Records a span that has ended. @returns what is below it names it by */
export function recordSpan(
  parent: string | undefined,
  name: string,
  { start, end }: Times,
  attributes: Attributes,
): string | undefined {
  const below = parentContext(parent);
  if (!below) return undefined;
  const span = tracer().startSpan(name, { startTime: epochMs(start), attributes }, below);
  span.end(epochMs(end));
  return traceparentOf(span);
}

/** Records how long `work` took, also where it failed. */
export async function spanned<T>(
  parent: string | undefined,
  name: string,
  attributes: Attributes,
  work: () => Promise<T>,
): Promise<T> {
  const start = performance.now();
  try {
    return await work();
  } finally {
    recordSpan(parent, name, { start, end: performance.now() }, attributes);
  }
}

/** What is sent with a tensor of a request that is traced. */
export function sentBy(traceparent: string | undefined): SentBy | undefined {
  return traceparent === undefined ? undefined : { traceparent, at: epochMs(performance.now()) };
}

/**
 * Records that a tensor arrived now. Clocks of two machines differ: one that arrives before it was sent takes no time, and
 * the span says so.
 * @param own the trace of the request: a sender cannot name another one
 */
export function recordTransfer(
  own: string | undefined,
  sent: SentBy | undefined,
  { from, to, bytes }: { readonly from: string; readonly to: string; readonly bytes: number },
): void {
  if (own === undefined || sent === undefined || !isSentBy(sent)) return;
  if (spanContextOf(sent.traceparent)?.traceId !== spanContextOf(own)?.traceId) return;
  const below = parentContext(sent.traceparent);
  const now = epochMs(performance.now());
  const attributes = {
    ...{ 'bedside.from': from, 'bedside.to': to, 'bedside.bytes': bytes },
    ...(sent.at > now ? { 'bedside.clocks_differ': true } : {}),
  };
  const startTime = Math.min(sent.at, now);
  tracer().startSpan('transfer', { kind: SpanKind.CONSUMER, startTime, attributes }, below).end(now);
}

function parentContext(traceparent: string | undefined): Context | undefined {
  const parent = spanContextOf(traceparent);
  return parent && trace.setSpanContext(ROOT_CONTEXT, parent);
}

function epochMs(time: number): number {
  return performance.timeOrigin + time;
}
