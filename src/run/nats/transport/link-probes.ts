// Measures latency and bandwidth of the link to a peer by sending probes.
import { type FloatTensor, tensor } from '../../../engine/index.ts';
import { BedsideError } from '../../../util/index.ts';

/** A probe and its reply. */
export type ProbeMessage =
  | { readonly kind: 'probe'; readonly id: string; readonly tensor: FloatTensor }
  | { readonly kind: 'echo'; readonly id: string };

/** A measured link. */
export interface LinkMeasurement {
  /** Round trip of a few bytes, in seconds. */
  readonly roundTrip: number;
  readonly bytesPerSecond: number;
}

/** Small probes end when so many in a row were not clearly shorter than one before; at the latest after the most. */
const SMALL_PROBES = 5;
const MOST_SMALL_PROBES = 40;
const SHORTER = 0.9;
/** Bytes of a large probe. */
const LARGE_BYTES = 1 << 18;
const TIMEOUT_MS = 2000;

/** A tensor of so many bytes. */
function tensorOfBytes(bytes: number): FloatTensor {
  return tensor(new Float32Array(bytes / 4), [bytes / 4]);
}

/** Sends probes, and replies to those of others. */
export class LinkProbes {
  readonly #post: (to: string, message: ProbeMessage) => void;
  readonly #waiting = new Map<string, { readonly to: string; readonly done: () => void }>();
  #next = 0;

  constructor(post: (to: string, message: ProbeMessage) => void) {
    this.#post = post;
  }

  /**
   * Measures the link to a peer: the shortest round trip, and the additional time of a quarter of a megabyte. On a busy
   * machine most round trips are too long, and a link of which one were taken would seem faster than it is.
   * @throws BedsideError E_LOST when no reply comes
   */
  async measure(to: string): Promise<LinkMeasurement> {
    let roundTrip = Number.POSITIVE_INFINITY;
    for (let at = 0, vain = 0; vain < SMALL_PROBES && at < MOST_SMALL_PROBES; at++) {
      const seconds = await this.#once(to, 4);
      vain = seconds < SHORTER * roundTrip ? 1 : vain + 1;
      roundTrip = Math.min(roundTrip, seconds);
    }
    const large = Math.min(await this.#once(to, LARGE_BYTES), await this.#once(to, LARGE_BYTES));
    return { roundTrip, bytesPerSecond: LARGE_BYTES / Math.max(1e-6, large - roundTrip) };
  }

  /** Takes a probe or a reply. */
  receive(from: string, message: ProbeMessage): void {
    if (message.kind === 'probe') {
      this.#post(from, { kind: 'echo', id: message.id });
      return;
    }
    const waiting = this.#waiting.get(message.id);
    if (waiting?.to === from) waiting.done();
  }

  /** Forgets open probes. */
  close(): void {
    this.#waiting.clear();
  }

  /** Seconds until the reply. */
  #once(to: string, bytes: number): Promise<number> {
    const id = `${this.#next++}`;
    const start = performance.now();
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(id);
        reject(new BedsideError('E_LOST', `'${to}' does not answer`, { hint: 'start it again' }));
      }, TIMEOUT_MS);
      timer.unref();
      const done = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(id);
        resolve((performance.now() - start) / 1000);
      };
      this.#waiting.set(id, { to, done });
      this.#post(to, { kind: 'probe', id, tensor: tensorOfBytes(bytes) });
    });
  }
}
