// Frames on a local socket: lengths of head and tensor (uint32, little endian), the head, the bytes of the tensor. Heartbeats and greetings have the same form.
import type { NodeMessage } from '../protocol/messages.ts';
import { fromWire, partsOf, unreadable } from '../protocol/wire.ts';

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

/** Bytes of the two lengths. */
const SIZES = 8;

/** The pieces of a frame, to be written in order. Data of a large tensor is not copied. */
export function encodeFrame(frame: Frame): Uint8Array[] {
  const { mostHead, writeHead, body } = partsOf(frame);
  const isSmall = body.length <= SMALL;
  const start = Buffer.allocUnsafe(SIZES + mostHead + (isSmall ? body.length : 0));
  const end = writeHead(start, SIZES);
  start.writeUInt32LE(end - SIZES, 0);
  start.writeUInt32LE(body.length, 4);
  if (!isSmall) return [start.subarray(0, end), body];
  start.set(body, end);
  return [start.subarray(0, end + body.length)];
}

/** Cuts a stream of bytes into frames. A frame is passed on when its last byte is there. */
export class FrameReader {
  readonly #onFrame: (frame: Frame) => void;
  /** What has come of the next frame, and how many bytes. */
  #chunks: Buffer[] = [];
  #length = 0;
  /** Bytes without which the next frame is not whole; less where its lengths are not known so far. */
  #needed = SIZES;

  constructor(onFrame: (frame: Frame) => void) {
    this.#onFrame = onFrame;
  }

  /** Takes the next bytes of the stream. @throws BedsideError E_FABRIC for bytes that are not a frame */
  push(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#length += chunk.length;
    // Many chunks of one large tensor are joined once.
    if (this.#length < this.#needed) return;
    const bytes = this.#chunks.length === 1 ? chunk : Buffer.concat(this.#chunks);
    let at = 0;
    this.#needed = SIZES;
    while (bytes.length - at >= SIZES) {
      const size = sizeAt(bytes, at);
      if (bytes.length - at < size) {
        this.#needed = size;
        break;
      }
      this.#onFrame(frameAt(bytes, at));
      at += size;
    }
    this.#length = bytes.length - at;
    this.#chunks = this.#length === 0 ? [] : [bytes.subarray(at)];
  }
}

/** Bytes of the frame that begins here. @throws BedsideError E_FABRIC */
function sizeAt(bytes: Buffer, at: number): number {
  const [head, body] = [bytes.readUInt32LE(at), bytes.readUInt32LE(at + 4)];
  if (head > MAX_HEAD || body > MAX_BODY || body % 4 !== 0) throw unreadable();
  return SIZES + head + body;
}

/** @throws BedsideError E_FABRIC */
function frameAt(bytes: Buffer, at: number): Frame {
  const start = at + SIZES;
  const body = start + bytes.readUInt32LE(at);
  const data = new Float32Array(bytes.readUInt32LE(at + 4) / 4);
  // The tensor gets memory of its own: it is aligned there, and outlives the chunk.
  bytes.copy(new Uint8Array(data.buffer), 0, body, body + data.byteLength);
  return fromWire<Frame>(bytes.subarray(start, body), data);
}
