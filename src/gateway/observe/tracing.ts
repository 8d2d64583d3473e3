// Spans of requests, for an SDK that whoever starts the gateway has registered; without one they cost nothing.
import {
  type Context,
  context,
  createTraceState,
  type Span,
  SpanKind,
  SpanStatusCode,
  type TraceState,
  trace,
} from '@opentelemetry/api';
import { spanContextOf, traceparentOf, tracer } from '../../run/internal.ts';
import { BedsideError } from '../../util/index.ts';
import type { Served } from '../service/served-model.ts';

/** Headers of a request that say which trace it is part of (W3C Trace Context). */
export type TraceHeaders = Readonly<Record<string, string | string[] | undefined>>;

/** The span of one request, and those of its parts. */
export class RequestTrace {
  readonly #span: Span;
  readonly #context: Context;
  readonly #started = Date.now();

  /** Begins it, below the span that the headers name. */
  constructor(event: 'infer' | 'explain', model: string, headers: TraceHeaders) {
    const parent = parentOf(headers);
    const attributes = { 'bedside.model': model };
    this.#span = tracer().startSpan(`bedside ${event}`, { kind: SpanKind.SERVER, attributes }, parent);
    this.#context = trace.setSpan(parent, this.#span);
  }

  /** What devices add their spans below; undefined where there is no trace. */
  get traceparent(): string | undefined {
    return traceparentOf(this.#span);
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
    tracer().startSpan(name, { startTime: from }, this.#context).end(to);
  }
}

function parentOf(headers: TraceHeaders): Context {
  const { traceparent, tracestate } = headers;
  const parent = spanContextOf(traceparent);
  if (!parent) return context.active();
  const state: TraceState | undefined =
    typeof tracestate === 'string' && tracestate.length <= 512 ? createTraceState(tracestate) : undefined;
  return trace.setSpanContext(context.active(), { ...parent, ...(state ? { traceState: state } : {}) });
}
