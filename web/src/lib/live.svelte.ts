// Events of the gateway as they happen. The stream comes back by itself; what was missed is sent again, or pages read
// everything anew.
import type { Events } from '../../../src/gateway/dashboard/wire.ts';

/** Without a sign of life for so long the connection is taken for dead. The gateway sends one every 5 s. */
const SILENCE_MS = 12_000;
/** Between two attempts. */
const AGAIN_MS = 1500;

type Handler = (data: never) => void;

class Live {
  /** `away`: there was a stream, or should be one. */
  state = $state<'off' | 'connecting' | 'open' | 'away'>('off');
  /** When the last word came: milliseconds since 1970. */
  heard = $state(Date.now());
  readonly #handlers = new Map<string, Set<Handler>>();
  readonly #readers = new Set<() => void>();
  #source: EventSource | undefined;
  #silence: ReturnType<typeof setTimeout> | undefined;
  #again: ReturnType<typeof setTimeout> | undefined;
  /** Whether events were missed that nobody will send again. */
  #missed = false;

  /** Calls for each event of a kind. @returns ends it */
  on<K extends keyof Events>(type: K, handler: (data: Events[K]) => void): () => void {
    const own = this.#handlers.get(type) ?? new Set();
    own.add(handler as Handler);
    this.#handlers.set(type, own);
    this.#source?.addEventListener(type, this.#take);
    return () => own.delete(handler as Handler);
  }

  /** Calls now, and whenever everything must be read anew. @returns ends it */
  reading(read: () => void): () => void {
    this.#readers.add(read);
    read();
    return () => this.#readers.delete(read);
  }

  start(): void {
    if (this.#source) return;
    clearTimeout(this.#again);
    if (this.state === 'off') this.state = 'connecting';
    const source = new EventSource('/api/events');
    this.#source = source;
    source.onopen = () => {
      this.state = 'open';
      this.#hear();
      if (this.#missed) this.#readAnew();
    };
    source.onerror = () => this.#lose(source);
    for (const type of ['beat', 'reset', ...this.#handlers.keys()]) source.addEventListener(type, this.#take);
    this.#hear();
  }

  stop(): void {
    this.#close();
    clearTimeout(this.#again);
    this.state = 'off';
    this.#missed = true;
  }

  readonly #take = (event: MessageEvent<string>): void => {
    this.#hear();
    if (event.type === 'beat') return;
    if (event.type === 'reset') {
      this.#readAnew();
      return;
    }
    const data = JSON.parse(event.data) as never;
    for (const handler of this.#handlers.get(event.type) ?? []) handler(data);
  };

  #readAnew(): void {
    this.#missed = false;
    for (const read of this.#readers) read();
  }

  #hear(): void {
    this.heard = Date.now();
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => {
      if (this.#source) this.#lose(this.#source, true);
    }, SILENCE_MS);
  }

  /** The browser tries again by itself, with the last number, unless it was refused or heard nothing. */
  #lose(source: EventSource, silent = false): void {
    if (source !== this.#source) return;
    this.state = 'away';
    if (!silent && source.readyState !== EventSource.CLOSED) return;
    this.#close();
    this.#missed = true;
    this.#again = setTimeout(() => this.start(), AGAIN_MS);
  }

  #close(): void {
    clearTimeout(this.#silence);
    this.#source?.close();
    this.#source = undefined;
  }
}

export const live = new Live();
