// JPEG of 12 bits by Huffman codes, sequential and progressive, in one component or several (processes 4, 6, 8, 10 and 12 of
// ITU-T T.81): no library on npm decodes it.
import { Bits, damaged, type Huffman, readHuffman } from './jpeg-bits.ts';
import { type Component, decodeScan, type Scan } from './jpeg-scan.ts';

/** What the segments before a scan say. */
interface Tables {
  readonly quantisation: Map<number, Uint16Array>;
  readonly huffman: Map<number, Huffman>;
  interval: number;
}

interface Frame {
  readonly rows: number;
  readonly columns: number;
  readonly isProgressive: boolean;
  readonly components: readonly Component[];
  readonly units: Scan['units'];
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
/** Scans of a stream: encoders make about ten, and each takes time however short it is. */
const MOST_SCANS = 100;
const [SOF1, SOF2, DHT, EOI, SOS, DQT, DRI] = [0xffc1, 0xffc2, 0xffc4, 0xffd9, 0xffda, 0xffdb, 0xffdd];

/**
 * Decodes a stream whose header was read and found to be of 12 bits.
 * @returns values pixel by pixel; colours as the stream has them, those of fewer samples between them
 * @throws Error for a damaged stream, or one of another process
 */
export function decodeTwelveBits(content: Uint8Array): Uint16Array {
  const tables: Tables = { quantisation: new Map(), huffman: new Map(), interval: 0 };
  const word = (at: number): number => ((content[at] ?? 0) << 8) | (content[at + 1] ?? 0);
  let frame: Frame | undefined;
  let scans = 0;
  for (let at = 2; at + 2 <= content.length; ) {
    const marker = word(at);
    if (marker === 0xffff) {
      at++;
      continue;
    }
    if (marker === EOI && frame && scans > 0) return pixelsOf(frame, tables);
    const end = at + 2 + word(at + 2);
    if (marker < 0xff01 || end > content.length || end < at + 4) throw damaged();
    const segment = content.subarray(at + 4, end);
    if (marker === SOF1 || marker === SOF2) {
      if (frame) throw damaged();
      frame = frameOf(segment, marker === SOF2);
    }
    readTables(marker, segment, tables);
    at = end;
    if (marker !== SOS) continue;
    if (!frame || ++scans > MOST_SCANS) throw damaged();
    const bits = new Bits(content, end);
    decodeScan(bits, scanOf(segment, frame, tables));
    at = bits.next();
  }
  throw damaged();
}

function readTables(marker: number, segment: Uint8Array, tables: Tables): void {
  if (marker === DQT) readQuantisation(segment, tables.quantisation);
  if (marker === DHT) readHuffman(segment, tables.huffman);
  if (marker === DRI) tables.interval = ((segment[0] ?? 0) << 8) | (segment[1] ?? 0);
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

function frameOf(segment: Uint8Array, isProgressive: boolean): Frame {
  const word = (at: number): number => ((segment[at] ?? 0) << 8) | (segment[at + 1] ?? 0);
  const [rows, columns, count] = [word(1), word(3), segment[5] ?? 0];
  if (segment[0] !== 12 || rows === 0 || columns === 0 || count < 1 || count > 4) throw damaged();
  if (segment.length < 6 + 3 * count) throw damaged();
  const own = Array.from({ length: count }, (_, i) => {
    const [id = 0, factors = 0, table = 0] = segment.subarray(6 + 3 * i, 9 + 3 * i);
    const [across, down] = [factors >> 4, factors & 15];
    if (across < 1 || across > 4 || down < 1 || down > 4) throw damaged();
    return { id, across, down, table };
  });
  const [most, mostDown] = [
    Math.max(...own.map(({ across }) => across)),
    Math.max(...own.map(({ down }) => down)),
  ];
  const units = { columns: Math.ceil(columns / (8 * most)), rows: Math.ceil(rows / (8 * mostDown)) };
  const components = own.map((one): Component => {
    const blocks = {
      columns: Math.ceil(Math.ceil((columns * one.across) / most) / 8),
      rows: Math.ceil(Math.ceil((rows * one.down) / mostDown) / 8),
      stride: units.columns * one.across,
      all: units.columns * one.across * units.rows * one.down,
    };
    return { ...one, blocks, coefficients: new Int16Array(64 * blocks.all) };
  });
  return { rows, columns, isProgressive, components, units };
}

function scanOf(segment: Uint8Array, frame: Frame, { huffman, interval }: Tables): Scan {
  const count = segment[0] ?? 0;
  const components = Array.from({ length: count }, (_, i) => {
    const [id, numbers = 0] = segment.subarray(1 + 2 * i, 3 + 2 * i);
    const component = frame.components.find((one) => one.id === id);
    if (!component) throw damaged();
    return { component, dc: huffman.get(numbers >> 4), ac: huffman.get(16 + (numbers & 15)) };
  });
  const [from = 0, to = 0, approximation = 0] = segment.subarray(1 + 2 * count);
  const { isProgressive, units } = frame;
  const [high, low] = [approximation >> 4, approximation & 15];
  const isWhole = from === 0 && to === 63 && approximation === 0;
  // A progressive scan has the first coefficient alone, or others of one component.
  const isPart = to <= 63 && (from === 0 ? to === 0 : from <= to && count === 1) && low <= 13;
  if (count < 1 || segment.length < 4 + 2 * count || !(isProgressive ? isPart : isWhole)) throw damaged();
  return { components, from, to, high, low, isProgressive, units, interval };
}

/** Values of all components, interleaved. */
function pixelsOf({ rows, columns, components }: Frame, { quantisation }: Tables): Uint16Array {
  const count = components.length;
  const pixels = new Uint16Array(rows * columns * count);
  const [most, mostDown] = [
    Math.max(...components.map(({ across }) => across)),
    Math.max(...components.map(({ down }) => down)),
  ];
  for (const [place, component] of components.entries()) {
    const steps = quantisation.get(component.table);
    if (!steps) throw damaged();
    const plane = planeOf(component, steps);
    const width = 8 * component.blocks.stride;
    const left = weights(columns, component.across / most);
    const top = weights(rows, component.down / mostDown);
    for (let y = 0; y < rows; y++) {
      const { from: row, to: rowTo, share: down } = top[y] as Weight;
      for (let x = 0; x < columns; x++) {
        const { from, to, share } = left[x] as Weight;
        const at = (line: number, column: number): number => plane[width * line + column] ?? 0;
        const above = at(row, from) * (1 - share) + at(row, to) * share;
        const below = down === 0 ? above : at(rowTo, from) * (1 - share) + at(rowTo, to) * share;
        pixels[(y * columns + x) * count + place] = Math.round(above * (1 - down) + below * down);
      }
    }
  }
  return pixels;
}

/** A sample between two of a component that has fewer. */
interface Weight {
  readonly from: number;
  readonly to: number;
  readonly share: number;
}

/** Where the samples of a line lie in a component of a share of them: between centres, as the decoder of the IJG takes them. */
function weights(length: number, ratio: number): Weight[] {
  const last = Math.ceil(length * ratio) - 1;
  return Array.from({ length }, (_, i) => {
    const place = Math.min(last, Math.max(0, (i + 0.5) * ratio - 0.5));
    const from = Math.floor(place);
    return { from, to: Math.min(last, from + 1), share: place - from };
  });
}

function planeOf({ blocks, coefficients }: Component, steps: Uint16Array): Uint16Array {
  const plane = new Uint16Array(64 * blocks.all);
  const block = new Float64Array(64);
  const line = new Float64Array(8);
  for (let i = 0; i < blocks.all; i++) {
    for (let k = 0; k < 64; k++) block[ZIGZAG[k] ?? 0] = (coefficients[64 * i + k] ?? 0) * (steps[k] ?? 0);
    inverse(block, line);
    const [top, left] = [8 * Math.floor(i / blocks.stride), 8 * (i % blocks.stride)];
    for (let k = 0; k < 64; k++) {
      const value = Math.round((block[k] ?? 0) + 2048);
      plane[(top + (k >> 3)) * 8 * blocks.stride + left + (k & 7)] = Math.min(4095, Math.max(0, value));
    }
  }
  return plane;
}

/** The inverse cosine transform of a block, in place. */
function inverse(block: Float64Array, line: Float64Array): void {
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
}
