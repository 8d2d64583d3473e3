// NumPy's array format, versions 1 to 3 (numpy.lib.format): one header line in Python syntax, then the numbers.
import { BedsideError } from '../../util/index.ts';
import { fromHalf } from '../../util/internal.ts';
import { MAX_HEADER_LENGTH, type NpyHeader, parseNpyHeader } from './npy-header.ts';

interface ArrayTypes {
  readonly bool: Uint8Array;
  readonly uint8: Uint8Array;
  readonly int8: Int8Array;
  readonly int16: Int16Array;
  readonly int32: Int32Array;
  readonly int64: BigInt64Array;
  readonly uint16: Uint16Array;
  readonly uint32: Uint32Array;
  readonly uint64: BigUint64Array;
  readonly float32: Float32Array;
  readonly float64: Float64Array;
}

export type NpyDtype = keyof ArrayTypes;

/** Types that files may have: those of arrays, and halves, which become float32 when they are read. */
export type StoredDtype = NpyDtype | 'float16';

/** A dense array in C (row-major) order; bool is 0 or 1 in bytes. */
export type NpyArray = {
  [D in NpyDtype]: { readonly dtype: D; readonly shape: readonly number[]; readonly data: ArrayTypes[D] };
}[NpyDtype];

/** The arrays that an npy array's numbers may be stored in. */
export type NpyData = NpyArray['data'];

const DTYPES: {
  readonly [D in NpyDtype]: {
    readonly descr: string;
    readonly bytes: number;
    readonly view: (buffer: ArrayBuffer) => ArrayTypes[D];
  };
} = {
  bool: { descr: '|b1', bytes: 1, view: (buffer) => new Uint8Array(buffer) },
  uint8: { descr: '|u1', bytes: 1, view: (buffer) => new Uint8Array(buffer) },
  int8: { descr: '|i1', bytes: 1, view: (buffer) => new Int8Array(buffer) },
  int16: { descr: '<i2', bytes: 2, view: (buffer) => new Int16Array(buffer) },
  int32: { descr: '<i4', bytes: 4, view: (buffer) => new Int32Array(buffer) },
  int64: { descr: '<i8', bytes: 8, view: (buffer) => new BigInt64Array(buffer) },
  uint16: { descr: '<u2', bytes: 2, view: (buffer) => new Uint16Array(buffer) },
  uint32: { descr: '<u4', bytes: 4, view: (buffer) => new Uint32Array(buffer) },
  uint64: { descr: '<u8', bytes: 8, view: (buffer) => new BigUint64Array(buffer) },
  float32: { descr: '<f4', bytes: 4, view: (buffer) => new Float32Array(buffer) },
  float64: { descr: '<f8', bytes: 8, view: (buffer) => new Float64Array(buffer) },
};

const STORED: { readonly [D in StoredDtype]: { readonly descr: string; readonly bytes: number } } = {
  ...DTYPES,
  float16: { descr: '<f2', bytes: 2 },
};

const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59]; // "\x93NUMPY"
const PREAMBLE = MAGIC.length + 2;

/** The header of an array. */
export interface NpyHead {
  readonly dtype: StoredDtype;
  readonly bigEndian: boolean;
  readonly fortranOrder: boolean;
  readonly shape: readonly number[];
  readonly itemBytes: number;
  /** Offset of the numbers. */
  readonly start: number;
}

/** No head that is read is longer. */
export const MAX_HEAD_BYTES = PREAMBLE + 4 + MAX_HEADER_LENGTH;

/** What every array file begins with, whatever its items are. */
interface NpyFrame extends NpyHeader {
  /** Offset of the items. */
  readonly start: number;
}

/**
 * Reads an array's header line.
 * @param bytes the array's first bytes, `MAX_HEAD_BYTES` of them or all there are
 * @param total bytes of the whole array
 * @throws BedsideError E_DATA
 */
export function parseNpyFrame(bytes: Uint8Array, total: number, name: string): NpyFrame {
  if (bytes.length < PREAMBLE + 2 || MAGIC.some((byte, i) => bytes[i] !== byte)) {
    throw malformed(name, 'it does not begin with the NumPy signature and a header');
  }
  const version = bytes[MAGIC.length] ?? 0;
  if (version < 1 || version > 3) throw malformed(name, `expected format version 1 to 3, got ${version}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const lengthBytes = version === 1 ? 2 : 4;
  const start = PREAMBLE + lengthBytes;
  if (bytes.length < start) throw malformed(name, 'the header is cut off');
  const headerLength = version === 1 ? view.getUint16(PREAMBLE, true) : view.getUint32(PREAMBLE, true);
  const end = start + headerLength;
  if (end > total) {
    throw malformed(name, `expected ${headerLength} header bytes, got ${total - start}`);
  }
  if (headerLength > MAX_HEADER_LENGTH) throw malformed(name, `its header has ${headerLength} bytes`);
  const encoding = version === 3 ? 'utf-8' : 'latin1';
  const header = parseNpyHeader(new TextDecoder(encoding).decode(bytes.subarray(start, end)), name);
  return { ...header, start: end };
}

/**
 * Reads what stands before an array's numbers; shape and type are checked against the array's size.
 * @param bytes the array's first bytes, `MAX_HEAD_BYTES` of them or all there are
 * @param total bytes of the whole array
 * @param name how the array is called in error messages
 * @throws BedsideError E_DATA
 */
export function parseNpyHead(bytes: Uint8Array, total: number, name: string): NpyHead {
  const { descr, fortranOrder, shape, start } = parseNpyFrame(bytes, total, name);
  const { dtype, bigEndian } = parseDescr(descr, name);
  const itemBytes = STORED[dtype].bytes;
  assertLength(shape, itemBytes, total - start, { dtype, name });
  return { dtype, bigEndian, fortranOrder, shape, itemBytes, start };
}

/** @throws BedsideError E_DATA unless items of this shape take just these bytes */
export function assertLength(
  shape: readonly number[],
  itemBytes: number,
  bytes: number,
  { dtype, name }: { readonly dtype: string; readonly name: string },
): void {
  const expected = elementCount(shape, name) * itemBytes;
  if (expected === bytes) return;
  throw malformed(name, `expected ${expected} bytes for ${dtype} [${shape.join(', ')}], got ${bytes}`);
}

/**
 * Reads one `.npy` array. Fortran order is turned into C order and big-endian numbers into native ones; the length
 * is checked against the shape before anything is allocated.
 * @param name how the array is called in error messages
 * @throws BedsideError E_DATA
 */
export function decodeNpy(bytes: Uint8Array, name: string): NpyArray {
  const head = parseNpyHead(bytes, bytes.length, name);
  // A copy, to be aligned; slice() would not copy from a Buffer.
  const content = new Uint8Array(bytes.subarray(head.start));
  if (head.bigEndian) swapBytes(content, head.itemBytes);
  const ordered = head.fortranOrder ? toRowMajor(content, head.shape, head.itemBytes) : content;
  return numbersOf(head.dtype, head.shape, ordered);
}

/** An array from native bytes in C order that start at the beginning of their buffer; halves become float32. */
export function numbersOf(
  dtype: StoredDtype,
  shape: readonly number[],
  { buffer }: Uint8Array<ArrayBuffer>,
): NpyArray {
  if (dtype === 'float16') return { dtype: 'float32', shape, data: fromHalves(new Uint16Array(buffer)) };
  return { dtype, shape, data: DTYPES[dtype].view(buffer) } as NpyArray;
}

/**
 * Writes one `.npy` array, version 1.0, C order, little-endian.
 * @throws BedsideError E_INTERNAL when the data's length is not the shape's
 */
export function encodeNpy(
  shape: readonly number[],
  data: NpyData,
  dtype: NpyDtype = dtypeOf(data),
): Uint8Array {
  const count = shape.reduce((product, axis) => product * axis, 1);
  if (count !== data.length) {
    throw new BedsideError(
      'E_INTERNAL',
      `internal: encodeNpy: [${shape.join(', ')}] with ${data.length} values`,
    );
  }
  const tuple = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(', ')})`;
  const dict = `{'descr': '${DTYPES[dtype].descr}', 'fortran_order': False, 'shape': ${tuple}, }`;
  // NumPy aligns the data to 64 bytes and ends the header with a newline.
  const start = Math.ceil((PREAMBLE + 2 + dict.length + 1) / 64) * 64;
  const bytes = new Uint8Array(start + data.byteLength);
  bytes.set(MAGIC);
  bytes[MAGIC.length] = 1;
  new DataView(bytes.buffer).setUint16(PREAMBLE, start - PREAMBLE - 2, true);
  bytes.set(new TextEncoder().encode(`${dict.padEnd(start - PREAMBLE - 3)}\n`), PREAMBLE + 2);
  bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), start);
  return bytes;
}

/** An array from its parts; its dtype is the data's type (bytes are uint8). */
export function npyArray(shape: readonly number[], data: NpyData): NpyArray {
  return { dtype: dtypeOf(data), shape, data } as NpyArray;
}

function dtypeOf(data: NpyData): NpyDtype {
  if (data instanceof Uint8Array) return 'uint8';
  if (data instanceof Int8Array) return 'int8';
  if (data instanceof Int16Array) return 'int16';
  if (data instanceof Int32Array) return 'int32';
  if (data instanceof BigInt64Array) return 'int64';
  if (data instanceof Uint16Array) return 'uint16';
  if (data instanceof Uint32Array) return 'uint32';
  if (data instanceof BigUint64Array) return 'uint64';
  if (data instanceof Float32Array) return 'float32';
  if (data instanceof Float64Array) return 'float64';
  data satisfies never;
  throw new BedsideError('E_INTERNAL', 'internal: dtypeOf: not a typed array that .npy can hold');
}

function parseDescr(descr: string, name: string): { dtype: StoredDtype; bigEndian: boolean } {
  const [order, kind] = [descr.slice(0, 1), descr.slice(1)];
  for (const dtype of Object.keys(STORED) as StoredDtype[]) {
    if (STORED[dtype].descr.slice(1) !== kind) continue;
    const single = STORED[dtype].bytes === 1;
    if (order === '<' || order === '>' || (single && order === '|')) {
      return { dtype, bigEndian: order === '>' && !single };
    }
  }
  throw malformed(name, `its type '${descr}' ${otherType(kind)}`);
}

/** What items are that are no numbers. */
function otherType(kind: string): string {
  // Unpickling runs what the file says.
  if (kind.startsWith('O'))
    return 'is Python objects (pickled), which are not read: to read them is to run code';
  if (/^[US]/.test(kind)) return 'is text, where numbers are needed';
  if (kind.startsWith('c')) return 'is complex numbers, which are not read';
  if (/^[mM]/.test(kind)) return 'is dates or times, which are not read';
  return `is not one of ${Object.keys(STORED).join(', ')}`;
}

function elementCount(shape: readonly number[], name: string): number {
  // An array with an empty axis has no elements, however long the others are.
  const count = shape.includes(0) ? 0 : shape.reduce((product, axis) => product * axis, 1);
  // Eight bytes an element must still be an exact integer.
  if (count > Number.MAX_SAFE_INTEGER / 8)
    throw malformed(name, `the shape [${shape.join(', ')}] is too large`);
  return count;
}

/** Turns the bytes of every item around. */
export function swapBytes(bytes: Uint8Array, itemBytes: number): void {
  for (let i = 0; i < bytes.length; i += itemBytes) bytes.subarray(i, i + itemBytes).reverse();
}

/** First axis fastest to last axis fastest, whatever the element is. */
function toRowMajor(
  bytes: Uint8Array<ArrayBuffer>,
  shape: readonly number[],
  itemBytes: number,
): Uint8Array<ArrayBuffer> {
  if (shape.length < 2 || bytes.length === 0) return bytes;
  const strides: number[] = [];
  let stride = itemBytes;
  for (const axis of shape) {
    strides.push(stride);
    stride *= axis;
  }
  const result = new Uint8Array(bytes.length);
  const index = new Array<number>(shape.length).fill(0);
  let from = 0;
  for (let to = 0; to < bytes.length; to += itemBytes) {
    for (let byte = 0; byte < itemBytes; byte++) result[to + byte] = bytes[from + byte] ?? 0;
    // Counts up like an odometer, last axis first.
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const length = shape[axis] ?? 1;
      const step = strides[axis] ?? 0;
      const next = (index[axis] ?? 0) + 1;
      from += step;
      if (next < length) {
        index[axis] = next;
        break;
      }
      index[axis] = 0;
      from -= step * length;
    }
  }
  return result;
}

/** Halves (IEEE 754 binary16, native bytes) as float32. */
function fromHalves(halves: Uint16Array): Float32Array<ArrayBuffer> {
  return Float32Array.from(halves, fromHalf);
}

function malformed(name: string, what: string): BedsideError {
  return new BedsideError('E_DATA', `cannot read array ${name}: ${what}`, {
    hint: 'write the array again with numpy.save or numpy.savez, as a plain numeric array',
  });
}
