// Requests that are sent twice under one id, such as after a broken connection: the second gets the answer of the first.
import { deleteOldest } from '../../util/internal.ts';

interface Known<T> {
  readonly hash: string;
  readonly answer: Promise<T>;
  /** Adds one who waits, until the signal says that it has gone. */
  readonly wait: (signal: AbortSignal) => void;
  /** Milliseconds, on the clock of `performance`. */
  readonly until: number;
}

/** Answers by id of the request, for a while. */
export class JoinedRequests<T> {
  readonly #seconds: number;
  readonly #most: number;
  readonly #known = new Map<string, Known<T>>();

  /**
   * @param seconds how long an answer is remembered after its request came
   * @param most how many are remembered
   */
  constructor(seconds: number, most: number) {
    this.#seconds = seconds;
    this.#most = most;
  }

  /**
   * The answer of the running or finished request of the same id and the same content, or that of `start`. A request
   * that failed is forgotten: the next one runs. It is cancelled when everybody who waits for it has gone.
   * @param hash of all that the answer depends on: another content under the same id is another request
   * @param signal says that this sender has gone
   */
  join(
    id: string,
    hash: string,
    signal: AbortSignal,
    start: (signal: AbortSignal) => Promise<T>,
  ): { readonly answer: Promise<T>; readonly joined: boolean } {
    const now = performance.now();
    const known = this.#known.get(id);
    if (known && known.hash === hash && known.until > now) {
      known.wait(signal);
      return { answer: known.answer, joined: true };
    }
    const control = new AbortController();
    let waiting = 0;
    const wait = (other: AbortSignal): void => {
      waiting++;
      const leave = (): void => {
        waiting--;
        if (waiting === 0) control.abort();
      };
      if (other.aborted) leave();
      else other.addEventListener('abort', leave, { once: true });
    };
    wait(signal);
    const answer = start(control.signal);
    const entry: Known<T> = { hash, answer, wait, until: now + 1000 * this.#seconds };
    this.#known.delete(id);
    this.#known.set(id, entry);
    answer.catch(() => {
      if (this.#known.get(id) === entry) this.#known.delete(id);
    });
    while (this.#known.size > this.#most) deleteOldest(this.#known);
    return { answer, joined: false };
  }
}
