// Images of DICOM objects: stored values of a frame, as bits stored and sign say, and what turns them into grey or colours.
import type { DataSet } from 'dicom-parser';
import type { ByteSource } from '../archive/byte-source.ts';
import type { MedicalFrame, Shown } from '../images/shown-values.ts';
import { decodeFrame, type FrameFacts } from './codecs.ts';
import { toRgb } from './colour.ts';
import { encapsulatedFrames, type FramePlaces, frameBytes, nativeFrames } from './frames.ts';
import { lookupOf } from './lookup.ts';
import { type DicomObject, itemsOf, numberOf, parseObject, shortOf, textOf } from './object.ts';
import { compressionOf } from './transfer-syntax.ts';

/** What an object says of its image. */
export interface ImageFacts extends FrameFacts {
  readonly frames: number;
  readonly isSigned: boolean;
  readonly highBit: number;
  readonly isPlanar: boolean;
}

/** No object has more frames. */
const MOST_FRAMES = 2 ** 20;
const GREY = ['MONOCHROME1', 'MONOCHROME2'];
const COLOURS = ['RGB', 'YBR_FULL', 'YBR_FULL_422', 'YBR_ICT', 'YBR_RCT', 'PALETTE COLOR'];

/** An object with an image, whose frames can be read. */
export class DicomImage {
  readonly facts: ImageFacts;
  readonly #object: DicomObject;
  readonly #places: FramePlaces;

  private constructor(object: DicomObject, facts: ImageFacts, places: FramePlaces) {
    this.#object = object;
    this.facts = facts;
    this.#places = places;
  }

  /**
   * Reads what an object says of its image, and finds its frames.
   * @throws Error, saying what is wrong or not read
   */
  static async open(source: ByteSource): Promise<DicomImage> {
    const object = await parseObject(source);
    const facts = factsOf(object);
    const compression = compressionOf(object.syntax);
    if (compression === undefined)
      throw new Error(`its transfer syntax ${plainUid(object.syntax)} is not read`);
    const { rows, columns, samples, bitsAllocated, frames } = facts;
    const is422 = compression === 'none' && facts.photometric === 'YBR_FULL_422';
    const bytes = (rows * columns * (is422 ? 2 : samples) * bitsAllocated) / 8;
    const places =
      compression === 'none' ? nativeFrames(object, frames, bytes) : await encapsulatedFrames(object, frames);
    return new DicomImage(object, facts, places);
  }

  /** Reads a frame. @throws Error for a damaged one; BedsideError E_UNSUPPORTED where a codec is not installed */
  async frame(index: number): Promise<MedicalFrame> {
    const { facts } = this;
    const { rows, columns, samples } = facts;
    const compression = compressionOf(this.#object.syntax) ?? 'none';
    const content = await frameBytes(this.#places, index);
    const { data, isRgb, bits } =
      compression === 'none'
        ? { data: this.#native(content, index), isRgb: false, bits: undefined }
        : await decodeFrame(compression, content, facts);
    const own = { rows, columns };
    if (samples === 3) {
      const isPlanar = facts.isPlanar && compression === 'none' && facts.photometric !== 'YBR_FULL_422';
      const white = 2 ** facts.bitsStored - 1;
      const values = toRgb(data, facts, { isPlanar, isRgb, white });
      return { ...own, channels: 3, values, low: 0, high: white, isInverted: false, shown: undefined };
    }
    const stored = storedValues(data, facts, bits);
    if (facts.photometric === 'PALETTE COLOR') return { ...own, ...this.#palette(stored) };
    return {
      ...own,
      channels: 1,
      ...this.#grey(stored, index),
      isInverted: facts.photometric === 'MONOCHROME1',
    };
  }

  /** The numbers of a frame without compression. */
  #native(content: Uint8Array, index: number): Uint8Array | Uint16Array {
    const { rows, columns, samples, bitsAllocated, photometric } = this.facts;
    const { isBigEndian, pixels } = this.#object;
    if (bitsAllocated === 1) return singleBits(content, rows * columns, (index * rows * columns) % 8);
    const count = photometric === 'YBR_FULL_422' ? rows * columns * 2 : rows * columns * samples;
    if (bitsAllocated === 8) {
      if (!(isBigEndian && pixels?.vr === 'OW')) return content.subarray(0, count);
      // Bytes that are written as words of big endian stand in pairs the other way round.
      return Uint8Array.from({ length: count }, (_, i) => content[i ^ 1] ?? 0);
    }
    const view = new DataView(content.buffer, content.byteOffset, content.byteLength);
    return Uint16Array.from({ length: count }, (_, i) => view.getUint16(2 * i, !isBigEndian));
  }

  /** Values after the modality's table or line, with their range and what the file says of showing them. */
  #grey(stored: Int32Array, index: number): Pick<MedicalFrame, 'values' | 'low' | 'high' | 'shown'> {
    const { elements } = this.#object;
    const { bitsStored, isSigned } = this.facts;
    const table = itemsOf(elements, 'x00283000')[0];
    const shown = shownOf(this.#groupOf('x00289132', index), isSigned);
    if (table) {
      const { values, first } = lookupOf(table, 'x00283002', 'x00283006', isSigned);
      const last = values.length - 1;
      const mapped = Int32Array.from(stored, (v) => values[Math.min(Math.max(v - first, 0), last)] ?? 0);
      const [low, high] = extremesOf(values);
      return { values: mapped, low, high, shown };
    }
    const scaling = this.#groupOf('x00289145', index);
    const slope = numberOf(scaling, 'x00281053') ?? 1;
    const intercept = numberOf(scaling, 'x00281052') ?? 0;
    if (slope === 0) throw new Error('its rescale slope is 0');
    const [first, last] = isSigned
      ? [-(2 ** (bitsStored - 1)), 2 ** (bitsStored - 1) - 1]
      : [0, 2 ** bitsStored - 1];
    const ends = [first * slope + intercept, last * slope + intercept];
    const isWhole = Number.isInteger(slope) && Number.isInteger(intercept);
    const values =
      slope === 1 && intercept === 0
        ? stored
        : isWhole
          ? stored.map((v) => v * slope + intercept)
          : Float64Array.from(stored, (v) => v * slope + intercept);
    return { values, low: Math.min(...ends), high: Math.max(...ends), shown };
  }

  /** Elements of a frame's group: its own, those shared by all frames, or the object itself. */
  #groupOf(sequence: string, index: number): DataSet {
    const { elements } = this.#object;
    // Thousands of frames have a group each: only this one is looked at.
    const own = itemsOf(elements.elements.x52009230?.items?.[index]?.dataSet, sequence)[0];
    return own ?? itemsOf(itemsOf(elements, 'x52009229')[0], sequence)[0] ?? elements;
  }

  #palette(stored: Int32Array): Omit<MedicalFrame, 'rows' | 'columns'> {
    const { elements } = this.#object;
    const channels = ['1', '2', '3'].map((n) => lookupOf(elements, `x0028110${n}`, `x0028120${n}`, false));
    const isWide = channels.some(({ bits }) => bits > 8);
    const white = isWide ? 65535 : 255;
    const values = isWide ? new Uint16Array(stored.length * 3) : new Uint8Array(stored.length * 3);
    for (const [c, { values: table, first, bits }] of channels.entries()) {
      const factor = isWide && bits <= 8 ? 257 : 1;
      const last = table.length - 1;
      for (const [i, v] of stored.entries())
        values[3 * i + c] = (table[Math.min(Math.max(v - first, 0), last)] ?? 0) * factor;
    }
    return { channels: 3, values, low: 0, high: white, isInverted: false, shown: undefined };
  }
}

/** @throws Error for an object without an image, or one of a kind that is not read */
function factsOf({ elements, pixels }: DicomObject): ImageFacts {
  if (!pixels) throw new Error('it has no pixels');
  const need = (tag: string, what: string): number => {
    const value = shortOf(elements, tag);
    if (value === undefined) throw new Error(`it does not say its ${what}`);
    return value;
  };
  const rows = need('x00280010', 'rows');
  const columns = need('x00280011', 'columns');
  const bitsAllocated = need('x00280100', 'bits allocated');
  const bitsStored = shortOf(elements, 'x00280101') ?? bitsAllocated;
  const samples = shortOf(elements, 'x00280002') ?? 1;
  const highBit = shortOf(elements, 'x00280102') ?? bitsStored - 1;
  const photometric = textOf(elements, 'x00280004') ?? 'MONOCHROME2';
  const frames = numberOf(elements, 'x00280008') ?? 1;
  if (rows === 0 || columns === 0) throw new Error('its image has no pixels');
  if (![1, 8, 16].includes(bitsAllocated))
    throw new Error(`its pixels have ${bitsAllocated} bits, of which 1, 8 and 16 are read`);
  if (bitsStored < 1 || bitsStored > bitsAllocated || highBit < bitsStored - 1 || highBit >= bitsAllocated) {
    throw new Error('its bits stored do not fit its bits allocated');
  }
  const isKnown =
    samples === 1 ? [...GREY, 'PALETTE COLOR'].includes(photometric) : COLOURS.includes(photometric);
  if ((samples !== 1 && samples !== 3) || !isKnown || (samples === 3 && bitsAllocated === 1)) {
    throw new Error(
      'its photometric interpretation is not read: grey, palette, RGB and YBR of 3 samples are',
    );
  }
  if (!Number.isInteger(frames) || frames < 1 || frames > MOST_FRAMES)
    throw new Error('its number of frames is none');
  return {
    ...{ rows, columns, samples, bitsAllocated, bitsStored, highBit, photometric, frames },
    isSigned: shortOf(elements, 'x00280103') === 1,
    isPlanar: shortOf(elements, 'x00280006') === 1,
  };
}

/**
 * Stored values with their sign, of bits that may stand higher than the lowest.
 * @param coded bits of a value where a codec says them: what it gives is the value alone, and may leave the stored range
 */
function storedValues(
  data: Uint8Array | Uint16Array,
  { bitsStored, highBit, isSigned, bitsAllocated }: ImageFacts,
  coded: number | undefined,
): Int32Array {
  const bits = coded ?? bitsStored;
  const down = coded !== undefined || bitsAllocated === 1 ? 0 : highBit + 1 - bitsStored;
  const mask = 2 ** bits - 1;
  const sign = isSigned ? 2 ** (bits - 1) : 0;
  return Int32Array.from(data, (raw) => {
    const value = (raw >> down) & mask;
    return (value ^ sign) - sign;
  });
}

function singleBits(content: Uint8Array, count: number, first: number): Uint8Array {
  return Uint8Array.from(
    { length: count },
    (_, i) => ((content[(first + i) >> 3] ?? 0) >> ((first + i) & 7)) & 1,
  );
}

function shownOf(elements: DataSet, isSigned: boolean): Shown | undefined {
  const centre = numberOf(elements, 'x00281050');
  const width = numberOf(elements, 'x00281051');
  if (centre !== undefined && width !== undefined && width > 0) {
    return { kind: 'window', centre, width, form: textOf(elements, 'x00281056') ?? 'LINEAR' };
  }
  const table = itemsOf(elements, 'x00283010')[0];
  return table && { kind: 'table', ...lookupOf(table, 'x00283002', 'x00283006', isSigned) };
}

function extremesOf(values: ArrayLike<number>): readonly [number, number] {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (let i = 0; i < values.length; i++) {
    low = Math.min(low, values[i] ?? 0);
    high = Math.max(high, values[i] ?? 0);
  }
  return [low, high];
}

/** A transfer syntax as it may stand in a message: numbers and dots. */
function plainUid(uid: string): string {
  return /^[\d.]{1,64}$/.test(uid) ? uid : '(malformed)';
}
