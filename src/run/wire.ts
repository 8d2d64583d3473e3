// Messages as bytes: a head as JSON, and beside it the numbers of a tensor as they lie in memory (float32, little endian).
import { BedsideError } from '../util/index.ts';
import type { FloatTensor } from './join.ts';
import type { Message } from './messages.ts';

/** Anything that is told to a node; only parts carry a tensor. */
interface Told {
  readonly kind: string;
}

/** Head and tensor of a message; tensor data is not copied. */
export function toWire(message: Message | Told): { readonly head: Buffer; readonly body: Uint8Array } {
  const tensor = 'tensor' in message ? message.tensor : undefined;
  const head = tensor ? { ...message, tensor: { dims: tensor.dims } } : message;
  const body = tensor
    ? new Uint8Array(tensor.data.buffer, tensor.data.byteOffset, tensor.data.byteLength)
    : new Uint8Array(0);
  return { head: Buffer.from(JSON.stringify(head)), body };
}

/**
 * The message of a head and its numbers, which are not copied.
 * @throws BedsideError E_FABRIC for a head that is none, or numbers that do not fill the shape
 */
export function fromWire<T extends Told = Message>(head: Buffer, data: Float32Array): T {
  let value: unknown;
  try {
    value = JSON.parse(head.toString());
  } catch {
    throw unreadable();
  }
  if (typeof value !== 'object' || value === null || !('kind' in value)) throw unreadable();
  if (value.kind !== 'part') return value as unknown as T;
  const { dims } = (value as { tensor?: { dims?: unknown } }).tensor ?? {};
  if (!isShape(dims)) throw unreadable();
  if (dims.reduce((all, dim) => all * dim, 1) !== data.length) throw unreadable();
  const tensor: FloatTensor = { type: 'float32', dims, data };
  return { ...value, tensor } as unknown as T;
}

function isShape(dims: unknown): dims is number[] {
  return Array.isArray(dims) && dims.every((dim) => Number.isInteger(dim) && dim >= 0);
}

export function unreadable(): BedsideError {
  return new BedsideError('E_FABRIC', 'what came over a connection is no message', {
    hint: 'nodes must be of one version of bedside',
  });
}
