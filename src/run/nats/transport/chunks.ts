// Large messages travel as several payloads. A message is cut into chunks and reassembled, or given up as a whole:
// nothing of it is passed on before its last byte is there and its CRC-32 matches.
//
// A chunk (little endian): uint32 message, index, count, bytes of the head, bytes of the body, CRC-32 of head and body,
// bytes of the owner; then the owner in JSON, then its share of head and body. The owner says which request fails when
// the message is given up, whichever chunks are lost. A message of one chunk has no owner: its head says the same.
import { crc32 } from 'node:zlib';
import { BedsideError, formatBytes } from '../../../util/index.ts';
import { deleteOldest } from '../../../util/internal.ts';
import { COMPACT, readHead } from '../../protocol/compact-head.ts';

/** The request that a message belongs to. */
export interface MessageOwner {
  readonly request: string;
  readonly epoch: number;
  readonly requester: string;
  /** Milliseconds until its deadline; a message that is incomplete by then is given up. */
  readonly remaining?: number | undefined;
}

/** What of a message says whose it is. */
export function messageOwner({ request, epoch, requester, remaining }: MessageOwner): MessageOwner {
  return { request, epoch, requester, remaining };
}

/** Number of uint32 fields at the start of a chunk. */
const FIELDS = 7;
const HEADER = 4 * FIELDS;

/** The owner of a message of one chunk. */
const NOBODY = new Uint8Array(0);

/** Bytes of a chunk. Larger chunks are not faster and delay other messages longer. */
const MAX_CHUNK = 1 << 20;

/**
 * Milliseconds that a message may be late after the deadline of its request. By then the requester has ended the
 * request.
 */
const GRACE_MS = 1000;

/** Bytes of one message. No tensor of a network comes near it. */
const MAX_MESSAGE = 1 << 30;

/**
 * The payloads of a message.
 * @param message number of the message, different from that of the sender's previous one
 * @param most largest payload in bytes that the server allows
 * @throws BedsideError E_FABRIC if the message is too large, or a payload too small for any data
 */
export function* encodeChunks(
  message: number,
  { head, body }: { readonly head: Uint8Array; readonly body: Uint8Array },
  owner: MessageOwner | undefined,
  most: number,
): Generator<Uint8Array> {
  const total = head.length + body.length;
  const largest = Math.min(most, MAX_CHUNK) - HEADER;
  // The head of a single chunk says it too.
  const ownerBytes = owner && total > largest ? Buffer.from(JSON.stringify(owner)) : NOBODY;
  const room = largest - ownerBytes.length;
  if (room < 1 || total > MAX_MESSAGE) {
    throw new BedsideError(
      'E_FABRIC',
      `a message of ${formatBytes(total)} cannot be sent in payloads of ${formatBytes(most)}`,
      { hint: 'raise max_payload of the NATS server; bedside cluster init sets 8 MB' },
    );
  }
  const count = Math.max(1, Math.ceil(total / room));
  const check = checkOf(head, body);
  for (let index = 0; index < count; index++) {
    const from = index * room;
    const size = Math.min(room, total - from);
    const chunk = Buffer.allocUnsafe(HEADER + ownerBytes.length + size);
    chunk.writeUInt32LE(message, 0);
    chunk.writeUInt32LE(index, 4);
    chunk.writeUInt32LE(count, 8);
    chunk.writeUInt32LE(head.length, 12);
    chunk.writeUInt32LE(body.length, 16);
    chunk.writeUInt32LE(check, 20);
    chunk.writeUInt32LE(ownerBytes.length, 24);
    chunk.set(ownerBytes, HEADER);
    const start = HEADER + ownerBytes.length;
    const ofHead = head.subarray(from, from + size);
    chunk.set(ofHead, start);
    const inBody = Math.max(0, from - head.length);
    chunk.set(body.subarray(inBody, inBody + size - ofHead.length), start + ofHead.length);
    yield chunk;
  }
}

/** Callbacks of an assembler. */
export interface AssemblerHandlers {
  /** A complete message. The numbers belong to the receiver; the head is valid only until the call returns. */
  readonly whole: (from: string, head: Buffer, data: Float32Array<ArrayBuffer>) => void;
  /** A message that will never be complete, and why. */
  readonly givenUp: (from: string, owner: MessageOwner | undefined, why: string) => void;
}

/** Bounds of an assembler. */
export interface AssemblerOptions {
  /** Bytes of incomplete messages of all senders; one sender may have half of it. Default 256 MB. */
  readonly memory?: number;
  /** Milliseconds to wait for the next chunk; default 5000. */
  readonly patience?: number;
  /** Milliseconds to wait for a whole message, unless its request has less time; default 300 000. */
  readonly most?: number;
  /** Number of senders with an incomplete message, and of senders that are remembered; default 1024. */
  readonly senders?: number;
}

interface IncompleteMessage {
  readonly message: number;
  readonly count: number;
  readonly check: number;
  readonly owner: MessageOwner | undefined;
  readonly headBytes: number;
  readonly bodyBytes: number;
  /** Bytes that have arrived. No memory is reserved for bytes that are only announced. */
  readonly pieces: Buffer[];
  readonly silence: NodeJS.Timeout;
  readonly end: NodeJS.Timeout;
  next: number;
  filled: number;
}

/** Reassembles messages, one at a time for each sender, as a connection carries them in order. */
export class Assembler {
  readonly #handlers: AssemblerHandlers;
  readonly #options: Required<AssemblerOptions>;
  /** By sender, the least recently active first. */
  readonly #partial = new Map<string, IncompleteMessage>();
  /** By sender: the message that was last given up, because more of it may arrive. The oldest are forgotten. */
  readonly #dead = new Map<string, number>();
  #held = 0;

  constructor(
    handlers: AssemblerHandlers,
    { memory = 256e6, patience = 5000, most = 300_000, senders = 1024 }: AssemblerOptions = {},
  ) {
    this.#handlers = handlers;
    this.#options = { memory, patience, most, senders };
  }

  /** Bytes of incomplete messages. */
  get held(): number {
    return this.#held;
  }

  /** Number of senders that are remembered. */
  get senders(): number {
    return new Set([...this.#partial.keys(), ...this.#dead.keys()]).size;
  }

  /** Takes one payload. A payload that is not a chunk is ignored. */
  take(from: string, payload: Uint8Array): void {
    const chunk = decode(payload);
    if (!chunk) return;
    let partial = this.#partial.get(from);
    if (partial && partial.message !== chunk.message) {
      this.#giveUp(
        from,
        partial,
        `${partial.count - partial.next} of its ${partial.count} chunks are missing`,
      );
      partial = undefined;
    }
    if (this.#dead.get(from) === chunk.message) return;
    if (!partial && chunk.count === 1) {
      this.#takeWhole(from, chunk);
      return;
    }
    if (!partial) {
      partial = this.#begin(from, chunk);
      if (!partial) return;
    }
    // A duplicate.
    if (chunk.index < partial.next) return;
    if (chunk.index > partial.next || !isSame(partial, chunk)) {
      this.#giveUp(from, partial, `chunk ${partial.next + 1} of ${partial.count} is missing`);
      return;
    }
    this.#fill(from, partial, chunk.bytes);
  }

  /** Forgets incomplete messages, because the connection was lost and their rest will not come. */
  clear(): void {
    for (const [from, partial] of [...this.#partial]) this.#drop(from, partial);
    this.#dead.clear();
  }

  /** Takes a message of one chunk, as most are. */
  #takeWhole(from: string, chunk: Chunk): void {
    const { headBytes, bodyBytes, bytes } = chunk;
    if (bytes.length !== headBytes + bodyBytes || crc32(bytes) !== chunk.check) {
      const owner = chunk.owner.length > 0 ? chunk.owner : bytes.subarray(0, headBytes);
      this.#refuse(from, { ...chunk, owner }, 'its check sum is wrong');
      return;
    }
    const data = new Float32Array(bodyBytes / 4);
    new Uint8Array(data.buffer).set(bytes.subarray(headBytes));
    this.#handlers.whole(from, bytes.subarray(0, headBytes), data);
  }

  #refuse(from: string, { message, owner }: Chunk, why: string): undefined {
    this.#bury(from, message);
    this.#handlers.givenUp(from, ownerOf(owner), why);
  }

  #begin(from: string, chunk: Chunk): IncompleteMessage | undefined {
    const { message, index, count, headBytes, bodyBytes, check } = chunk;
    const { patience, most, senders, memory } = this.#options;
    if (index > 0) return this.#refuse(from, chunk, `its first ${index} of ${count} chunks are missing`);
    if (headBytes + bodyBytes > memory / 2) {
      return this.#refuse(
        from,
        chunk,
        `${formatBytes(headBytes + bodyBytes)} are too much: one sender may have ${formatBytes(memory / 2)}`,
      );
    }
    if (this.#partial.size >= senders) {
      const [idle] = this.#partial;
      if (idle) this.#giveUp(...idle, 'too many others send at the same time');
    }
    const owner = ownerOf(chunk.owner);
    const within = Math.min(most, GRACE_MS + Math.max(0, owner?.remaining ?? most));
    const giveUp = (why: string) => (): void => {
      const late = this.#partial.get(from);
      if (late?.message === message) this.#giveUp(from, late, why);
    };
    const partial: IncompleteMessage = {
      ...{ message, count, check, owner, headBytes, bodyBytes, pieces: [] },
      silence: setTimeout(giveUp(`nothing more of it came for ${patience / 1000} s`), patience).unref(),
      end: setTimeout(giveUp(`it was not complete within ${within / 1000} s`), within).unref(),
      next: 0,
      filled: 0,
    };
    this.#partial.set(from, partial);
    return partial;
  }

  #fill(from: string, partial: IncompleteMessage, bytes: Buffer): void {
    const { headBytes, bodyBytes, count, check, pieces } = partial;
    if (partial.filled + bytes.length > headBytes + bodyBytes) {
      this.#giveUp(from, partial, 'its chunks are longer than announced');
      return;
    }
    if (bytes.length > 0) pieces.push(Buffer.from(bytes));
    partial.filled += bytes.length;
    partial.next++;
    this.#held += bytes.length;
    if (partial.next < count) {
      partial.silence.refresh();
      this.#partial.delete(from);
      this.#partial.set(from, partial);
      this.#makeRoom();
      return;
    }
    if (partial.filled !== headBytes + bodyBytes) {
      this.#giveUp(from, partial, 'its check sum is wrong');
      return;
    }
    const data = new Float32Array(bodyBytes / 4);
    const body = new Uint8Array(data.buffer);
    const head = Buffer.alloc(headBytes);
    let at = 0;
    for (const piece of pieces) {
      const inHead = Math.max(0, Math.min(piece.length, headBytes - at));
      if (inHead > 0) head.set(piece.subarray(0, inHead), at);
      body.set(piece.subarray(inHead), Math.max(0, at - headBytes));
      at += piece.length;
    }
    if (checkOf(head, body) !== check) {
      this.#giveUp(from, partial, 'its check sum is wrong');
      return;
    }
    this.#drop(from, partial);
    this.#handlers.whole(from, head, data);
  }

  /** Gives up the largest incomplete messages until the rest is within the bounds. */
  #makeRoom(): void {
    while (this.#held > this.#options.memory) {
      const [largest] = [...this.#partial].sort(([, a], [, b]) => b.filled - a.filled);
      if (!largest) return;
      this.#giveUp(...largest, `incomplete messages may have ${formatBytes(this.#options.memory)} in all`);
    }
  }

  #giveUp(from: string, partial: IncompleteMessage, why: string): void {
    this.#drop(from, partial);
    this.#bury(from, partial.message);
    this.#handlers.givenUp(from, partial.owner, why);
  }

  #bury(from: string, message: number): void {
    this.#dead.delete(from);
    this.#dead.set(from, message);
    if (this.#dead.size <= this.#options.senders) return;
    deleteOldest(this.#dead);
  }

  #drop(from: string, { silence, end, filled }: IncompleteMessage): void {
    clearTimeout(silence);
    clearTimeout(end);
    this.#partial.delete(from);
    this.#held -= filled;
  }
}

/** CRC-32 of head and body. An empty body is left out, because zlib then forgets the value of the head. */
function checkOf(head: Uint8Array, body: Uint8Array): number {
  const ofHead = crc32(head);
  return body.length === 0 ? ofHead : crc32(body, ofHead);
}

interface Chunk {
  readonly message: number;
  readonly index: number;
  readonly count: number;
  readonly headBytes: number;
  readonly bodyBytes: number;
  readonly check: number;
  /** JSON, parsed only when it is needed. */
  readonly owner: Buffer;
  readonly bytes: Buffer;
}

function isSame(partial: IncompleteMessage, { count, check, headBytes, bodyBytes }: Chunk): boolean {
  return (
    count === partial.count &&
    check === partial.check &&
    headBytes === partial.headBytes &&
    bodyBytes === partial.bodyBytes
  );
}

/** A payload as a chunk, or undefined if it is malformed. */
function decode(payload: Uint8Array): Chunk | undefined {
  if (payload.length < HEADER) return undefined;
  const view = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
  const field = (at: number): number => view.readUInt32LE(4 * at);
  const [message, index, count, headBytes, bodyBytes] = [field(0), field(1), field(2), field(3), field(4)];
  const [check, ownerBytes] = [field(5), field(6)];
  const start = HEADER + ownerBytes;
  const fits = index < count && start <= payload.length && bodyBytes % 4 === 0;
  if (!fits || headBytes + bodyBytes > MAX_MESSAGE) return undefined;
  const owner = view.subarray(HEADER, start);
  return { message, index, count, headBytes, bodyBytes, check, owner, bytes: view.subarray(start) };
}

/** @param bytes an owner, or a head: the first line of either says it, or the head is compact */
function ownerOf(bytes: Buffer): MessageOwner | undefined {
  if (bytes[0] === COMPACT) {
    const message = readHead(bytes)?.message;
    return message && messageOwner(message);
  }
  try {
    const [line = ''] = bytes.toString().split('\n', 1);
    const owner = JSON.parse(line) as Record<string, unknown>;
    const { request, epoch, requester, remaining } = owner;
    if (typeof request !== 'string' || typeof requester !== 'string' || typeof epoch !== 'number')
      return undefined;
    return { request, epoch, requester, ...(typeof remaining === 'number' ? { remaining } : {}) };
  } catch {
    return undefined;
  }
}
