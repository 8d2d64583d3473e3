// Emulated links: messages are delayed as a slower link would delay them.
import { waitUntil } from '../../util/internal.ts';

/** Bandwidth and latency (seconds) of a device's links; `to` overrides them for single receivers. */
export interface LinkOptions {
  readonly bytesPerSecond?: number | undefined;
  readonly latency?: number | undefined;
  readonly to?: Readonly<Record<string, Omit<LinkOptions, 'to' | 'shared'>>> | undefined;
  /** Whether the link is on the radio channel of a `SharedChannel`: while one device sends, the others wait. */
  readonly shared?: boolean | undefined;
}

/**
 * A radio channel that several devices share. Reserves it for `sending` milliseconds, starting when it is free, and
 * returns the milliseconds until the reservation ends.
 */
export type SharedChannel = (sending: number) => number | Promise<number>;

/** A channel that is free now. @param clock current time in milliseconds */
export function newSharedChannel(clock: () => number): (sending: number) => number {
  let free = Number.NEGATIVE_INFINITY;
  return (sending) => {
    const now = clock();
    free = Math.max(now, free) + sending;
    return free - now;
  };
}

/** Number of links whose busy time is remembered. */
const MAX_LINKS = 1024;

/** Computes the delays of outgoing messages; a link carries one message after another. */
export class EmulatedLinks {
  readonly #options: LinkOptions;
  readonly #free = new Map<string, number>();

  constructor(options: LinkOptions = {}) {
    this.#options = options;
  }

  /** Whether nothing is delayed: no link is emulated. */
  get areNone(): boolean {
    const { bytesPerSecond, latency, to, shared } = this.#options;
    return bytesPerSecond === undefined && !latency && to === undefined && !shared;
  }

  /** Calls `send` when the last of the bytes would arrive; on a shared channel, once it has been free for them. */
  carry(to: string, bytes: number, send: () => void, channel: SharedChannel | undefined): void {
    const sendAfter = (delay: number): unknown =>
      delay <= 0 ? send() : waitUntil(performance.now() + delay).then(send);
    if (channel && this.#options.shared) {
      const { sending, latency } = this.#times(to, bytes);
      void Promise.resolve(channel(sending)).then((wait) => sendAfter(wait + latency));
    } else sendAfter(this.delay(to, bytes, performance.now()));
  }

  /** Milliseconds that sending so many bytes takes, and the latency of the link. */
  #times(to: string, bytes: number): { readonly sending: number; readonly latency: number } {
    const link = { ...this.#options, ...this.#options.to?.[to] };
    const { bytesPerSecond = Number.POSITIVE_INFINITY, latency = 0 } = link;
    return { sending: (1000 * bytes) / bytesPerSecond, latency: 1000 * latency };
  }

  /** Reserves the link. @returns milliseconds from `now` until the last byte arrives */
  delay(to: string, bytes: number, now: number): number {
    const { sending, latency } = this.#times(to, bytes);
    const sent = Math.max(now, this.#free.get(to) ?? 0) + sending;
    // A link that is free again need not be remembered.
    if (this.#free.size >= MAX_LINKS)
      for (const [one, until] of this.#free) if (until <= now) this.#free.delete(one);
    this.#free.set(to, sent);
    return sent + latency - now;
  }
}
