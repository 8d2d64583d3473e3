// Links as an emulated device has them: what is sent waits as it would on the air.

/** Bytes a second and seconds, by receiver where they differ. */
export interface LinkOptions {
  readonly bytesPerSecond?: number | undefined;
  readonly latency?: number | undefined;
  readonly to?: Readonly<Record<string, Omit<LinkOptions, 'to' | 'shared'>>> | undefined;
  /** One radio channel for all that share an `Air`: while one sends, the others wait. */
  readonly shared?: boolean | undefined;
}

/** A channel that several devices share: milliseconds until so many of sending are over, which begin when it is free. */
export type SharedChannel = (sending: number) => number | Promise<number>;

/** A free channel, on a clock of milliseconds. */
export function newSharedChannel(clock: () => number): (sending: number) => number {
  let free = Number.NEGATIVE_INFINITY;
  return (sending) => {
    const now = clock();
    free = Math.max(now, free) + sending;
    return free - now;
  };
}

/** Links of which is kept when they are free. */
const MAX_LINKS = 1024;

/** Delays what goes out; a link carries one thing after another. */
export class EmulatedLinks {
  readonly #options: LinkOptions;
  readonly #free = new Map<string, number>();

  constructor(options: LinkOptions = {}) {
    this.#options = options;
  }

  /** Whether others send on the same channel. */
  get shared(): boolean {
    return this.#options.shared ?? false;
  }

  /** Milliseconds of sending so many bytes, and until the last of them is there. */
  times(to: string, bytes: number): { readonly sending: number; readonly latency: number } {
    const link = { ...this.#options, ...this.#options.to?.[to] };
    const { bytesPerSecond = Number.POSITIVE_INFINITY, latency = 0 } = link;
    return { sending: (1000 * bytes) / bytesPerSecond, latency: 1000 * latency };
  }

  /** Milliseconds from `now` until the last byte is there, and the link taken until it has been sent. */
  delay(to: string, bytes: number, now: number): number {
    const { sending, latency } = this.times(to, bytes);
    const sent = Math.max(now, this.#free.get(to) ?? 0) + sending;
    // Links that are free again are as if nothing had been sent.
    if (this.#free.size >= MAX_LINKS)
      for (const [one, until] of this.#free) if (until <= now) this.#free.delete(one);
    this.#free.set(to, sent);
    return sent + latency - now;
  }
}
