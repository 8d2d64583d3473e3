// Messages as bytes: a head in JSON, and the numbers of a tensor as they lie in memory: float32, little endian, or bytes
// whose scale is in the head, with up to three zeros behind them.
// A plan has its own line in the head. Many requests share a plan, which is then serialized and parsed only once.
import type { FloatTensor } from '../../engine/index.ts';
import { BedsideError } from '../../util/index.ts';
import { deleteOldest } from '../../util/internal.ts';
import type { NodeMessage } from './messages.ts';
import type { RunPlan } from './plan.ts';
import type { RoundedTensor } from './rounded-tensor.ts';

/** Any message to a node. Only those of kind `part` carry a tensor. */
interface AnyMessage {
  readonly kind: string;
}

/** Plans in serialized form. */
const written = new WeakMap<RunPlan, string>();

/** Recent plans by their serialized form, if that is short. */
const known = new Map<string, RunPlan>();
const MAX_KNOWN = 64;
const MAX_LETTERS = 16_384;

/** Head and tensor of a message. Tensor data is not copied, and only the part of a plan that running needs is sent. */
export function toWire(message: NodeMessage | AnyMessage): {
  readonly head: Buffer;
  readonly body: Uint8Array;
} {
  const tensor = 'tensor' in message ? message.tensor : undefined;
  const plan = 'plan' in message ? message.plan : undefined;
  let head = message as object;
  if (tensor?.type === 'float32') head = { ...head, tensor: { dims: tensor.dims } };
  else if (tensor) head = { ...head, tensor: { dims: tensor.dims, scale: tensor.scale, zero: tensor.zero } };
  if (plan) head = { ...head, plan: undefined };
  const body = tensor ? bytesOf(tensor) : new Uint8Array(0);
  const json = JSON.stringify(head);
  return { head: Buffer.from(plan ? `${json}\n${textOf(plan)}` : json), body };
}

/**
 * The message from a head and its numbers, which are not copied. Messages may share a plan object.
 * @throws BedsideError E_FABRIC for a malformed head, or numbers that do not fill the shape
 */
export function fromWire<T extends AnyMessage = NodeMessage>(head: Buffer, data: Float32Array): T {
  const text = head.toString();
  // `JSON.stringify` writes no line breaks.
  const line = text.indexOf('\n');
  const value = parsed(line < 0 ? text : text.slice(0, line));
  if (typeof value !== 'object' || value === null || !('kind' in value)) throw unreadable();
  const message = (line < 0 ? value : { ...value, plan: planOf(text.slice(line + 1)) }) as object &
    AnyMessage;
  if (message.kind !== 'part') return message as unknown as T;
  return {
    ...message,
    tensor: tensorOf((message as { tensor?: object }).tensor ?? {}, data),
  } as unknown as T;
}

function bytesOf({ type, data }: FloatTensor | RoundedTensor): Uint8Array {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  if (type === 'float32' || bytes.length % 4 === 0) return bytes;
  const padded = new Uint8Array(4 * Math.ceil(bytes.length / 4));
  padded.set(bytes);
  return padded;
}

function tensorOf(
  { dims, scale, zero }: { dims?: unknown; scale?: unknown; zero?: unknown },
  data: Float32Array,
): FloatTensor | RoundedTensor {
  if (!isShape(dims)) throw unreadable();
  const size = dims.reduce((all, dim) => all * dim, 1);
  if (scale === undefined) {
    if (size !== data.length) throw unreadable();
    return { type: 'float32', dims, data };
  }
  if (!isScale(scale, zero) || Math.ceil(size / 4) !== data.length) throw unreadable();
  const bytes = new Uint8Array(data.buffer, data.byteOffset, size);
  return { type: 'uint8', dims, data: bytes, scale: scale as number, zero: zero as number };
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

function textOf(plan: RunPlan): string {
  const before = written.get(plan);
  if (before !== undefined) return before;
  const stages = plan.stages.map(({ index, segments, precision, wire }) => ({
    index,
    ...(precision === 'int8' ? { precision } : {}),
    ...(wire === 'uint8' ? { wire } : {}),
    segments: segments.map(({ device, from, to }) => ({ device, from, to })),
  }));
  const text = JSON.stringify({ levels: plan.levels, stages });
  written.set(plan, text);
  return text;
}

/** Parses a plan's text, without checking that it is a plan: message validation does that. */
function planOf(text: string): unknown {
  const before = known.get(text);
  if (before) {
    // Moved to the end: frequent plans are kept.
    known.delete(text);
    known.set(text, before);
    return before;
  }
  const plan = parsed(text);
  if (typeof plan !== 'object' || plan === null || text.length > MAX_LETTERS) return plan;
  if (known.size >= MAX_KNOWN) {
    deleteOldest(known);
  }
  known.set(text, plan as RunPlan);
  written.set(plan as RunPlan, text);
  return plan;
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
