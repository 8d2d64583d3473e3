// Heads of tensors in a fixed layout. A head in JSON is written and read by much more code, and each request meets it in
// cold caches.
//
// Little endian: uint8 mark (no JSON begins with it), flags, rank, zero point; int32 stage, uint32 segment, uint32 samples;
// float64 epoch, milliseconds that remain, scale; uint16 bytes of request, requester and bundle, nothing; uint32 of each
// dimension; the three texts; the line of the plan.
import type { Assignment, InputMessage, TensorMessage } from './messages.ts';

/** The first byte of a compact head. */
export const COMPACT = 1;

/** Bytes before the dimensions. */
const FIXED = 48;

const HAS_PLAN = 1;
const IS_ROUNDED = 2;

const MAX_TEXT = 0x3fff;
const MAX_RANK = 16;

/** Bytes that UTF-8 takes for a character of a text, at most. */
const MOST_BYTES = 3;

/** A message of kind `part`, with what only an input has. */
type Part = TensorMessage &
  Partial<Pick<Assignment, 'bundle' | 'plan' | 'samples' | 'timed' | 'traceparent'>>;

/** Most bytes of the compact head of a message, without its plan; undefined for one that says more than it can. */
export function mostHeadBytes(message: Part): number | undefined {
  const { request, requester, bundle = '', samples = 0, stage, segment, tensor } = message;
  if (message.timed !== undefined || message.traceparent !== undefined) return undefined;
  if (message.spans !== undefined || message.sent !== undefined || tensor.dims.length > MAX_RANK)
    return undefined;
  const texts = request.length + requester.length + bundle.length;
  if (texts > MAX_TEXT || stage < -1 || !isUint32(segment) || !isUint32(samples)) return undefined;
  if (!tensor.dims.every(isUint32)) return undefined;
  return FIXED + 4 * tensor.dims.length + MOST_BYTES * texts;
}

function isUint32(value: number): boolean {
  return value >>> 0 === value;
}

/**
 * Writes the head of a message whose head may be compact.
 * @param plan the line of its plan, if it has one
 * @returns the place behind it
 */
export function writeHead(message: Part, plan: Uint8Array | undefined, to: Buffer, start: number): number {
  const { epoch, remaining, stage, segment, samples = 0, request, requester, bundle = '', tensor } = message;
  const isRounded = tensor.type === 'uint8';
  to[start] = COMPACT;
  to[start + 1] = (plan ? HAS_PLAN : 0) | (isRounded ? IS_ROUNDED : 0);
  to[start + 2] = tensor.dims.length;
  to[start + 3] = isRounded ? tensor.zero : 0;
  to.writeInt32LE(stage, start + 4);
  to.writeUInt32LE(segment, start + 8);
  to.writeUInt32LE(samples, start + 12);
  to.writeDoubleLE(epoch, start + 16);
  to.writeDoubleLE(remaining, start + 24);
  to.writeDoubleLE(isRounded ? tensor.scale : 0, start + 32);
  let at = start + FIXED;
  for (const dim of tensor.dims) at = to.writeUInt32LE(dim, at);
  const texts = request + requester + bundle;
  const written = to.write(texts, at);
  // One byte a character: nothing but ASCII.
  const bytesOf = written === texts.length ? lengthOf : byteLengthOf;
  to.writeUInt16LE(bytesOf(request), start + 40);
  to.writeUInt16LE(bytesOf(requester), start + 42);
  to.writeUInt16LE(bytesOf(bundle), start + 44);
  to.writeUInt16LE(0, start + 46);
  at += written;
  if (!plan) return at;
  to.set(plan, at);
  return at + plan.length;
}

const lengthOf = (text: string): number => text.length;
const byteLengthOf = (text: string): number => Buffer.byteLength(text);

/** What a compact head says. */
export interface CompactHead {
  readonly said: { readonly dims: readonly number[]; readonly scale?: number; readonly zero?: number };
  /** Where the line of the plan begins; undefined without one. */
  readonly plan: number | undefined;
  readonly message: Omit<TensorMessage, 'tensor'> | Omit<InputMessage, 'tensor' | 'plan'>;
}

/** Reads a compact head; undefined for one that is none. */
export function readHead(head: Buffer): CompactHead | undefined {
  if (head.length < FIXED || head[0] !== COMPACT) return undefined;
  const [flags, rank] = [head[1] as number, head[2] as number];
  const ofRequest = head.readUInt16LE(40);
  const ofRequester = head.readUInt16LE(42);
  const texts = FIXED + 4 * rank;
  const end = texts + ofRequest + ofRequester + head.readUInt16LE(44);
  const hasPlan = (flags & HAS_PLAN) !== 0;
  if (rank > MAX_RANK || (hasPlan ? head.length <= end : head.length !== end)) return undefined;
  const dims: number[] = [];
  for (let axis = 0; axis < rank; axis++) dims.push(head.readUInt32LE(FIXED + 4 * axis));
  const isRounded = (flags & IS_ROUNDED) !== 0;
  const said = isRounded ? { dims, scale: head.readDoubleLE(32), zero: head[3] as number } : { dims };
  const text = head.toString('utf8', texts, end);
  const isAscii = text.length === end - texts;
  const textAt = (from: number, to: number): string =>
    isAscii ? text.slice(from, to) : head.toString('utf8', texts + from, texts + to);
  const request = textAt(0, ofRequest);
  const requester = textAt(ofRequest, ofRequest + ofRequester);
  const [epoch, remaining] = [head.readDoubleLE(16), head.readDoubleLE(24)];
  const [stage, segment] = [head.readInt32LE(4), head.readUInt32LE(8)];
  if (!hasPlan) {
    const message = { kind: 'part', request, epoch, requester, stage, segment, remaining } as const;
    return { said, plan: undefined, message };
  }
  const bundle = textAt(ofRequest + ofRequester, end - texts);
  const samples = head.readUInt32LE(12);
  const message = {
    ...({ kind: 'part', request, epoch, requester, bundle, samples } as const),
    ...{ stage, segment, remaining },
  };
  return { said, plan: end, message };
}
