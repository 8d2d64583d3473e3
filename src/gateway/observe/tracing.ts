// Spans of requests, for an SDK that whoever starts the gateway has registered; without one they cost nothing.
import {
  type Context,
  context,
  createTraceState,
  isSpanContextValid,
  type Span,
  SpanKind,
  SpanStatusCode,
  type TraceState,
  trace,
} from '@opentelemetry/api';
import { BedsideError, VERSION } from '../../util/index.ts';
import type { Served } from '../service/served-model.ts';

/** Headers of a request that say which trace it is part of (W3C Trace Context). */
export type TraceHeaders = Readonly<Record<string, string | string[] | undefined>>;

/** `version-trace-parent-flags` in hexadecimal; later versions may have more behind it. */
const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;

/** The span of one request, and those of its parts. */
export class RequestTrace {
  readonly #span: Span;
  readonly #context: Context;
  readonly #started = Date.now();

  /** Begins it, below the span that the headers name. */
  constructor(event: 'infer' | 'explain', model: string, headers: TraceHeaders) {
    const tracer = trace.getTracer('bedside', VERSION);
    const parent = parentOf(headers);
    const attributes = { 'bedside.model': model };
    this.#span = tracer.startSpan(`bedside ${event}`, { kind: SpanKind.SERVER, attributes }, parent);
    this.#context = trace.setSpan(parent, this.#span);
  }

  /** Ends it with what was answered: how long it waited, then computed. */
  answered({ waited, computed, results, variant, answer }: Served): void {
    // Nobody listens: the usual case.
    if (!this.#span.isRecording()) {
      this.#span.end();
      return;
    }
    this.#span.setAttributes({
      'bedside.levels': String(answer.parameters.levels),
      'bedside.devices': String(answer.parameters.devices),
      'bedside.samples': results.length,
      ...(variant === undefined ? {} : { 'bedside.variant': variant }),
    });
    const begun = this.#started + 1000 * waited;
    this.#part('queue', this.#started, begun);
    this.#part('compute', begun, begun + 1000 * computed);
    this.#span.end();
  }

  /** Ends it with an error: its code, never its text, which may name what was sent. */
  failed(error: unknown): void {
    const code = BedsideError.is(error) ? error.code : 'E_INTERNAL';
    this.#span.setAttribute('error.type', code);
    this.#span.setStatus({ code: SpanStatusCode.ERROR, message: code });
    this.#span.end();
  }

  #part(name: string, from: number, to: number): void {
    trace.getTracer('bedside', VERSION).startSpan(name, { startTime: from }, this.#context).end(to);
  }
}

function parentOf(headers: TraceHeaders): Context {
  const { traceparent, tracestate } = headers;
  const [, traceId = '', spanId = '', flags = '0'] =
    typeof traceparent === 'string' ? (TRACEPARENT.exec(traceparent) ?? []) : [];
  const state: TraceState | undefined =
    typeof tracestate === 'string' && tracestate.length <= 512 ? createTraceState(tracestate) : undefined;
  const parent = {
    ...{ traceId, spanId, traceFlags: Number.parseInt(flags, 16) & 1, isRemote: true },
    ...(state ? { traceState: state } : {}),
  };
  return isSpanContextValid(parent) ? trace.setSpanContext(context.active(), parent) : context.active();
}
