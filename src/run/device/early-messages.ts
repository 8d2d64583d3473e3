// Tensors that arrive before the request that they belong to. They wait for a moment and within bounds. When there are
// too many, the sender with the most loses its oldest first, so that no sender pushes out the tensors of others.
import type { TensorMessage } from '../protocol/messages.ts';

/** Bounds for tensors that wait. */
export interface EarlyMessageOptions {
  /** Bytes of all waiting tensors; default 64 MB. */
  readonly memory?: number;
  /** Number of waiting tensors; default 4096. */
  readonly most?: number;
  /** Milliseconds that a tensor waits; default 5000. */
  readonly patience?: number;
}

/** A tensor and its sender. */
export interface EarlyMessage {
  readonly from: string;
  readonly part: TensorMessage;
  readonly until: number;
}

/** Bytes that are counted for a message besides its numbers. */
const HEAD = 256;

/** Keeps tensors of requests that are not known yet. */
export class EarlyMessages {
  readonly #options: Required<EarlyMessageOptions>;
  /** By sender: bytes, and messages in the order of arrival. */
  readonly #senders = new Map<string, { bytes: number; parts: EarlyMessage[] }>();
  #bytes = 0;
  #count = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor({ memory = 64e6, most = 4096, patience = 5000 }: EarlyMessageOptions = {}) {
    this.#options = { memory, most, patience };
  }

  /** Number of bytes and messages that wait. */
  get held(): { readonly bytes: number; readonly parts: number } {
    return { bytes: this.#bytes, parts: this.#count };
  }

  /** Keeps a tensor until it is taken or its time is over. */
  add(from: string, part: TensorMessage): void {
    const now = performance.now();
    const { patience, memory, most } = this.#options;
    this.#expire(now);
    const own = this.#senders.get(from) ?? { bytes: 0, parts: [] };
    this.#senders.set(from, own);
    own.parts.push({ from, part, until: now + Math.min(patience, Math.max(0, part.remaining)) });
    own.bytes += sizeOf(part);
    this.#bytes += sizeOf(part);
    this.#count++;
    while (this.#bytes > memory || this.#count > most) this.#drop();
    this.#timer ??= this.#later();
  }

  /** Removes and returns the messages of a request under an epoch. */
  take(requester: string, request: string, epoch: number): EarlyMessage[] {
    if (this.#count === 0) return [];
    this.#expire(performance.now());
    const found: EarlyMessage[] = [];
    this.#keep((early) => {
      const { part } = early;
      const is = part.request === request && part.requester === requester && part.epoch === epoch;
      if (is) found.push(early);
      return !is;
    });
    return found;
  }

  /** Drops all messages. */
  clear(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#keep(() => false);
  }

  /** Drops the oldest message of the sender with the largest share. */
  #drop(): void {
    let [most, weight] = ['', -1];
    for (const [from, { bytes, parts }] of this.#senders) {
      const share = Math.max(bytes / this.#options.memory, parts.length / this.#options.most);
      if (share > weight) [most, weight] = [from, share];
    }
    const sender = this.#senders.get(most);
    const oldest = sender?.parts.shift();
    if (!sender || !oldest) return;
    sender.bytes -= sizeOf(oldest.part);
    this.#bytes -= sizeOf(oldest.part);
    this.#count--;
    if (sender.parts.length === 0) this.#senders.delete(most);
  }

  #expire(now: number): void {
    if (this.#count > 0) this.#keep(({ until }) => until > now);
  }

  #later(): NodeJS.Timeout {
    const timer = setTimeout(() => {
      this.#timer = undefined;
      this.#expire(performance.now());
      if (this.#count > 0) this.#timer = this.#later();
    }, this.#options.patience);
    return timer.unref();
  }

  #keep(keeps: (early: EarlyMessage) => boolean): void {
    for (const [from, sender] of this.#senders) {
      const kept = sender.parts.filter(keeps);
      if (kept.length === sender.parts.length) continue;
      const bytes = kept.reduce((sum, { part }) => sum + sizeOf(part), 0);
      this.#bytes -= sender.bytes - bytes;
      this.#count -= sender.parts.length - kept.length;
      if (kept.length === 0) this.#senders.delete(from);
      else this.#senders.set(from, { bytes, parts: kept });
    }
  }
}

function sizeOf({ tensor }: TensorMessage): number {
  return HEAD + tensor.data.byteLength;
}
