// Messages as bytes: a head as JSON, and beside it the numbers of a tensor as they lie in memory (float32, little endian).
// A plan stands on a line of its own in the head: many requests have the same, which is written and read once.
import type { FloatTensor } from '../../engine/index.ts';
import { BedsideError } from '../../util/index.ts';
import type { NodeMessage } from './messages.ts';
import type { RunPlan } from './plan.ts';

/** Anything that is told to a node; only parts carry a tensor. */
interface Told {
  readonly kind: string;
}

/** Plans as they are written. */
const written = new WeakMap<RunPlan, string>();

/** Plans by how they are written: the latest, short ones. */
const known = new Map<string, RunPlan>();
const MOST_KNOWN = 64;
const MOST_LETTERS = 16_384;

/** Head and tensor of a message; tensor data is not copied. Of a plan only what running needs is told. */
export function toWire(message: NodeMessage | Told): { readonly head: Buffer; readonly body: Uint8Array } {
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
 * The message of a head and its numbers, which are not copied. Messages may share a plan.
 * @throws BedsideError E_FABRIC for a head that is none, or numbers that do not fill the shape
 */
export function fromWire<T extends Told = NodeMessage>(head: Buffer, data: Float32Array): T {
  const text = head.toString();
  // JSON has no line breaks in it but those that are put there for people.
  const line = text.indexOf('\n');
  const value = parsed(line < 0 ? text : text.slice(0, line));
  if (typeof value !== 'object' || value === null || !('kind' in value)) throw unreadable();
  const message = (line < 0 ? value : { ...value, plan: planOf(text.slice(line + 1)) }) as object & Told;
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

/** What is read may be no plan yet: whether it is one is asked of every message. */
function planOf(text: string): unknown {
  const before = known.get(text);
  if (before) {
    // Those that come again and again stay.
    known.delete(text);
    known.set(text, before);
    return before;
  }
  const plan = parsed(text);
  if (typeof plan !== 'object' || plan === null || text.length > MOST_LETTERS) return plan;
  if (known.size >= MOST_KNOWN) {
    for (const oldest of known.keys()) {
      known.delete(oldest);
      break;
    }
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

export function unreadable(): BedsideError {
  return new BedsideError('E_FABRIC', 'what came over a connection is no message', {
    hint: 'nodes must be of one version of bedside',
  });
}
