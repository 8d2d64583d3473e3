// A bounded queue before the devices: so many requests run at a time, so many wait, and more are turned away.
import { BedsideError } from '../../util/index.ts';

/** Bounds of the queue. */
export interface QueueBounds {
  /** Requests that run at the same time. */
  readonly running: number;
  /** Requests that wait for them. */
  readonly waiting: number;
}

interface Waiting {
  readonly start: () => void;
  readonly cancel: () => void;
}

/** Runs work in the order of arrival, within its bounds. */
export class RequestQueue {
  readonly #bounds: QueueBounds;
  readonly #waiting = new Set<Waiting>();
  readonly #idle: (() => void)[] = [];
  #running = 0;
  #closed = false;

  constructor(bounds: QueueBounds) {
    this.#bounds = bounds;
  }

  /** Requests that wait. */
  get depth(): number {
    return this.#waiting.size;
  }

  /** Requests that run. */
  get running(): number {
    return this.#running;
  }

  /**
   * Runs work when its turn comes. Work that is cancelled while it waits never runs.
   * @returns its result, and the seconds that it waited
   * @throws BedsideError E_BUSY when the queue is full or closed; E_CANCELLED; as the work
   */
  async run<T>(
    work: () => Promise<T>,
    signal: AbortSignal,
  ): Promise<{ readonly result: T; readonly waited: number }> {
    const arrived = performance.now();
    await this.#turn(signal);
    const waited = (performance.now() - arrived) / 1000;
    try {
      return { result: await work(), waited };
    } finally {
      this.#running--;
      const [next] = this.#waiting;
      if (next) next.start();
      else if (this.#running === 0) for (const done of this.#idle.splice(0)) done();
    }
  }

  /** Takes nothing more, and resolves when all that was taken has ended. */
  async drain(): Promise<void> {
    this.#closed = true;
    if (this.#running === 0 && this.#waiting.size === 0) return;
    await new Promise<void>((done) => this.#idle.push(done));
  }

  async #turn(signal: AbortSignal): Promise<void> {
    if (this.#closed) throw busy('the gateway is stopping', 'ask another one, or this one when it is back');
    if (signal.aborted) throw cancelled();
    if (this.#running < this.#bounds.running) {
      this.#running++;
      return;
    }
    if (this.#waiting.size >= this.#bounds.waiting) {
      throw busy(`${this.#waiting.size} requests wait already`, 'try again after the seconds of Retry-After');
    }
    await new Promise<void>((resolve, reject) => {
      const leave = (): void => {
        this.#waiting.delete(own);
        signal.removeEventListener('abort', own.cancel);
      };
      const own: Waiting = {
        start: () => {
          leave();
          this.#running++;
          resolve();
        },
        cancel: () => {
          leave();
          reject(cancelled());
        },
      };
      this.#waiting.add(own);
      signal.addEventListener('abort', own.cancel, { once: true });
    });
  }
}

function busy(message: string, hint: string): BedsideError {
  return new BedsideError('E_BUSY', message, { hint });
}

function cancelled(): BedsideError {
  return new BedsideError('E_CANCELLED', 'the request was given up while it waited');
}
