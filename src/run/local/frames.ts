// Frames on a local socket: lengths of head and tensor (uint32, little endian), the head in JSON, the bytes of the
// tensor. Heartbeats and greetings have the same form.
import type { NodeMessage } from '../protocol/messages.ts';
import { fromWire, toWire, unreadable } from '../protocol/wire.ts';

/** Anything that is sent over a connection. */
export type Frame =
  | { readonly kind: 'hello'; readonly from: string }
  | { readonly kind: 'watch' }
  | { readonly kind: 'beat' }
  | NodeMessage;

/** Bytes of a head. Heads are small, so a larger one is not a message of bedside. */
const MAX_HEAD = 1 << 24;

/** Bytes of a tensor. No tensor of a network comes near it. */
const MAX_BODY = 1 << 30;

/** Bytes of a tensor up to which a copy costs less than a second write. */
const SMALL = 1 << 14;

/** The pieces of a frame, to be written in order. Data of a large tensor is not copied. */
export function encodeFrame(frame: Frame): Uint8Array[] {
  const { head, body } = toWire(frame);
  const sizes = Buffer.alloc(8);
  sizes.writeUInt32LE(head.length, 0);
  sizes.writeUInt32LE(body.length, 4);
  if (body.length <= SMALL) return [Buffer.concat([sizes, head, body])];
  return [Buffer.concat([sizes, head]), body];
}

/** Cuts a stream of bytes into frames. A frame is passed on when its last byte is there. */
export class FrameReader {
  readonly #onFrame: (frame: Frame) => void;
  #chunks: Buffer[] = [];
  #length = 0;

  constructor(onFrame: (frame: Frame) => void) {
    this.#onFrame = onFrame;
  }

  /** Takes the next bytes of the stream. @throws BedsideError E_FABRIC for bytes that are not a frame */
  push(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#length += chunk.length;
    for (;;) {
      if (this.#length < 8) return;
      const sizes = this.#peek(8);
      const [head, body] = [sizes.readUInt32LE(0), sizes.readUInt32LE(4)];
      if (head > MAX_HEAD || body > MAX_BODY || body % 4 !== 0) throw unreadable();
      if (this.#length < 8 + head + body) return;
      this.#take(8);
      const json = this.#take(head);
      const data = new Float32Array(body / 4);
      this.#take(body).copy(new Uint8Array(data.buffer));
      this.#onFrame(fromWire<Frame>(json, data));
    }
  }

  /** The first bytes as one buffer, without removing them. */
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
