// Ctrl-C and other signals to stop, in commands that first end what they have begun.
import { setTimeout } from 'node:timers/promises';
import type { Output } from './output.ts';

/** Aborts its signal at the first Ctrl-C, so that running work can end; the next Ctrl-C ends the process. */
export class Interrupt {
  readonly #control = new AbortController();
  readonly #before: Map<NodeJS.Signals, NodeJS.SignalsListener[]>;
  readonly #first: () => void;
  /** Name of the work that ends first. */
  #running: string | undefined;

  private constructor(signals: readonly NodeJS.Signals[], onFirst: () => void) {
    this.#before = new Map(signals.map((signal) => [signal, process.listeners(signal)]));
    this.#first = () => {
      onFirst();
      this.#control.abort();
      this.end();
    };
    for (const signal of signals) {
      process.removeAllListeners(signal);
      process.once(signal, this.#first);
    }
  }

  /** For commands that end by themselves: Ctrl-C lets running work end, and says which. */
  static of(output: Output, running = 'the request'): Interrupt {
    return Interrupt.atOnce(output).waitingFor(running);
  }

  /** For work that can be given up at once, until `waitingFor` is called: Ctrl-C. */
  static atOnce(output: Output): Interrupt {
    const made: Interrupt = new Interrupt(['SIGINT'], () => {
      const running = made.#running;
      output.note(
        running === undefined ? 'stopping' : `stopping after ${running} that runs; once more stops at once`,
      );
    });
    return made;
  }

  /** Says that from now on this work ends first. Listeners stay: changing them could lose a signal on its way. */
  waitingFor(running: string): this {
    this.#running = running;
    return this;
  }

  /** For commands that run until they are stopped: Ctrl-C, SIGTERM, or the end of the terminal. */
  static ofService(): Interrupt {
    return new Interrupt(['SIGINT', 'SIGTERM', 'SIGHUP'], () => {});
  }

  /** Aborted at the first signal. */
  get signal(): AbortSignal {
    return this.#control.signal;
  }

  /** Restores the listeners that there were before. */
  end(): void {
    for (const [signal, listeners] of this.#before) {
      process.off(signal, this.#first);
      for (const listener of listeners) process.on(signal, listener);
    }
    this.#before.clear();
  }

  /** Waits, at most until the first signal; tells whether there was one. */
  sleep(ms: number): Promise<boolean> {
    return setTimeout(ms, false, { signal: this.signal }).catch(() => true);
  }
}
