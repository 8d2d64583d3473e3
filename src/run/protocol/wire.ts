// Messages as bytes: a head in JSON, and the numbers of a tensor as they lie in memory (float32, little endian).
// A plan has its own line in the head. Many requests share a plan, which is then serialized and parsed only once.
import type { FloatTensor } from '../../engine/index.ts';
import { BedsideError } from '../../util/index.ts';
import { deleteOldest } from '../../util/internal.ts';
import type { NodeMessage } from './messages.ts';
import type { RunPlan } from './plan.ts';

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
  if (tensor) head = { ...head, tensor: { dims: tensor.dims } };
  if (plan) head = { ...head, plan: undefined };
  const body = tensor
    ? new Uint8Array(tensor.data.buffer, tensor.data.byteOffset, tensor.data.byteLength)
    : new Uint8Array(0);
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
  const { dims } = (message as { tensor?: { dims?: unknown } }).tensor ?? {};
  if (!isShape(dims)) throw unreadable();
  if (dims.reduce((all, dim) => all * dim, 1) !== data.length) throw unreadable();
  const tensor: FloatTensor = { type: 'float32', dims, data };
  return { ...message, tensor } as unknown as T;
}

function textOf(plan: RunPlan): string {
  const before = written.get(plan);
  if (before !== undefined) return before;
  const stages = plan.stages.map(({ index, segments }) => ({
    index,
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
