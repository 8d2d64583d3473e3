// Makes files of NIfTI-1.

/** A volume. */
export interface MadeNifti {
  readonly size: readonly number[];
  /** In the order of the file, before scaling. */
  readonly values: readonly number[];
  readonly type: keyof typeof TYPES;
  readonly isBig?: boolean;
  readonly isPair?: boolean;
  readonly slope?: number;
  readonly intercept?: number;
  /** Which way each axis goes: `RAS`, `LPI`, ... */
  readonly ways?: string;
  readonly form?: 'sform' | 'qform';
  readonly description?: string;
}

const TYPES = {
  uint8: [2, 1],
  int16: [4, 2],
  int32: [8, 4],
  float32: [16, 4],
  float64: [64, 8],
  rgb24: [128, 3],
  int8: [256, 1],
  uint16: [512, 2],
  uint32: [768, 4],
  int64: [1024, 8],
  uint64: [1280, 8],
} as const;

/** The bytes of a file: a header of 352 bytes, then the voxels. */
export function niftiFile(made: MadeNifti): Uint8Array {
  const { size, values, type, isBig = false, isPair = false } = made;
  const [code, bytes] = TYPES[type];
  const header = Buffer.alloc(352);
  const view = new DataView(header.buffer, header.byteOffset, 352);
  const short = (at: number, value: number): void => view.setInt16(at, value, !isBig);
  const float = (at: number, value: number): void => view.setFloat32(at, value, !isBig);
  view.setInt32(0, 348, !isBig);
  short(40, size.length);
  for (const [i, length] of size.entries()) short(42 + 2 * i, length);
  short(70, code);
  short(72, bytes * 8);
  float(76, 1);
  for (let i = 1; i < 8; i++) float(76 + 4 * i, 1);
  float(108, isPair ? 0 : 352);
  float(112, made.slope ?? 0);
  float(116, made.intercept ?? 0);
  header.write(made.description ?? '', 148, 80, 'latin1');
  header.write(isPair ? 'ni1\0' : 'n+1\0', 344, 'latin1');
  const columns = [...(made.ways ?? 'RAS')].map((way) => {
    const sign = 'LPI'.includes(way) ? -1 : 1;
    return ['RL', 'AP', 'SI'].map((pair) => (pair.includes(way) ? sign : 0));
  });
  const at = (row: number, column: number): number => columns[column]?.[row] ?? 0;
  if (made.form === 'sform') {
    short(254, 1);
    for (let row = 0; row < 3; row++)
      for (let c = 0; c < 3; c++) float(280 + 16 * row + 4 * c, 2 * at(row, c));
  }
  if (made.form === 'qform') {
    short(252, 1);
    const { quaternion, handed } = quaternionOf(at);
    float(76, handed);
    for (const [i, part] of quaternion.entries()) float(256 + 4 * i, part);
  }
  const body = Buffer.alloc(type === 'rgb24' ? values.length : values.length * bytes);
  const voxels = new DataView(body.buffer, body.byteOffset, body.length);
  for (const [i, value] of values.entries())
    write(voxels, type, i * (type === 'rgb24' ? 1 : bytes), value, !isBig);
  return Buffer.concat([header, body]);
}

function write(view: DataView, type: keyof typeof TYPES, at: number, value: number, isLittle: boolean): void {
  const bytes = {
    uint8: 'Uint8',
    rgb24: 'Uint8',
    int8: 'Int8',
    int16: 'Int16',
    uint16: 'Uint16',
    int32: 'Int32',
  };
  const wide = {
    uint32: 'Uint32',
    int64: 'BigInt64',
    uint64: 'BigUint64',
    float32: 'Float32',
    float64: 'Float64',
  };
  const name = { ...bytes, ...wide }[type];
  const put = view[`set${name}` as 'setFloat64'].bind(view);
  put(at, (name.startsWith('Big') ? BigInt(value) : value) as number, isLittle);
}

/** The quaternion of a matrix of axes, of which the third is turned where they are left-handed. */
function quaternionOf(at: (row: number, column: number) => number): { quaternion: number[]; handed: 1 | -1 } {
  const determinant =
    at(0, 0) * (at(1, 1) * at(2, 2) - at(1, 2) * at(2, 1)) -
    at(0, 1) * (at(1, 0) * at(2, 2) - at(1, 2) * at(2, 0)) +
    at(0, 2) * (at(1, 0) * at(2, 1) - at(1, 1) * at(2, 0));
  const handed = determinant < 0 ? -1 : 1;
  const r = (row: number, column: number): number => at(row, column) * (column === 2 ? handed : 1);
  const squares = [
    1 + r(0, 0) + r(1, 1) + r(2, 2),
    1 + r(0, 0) - r(1, 1) - r(2, 2),
    1 - r(0, 0) + r(1, 1) - r(2, 2),
    1 - r(0, 0) - r(1, 1) + r(2, 2),
  ];
  const largest = squares.indexOf(Math.max(...squares));
  const s = Math.sqrt(squares[largest] ?? 1) / 2;
  const half = 1 / (4 * s);
  const [a, b, c, d] = [
    [s, (r(2, 1) - r(1, 2)) * half, (r(0, 2) - r(2, 0)) * half, (r(1, 0) - r(0, 1)) * half],
    [(r(2, 1) - r(1, 2)) * half, s, (r(0, 1) + r(1, 0)) * half, (r(0, 2) + r(2, 0)) * half],
    [(r(0, 2) - r(2, 0)) * half, (r(0, 1) + r(1, 0)) * half, s, (r(1, 2) + r(2, 1)) * half],
    [(r(1, 0) - r(0, 1)) * half, (r(0, 2) + r(2, 0)) * half, (r(1, 2) + r(2, 1)) * half, s],
  ][largest] as [number, number, number, number];
  const sign = a < 0 ? -1 : 1;
  return { quaternion: [b * sign, c * sign, d * sign], handed };
}
