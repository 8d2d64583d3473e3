// How long a message takes to a peer and how much a second gets there, found by sending.
import { type FloatTensor, tensor } from '../../../engine/index.ts';
import { BedsideError } from '../../../util/index.ts';

export type ProbeMessage =
  | { readonly kind: 'probe'; readonly id: string; readonly tensor: FloatTensor }
  | { readonly kind: 'echo'; readonly id: string };

/** A link as it was found. */
export interface LinkMeasurement {
  /** Seconds there and back, of next to nothing. */
  readonly roundTrip: number;
  readonly bytesPerSecond: number;
}

const SMALL_PROBES = 5;
const BYTES = 1 << 18;
const PATIENCE_MS = 2000;

/** Numbers as many as fill so many bytes. */
function filled(bytes: number): FloatTensor {
  return tensor(new Float32Array(bytes / 4), [bytes / 4]);
}

/** Probes that a node sends, and answers. */
export class LinkProbes {
  readonly #post: (to: string, message: ProbeMessage) => void;
  readonly #waiting = new Map<string, { readonly to: string; readonly done: () => void }>();
  #next = 0;

  constructor(post: (to: string, message: ProbeMessage) => void) {
    this.#post = post;
  }

  /**
   * Measures the way to a peer: the shortest of a few round trips, and what a quarter of a megabyte takes beyond it.
   * @throws BedsideError E_LOST when no answer comes
   */
  async measure(to: string): Promise<LinkMeasurement> {
    const times: number[] = [];
    for (let at = 0; at < SMALL_PROBES; at++) times.push(await this.#once(to, 4));
    const roundTrip = Math.min(...times);
    const large = Math.min(await this.#once(to, BYTES), await this.#once(to, BYTES));
    return { roundTrip, bytesPerSecond: BYTES / Math.max(1e-6, large - roundTrip) };
  }

  receive(from: string, message: ProbeMessage): void {
    if (message.kind === 'probe') {
      this.#post(from, { kind: 'echo', id: message.id });
      return;
    }
    const waiting = this.#waiting.get(message.id);
    if (waiting?.to === from) waiting.done();
  }

  close(): void {
    this.#waiting.clear();
  }

  /** Seconds until the answer. */
  #once(to: string, bytes: number): Promise<number> {
    const id = `${this.#next++}`;
    const start = performance.now();
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(id);
        reject(new BedsideError('E_LOST', `'${to}' does not answer`, { hint: 'start it again' }));
      }, PATIENCE_MS);
      timer.unref();
      const done = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(id);
        resolve((performance.now() - start) / 1000);
      };
      this.#waiting.set(id, { to, done });
      this.#post(to, { kind: 'probe', id, tensor: filled(bytes) });
    });
  }
}
