// Messages as bytes: the length of the head and of the tensor (uint32, little endian), the head as JSON, the tensor's
// own bytes. Signs of life and greetings travel the same way.
import type { NodeMessage } from '../protocol/messages.ts';
import { fromWire, toWire, unreadable } from '../protocol/wire.ts';

/** What goes over a connection. */
export type Frame =
  | { readonly kind: 'hello'; readonly from: string }
  | { readonly kind: 'watch' }
  | { readonly kind: 'beat' }
  | NodeMessage;

/** Heads are small; a larger one is no message of ours. */
const MOST_HEAD = 1 << 24;

/** No tensor of a network comes near it. */
const MOST_BODY = 1 << 30;

/** Bytes of a tensor up to which a copy costs less than a second piece. */
const SMALL = 1 << 14;

/** The pieces of a frame, tensor data not copied. */
export function encodeFrame(frame: Frame): Uint8Array[] {
  const { head, body } = toWire(frame);
  const sizes = Buffer.alloc(8);
  sizes.writeUInt32LE(head.length, 0);
  sizes.writeUInt32LE(body.length, 4);
  if (body.length <= SMALL) return [Buffer.concat([sizes, head, body])];
  return [Buffer.concat([sizes, head]), body];
}

/** Cuts a stream of bytes into frames; a frame is given when its last byte is there, and never before. */
export class FrameReader {
  readonly #give: (frame: Frame) => void;
  #chunks: Buffer[] = [];
  #length = 0;

  constructor(give: (frame: Frame) => void) {
    this.#give = give;
  }

  /** @throws BedsideError E_FABRIC for bytes that are no frame */
  push(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#length += chunk.length;
    for (;;) {
      if (this.#length < 8) return;
      const sizes = this.#peek(8);
      const [head, body] = [sizes.readUInt32LE(0), sizes.readUInt32LE(4)];
      if (head > MOST_HEAD || body > MOST_BODY || body % 4 !== 0) throw unreadable();
      if (this.#length < 8 + head + body) return;
      this.#take(8);
      const json = this.#take(head);
      const data = new Float32Array(body / 4);
      this.#take(body).copy(new Uint8Array(data.buffer));
      this.#give(fromWire<Frame>(json, data));
    }
  }

  /** The first bytes, together. */
  #peek(count: number): Buffer {
    if ((this.#chunks[0]?.length ?? 0) < count) this.#chunks = [Buffer.concat(this.#chunks)];
    return (this.#chunks[0] ?? Buffer.alloc(0)).subarray(0, count);
  }

  #take(count: number): Buffer {
    const taken = this.#peek(count);
    const [first = Buffer.alloc(0)] = this.#chunks;
    if (first.length === count) this.#chunks.shift();
    else this.#chunks[0] = first.subarray(count);
    this.#length -= count;
    return taken;
  }
}
