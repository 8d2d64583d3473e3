// Ctrl-C, and being told to stop, in commands that end what they have begun.
import { setTimeout } from 'node:timers/promises';
import type { Output } from './output.ts';

/** The first signal lets what runs end; the next does what it did before. */
export class Interrupt {
  readonly #control = new AbortController();
  readonly #before: Map<NodeJS.Signals, NodeJS.SignalsListener[]>;
  readonly #first: () => void;
  /** What ends first. */
  #running: string | undefined;
  /** Ends at the first signal. */
  readonly asked: Promise<void>;

  private constructor(signals: readonly NodeJS.Signals[], onFirst: () => void) {
    this.#before = new Map(signals.map((signal) => [signal, process.listeners(signal)]));
    this.#first = () => {
      onFirst();
      this.#control.abort();
      this.end();
    };
    this.asked = new Promise((resolve) => {
      this.#control.signal.addEventListener('abort', () => resolve(), { once: true });
    });
    for (const signal of signals) {
      process.removeAllListeners(signal);
      process.once(signal, this.#first);
    }
  }

  /** Of a command with an end of its own: Ctrl-C, which says what it waits for. */
  static of(output: Output, running = 'the request'): Interrupt {
    return Interrupt.atOnce(output).waitingFor(running);
  }

  /** Of what can be given up at once, until `waitingFor` says otherwise: Ctrl-C. */
  static atOnce(output: Output): Interrupt {
    const made: Interrupt = new Interrupt(['SIGINT'], () => {
      const running = made.#running;
      output.note(
        running === undefined ? 'stopping' : `stopping after ${running} that runs; once more stops at once`,
      );
    });
    return made;
  }

  /** From now on what runs ends first. Listeners stay, as a signal on its way is lost when they are changed. */
  waitingFor(running: string): this {
    this.#running = running;
    return this;
  }

  /** Of what runs until it is told to stop: Ctrl-C, SIGTERM, or the end of its terminal. */
  static ofService(): Interrupt {
    return new Interrupt(['SIGINT', 'SIGTERM', 'SIGHUP'], () => {});
  }

  get signal(): AbortSignal {
    return this.#control.signal;
  }

  /** From now on signals do what they did before. */
  end(): void {
    for (const [signal, listeners] of this.#before) {
      process.off(signal, this.#first);
      for (const listener of listeners) process.on(signal, listener);
    }
    this.#before.clear();
  }

  /** What comes of work, or undefined at the first signal: what runs of it then is nobody's concern any more. */
  async orStop<T extends object>(work: Promise<T>): Promise<T | undefined> {
    const stopped = this.asked.then(() => undefined);
    work.catch(() => {});
    return Promise.race([stopped, work]);
  }

  /** Waits, but no longer than until the first signal; tells whether there was one. */
  sleep(ms: number): Promise<boolean> {
    return setTimeout(ms, false, { signal: this.signal }).catch(() => true);
  }
}
