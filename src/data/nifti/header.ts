// Headers of NIfTI-1 (R. W. Cox et al., 2004), in both byte orders, and which way their axes go.

/** What a header says. */
export interface NiftiHeader {
  readonly isLittle: boolean;
  /** Voxels along the axes of the file: columns, rows, slices, times. */
  readonly size: readonly [number, number, number, number];
  readonly type: NiftiType;
  /** Bytes before the voxels, in the file that has them. */
  readonly offset: number;
  /** Whether the voxels are in a file of their own (`.img`). */
  readonly isPair: boolean;
  readonly slope: number;
  readonly intercept: number;
  /** The values that the file says are shown as black and white. */
  readonly shown: { readonly low: number; readonly high: number } | undefined;
  /**
   * For right, anterior and superior: the axis of the file that goes most that way, and whether it goes the other way.
   */
  readonly axes: readonly [FileAxis, FileAxis, FileAxis];
  /** What the axes are known from. */
  readonly orientation: 'sform' | 'qform' | 'none';
}

/** An axis of the file. */
export interface FileAxis {
  readonly axis: 0 | 1 | 2;
  readonly isFlipped: boolean;
}

/** A type of voxels. */
export interface NiftiType {
  readonly name: string;
  readonly bytes: number;
  /** Colours are read as RGB; alpha is dropped. */
  readonly channels: 1 | 3;
}

export const HEADER_BYTES = 348;
const TYPES: Readonly<Record<number, NiftiType>> = {
  2: { name: 'uint8', bytes: 1, channels: 1 },
  4: { name: 'int16', bytes: 2, channels: 1 },
  8: { name: 'int32', bytes: 4, channels: 1 },
  16: { name: 'float32', bytes: 4, channels: 1 },
  64: { name: 'float64', bytes: 8, channels: 1 },
  128: { name: 'rgb24', bytes: 3, channels: 3 },
  256: { name: 'int8', bytes: 1, channels: 1 },
  512: { name: 'uint16', bytes: 2, channels: 1 },
  768: { name: 'uint32', bytes: 4, channels: 1 },
  1024: { name: 'int64', bytes: 8, channels: 1 },
  1280: { name: 'uint64', bytes: 8, channels: 1 },
  2304: { name: 'rgba32', bytes: 4, channels: 3 },
};

/** Whether bytes begin a file of NIfTI-1, or a header of a pair. */
export function looksLikeNifti(bytes: Uint8Array): boolean {
  if (bytes.length < HEADER_BYTES) return false;
  const magic = Buffer.from(bytes.subarray(344, 348)).toString('latin1');
  return magic === 'n+1\0' || magic === 'ni1\0';
}

/**
 * Parses a header. Its texts (description, names of intents) are not read.
 * @throws Error for a malformed one, or a type of voxels that is not read
 */
export function parseNiftiHeader(bytes: Uint8Array): NiftiHeader {
  if (!looksLikeNifti(bytes)) throw new Error('it does not have the mark of NIfTI-1');
  const view = new DataView(bytes.buffer, bytes.byteOffset, HEADER_BYTES);
  const isLittle = view.getInt32(0, true) === HEADER_BYTES;
  if (!isLittle && view.getInt32(0, false) !== HEADER_BYTES)
    throw new Error('its header does not say its size');
  const short = (at: number): number => view.getInt16(at, isLittle);
  const float = (at: number): number => view.getFloat32(at, isLittle);
  const axes = short(40);
  if (axes < 2 || axes > 7) throw new Error(`it has ${axes} axes, of which 2 to 4 are read`);
  const size = [1, 2, 3, 4, 5, 6, 7].map((i) => (i <= axes ? short(40 + 2 * i) : 1));
  if (size.some((length) => length < 1)) throw new Error('one of its axes has no length');
  if (size.slice(4).some((length) => length > 1))
    throw new Error('it has several values a voxel, which are not read');
  const type = TYPES[short(70)];
  if (!type) throw new Error(`its voxels are of type ${short(70)}, which is not read`);
  const isPair = bytes[345] === 0x69;
  const offset = float(108);
  if (!Number.isInteger(offset) || offset < (isPair ? 0 : HEADER_BYTES))
    throw new Error('its voxels begin nowhere');
  const [slope, intercept] = [float(112), float(116)];
  const isScaled = slope !== 0 && Number.isFinite(slope) && Number.isFinite(intercept);
  const [high, low] = [float(124), float(128)];
  return {
    isLittle,
    size: size.slice(0, 4) as [number, number, number, number],
    type,
    offset,
    isPair,
    slope: isScaled ? slope : 1,
    intercept: isScaled ? intercept : 0,
    shown: high > low && Number.isFinite(high - low) ? { low, high } : undefined,
    ...orientationOf(short, float),
  };
}

/** The axes by the sform, else by the qform, else as they are. */
function orientationOf(
  short: (at: number) => number,
  float: (at: number) => number,
): Pick<NiftiHeader, 'axes' | 'orientation'> {
  if (short(254) > 0) {
    const rows = [280, 296, 312].map((at) => [0, 1, 2].map((column) => float(at + 4 * column)));
    const axes = axesOf(rows);
    if (axes) return { axes, orientation: 'sform' };
  }
  if (short(252) > 0) {
    const axes = axesOf(rotationOf([float(256), float(260), float(264)], float(76) < 0 ? -1 : 1));
    if (axes) return { axes, orientation: 'qform' };
  }
  const own = (axis: 0 | 1 | 2): FileAxis => ({ axis, isFlipped: false });
  return { axes: [own(0), own(1), own(2)], orientation: 'none' };
}

/** The rotation of a quaternion without its real part; the third axis goes the other way where `handed` is -1. */
function rotationOf([b = 0, c = 0, d = 0]: readonly number[], handed: 1 | -1): number[][] {
  const a = Math.sqrt(Math.max(0, 1 - b * b - c * c - d * d));
  return [
    [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), handed * 2 * (b * d + a * c)],
    [2 * (b * c + a * d), a * a + c * c - b * b - d * d, handed * 2 * (c * d - a * b)],
    [2 * (b * d - a * c), 2 * (c * d + a * b), handed * (a * a + d * d - b * b - c * c)],
  ];
}

/**
 * The axis of the file for each of right, anterior and superior, such that together they go that way most (columns of the
 * matrix in units of length). Undefined for a matrix that says no axes.
 */
function axesOf(rows: readonly (readonly number[])[]): readonly [FileAxis, FileAxis, FileAxis] | undefined {
  const lengths = [0, 1, 2].map((axis) => Math.hypot(...rows.map((row) => row[axis] ?? 0)));
  if (!lengths.every((length) => Number.isFinite(length) && length > 0)) return undefined;
  const share = (way: number, axis: number): number => (rows[way]?.[axis] ?? 0) / (lengths[axis] ?? 1);
  let best: readonly number[] = [0, 1, 2];
  let most = -1;
  for (const order of [
    [0, 1, 2],
    [0, 2, 1],
    [1, 0, 2],
    [1, 2, 0],
    [2, 0, 1],
    [2, 1, 0],
  ]) {
    const sum = order.reduce((total, axis, way) => total + Math.abs(share(way, axis)), 0);
    if (sum > most + 1e-9) [best, most] = [order, sum];
  }
  const axes = best.map((axis, way) => ({ axis: axis as 0 | 1 | 2, isFlipped: share(way, axis) < 0 }));
  return axes as unknown as readonly [FileAxis, FileAxis, FileAxis];
}
