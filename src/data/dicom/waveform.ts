// Waveforms of DICOM objects (PS3.3, C.10.9): multiplexed groups of channels, in physical units.
import type { DataSet } from 'dicom-parser';
import type { ByteSource } from '../archive/byte-source.ts';
import { marksOfWaveform, type WaveformMarks } from './annotations.ts';
import { type DicomObject, itemsOf, numberOf, parseObject, sharedBy, shortOf, textOf } from './object.ts';

/** A channel whose samples can be read. */
export interface WaveformChannel {
  /** `I`, `aVR`, `V1`, ... where a code of leads says it, else its number. */
  readonly name: string;
  /** `mV`, `uV`, ... by UCUM; empty where nothing says it. */
  readonly unit: string;
  /** What one step of the converter is in the unit. */
  readonly step: number;
  /** In the unit; missing ones are NaN. */
  samples(): Float64Array;
}

/** Channels that were sampled together. */
export interface WaveformGroup {
  /** Samples a second. */
  readonly rate: number;
  /** Samples of each channel. */
  readonly length: number;
  readonly channels: readonly WaveformChannel[];
}

/** A waveform object. */
export interface Waveform extends WaveformMarks {
  /** Groups of one rate, length and time are one. */
  readonly groups: readonly WaveformGroup[];
  /** As `sharedBy` of `object.ts`. */
  readonly sharedBy: string | undefined;
}

/** Bytes, and how a sample is read, by the interpretation that the object says. */
const READERS: Readonly<
  Record<string, readonly [bytes: number, read: (view: DataView, at: number, little: boolean) => number]>
> = {
  SB: [1, (view, at) => view.getInt8(at)],
  UB: [1, (view, at) => view.getUint8(at)],
  SS: [2, (view, at, little) => view.getInt16(at, little)],
  US: [2, (view, at, little) => view.getUint16(at, little)],
};

/** Leads by their numbers in SCP-ECG (5.6.3-9-n) and ISO/IEEE 11073 (2:n), which are the same. */
const LEADS: Readonly<Record<string, string>> = {
  ...{ 1: 'I', 2: 'II', 3: 'V1', 4: 'V2', 5: 'V3', 6: 'V4', 7: 'V5', 8: 'V6' },
  ...{ 61: 'III', 62: 'aVR', 63: 'aVL', 64: 'aVF' },
};
const CODE = /^(?:5\.6\.3-9-|2:)(\d+)$/;
const MEANING = /^(?:Lead )?(I{1,3}|aV[RLF]|V[1-6]|MLII)(?:[ ,(]|$)/i;
const NAMES = ['I', 'II', 'III', 'aVR', 'aVL', 'aVF', 'V1', 'V2', 'V3', 'V4', 'V5', 'V6', 'MLII'];
const SEQUENCE = 'x54000100';
const MOST_CHANNELS = 1024;

/** Whether an object holds waveforms. */
export function hasWaveform({ elements }: DicomObject): boolean {
  return elements.elements[SEQUENCE] !== undefined;
}

/**
 * Reads the waveforms of a file.
 * @throws Error, saying what is wrong
 */
export async function readWaveform(source: ByteSource): Promise<Waveform> {
  const object = await parseObject(source);
  const items = itemsOf(object.elements, SEQUENCE);
  if (items.length === 0) throw new Error('it has no waveforms');
  const groups = new Map<string, WaveformGroup>();
  for (const [i, item] of items.entries()) {
    const { offset, ...own } = groupOf(item, i + 1, !object.isBigEndian);
    const key = [own.rate, own.length, offset].join();
    const known = groups.get(key);
    groups.set(key, known ? { ...known, channels: [...known.channels, ...own.channels] } : own);
  }
  const rates = items.map((item) => numberOf(item, 'x003a001a') ?? 0);
  return {
    groups: [...groups.values()],
    ...marksOfWaveform(object.elements, rates),
    sharedBy: sharedBy(object.elements),
  };
}

function groupOf(
  item: DataSet,
  number: number,
  isLittle: boolean,
): WaveformGroup & { readonly offset: number } {
  const wrong = (what: string): Error => new Error(`its group ${number} of waveforms ${what}`);
  const count = shortOf(item, 'x003a0005') ?? 0;
  const length = item.elements.x003a0010 ? (item.uint32('x003a0010') ?? 0) : 0;
  const rate = numberOf(item, 'x003a001a') ?? 0;
  if (count < 1 || count > MOST_CHANNELS || length < 1) throw wrong('has no channels or no samples');
  if (!(rate > 0)) throw wrong('does not say its sampling frequency');
  const [bytes, read] = READERS[textOf(item, 'x54001006') ?? ''] ?? [];
  if (bytes === undefined || read === undefined || shortOf(item, 'x54001004') !== bytes * 8) {
    throw wrong('has samples that are not read: 8 and 16 bits are, without companding');
  }
  const data = item.elements.x54001010;
  const needed = count * length * bytes;
  if (!data || data.length < needed)
    throw wrong(`is short: expected ${needed} bytes, got ${data?.length ?? 0}`);
  const { byteArray } = item;
  const view = new DataView(byteArray.buffer, byteArray.byteOffset + data.dataOffset, needed);
  const padding = item.elements.x5400100a;
  const missing = padding
    ? read(new DataView(byteArray.buffer, byteArray.byteOffset + padding.dataOffset, bytes), 0, isLittle)
    : undefined;
  const definitions = itemsOf(item, 'x003a0200');
  const channels = Array.from({ length: count }, (_, channel): WaveformChannel => {
    const own = definitions[channel];
    const step = (own && numberOf(own, 'x003a0210')) ?? 1;
    const correction = (own && numberOf(own, 'x003a0212')) ?? 1;
    const baseline = (own && numberOf(own, 'x003a0213')) ?? 0;
    if (step * correction === 0) throw wrong(`has a channel ${channel + 1} of sensitivity 0`);
    const unit = itemsOf(own, 'x003a0211')[0];
    return {
      name: nameOf(own, channel),
      unit: (unit && textOf(unit, 'x00080100')) ?? '',
      step: step * correction,
      samples: () =>
        Float64Array.from({ length }, (__, i) => {
          const value = read(view, (i * count + channel) * bytes, isLittle);
          // Baselines are in units of the channel, as the standard says; pydicom takes them for steps.
          return value === missing ? Number.NaN : value * step * correction + baseline;
        }),
    };
  });
  return { rate, length, channels, offset: numberOf(item, 'x00181068') ?? 0 };
}

/** A lead by its code or the meaning of it; anything else may be free text and is called by its number. */
function nameOf(definition: DataSet | undefined, channel: number): string {
  const source = itemsOf(definition, 'x003a0208')[0];
  const number = source && CODE.exec(textOf(source, 'x00080100') ?? '')?.[1];
  const coded = number === undefined ? undefined : LEADS[number];
  const meaning = source && MEANING.exec(textOf(source, 'x00080104') ?? '')?.[1]?.toLowerCase();
  return coded ?? NAMES.find((name) => name.toLowerCase() === meaning) ?? `channel ${channel + 1}`;
}
