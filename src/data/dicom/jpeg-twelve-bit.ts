// JPEG of 12 bits, one component, sequential, by Huffman codes (process 4 of ITU-T T.81): no library on npm decodes it.

/** A Huffman table as T.81 F.2.2.3 decodes by it: by length the largest code, and where its values begin. */
interface Huffman {
  readonly largest: Int32Array;
  readonly offset: Int32Array;
  readonly values: Uint8Array;
}

/** What the segments before the scan say. */
interface Tables {
  readonly quantisation: Map<number, Uint16Array>;
  /** By class (0 DC, 16 AC) and number. */
  readonly huffman: Map<number, Huffman>;
  /** Blocks between restarts; 0: none. */
  interval: number;
  rows: number;
  columns: number;
  bits: number;
  /** The quantisation table of the component. */
  table: number;
}

// biome-ignore format: the order of coefficients is read by rows
const ZIGZAG = [
  0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21, 28,
  35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
];
/** `COSINES[8 * x + u]`: what coefficient u gives at place x, with its scale. */
const COSINES = Float64Array.from({ length: 64 }, (_, i) => {
  const [x, u] = [i >> 3, i & 7];
  return (u === 0 ? Math.SQRT1_2 : 1) * 0.5 * Math.cos(((2 * x + 1) * u * Math.PI) / 16);
});
const damaged = (): Error => new Error('its compressed frame is damaged');

/**
 * Decodes a stream whose header was read and found to be of 12 bits and one component.
 * @returns pixels row by row
 * @throws Error for a damaged stream, or one of another process
 */
export function decodeTwelveBits(content: Uint8Array): Uint16Array {
  const tables: Tables = {
    ...{ quantisation: new Map(), huffman: new Map() },
    ...{ interval: 0, rows: 0, columns: 0, bits: 0, table: 0 },
  };
  for (let at = 2; at + 4 <= content.length; ) {
    const marker = ((content[at] ?? 0) << 8) | (content[at + 1] ?? 0);
    if (marker === 0xffff) {
      at++;
      continue;
    }
    const end = at + 2 + (((content[at + 2] ?? 0) << 8) | (content[at + 3] ?? 0));
    if (marker < 0xff01 || end > content.length || end < at + 4) throw damaged();
    const segment = content.subarray(at + 4, end);
    if (marker === 0xffda) return decodeScan(content.subarray(end), segment, tables);
    readSegment(marker, segment, tables);
    at = end;
  }
  throw damaged();
}

function readSegment(marker: number, segment: Uint8Array, tables: Tables): void {
  const word = (at: number): number => ((segment[at] ?? 0) << 8) | (segment[at + 1] ?? 0);
  switch (marker) {
    case 0xffdb:
      readQuantisation(segment, tables.quantisation);
      return;
    case 0xffc4:
      readHuffman(segment, tables.huffman);
      return;
    case 0xffdd:
      tables.interval = word(0);
      return;
    case 0xffc1:
      Object.assign(tables, { bits: segment[0], rows: word(1), columns: word(3), table: segment[8] });
      if (segment[5] !== 1 || tables.bits !== 12) throw damaged();
  }
}

function readQuantisation(segment: Uint8Array, to: Tables['quantisation']): void {
  for (let at = 0; at < segment.length; ) {
    const [precision, number] = [(segment[at] ?? 0) >> 4, (segment[at] ?? 0) & 15];
    const size = precision === 0 ? 1 : 2;
    if (at + 1 + 64 * size > segment.length) throw damaged();
    const own = segment.subarray(at + 1, at + 1 + 64 * size);
    const value = (i: number): number =>
      size === 1 ? (own[i] ?? 0) : ((own[2 * i] ?? 0) << 8) | (own[2 * i + 1] ?? 0);
    to.set(
      number,
      Uint16Array.from({ length: 64 }, (_, i) => value(i)),
    );
    at += 1 + 64 * size;
  }
}

function readHuffman(segment: Uint8Array, to: Tables['huffman']): void {
  for (let at = 0; at < segment.length; ) {
    const counts = segment.subarray(at + 1, at + 17);
    const total = counts.reduce((sum, count) => sum + count, 0);
    if (counts.length < 16 || at + 17 + total > segment.length || total > 256) throw damaged();
    const [largest, offset] = [new Int32Array(17).fill(-1), new Int32Array(17)];
    let [code, before] = [0, 0];
    for (let length = 1; length <= 16; length++, code *= 2) {
      const count = counts[length - 1] ?? 0;
      offset[length] = before - code;
      code += count;
      before += count;
      if (code > 2 ** length) throw damaged();
      if (count > 0) largest[length] = code - 1;
    }
    to.set(segment[at] ?? 0, { largest, offset, values: segment.slice(at + 17, at + 17 + total) });
    at += 17 + total;
  }
}

function decodeScan(data: Uint8Array, header: Uint8Array, tables: Tables): Uint16Array {
  const { rows, columns, interval, huffman, quantisation } = tables;
  const numbers = header[2] ?? 0;
  const [dc, ac, steps] = [
    huffman.get(numbers >> 4),
    huffman.get(16 + (numbers & 15)),
    quantisation.get(tables.table),
  ];
  if (header[0] !== 1 || rows === 0 || columns === 0 || !dc || !ac || !steps) throw damaged();
  const bits = new Bits(data);
  const pixels = new Uint16Array(rows * columns);
  const across = Math.ceil(columns / 8);
  const blocks = across * Math.ceil(rows / 8);
  const block = new Float64Array(64);
  let last = 0;
  for (let i = 0; i < blocks; i++) {
    if (interval > 0 && i > 0 && i % interval === 0) {
      bits.restart((i / interval - 1) % 8);
      last = 0;
    }
    block.fill(0);
    last += bits.signed(bits.code(dc));
    block[0] = last * (steps[0] ?? 0);
    for (let k = 1; k < 64; k++) {
      const symbol = bits.code(ac);
      const [run, size] = [symbol >> 4, symbol & 15];
      if (size === 0 && run < 15) break;
      k += run;
      if (k > 63) throw damaged();
      if (size > 0) block[ZIGZAG[k] ?? 0] = bits.signed(size) * (steps[k] ?? 0);
    }
    put(inverse(block), pixels, { rows, columns, top: 8 * Math.floor(i / across), left: 8 * (i % across) });
  }
  return pixels;
}

/** The inverse cosine transform of a block, in place. */
function inverse(block: Float64Array): Float64Array {
  const line = new Float64Array(8);
  for (const [step, stride] of [
    [1, 8],
    [8, 1],
  ] as const) {
    for (let n = 0; n < 8; n++) {
      for (let x = 0; x < 8; x++) {
        let sum = 0;
        for (let u = 0; u < 8; u++) sum += (COSINES[8 * x + u] ?? 0) * (block[n * stride + u * step] ?? 0);
        line[x] = sum;
      }
      for (let x = 0; x < 8; x++) block[n * stride + x * step] = line[x] ?? 0;
    }
  }
  return block;
}

function put(
  block: Float64Array,
  pixels: Uint16Array,
  {
    rows,
    columns,
    top,
    left,
  }: { readonly rows: number; readonly columns: number; readonly top: number; readonly left: number },
): void {
  for (let y = 0; y < Math.min(8, rows - top); y++) {
    for (let x = 0; x < Math.min(8, columns - left); x++) {
      const value = Math.round((block[8 * y + x] ?? 0) + 2048);
      pixels[(top + y) * columns + left + x] = Math.min(4095, Math.max(0, value));
    }
  }
}

/** Bits of a scan, without the zero behind each byte of ones. */
class Bits {
  readonly #data: Uint8Array;
  #at = 0;
  #held = 0;
  #count = 0;

  constructor(data: Uint8Array) {
    this.#data = data;
  }

  #bit(): number {
    if (this.#count === 0) {
      const byte = this.#data[this.#at++];
      // A marker within a block, or the end of the data.
      if (byte === undefined || (byte === 0xff && this.#data[this.#at++] !== 0)) throw damaged();
      [this.#held, this.#count] = [byte, 8];
    }
    return (this.#held >> --this.#count) & 1;
  }

  /** The value of the next code. */
  code({ largest, offset, values }: Huffman): number {
    let code = 0;
    for (let length = 1; length <= 16; length++) {
      code = 2 * code + this.#bit();
      if (code <= (largest[length] ?? -1)) return values[code + (offset[length] ?? 0)] ?? 0;
    }
    throw damaged();
  }

  /** A number of so many bits, those below half of the range negative (T.81 F.2.2.1). */
  signed(size: number): number {
    if (size > 15) throw damaged();
    let value = 0;
    for (let i = 0; i < size; i++) value = 2 * value + this.#bit();
    return size > 0 && value < 2 ** (size - 1) ? value - 2 ** size + 1 : value;
  }

  /** Goes over a restart marker of this number. */
  restart(number: number): void {
    this.#count = 0;
    while (this.#data[this.#at] === 0xff && this.#data[this.#at + 1] === 0xff) this.#at++;
    if (this.#data[this.#at] !== 0xff || this.#data[this.#at + 1] !== 0xd0 + number) throw damaged();
    this.#at += 2;
  }
}
