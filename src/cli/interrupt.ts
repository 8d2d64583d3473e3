// Ctrl-C in commands that end what they have begun.
import type { Output } from './output.ts';

/** The first Ctrl-C lets what runs end; the next does what it did before. */
export class Interrupt {
  readonly #control = new AbortController();
  readonly #before = process.listeners('SIGINT');
  readonly #stop: () => void;

  constructor(output: Output, running = 'the request') {
    this.#stop = () => {
      output.note(`stopping after ${running} that runs; once more stops at once`);
      this.#control.abort();
      this.end();
    };
    process.removeAllListeners('SIGINT');
    process.once('SIGINT', this.#stop);
  }

  get signal(): AbortSignal {
    return this.#control.signal;
  }

  end(): void {
    process.off('SIGINT', this.#stop);
    for (const listener of this.#before.splice(0)) process.on('SIGINT', listener);
  }
}
