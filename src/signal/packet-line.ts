// Packets of a live signal as one line of samples: packets that change places, gaps, late ones, clocks that drift, a
// changed sampling rate, and a sender that starts anew.

/** Samples that came together. All leads have as many. */
export interface SignalPacket {
  /** Seconds of the first sample by the sender's clock; without it, the packet follows the one before. */
  readonly at?: number | undefined;
  /** Samples a second; without it, as before. */
  readonly rate?: number | undefined;
  /** Millivolts by lead; missing samples are NaN. */
  readonly leads: ReadonlyMap<string, Float64Array>;
}

/** What comes next on the line. */
export type LinePiece =
  | { readonly kind: 'samples'; readonly leads: ReadonlyMap<string, Float64Array>; readonly count: number }
  /** So many samples are missing. */
  | { readonly kind: 'gap'; readonly count: number }
  /** Samples came when their place had been passed, and are left out. */
  | { readonly kind: 'late'; readonly count: number }
  /** From here on so many samples a second. */
  | { readonly kind: 'rate'; readonly rate: number }
  /** The sender's clock jumped: what came before and what follows are not connected. */
  | { readonly kind: 'restart' };

/** How a line waits. */
export interface LineOptions {
  /** Seconds of later signal for which a missing packet is waited; default 0.25. */
  readonly patience?: number | undefined;
}

const PATIENCE = 0.25;
/** A packet that is off by less than so many seconds is where it belongs: clocks have jitter. */
const JITTER = 0.02;
/** Further back, or further ahead, the sender has set its clock. */
const MOST_BACK = 60;
const MOST_AHEAD = 86_400;
const MOST_HELD = 256;

interface Held {
  readonly at: number;
  readonly count: number;
  readonly packet: SignalPacket;
}

/** Puts packets in order. */
export class PacketLine {
  readonly #patience: number;
  #rate: number | undefined;
  /** The sender's time of the next sample; undefined until a packet says one. */
  #next: number | undefined;
  #held: Held[] = [];
  #drift = 0;
  #driftSeconds = 0;

  constructor({ patience = PATIENCE }: LineOptions = {}) {
    this.#patience = patience;
  }

  /** Samples a second; undefined before a packet said it. */
  get rate(): number | undefined {
    return this.#rate;
  }

  /**
   * How much faster the sender's clock goes than its samples, in parts per million; undefined while too little is known.
   */
  get drift(): number | undefined {
    return this.#driftSeconds < 10 ? undefined : (1e6 * this.#drift) / this.#driftSeconds;
  }

  /** Takes a packet; what can go on comes back in order. The packet must have a rate if none before had one. */
  push(packet: SignalPacket): LinePiece[] {
    const pieces: LinePiece[] = [];
    const { rate = this.#rate, at } = packet;
    if (rate !== this.#rate) {
      pieces.push(...this.flush(), { kind: 'rate', rate: rate as number });
      this.#rate = rate;
      this.#next = at;
    }
    const count = countOf(packet);
    if (count === 0) return pieces;
    if (at === undefined) {
      pieces.push(...this.flush());
      this.#append(packet, 0, pieces);
      return pieces;
    }
    this.#next ??= at;
    const off = at - this.#next;
    if (off < -MOST_BACK || off > MOST_AHEAD) {
      pieces.push(...this.flush(), { kind: 'restart' });
      this.#next = at;
    }
    this.#held.push({ at, count, packet });
    this.#held.sort((a, b) => a.at - b.at);
    this.#release(pieces, this.#patience);
    return pieces;
  }

  /** What still waits for packets before it, with the gaps. */
  flush(): LinePiece[] {
    const pieces: LinePiece[] = [];
    this.#release(pieces, 0);
    return pieces;
  }

  #release(pieces: LinePiece[], patience: number): void {
    const rate = this.#rate as number;
    for (;;) {
      const [first] = this.#held;
      if (!first || this.#next === undefined) return;
      const off = first.at - this.#next;
      if (off > JITTER) {
        const last = this.#held.at(-1) as Held;
        const waited = last.at + last.count / rate - this.#next;
        if (waited <= patience && this.#held.length < MOST_HELD) return;
        const count = Math.round(off * rate);
        pieces.push({ kind: 'gap', count });
        this.#next += count / rate;
      }
      this.#held.shift();
      this.#append(first.packet, first.at - this.#next, pieces);
    }
  }

  /** @param off seconds by which the packet is ahead of its place */
  #append(packet: SignalPacket, off: number, pieces: LinePiece[]): void {
    const rate = this.#rate as number;
    const count = countOf(packet);
    if (off < -JITTER) {
      const passed = Math.min(count, Math.round(-off * rate));
      pieces.push({ kind: 'late', count: passed });
      if (passed === count) return;
      const leads = new Map([...packet.leads].map(([name, samples]) => [name, samples.subarray(passed)]));
      pieces.push({ kind: 'samples', leads, count: count - passed });
      this.#next = (this.#next as number) + (count - passed) / rate;
      return;
    }
    pieces.push({ kind: 'samples', leads: packet.leads, count });
    if (this.#next === undefined) return;
    this.#drift += off;
    this.#driftSeconds += count / rate;
    // The place follows the sender's clock, so that a drift never becomes a gap.
    this.#next += off + count / rate;
  }
}

function countOf({ leads }: SignalPacket): number {
  for (const samples of leads.values()) return samples.length;
  return 0;
}
