// Signals that one sender sends as packets, for whoever has a connection to it: the same beds, beats and events as `stream`.
import type { Bundle } from '../../bundle/index.ts';
import type { BedsideError } from '../../util/index.ts';
import { journalOf } from '../reporter.ts';
import type { Answerer } from './answerer.ts';
import type { StreamEvent, StreamResult } from './events.ts';
import type { StreamOptions } from './options.ts';
import type { SourceSink, StreamSource } from './sources/source.ts';
import { takePacketLine } from './sources/stdin.ts';
import { beatNetwork, streamThrough } from './stream-through.ts';

/** How signals are read, and who answers their beats. */
export interface SignalSessionOptions extends Pick<StreamOptions, 'lead' | 'patience'> {
  readonly answerer: Answerer;
  /** Told each answer, in the order of each signal's beats, and each change of a signal. */
  readonly onEvent: (event: StreamEvent) => void;
}

/** What was found in the signals of a sender. */
export type SignalSessionResult = Omit<StreamResult, 'bundle' | 'speed'>;

/** One sender's signals, of one bed or several. */
export class SignalSession {
  readonly #control = new AbortController();
  readonly #result: Promise<StreamResult>;
  #sink: SourceSink | undefined;
  #ended: () => void = () => {};

  /** Begins. @throws BedsideError E_UNSUPPORTED for a network that does not answer with classes, or does not read beats */
  constructor(bundle: Bundle, { lead, patience, answerer, onEvent }: SignalSessionOptions) {
    const { signal } = this.#control;
    const source: StreamSource = {
      ...{ spec: 'the sender', bed: 'bed' },
      run: (sink) => {
        this.#sink = sink;
        return new Promise((resolve) => {
          this.#ended = resolve;
          signal.addEventListener('abort', () => resolve(), { once: true });
        });
      },
    };
    const options = { lead, patience, sources: [], signal, onEvent };
    const parts = { network: beatNetwork(bundle), sources: [source], answerer };
    this.#result = streamThrough(parts, options, journalOf());
    // Thrown by `end`, which nobody calls for a sender that has gone.
    this.#result.catch(() => {});
  }

  /** Takes packets as text: one, or several as lines. One that cannot be read is told as an event. */
  take(text: string): void {
    const { aborted } = this.#control.signal;
    for (const line of text.split('\n')) if (!aborted && line.trim() !== '') this.#take(line);
  }

  /** Counts and tells something that is no packet. */
  refuse(error: BedsideError): void {
    this.#sink?.malformed(error);
  }

  /** Resolves when few beats wait for answers: until then nothing more should be read. */
  async room(): Promise<void> {
    if (!this.#control.signal.aborted) await this.#sink?.room();
  }

  /** The signals have ended; resolves when every beat has its answer, or none. @throws as `open` */
  async end(): Promise<SignalSessionResult> {
    this.#ended();
    const { bundle: _, speed: __, ...result } = await this.#result;
    return result;
  }

  /** The sender has gone: nothing more is taken. */
  abort(): void {
    this.#control.abort();
  }

  #take(line: string): void {
    if (this.#sink) takePacketLine(this.#sink, line);
  }
}
