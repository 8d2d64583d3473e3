// Windows bitmaps (BITMAPINFOHEADER and its successors, and OS/2's core header): palettes, 24 and 32 bits,
// uncompressed. Layout: Microsoft, Bitmap Storage.
import type { Pixels } from './pixel-data.ts';

const FILE_HEADER = 14;
const CORE_HEADER = 12;
const INFO_HEADER = 40;
const UNCOMPRESSED = 0;
const BIT_FIELDS = 3;

/** The contents of a bitmap's headers. */
interface Layout {
  readonly width: number;
  readonly height: number;
  /** Rows from the top down; usually they stand from the bottom up. */
  readonly isTopDown: boolean;
  readonly bits: number;
  /** Offset of the pixels. */
  readonly offset: number;
  /** Offset of the palette, bytes of an entry, and number of entries. */
  readonly palette: { readonly start: number; readonly entry: number; readonly count: number };
  /** Byte of red, green and blue in a pixel of 32 bits. */
  readonly order: readonly [number, number, number];
}

/** Whether bytes begin as a bitmap does. */
export function isBmp(content: Uint8Array): boolean {
  return content[0] === 0x42 && content[1] === 0x4d;
}

/** Width and height, from the headers alone. @throws Error when they are not a bitmap's, saying why */
export function bmpSize(content: Uint8Array): { width: number; height: number } {
  const { width, height } = layoutOf(content);
  return { width, height };
}

/**
 * Decodes a bitmap to RGB; a fourth byte (alpha, or nothing) is dropped.
 * @throws Error when it is damaged, compressed, or of another depth, saying which
 */
export function decodeBmp(content: Uint8Array): Pixels {
  const layout = layoutOf(content);
  const { width, height, bits, offset, isTopDown } = layout;
  // Rows are padded to four bytes.
  const rowBytes = Math.ceil((width * bits) / 32) * 4;
  if (offset + rowBytes * height > content.length)
    throw new Error(
      `bitmap is cut off: ${width} x ${height} pixels need ${offset + rowBytes * height} bytes`,
    );
  const data = new Uint8Array(width * height * 3);
  const write = bits <= 8 ? fromPalette(content, layout) : fromColours(content, layout);
  for (let y = 0; y < height; y++) {
    const row = offset + (isTopDown ? y : height - 1 - y) * rowBytes;
    for (let x = 0; x < width; x++) write(row, x, data, (y * width + x) * 3);
  }
  return { data, width, height, channels: 3 };
}

type PixelWriter = (row: number, x: number, data: Uint8Array, to: number) => void;

function fromPalette(content: Uint8Array, { bits, palette }: Layout): PixelWriter {
  const mask = (1 << bits) - 1;
  return (row, x, data, to) => {
    const bit = x * bits;
    const index = ((content[row + (bit >> 3)] as number) >> (8 - bits - (bit & 7))) & mask;
    if (index >= palette.count) throw new Error(`bitmap names colour ${index} of ${palette.count}`);
    const at = palette.start + index * palette.entry;
    // Blue, green, red.
    for (let c = 0; c < 3; c++) data[to + c] = content[at + 2 - c] as number;
  };
}

function fromColours(content: Uint8Array, { bits, order }: Layout): PixelWriter {
  const bytes = bits / 8;
  return (row, x, data, to) => {
    const at = row + x * bytes;
    for (let c = 0; c < 3; c++) data[to + c] = content[at + (order[c] as number)] as number;
  };
}

function layoutOf(content: Uint8Array): Layout {
  const view = new DataView(content.buffer, content.byteOffset, content.byteLength);
  if (!isBmp(content) || content.length < FILE_HEADER + CORE_HEADER) throw new Error('not a bitmap');
  const offset = view.getUint32(10, true);
  const header = view.getUint32(14, true);
  if (FILE_HEADER + header > content.length) throw new Error('bitmap header is cut off');
  const isCore = header === CORE_HEADER;
  if (!isCore && header < INFO_HEADER) throw new Error(`bitmap header of ${header} bytes`);
  const width = isCore ? view.getUint16(18, true) : view.getInt32(18, true);
  const rows = isCore ? view.getUint16(20, true) : view.getInt32(22, true);
  const bits = view.getUint16(isCore ? 24 : 28, true);
  const compression = isCore ? UNCOMPRESSED : view.getUint32(30, true);
  if (width < 1 || rows === 0) throw new Error('bitmap without pixels');
  if (![1, 4, 8, 24, 32].includes(bits))
    throw new Error(`bitmap of ${bits} bits a pixel (1, 4, 8, 24, 32 are read)`);
  if (compression !== UNCOMPRESSED && !(compression === BIT_FIELDS && bits === 32))
    throw new Error(`compressed bitmap (method ${compression}); save it uncompressed`);
  const entry = isCore ? 3 : 4;
  const start = FILE_HEADER + header;
  const declared = isCore ? 0 : view.getUint32(46, true);
  const fits = Math.max(0, Math.floor((Math.min(offset, content.length) - start) / entry));
  const count = Math.min(declared || 2 ** Math.min(bits, 8), fits);
  return {
    width,
    height: Math.abs(rows),
    isTopDown: rows < 0,
    bits,
    offset,
    palette: { start, entry, count },
    order: compression === BIT_FIELDS ? orderOf(view) : [2, 1, 0],
  };
}

/** The byte of a pixel that each mask names; masks follow the first 40 bytes of the header. */
function orderOf(view: DataView): [number, number, number] {
  const byteOf = (at: number): number => {
    const mask = at + 4 <= view.byteLength ? view.getUint32(at, true) : 0;
    const byte = [0xff, 0xff00, 0xff0000, 0xff000000].indexOf(mask);
    if (byte < 0) throw new Error('bitmap whose colours are not whole bytes');
    return byte;
  };
  const first = FILE_HEADER + INFO_HEADER;
  return [byteOf(first), byteOf(first + 4), byteOf(first + 8)];
}
