// A small OpenTelemetry provider for tests: it keeps the spans that this process records.
import { type Context, type Span, type SpanOptions, trace } from '@opentelemetry/api';

/** One span. Times are milliseconds since 1970. */
export interface RecordedSpan {
  readonly name: string;
  readonly trace: string;
  readonly id: string;
  readonly parent: string | undefined;
  readonly attributes: Record<string, unknown>;
  readonly start: number;
  end?: number;
  status?: unknown;
}

/** The provider of this process, until it is disposed of. */
export class SpanRecorder implements Disposable {
  readonly spans: RecordedSpan[] = [];

  constructor() {
    const startSpan = (name: string, options?: SpanOptions, context?: Context): Span =>
      this.#start(name, options, context);
    trace.setGlobalTracerProvider({ getTracer: () => ({ startSpan }) as never });
  }

  named(name: string): RecordedSpan[] {
    return this.spans.filter((span) => span.name === name);
  }

  [Symbol.dispose](): void {
    trace.disable();
  }

  #start(name: string, { startTime, attributes }: SpanOptions = {}, context?: Context): Span {
    const parent = context && trace.getSpanContext(context);
    const id = String(this.spans.length + 1).padStart(16, '0');
    const own: RecordedSpan = {
      ...{ name, id, parent: parent?.spanId, trace: parent?.traceId ?? '1'.repeat(32) },
      ...{ attributes: { ...attributes }, start: Number(startTime ?? Date.now()) },
    };
    this.spans.push(own);
    const span = {
      isRecording: () => true,
      spanContext: () => ({ traceId: own.trace, spanId: id, traceFlags: 1 }),
      setAttribute: (key: string, value: unknown) => void Object.assign(own.attributes, { [key]: value }),
      setAttributes: (values: object) => void Object.assign(own.attributes, values),
      setStatus: (status: unknown) => void Object.assign(own, { status }),
      end: (to?: number) => void Object.assign(own, { end: to ?? Date.now() }),
    };
    return span as unknown as Span;
  }
}
