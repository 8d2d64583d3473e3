// Links as an emulated device has them: what is sent waits as it would on the air.

/** Bytes a second and seconds, by receiver where they differ. */
export interface LinkOptions {
  readonly bytesPerSecond?: number | undefined;
  readonly latency?: number | undefined;
  readonly to?: Readonly<Record<string, Omit<LinkOptions, 'to'>>> | undefined;
}

/** Delays what goes out; a link carries one thing after another. */
export class ShapedLinks {
  readonly #options: LinkOptions;
  readonly #free = new Map<string, number>();

  constructor(options: LinkOptions = {}) {
    this.#options = options;
  }

  /** Milliseconds from `now` until the last byte is there, and the link taken until it has been sent. */
  delay(to: string, bytes: number, now: number): number {
    const link = { ...this.#options, ...this.#options.to?.[to] };
    const { bytesPerSecond = Number.POSITIVE_INFINITY, latency = 0 } = link;
    const sent = Math.max(now, this.#free.get(to) ?? 0) + (1000 * bytes) / bytesPerSecond;
    this.#free.set(to, sent);
    return sent + 1000 * latency - now;
  }
}
