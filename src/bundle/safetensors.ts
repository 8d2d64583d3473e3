// Named float32 tensors in one file: an 8-byte little-endian length, a JSON header, the data.
// Format: https://github.com/huggingface/safetensors (only F32 is needed here).
import { BedsideError } from '../util/index.ts';
import { isRecord } from '../util/internal.ts';

/** A tensor of 32-bit floats, row-major. */
export interface StoredTensor {
  readonly dims: readonly number[];
  readonly data: Float32Array;
}

/** Longer headers are refused, as by the reference implementation. */
const MAX_HEADER = 100_000_000;

/**
 * The bytes of a file with these tensors. The same tensors give the same bytes, in whichever order they come.
 * @throws BedsideError E_INTERNAL when the data of a tensor does not fill its shape
 */
export function encodeSafetensors(tensors: ReadonlyMap<string, StoredTensor>): Uint8Array<ArrayBuffer> {
  const sorted = [...tensors].sort(([a], [b]) => (a < b ? -1 : 1));
  let offset = 0;
  const entries = sorted.map(([name, { dims, data }]) => {
    if (elements(dims) !== data.length) {
      throw new BedsideError(
        'E_INTERNAL',
        `internal: tensor '${name}' of shape [${dims}] has ${data.length} elements`,
      );
    }
    const from = offset;
    offset += data.byteLength;
    return `${JSON.stringify(name)}:${JSON.stringify({ dtype: 'F32', shape: dims, data_offsets: [from, offset] })}`;
  });
  const text = new TextEncoder().encode(`{${entries.join()}}`);
  // Spaces up to a multiple of 8, so that the data is aligned.
  const header = Math.ceil(text.length / 8) * 8;
  const bytes = new Uint8Array(8 + header + offset);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(header), true);
  bytes.fill(0x20, 8, 8 + header);
  bytes.set(text, 8);
  let at = 8 + header;
  for (const [, { data }] of sorted) {
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
    at += data.byteLength;
  }
  return bytes;
}

/**
 * The tensors of a file. Data is not copied where it is aligned, so `bytes` must not change afterwards.
 * @param name how messages call the file
 * @throws BedsideError E_BUNDLE for anything that is not such a file, whole and of float32 alone
 */
export function decodeSafetensors(bytes: Uint8Array, name: string): Map<string, StoredTensor> {
  const fail = (what: string): BedsideError =>
    new BedsideError('E_BUNDLE', `${name} is not a safetensors file of float32 tensors: ${what}`, {
      hint: 'copy the file again, or pack the bundle again',
    });
  if (bytes.length < 8) throw fail(`it has ${bytes.length} bytes, fewer than the 8 of a header's length`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = view.getBigUint64(0, true);
  if (length > BigInt(Math.min(bytes.length - 8, MAX_HEADER))) {
    throw fail(`a header of ${length} bytes does not fit into the file's ${bytes.length}`);
  }
  const start = 8 + Number(length);
  const entries = parseHeader(bytes.subarray(8, start), fail);
  const tensors = new Map<string, StoredTensor>();
  let end = 0;
  for (const { key, dims, from, to } of entries) {
    if (from !== end) throw fail(`tensor '${key}' starts at byte ${from} of the data, expected ${end}`);
    if (to - from !== 4 * elements(dims)) {
      throw fail(`tensor '${key}' of shape [${dims}] has ${to - from} bytes, expected ${4 * elements(dims)}`);
    }
    if (start + to > bytes.length) {
      throw fail(`tensor '${key}' ends at byte ${start + to}, after the file's ${bytes.length}`);
    }
    end = to;
    tensors.set(key, { dims, data: floats(bytes, start + from, (to - from) / 4) });
  }
  if (start + end !== bytes.length) {
    throw fail(`its tensors end at byte ${start + end} of ${bytes.length}`);
  }
  return tensors;
}

interface Entry {
  readonly key: string;
  readonly dims: readonly number[];
  readonly from: number;
  readonly to: number;
}

/** The header's tensors, in the order of their data. */
function parseHeader(text: Uint8Array, fail: (what: string) => BedsideError): Entry[] {
  if (text[0] !== 0x7b) throw fail('its header does not start with {');
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(text));
  } catch {
    throw fail('its header is not JSON');
  }
  if (!isRecord(header)) throw fail('its header is not a JSON object');
  const entries = Object.entries(header)
    .filter(([key]) => key !== '__metadata__')
    .map(([key, value]): Entry => {
      if (!isRecord(value)) throw fail(`tensor '${key}' is not described by an object`);
      const { dtype, shape, data_offsets: offsets } = value;
      if (dtype !== 'F32') throw fail(`tensor '${key}' is of type ${shown(dtype)}, expected "F32"`);
      if (!isSizes(shape)) throw fail(`tensor '${key}' has the shape ${shown(shape)}`);
      const [from, to] = isSizes(offsets) && offsets.length === 2 ? offsets : [];
      if (from === undefined || to === undefined || to < from) {
        throw fail(`tensor '${key}' has the offsets ${shown(offsets)}`);
      }
      return { key, dims: shape, from, to };
    });
  // Empty tensors come before what starts at the same byte.
  return entries.sort((a, b) => a.from - b.from || a.to - b.to);
}

function floats(bytes: Uint8Array, from: number, length: number): Float32Array {
  const offset = bytes.byteOffset + from;
  if (offset % 4 === 0) return new Float32Array(bytes.buffer, offset, length);
  return new Float32Array(bytes.slice(from, from + 4 * length).buffer);
}

function elements(dims: readonly number[]): number {
  return dims.reduce((product, size) => product * size, 1);
}

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0);
}

function shown(value: unknown): string {
  return JSON.stringify(value) ?? 'nothing';
}
