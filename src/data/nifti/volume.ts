// Volumes of NIfTI-1 as axial slices, turned so that they lie as those of DICOM do: columns go to the patient's left, rows
// to the back, slices to the head.
import { constants, gunzipSync } from 'node:zlib';
import { availableMemory, RegularFile } from '../../util/internal.ts';
import type { ByteSource } from '../archive/byte-source.ts';
import type { MedicalFrame } from '../images/shown-values.ts';
import { type NiftiHeader, parseNiftiHeader } from './header.ts';

/** Voxels never take more. */
const MOST_BYTES = 2 ** 31;
/** Enough compressed bytes to hold a header. */
const FIRST = 4096;
const GZIP = [0x1f, 0x8b];

/** Whether bytes are compressed by gzip. */
export function isGzip(bytes: Uint8Array): boolean {
  return GZIP.every((byte, i) => bytes[i] === byte);
}

/** The first bytes of what gzip has compressed; nothing where they are damaged. */
export function gunzippedHead(bytes: Uint8Array): Uint8Array {
  try {
    return gunzipSync(bytes.subarray(0, FIRST), { finishFlush: constants.Z_SYNC_FLUSH });
  } catch {
    return new Uint8Array(0);
  }
}

/** A volume whose voxels are in memory. */
export class NiftiVolume {
  readonly header: NiftiHeader;
  readonly #voxels: Uint8Array;
  #range: { readonly low: number; readonly high: number } | undefined;

  private constructor(header: NiftiHeader, voxels: Uint8Array) {
    this.header = header;
    this.#voxels = voxels;
  }

  /**
   * Reads a file of `.nii`, also compressed by gzip, or a header and the file of voxels beside it.
   * @param path of the file, for the voxels of a pair
   * @throws Error, saying what is wrong
   */
  static async open(source: ByteSource, path: string): Promise<NiftiVolume> {
    const first = await source.read(0, Math.min(FIRST, source.size));
    const isPacked = isGzip(first);
    const header = parseNiftiHeader(isPacked ? gunzippedHead(first) : first);
    const bytes = header.size.reduce((product, length) => product * length, header.type.bytes);
    if (bytes > MOST_BYTES || bytes > availableMemory())
      throw new Error(`its voxels take ${bytes} bytes, more than are read`);
    if (!header.isPair) return new NiftiVolume(header, await range(source, isPacked, header.offset, bytes));
    const file = await openVoxels(path);
    try {
      const start = await file.read(0, Math.min(2, file.size));
      return new NiftiVolume(header, await range(file, isGzip(start), header.offset, bytes));
    } finally {
      await file.close();
    }
  }

  /** Slices of all times, one time after the other. */
  get frames(): number {
    return this.depth * this.header.size[3];
  }

  /** Slices of a time. */
  get depth(): number {
    return this.#length(2);
  }

  /** Width and height of a slice. */
  get width(): number {
    return this.#length(0);
  }

  get height(): number {
    return this.#length(1);
  }

  /** An axial slice. */
  frame(index: number): MedicalFrame {
    const { type, size, axes, shown } = this.header;
    const [rows, columns] = [this.height, this.width];
    const depth = this.#length(2);
    const time = Math.floor(index / depth);
    const steps = [1, size[0], size[0] * size[1]];
    // To the left and to the back: against right and anterior. To the head: with superior.
    const walk = ([right, anterior, superior] = axes) => [
      { ...right, isFlipped: !right.isFlipped },
      { ...anterior, isFlipped: !anterior.isFlipped },
      superior,
    ];
    const [x, y, z] = walk().map(({ axis, isFlipped }) => {
      const step = steps[axis] ?? 1;
      return isFlipped ? { start: ((size[axis] ?? 1) - 1) * step, step: -step } : { start: 0, step };
    }) as [Walk, Walk, Walk];
    const first = time * size[0] * size[1] * size[2] + x.start + y.start + z.start + (index % depth) * z.step;
    const voxel = this.#reader();
    const { channels } = type;
    const values = channels === 3 ? new Uint8Array(rows * columns * 3) : new Float64Array(rows * columns);
    const { low, high } = channels === 3 ? { low: 0, high: 255 } : this.#limits();
    let hasHoles = false;
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        const at = first + row * y.step + column * x.step;
        const to = (row * columns + column) * channels;
        for (let c = 0; c < channels; c++) {
          const value = voxel(at, c);
          // What is no number is no tissue either.
          hasHoles ||= !Number.isFinite(value);
          values[to + c] = Number.isFinite(value) ? value : low;
        }
      }
    }
    const window = shown && {
      kind: 'window' as const,
      centre: (shown.low + shown.high) / 2,
      width: shown.high - shown.low,
      form: 'LINEAR_EXACT',
    };
    const isUnoriented = this.header.orientation === 'none';
    const facts = { low, high, isInverted: false, shown: window, isUnoriented, hasHoles };
    return { rows, columns, channels, values, ...facts };
  }

  /** Voxels along right, anterior and superior. */
  #length(way: 0 | 1 | 2): number {
    const { size, axes } = this.header;
    return size[axes[way].axis] ?? 1;
  }

  /** The range of the volume's values; voxels without a number do not count. */
  #limits(): { readonly low: number; readonly high: number } {
    if (this.#range) return this.#range;
    const voxel = this.#reader();
    const count = this.#voxels.length / this.header.type.bytes;
    let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    for (let i = 0; i < count; i++) {
      const value = voxel(i, 0);
      if (!Number.isFinite(value)) continue;
      if (value < low) low = value;
      if (value > high) high = value;
    }
    this.#range = low <= high ? { low, high } : { low: 0, high: 1 };
    return this.#range;
  }

  /** Values of voxels, scaled; some may be no numbers. */
  #reader(): (voxel: number, channel: number) => number {
    const { type, isLittle, slope, intercept } = this.header;
    const view = new DataView(this.#voxels.buffer, this.#voxels.byteOffset, this.#voxels.byteLength);
    const { bytes } = type;
    if (type.channels === 3) return (at, channel) => view.getUint8(at * bytes + channel);
    const read = RAW[type.name] ?? (() => 0);
    return (at) => read(view, at * bytes, isLittle) * slope + intercept;
  }
}

interface Walk {
  readonly start: number;
  readonly step: number;
}

const RAW: Readonly<Record<string, (view: DataView, at: number, isLittle: boolean) => number>> = {
  uint8: (view, at) => view.getUint8(at),
  int8: (view, at) => view.getInt8(at),
  int16: (view, at, isLittle) => view.getInt16(at, isLittle),
  uint16: (view, at, isLittle) => view.getUint16(at, isLittle),
  int32: (view, at, isLittle) => view.getInt32(at, isLittle),
  uint32: (view, at, isLittle) => view.getUint32(at, isLittle),
  int64: (view, at, isLittle) => Number(view.getBigInt64(at, isLittle)),
  uint64: (view, at, isLittle) => Number(view.getBigUint64(at, isLittle)),
  float32: (view, at, isLittle) => view.getFloat32(at, isLittle),
  float64: (view, at, isLittle) => view.getFloat64(at, isLittle),
};

/** Bytes of voxels; of a packed file no more is unpacked than they take. */
async function range(
  source: ByteSource,
  isPacked: boolean,
  offset: number,
  bytes: number,
): Promise<Uint8Array> {
  const end = offset + bytes;
  if (!isPacked) {
    if (source.size < end) throw new Error(`it is short: expected ${end} bytes, got ${source.size}`);
    return await source.read(offset, end);
  }
  const packed = await source.read(0, source.size);
  const unpacked = ((): Uint8Array => {
    try {
      return gunzipSync(packed, { maxOutputLength: end + 2 ** 20 });
    } catch {
      throw new Error('it cannot be unpacked, or unpacks to more than its header says');
    }
  })();
  if (unpacked.length < end) throw new Error(`it is short: expected ${end} bytes, got ${unpacked.length}`);
  return unpacked.subarray(offset, end);
}

/** The file of voxels beside a header: `.img` or `.img.gz`. */
async function openVoxels(path: string): Promise<RegularFile> {
  const base = path.replace(/\.hdr(\.gz)?$/i, '');
  try {
    return await RegularFile.open(`${base}.img`, 'image');
  } catch {
    return await RegularFile.open(`${base}.img.gz`, 'image');
  }
}
