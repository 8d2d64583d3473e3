// Element types of tensors in the Open Inference Protocol, version 2, and how their bytes and their JSON become float32.
// https://github.com/kserve/open-inference-protocol (inference_rest.md, binary tensor data extension).
import { BedsideError } from '../../util/index.ts';
import { fromBfloat, fromHalf } from '../../util/internal.ts';

/** How one element type is read: little-endian, without padding. */
interface Datatype {
  readonly bytes: number;
  readonly read: (view: DataView, at: number) => number;
  /** Whether a JSON number stands for an element. */
  readonly fits: (value: number) => boolean;
}

const whole =
  (least: number, most: number) =>
  (value: number): boolean =>
    Number.isInteger(value) && value >= least && value <= most;

const SAFE = Number.MAX_SAFE_INTEGER;

/** The element types that can become float32. `BYTES` is text and cannot. */
const DATATYPES: Readonly<Record<string, Datatype>> = {
  BOOL: { bytes: 1, read: (view, at) => (view.getUint8(at) === 0 ? 0 : 1), fits: whole(0, 1) },
  UINT8: { bytes: 1, read: (view, at) => view.getUint8(at), fits: whole(0, 255) },
  UINT16: { bytes: 2, read: (view, at) => view.getUint16(at, true), fits: whole(0, 65_535) },
  UINT32: { bytes: 4, read: (view, at) => view.getUint32(at, true), fits: whole(0, 2 ** 32 - 1) },
  UINT64: { bytes: 8, read: (view, at) => Number(view.getBigUint64(at, true)), fits: whole(0, SAFE) },
  INT8: { bytes: 1, read: (view, at) => view.getInt8(at), fits: whole(-128, 127) },
  INT16: { bytes: 2, read: (view, at) => view.getInt16(at, true), fits: whole(-32_768, 32_767) },
  INT32: { bytes: 4, read: (view, at) => view.getInt32(at, true), fits: whole(-(2 ** 31), 2 ** 31 - 1) },
  INT64: { bytes: 8, read: (view, at) => Number(view.getBigInt64(at, true)), fits: whole(-SAFE, SAFE) },
  FP16: { bytes: 2, read: (view, at) => fromHalf(view.getUint16(at, true)), fits: Number.isFinite },
  BF16: { bytes: 2, read: (view, at) => fromBfloat(view.getUint16(at, true)), fits: Number.isFinite },
  FP32: { bytes: 4, read: (view, at) => view.getFloat32(at, true), fits: Number.isFinite },
  FP64: { bytes: 8, read: (view, at) => view.getFloat64(at, true), fits: Number.isFinite },
};

function datatypeOf(name: string, tensor: string): Datatype {
  const own = Object.hasOwn(DATATYPES, name) ? DATATYPES[name] : undefined;
  if (own) return own;
  throw new BedsideError('E_REQUEST', `${tensor} has datatype ${JSON.stringify(name).slice(0, 40)}`, {
    hint: `one of ${Object.keys(DATATYPES).join(', ')}`,
  });
}

/**
 * The elements of a tensor from its bytes, as float32.
 * @param tensor how messages call it, such as `input 'x'`
 * @throws BedsideError E_REQUEST for an unknown datatype, or another number of bytes than `count` elements have
 */
export function floatsOfBytes(
  bytes: Uint8Array,
  datatype: string,
  count: number,
  tensor: string,
): Float32Array {
  const { bytes: width, read } = datatypeOf(datatype, tensor);
  if (bytes.byteLength !== width * count) {
    throw new BedsideError(
      'E_REQUEST',
      `${tensor} has ${bytes.byteLength} bytes, not ${width * count}: ${count} elements of ${datatype}`,
      { hint: 'binary_data_size must be the size of the shape times that of the datatype' },
    );
  }
  if (datatype === 'FP32') {
    // A copy of its own: the bytes may lie anywhere in a larger buffer.
    const copy = new Float32Array(count);
    new Uint8Array(copy.buffer).set(bytes);
    return copy;
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Float32Array.from({ length: count }, (_, i) => read(view, i * width));
}

/**
 * The elements of a tensor from JSON: a flat list, or lists in lists in row-major order, as float32.
 * @throws BedsideError E_REQUEST for an unknown datatype, elements that are none of it, or another number than `count`
 */
export function floatsOfJson(data: unknown, datatype: string, count: number, tensor: string): Float32Array {
  const { fits } = datatypeOf(datatype, tensor);
  const result = new Float32Array(count);
  let filled = 0;
  // Lists may be nested as deep as a sender likes: a stack of our own does not overflow.
  const open: { readonly list: readonly unknown[]; at: number }[] = [];
  if (Array.isArray(data)) open.push({ list: data, at: 0 });
  else
    throw new BedsideError('E_REQUEST', `${tensor} has no list of data`, {
      hint: 'give `data` as a list of numbers',
    });
  for (let top = open.at(-1); top; top = open.at(-1)) {
    if (top.at === top.list.length) {
      open.pop();
      continue;
    }
    const value = top.list[top.at++];
    if (Array.isArray(value)) {
      open.push({ list: value, at: 0 });
      continue;
    }
    const number = typeof value === 'boolean' ? Number(value) : value;
    if (typeof number !== 'number' || !fits(number)) {
      throw new BedsideError('E_REQUEST', `${tensor}: element ${filled} is not of datatype ${datatype}`);
    }
    if (filled < count) result[filled] = number;
    filled++;
  }
  if (filled !== count) {
    throw new BedsideError('E_REQUEST', `${tensor} has ${filled} elements, its shape has ${count}`);
  }
  return result;
}
