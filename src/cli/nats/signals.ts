// What runs until it is told to stop.

/** Stops in order at the first SIGINT or SIGTERM; at the second at once. */
export class Stop {
  readonly #before = new Map(SIGNALS.map((signal) => [signal, process.listeners(signal)]));
  readonly #first: () => void;
  /** Ends when it is to stop. */
  readonly asked: Promise<void>;

  constructor() {
    const { promise, resolve } = withResolvers();
    this.asked = promise;
    this.#first = () => {
      this.end();
      resolve();
    };
    for (const signal of SIGNALS) {
      process.removeAllListeners(signal);
      process.once(signal, this.#first);
    }
  }

  /** From now on signals do what they did before. */
  end(): void {
    for (const [signal, listeners] of this.#before) {
      process.off(signal, this.#first);
      for (const listener of listeners) process.on(signal, listener);
    }
    this.#before.clear();
  }
}

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

function withResolvers(): { promise: Promise<void>; resolve: () => void } {
  let resolve = (): void => {};
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}

/** Waits, but no longer than until it is told to stop. */
export async function sleepUntil(stop: Stop, ms: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), ms);
  });
  const stopped = await Promise.race([stop.asked.then(() => true), late]);
  clearTimeout(timer);
  return stopped;
}
