// Compressed frames to values: the codecs are libraries (libjpeg-turbo, CharLS, OpenJPEG, OpenJPH, all as WebAssembly, and a
// decoder of lossless JPEG; JPEG of 12 bits has one of our own), loaded when a frame needs them. What a frame says of its size is checked before that.
import { BedsideError } from '../../util/index.ts';
import { loadOptional } from '../../util/internal.ts';
import { endsWhole, jpeg2000Size, jpegSize, type StreamSize, withColours } from './codestream.ts';
import { decodeTwelveBits } from './jpeg-twelve-bit.ts';
import { decodeRle } from './rle.ts';
import type { Compression } from './transfer-syntax.ts';

/** What an object says of its frames. */
export interface FrameFacts {
  readonly rows: number;
  readonly columns: number;
  readonly samples: number;
  readonly bitsAllocated: number;
  readonly bitsStored: number;
  readonly photometric: string;
}

/** Decoded values, interleaved, as bit patterns without sign. */
export interface DecodedFrame {
  readonly data: Uint8Array | Uint16Array;
  /** Whether the codec turned colours into RGB. */
  readonly isRgb: boolean;
  /** Bits of a value where the codec says them; otherwise those of the object. */
  readonly bits?: number;
}

/** What the codecs of WebAssembly have in common. */
interface Decoder {
  getEncodedBuffer(length: number): Uint8Array;
  getDecodedBuffer(): Uint8Array;
  decode(): void;
  delete(): void;
  /** Of JPEG-LS: 0 where components stand one after the other. */
  getInterleaveMode?(): number;
}

type Codec = 'jpeg' | 'jpeg-ls' | 'jpeg-2000' | 'htj2k';

const WHAT: Readonly<Record<Codec, { readonly purpose: string; readonly decoder: string }>> = {
  jpeg: { purpose: 'reading JPEG in DICOM', decoder: 'JPEGDecoder' },
  'jpeg-ls': { purpose: 'reading JPEG-LS in DICOM', decoder: 'JpegLSDecoder' },
  'jpeg-2000': { purpose: 'reading JPEG 2000 in DICOM', decoder: 'J2KDecoder' },
  htj2k: { purpose: 'reading HTJ2K in DICOM', decoder: 'HTJ2KDecoder' },
};

const LOADERS: Readonly<Record<Codec, () => Promise<unknown>>> = {
  jpeg: () => import('@cornerstonejs/codec-libjpeg-turbo-8bit/decodewasmjs'),
  'jpeg-ls': () => import('@cornerstonejs/codec-charls/decodewasmjs'),
  'jpeg-2000': () => import('@cornerstonejs/codec-openjpeg/decodewasmjs'),
  htj2k: () => import('@cornerstonejs/codec-openjph/wasmjs'),
};

/** Images from which on a frame must have some bytes for its pixels, and how many pixels a byte may be. */
const SMALL = 2 ** 22;
const MOST_PER_BYTE = 2 ** 14;

/** Instances that are in use; one that gave up is left to be collected. */
const instances = new Map<Codec, Promise<new () => Decoder>>();

/**
 * Decodes a compressed frame.
 * @throws Error for a damaged frame, or one that is another than the object says
 * @throws BedsideError E_UNSUPPORTED where the codec is not installed
 */
export async function decodeFrame(
  compression: Exclude<Compression, 'none'>,
  content: Uint8Array,
  facts: FrameFacts,
): Promise<DecodedFrame> {
  const { rows, columns, samples, bitsAllocated } = facts;
  if (rows * columns > Math.max(SMALL, content.length * MOST_PER_BYTE)) {
    throw new Error(`its ${content.length} compressed bytes cannot be ${columns} x ${rows} pixels`);
  }
  switch (compression) {
    case 'rle': {
      const bytes = bitsAllocated === 8 ? 1 : 2;
      return { data: decodeRle(content, rows * columns, samples, bytes), isRgb: false };
    }
    case 'jpeg':
    case 'jpeg-lossless':
      return await decodeJpeg(content, facts);
    case 'jpeg-ls': {
      const size = jpegSize(content);
      assertSize(size, facts);
      return { data: await decodeBy('jpeg-ls', content, facts, size), isRgb: false, bits: size.bits };
    }
    case 'jpeg-2000':
    case 'htj2k': {
      const size = jpeg2000Size(content);
      assertSize(size, facts);
      // OpenJPEG and OpenJPH undo the transform of colours themselves.
      const data = await decodeBy(compression, content, facts, size);
      return { data, isRgb: samples === 3, bits: size.bits };
    }
  }
}

/** JPEG of any process: the stream says which it is, whatever the transfer syntax. */
async function decodeJpeg(content: Uint8Array, facts: FrameFacts): Promise<DecodedFrame> {
  const size = jpegSize(content);
  assertSize(size, facts);
  // Decoders of JPEG give grey for what is missing, and say nothing.
  if (!endsWhole(content)) throw new Error('its JPEG stream is cut off');
  if (size.process === 3) return { data: await decodeLossless(content, size), isRgb: false, bits: size.bits };
  if (size.bits === 12 && (size.process === 1 || size.process === 2)) {
    return { data: decodeTwelveBits(content), isRgb: false, bits: size.bits };
  }
  if (size.bits !== 8) {
    throw new BedsideError(
      'E_UNSUPPORTED',
      `JPEG of ${size.bits} bits by process ${size.process} is not read`,
      {
        hint: 'convert the object without loss, as with dcmdjpeg of DCMTK',
      },
    );
  }
  const isColour = facts.samples === 3;
  const stream = isColour && !size.hasAdobe ? withColours(content, facts.photometric !== 'RGB') : content;
  return { data: await decodeBy('jpeg', stream, facts, size), isRgb: isColour, bits: size.bits };
}

async function decodeLossless(content: Uint8Array, size: StreamSize): Promise<Uint8Array | Uint16Array> {
  const { Decoder } = await loadOptional(
    'reading lossless JPEG in DICOM',
    () => import('jpeg-lossless-decoder-js'),
  );
  const bytes = size.bits <= 8 ? 1 : 2;
  const own = Uint8Array.from(content);
  const decoded = readable(() => new Decoder().decode(own.buffer, 0, own.byteLength, bytes));
  const values = size.rows * size.columns * size.samples;
  const { buffer, byteOffset } = decoded as unknown as Uint8Array;
  const data =
    bytes === 1
      ? new Uint8Array(buffer as ArrayBuffer, byteOffset)
      : new Uint16Array(buffer as ArrayBuffer, byteOffset);
  if (data.length < values) throw new Error('its lossless JPEG gives fewer pixels than the image has');
  return data.subarray(0, values);
}

/** Decodes by one of the libraries. */
async function decodeBy(
  codec: Codec,
  content: Uint8Array,
  { rows, columns, samples }: FrameFacts,
  { bits }: StreamSize,
): Promise<Uint8Array | Uint16Array> {
  const make = await decoderOf(codec);
  const decoder = new make();
  let isWhole = false;
  try {
    decoder.getEncodedBuffer(content.length).set(content);
    readable(() => decoder.decode());
    const bytes = decoder.getDecodedBuffer();
    const values = rows * columns * samples;
    const width = bits <= 8 ? 1 : 2;
    if (bytes.length !== values * width)
      throw new Error(`its compressed frame gives ${bytes.length} bytes, not ${values * width}`);
    // Copied: the memory is the library's.
    const own = Uint8Array.from(bytes);
    isWhole = true;
    const data = width === 1 ? own : new Uint16Array(own.buffer);
    return samples > 1 && decoder.getInterleaveMode?.() === 0 ? interleaved(data, samples) : data;
  } finally {
    if (isWhole) decoder.delete();
    // A library that gave up may have left its memory in any state.
    else instances.delete(codec);
  }
}

function interleaved(planes: Uint8Array | Uint16Array, samples: number): Uint8Array | Uint16Array {
  const pixels = planes.length / samples;
  return planes.map((_, i) => planes[(i % samples) * pixels + Math.floor(i / samples)] ?? 0);
}

function decoderOf(codec: Codec): Promise<new () => Decoder> {
  const known = instances.get(codec);
  if (known !== undefined) return known;
  const { purpose, decoder } = WHAT[codec];
  const made = loadOptional(purpose, LOADERS[codec]).then(async (module) => {
    const { default: make } = module as { default: (options: object) => Promise<Record<string, unknown>> };
    const silent = { print: () => {}, printErr: () => {} };
    const library = await make(silent);
    return library[decoder] as new () => Decoder;
  });
  instances.set(codec, made);
  made.catch(() => instances.delete(codec));
  return made;
}

function assertSize(size: StreamSize, { rows, columns, samples, bitsAllocated }: FrameFacts): void {
  if (size.rows !== rows || size.columns !== columns || size.samples !== samples) {
    throw new Error(
      `its compressed frame is ${size.columns} x ${size.rows} of ${size.samples} samples, the object says ${columns} x ${rows} of ${samples}`,
    );
  }
  if (size.bits < 1 || size.bits > bitsAllocated) {
    throw new Error(`its compressed frame has ${size.bits} bits a sample, the object ${bitsAllocated}`);
  }
}

/** Runs a decoder, whose errors are numbers, texts or traps, and may say anything. */
function readable<T>(decode: () => T): T {
  try {
    return decode();
  } catch {
    throw new Error('its compressed frame is damaged');
  }
}
