// Messages as bytes: a head, in JSON or compact, and the numbers of a tensor as they lie in memory: float32, little
// endian, or integers whose scale is in the head, with up to three zeros behind them. Integers are what a plan rounds to,
// or what an input is made of exactly.
// A plan has its own line in the head. Many requests share a plan, which is then serialized and parsed only once.
import type { FloatTensor } from '../../engine/index.ts';
import { BedsideError } from '../../util/index.ts';
import {
  COMPACT,
  mostHeadBytes,
  readHead as readCompact,
  writeHead as writeCompact,
} from './compact-head.ts';
import { floatsOfRows, type IntegerRows, integerRows } from './integer-rows.ts';
import type { Assignment, InputMessage, NodeMessage, RequestId, TensorMessage } from './messages.ts';
import { firstDeviceOf, type RunPlan, sourceOf } from './plan.ts';
import type { RoundedTensor } from './rounded-tensor.ts';

/** Any message to a node. Only those of kind `part` carry a tensor. */
interface AnyMessage {
  readonly kind: string;
}

/** A message before it is bytes. */
export interface WireParts {
  /** Most bytes of its head. */
  readonly mostHead: number;
  /** Writes the head. @returns the place behind it */
  readonly writeHead: (to: Buffer, start: number) => number;
  /** The numbers of its tensor, not copied. */
  readonly body: Uint8Array;
}

/** Plans in serialized form. */
const written = new WeakMap<RunPlan, Buffer>();

/** Recent plans with their serialized form, if that is short; the latest first. */
const known: { readonly line: Buffer; readonly plan: RunPlan }[] = [];
const MAX_KNOWN = 64;
const MAX_BYTES = 16_384;

/** Places at the front of the recent plans that need no moving. */
const FRONT = 4;

/** Bytes of an input that fits into one packet of a network with its head. Fewer of them are not there sooner. */
const ONE_PACKET = 1200;

const NONE = new Uint8Array(0);
const LINE_BREAK = 10;

/** Head and tensor of a message, still in parts. Only the part of a plan that running needs is sent. */
export function partsOf(message: NodeMessage | AnyMessage): WireParts {
  const plan = 'plan' in message && message.plan ? lineOf(message.plan) : undefined;
  const tensor = 'tensor' in message ? (message.tensor as TensorMessage['tensor']) : undefined;
  const body = tensor ? bytesOf(tensor) : NONE;
  if (message.kind === 'part' && tensor) {
    const part = message as TensorMessage | InputMessage;
    const most = mostHeadBytes(part);
    if (most === undefined) return inJson(headOfPart(part), plan, body);
    const writeHead = (to: Buffer, start: number) => writeCompact(part, plan, to, start);
    return { mostHead: most + (plan?.length ?? 0), writeHead, body };
  }
  let head = message as object;
  if (tensor) head = { ...head, tensor: headOf(tensor) };
  if (plan) head = { ...head, plan: undefined };
  return inJson(head, plan, body);
}

/** @param plan its line, with the line break before it */
function inJson(head: object, plan: Buffer | undefined, body: Uint8Array): WireParts {
  const json = JSON.stringify(head);
  const own = Buffer.byteLength(json);
  return {
    mostHead: own + (plan?.length ?? 0),
    writeHead(to, start) {
      to.write(json, start);
      if (plan) to.set(plan, start + own);
      return start + own + (plan?.length ?? 0);
    },
    body,
  };
}

/**
 * Head and tensor of a message. Tensor data is not copied, except of an input that is made of integers: these are sent in
 * its place, from which the receiver has the same numbers, to the last bit.
 */
export function toWire(message: NodeMessage | AnyMessage): {
  readonly head: Buffer;
  readonly body: Uint8Array;
} {
  const { mostHead, writeHead, body } = ofIntegers(message) ?? partsOf(message);
  const head = Buffer.allocUnsafe(mostHead);
  return { head: head.subarray(0, writeHead(head, 0)), body };
}

/**
 * The message from a head and its numbers, which are not copied. Messages may share a plan object.
 * @throws BedsideError E_FABRIC for a malformed head, or numbers that do not fill the shape
 */
export function fromWire<T extends AnyMessage = NodeMessage>(head: Buffer, data: Float32Array): T {
  if (head[0] === COMPACT) return fromCompact(head, data) as AnyMessage as T;
  // `JSON.stringify` writes no line breaks.
  const line = head.indexOf(LINE_BREAK);
  const message = parsed(head.toString('utf8', 0, line < 0 ? head.length : line));
  if (typeof message !== 'object' || message === null || !('kind' in message)) throw unreadable();
  const fields = message as { kind: unknown; plan?: unknown; tensor?: unknown; travelled?: unknown };
  if (line >= 0) fields.plan = planOf(head, line);
  if (fields.kind === 'part') {
    const said: TensorHead = fields.tensor ?? {};
    fields.tensor = tensorOf(said, data);
    fields.travelled = said.integers === undefined ? undefined : data.byteLength;
  }
  return fields as unknown as T;
}

function fromCompact(head: Buffer, data: Float32Array): TensorMessage | InputMessage {
  const read = readCompact(head);
  if (!read) throw unreadable();
  const fields = read.message as { tensor?: unknown; plan?: unknown };
  fields.tensor = tensorOf(read.said, data);
  if (read.plan !== undefined) fields.plan = planOf(head, read.plan);
  return fields as TensorMessage | InputMessage;
}

/** Bits of a number of an input on a link: of the integers that it is made of exactly, or of float32. */
export function bitsOnTheWire(input: FloatTensor): 8 | 16 | 32 {
  const rows = input.data.byteLength <= ONE_PACKET ? undefined : integerRows(input);
  return rows ? (rows.data.BYTES_PER_ELEMENT === 1 ? 8 : 16) : 32;
}

/** Bytes of an input's numbers on a link. */
export function inputBytesOnTheWire(input: FloatTensor | RoundedTensor): number {
  return input.type === 'float32' ? (input.data.length * bitsOnTheWire(input)) / 8 : input.data.byteLength;
}

/** The parts of an input that travels as integers; undefined for any other message. */
function ofIntegers(message: NodeMessage | AnyMessage): WireParts | undefined {
  if (message.kind !== 'part') return undefined;
  const input = message as InputMessage;
  const { stage, tensor, plan } = input;
  if (stage >= 0 || tensor.type !== 'float32' || tensor.data.byteLength <= ONE_PACKET) return undefined;
  const rows = integerRows(tensor);
  if (!rows) return undefined;
  const { scales, offsets, data } = rows;
  const bits = 8 * data.BYTES_PER_ELEMENT;
  const head = { ...headOfPart(input), tensor: { dims: tensor.dims, integers: { bits, scales, offsets } } };
  return inJson(head, plan && lineOf(plan), paddedBytes(data));
}

/** Every field by its name: nearly all messages have this head, and copying what it happens to have is slower. */
function headOfPart(message: TensorMessage & Partial<Omit<Assignment, keyof RequestId>>): object {
  const { request, epoch, requester, bundle, samples, remaining, timed, traceparent } = message;
  const { stage, segment, tensor, spans, sent } = message;
  return {
    kind: 'part',
    request,
    epoch,
    requester,
    bundle,
    samples,
    remaining,
    timed,
    traceparent,
    stage,
    segment,
    tensor: headOf(tensor),
    spans,
    sent,
  };
}

function headOf(tensor: FloatTensor | RoundedTensor): object {
  if (tensor.type === 'float32') return { dims: tensor.dims };
  return { dims: tensor.dims, scale: tensor.scale, zero: tensor.zero };
}

function bytesOf({ data }: FloatTensor | RoundedTensor): Uint8Array {
  return paddedBytes(data);
}

/** Not copied where they are a multiple of four. */
function paddedBytes(data: Float32Array | Uint8Array | Uint16Array): Uint8Array {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  if (bytes.length % 4 === 0) return bytes;
  const padded = new Uint8Array(4 * Math.ceil(bytes.length / 4));
  padded.set(bytes);
  return padded;
}

/** What a head says of its tensor. */
interface TensorHead {
  readonly dims?: unknown;
  readonly scale?: unknown;
  readonly zero?: unknown;
  readonly integers?: unknown;
}

function tensorOf(
  { dims, scale, zero, integers }: TensorHead,
  data: Float32Array,
): FloatTensor | RoundedTensor {
  if (!isShape(dims)) throw unreadable();
  const size = dims.reduce((all, dim) => all * dim, 1);
  if (integers !== undefined) {
    return { type: 'float32', dims, data: floatsOfRows(rowsOf(integers, size, data)) };
  }
  if (scale === undefined) {
    if (size !== data.length) throw unreadable();
    return { type: 'float32', dims, data };
  }
  if (!isScale(scale, zero) || Math.ceil(size / 4) !== data.length) throw unreadable();
  const bytes = new Uint8Array(data.buffer, data.byteOffset, size);
  return { type: 'uint8', dims, data: bytes, scale: scale as number, zero: zero as number };
}

/** The integers of an input. @throws BedsideError E_FABRIC */
function rowsOf(
  integers: unknown,
  size: number,
  { buffer, byteOffset, byteLength }: Float32Array,
): IntegerRows {
  const { bits, scales, offsets } = (integers ?? {}) as Readonly<Record<string, unknown>>;
  const Row = bits === 8 ? Uint8Array : bits === 16 ? Uint16Array : undefined;
  if (!Row || !areFigures(scales) || !areFigures(offsets) || scales.length !== offsets.length)
    throw unreadable();
  const whole = scales.length > 0 && size % scales.length === 0;
  if (!whole || 4 * Math.ceil((size * Row.BYTES_PER_ELEMENT) / 4) !== byteLength) throw unreadable();
  return { scales, offsets, data: new Row(buffer as ArrayBuffer, byteOffset, size) };
}

function areFigures(values: unknown): values is number[] {
  return Array.isArray(values) && values.every((value) => Number.isFinite(value));
}

function isScale(scale: unknown, zero: unknown): boolean {
  return (
    typeof scale === 'number' &&
    Number.isFinite(scale) &&
    scale > 0 &&
    Number.isInteger(zero) &&
    (zero as number) >= 0 &&
    (zero as number) <= 255
  );
}

/** The line of a plan, with the line break before it. */
function lineOf(plan: RunPlan): Buffer {
  const before = written.get(plan);
  if (before !== undefined) return before;
  const stages = plan.stages.map(({ index, segments, precision, wire }) => ({
    index,
    ...(precision === 'int8' ? { precision } : {}),
    ...(wire === 'uint8' ? { wire } : {}),
    segments: segments.map(({ device, from, to }) => ({ device, from, to })),
  }));
  const { levels, source } = plan;
  const away = sourceOf(plan) === firstDeviceOf(plan) ? {} : { source };
  const line = Buffer.from(`\n${JSON.stringify({ levels, ...away, stages })}`);
  written.set(plan, line);
  return line;
}

/** Parses the line of a plan, without checking that it is a plan: message validation does that. */
function planOf(head: Buffer, from: number): unknown {
  const at = known.findIndex(({ line }) => isAt(head, from, line));
  const before = known[at];
  if (before) {
    if (at >= FRONT) known.unshift(...known.splice(at, 1));
    return before.plan;
  }
  const plan = parsed(head.toString('utf8', from + 1));
  if (typeof plan !== 'object' || plan === null || head.length - from > MAX_BYTES) return plan;
  const line = Buffer.from(head.subarray(from));
  known.unshift({ line, plan: plan as RunPlan });
  if (known.length > MAX_KNOWN) known.pop();
  written.set(plan as RunPlan, line);
  return plan;
}

/** Whether a head ends with this line. */
function isAt(head: Buffer, from: number, line: Buffer): boolean {
  return head.length - from === line.length && head.compare(line, 0, line.length, from) === 0;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw unreadable();
  }
}

function isShape(dims: unknown): dims is number[] {
  return Array.isArray(dims) && dims.every((dim) => Number.isInteger(dim) && dim >= 0);
}

/** The error for bytes that are not a message. */
export function unreadable(): BedsideError {
  return new BedsideError('E_FABRIC', 'a connection delivered a malformed message', {
    hint: 'all nodes must run the same version of bedside',
  });
}
