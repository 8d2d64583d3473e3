// Headers of EDF (B. Kemp et al., 1992), EDF+ (B. Kemp, J. Olivan, 2003) and their 24-bit forms BDF and BDF+: 256 bytes
// of the recording, then 256 of each signal, all of it text. The fields that name a patient or a recording never leave this file.
import { createHmac, randomBytes } from 'node:crypto';
import { BedsideError, plainLine } from '../../util/index.ts';

/** A signal as its header describes it. */
export interface EdfSignalHeader {
  /** `ECG II`, `EEG Fpz-Cz`; the standard's type and sensor, or whatever a device writes. */
  readonly label: string;
  /** Physical dimension: `uV`, `mV`, `degC`, or nothing. */
  readonly unit: string;
  readonly samplesPerRecord: number;
  /** Bytes of a data record before its samples. */
  readonly offset: number;
  /** Converter values of the limits of its range. */
  readonly digital: { readonly low: number; readonly high: number };
  /** The same limits in the signal's unit. */
  readonly physical: { readonly low: number; readonly high: number };
  /** Whether it holds annotations (EDF+) and no samples. */
  readonly isAnnotations: boolean;
}

/** The header of a file. */
export interface EdfHeader {
  readonly format: 'EDF' | 'EDF+' | 'BDF' | 'BDF+';
  /** Whether data records follow each other without gaps; files that are not say the time of each record. */
  readonly isContinuous: boolean;
  readonly bytesPerSample: 2 | 3;
  /** Bytes before the first data record. */
  readonly bytes: number;
  /** Data records, or undefined where the file's size tells. */
  readonly records: number | undefined;
  readonly recordBytes: number;
  /** Seconds of a data record; 0 where there are only annotations. */
  readonly recordSeconds: number;
  /**
   * The same for files of the same patient, and nothing that tells whom: a digest under a key that only this process has.
   * Undefined for a file without a name or a code.
   */
  readonly sharedBy: string | undefined;
  /** `2026-01-31T12:00:00`, local time of the device; undefined where the file has none. */
  readonly startsAt: string | undefined;
  readonly signals: readonly EdfSignalHeader[];
}

/** Bytes of the header's first part, and of each signal's part. */
export const HEADER_PART = 256;
/** Where the number of signals stands. */
const SIGNALS_AT = 252;
/** The field that says how many signals there are has four digits. */
const MOST_SIGNALS = 9999;
/** Widths of a signal's fields, in their order; all signals' labels stand first, then all transducers, and so on. */
const FIELDS = {
  label: 16,
  transducer: 80,
  unit: 8,
  physicalLow: 8,
  physicalHigh: 8,
  digitalLow: 8,
  digitalHigh: 8,
  prefilter: 80,
  samples: 8,
  reserved: 32,
} as const;
const NUMBER = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?$/;
const VERSION = 8;

/** Whether a file is EDF or BDF, by its first 256 bytes: its mark, its start date and the size of its header. */
export function looksLikeEdf(bytes: Uint8Array): boolean {
  if (bytes.length < HEADER_PART || !versionOf(bytes)) return false;
  const signals = Number(text(bytes, SIGNALS_AT, 4));
  return Number(text(bytes, 184, 8)) === HEADER_PART * (signals + 1);
}

/**
 * The bytes of the whole header.
 * @param bytes the first 256 of the file
 * @throws BedsideError E_DATA for a file that is no EDF
 */
export function headerBytes(bytes: Uint8Array, name: string): number {
  if (bytes.length < HEADER_PART || !versionOf(bytes)) {
    throw wrong(name, 'it does not begin as a file of EDF or BDF does');
  }
  const signals = wholeNumber(text(bytes, SIGNALS_AT, 4));
  if (signals === undefined || signals < 1 || signals > MOST_SIGNALS) {
    throw wrong(name, `its number of signals is not one from 1 to ${MOST_SIGNALS}`);
  }
  return HEADER_PART * (signals + 1);
}

/**
 * Parses a header.
 * @param bytes of the whole header, as `headerBytes` says
 * @param name of the file, for error messages
 * @throws BedsideError E_DATA for a malformed header
 */
export function parseEdfHeader(bytes: Uint8Array, name: string): EdfHeader {
  const length = headerBytes(bytes, name);
  if (bytes.length < length) throw wrong(name, 'it ends within its header');
  if (wholeNumber(text(bytes, 184, 8)) !== length) {
    throw wrong(name, `it says another size of its header than the ${length} bytes that its signals take`);
  }
  const is24Bit = bytes[0] === 0xff;
  const kind = text(bytes, 192, 44);
  const plus = new RegExp(`^${is24Bit ? 'BDF' : 'EDF'}\\+([CD])`).exec(kind);
  const records = wholeNumber(text(bytes, 236, 8));
  if (records === undefined || records < -1)
    throw wrong(name, 'its number of data records is not a whole number');
  const recordSeconds = number(text(bytes, 244, 8));
  if (recordSeconds === undefined || recordSeconds < 0) {
    throw wrong(name, 'the duration of its data records is not a number of seconds');
  }
  const format = `${is24Bit ? 'BDF' : 'EDF'}${plus ? '+' : ''}` as const;
  const bytesPerSample = is24Bit ? 3 : 2;
  const signals = parseSignals(bytes, length / HEADER_PART - 1, { format, bytesPerSample }, name);
  const last = signals.at(-1);
  const recordBytes = last ? last.offset + last.samplesPerRecord * bytesPerSample : 0;
  if (recordBytes === 0) throw wrong(name, 'its data records are empty');
  if (recordSeconds === 0 && signals.some(({ isAnnotations }) => !isAnnotations)) {
    throw wrong(name, 'its data records last 0 seconds');
  }
  return {
    format,
    isContinuous: plus?.[1] !== 'D',
    bytesPerSample,
    bytes: length,
    records: records === -1 ? undefined : records,
    recordBytes,
    recordSeconds,
    sharedBy: sharedBy(text(bytes, 8, 80)),
    startsAt: startOf(bytes),
    signals,
  };
}

/** Samples a second of a signal. */
export function rateOf({ recordSeconds }: EdfHeader, { samplesPerRecord }: EdfSignalHeader): number {
  return samplesPerRecord / recordSeconds;
}

function parseSignals(
  bytes: Uint8Array,
  count: number,
  { format, bytesPerSample }: Pick<EdfHeader, 'format' | 'bytesPerSample'>,
  name: string,
): EdfSignalHeader[] {
  const starts: Record<string, number> = {};
  let start = HEADER_PART;
  for (const [field, width] of Object.entries(FIELDS)) {
    starts[field] = start;
    start += width * count;
  }
  const annotations = `${format.slice(0, 3)} Annotations`;
  let offset = 0;
  return Array.from({ length: count }, (_, i) => {
    const field = (key: keyof typeof FIELDS): string =>
      text(bytes, (starts[key] ?? 0) + i * FIELDS[key], FIELDS[key]);
    const samplesPerRecord = wholeNumber(field('samples'));
    if (samplesPerRecord === undefined || samplesPerRecord < 0) {
      throw wrong(name, `signal ${i + 1} does not say how many samples a data record has`);
    }
    const limit = (low: keyof typeof FIELDS, high: keyof typeof FIELDS) => ({
      low: number(field(low)) ?? Number.NaN,
      high: number(field(high)) ?? Number.NaN,
    });
    const label = plainLine(field('label'));
    const signal = {
      label,
      unit: plainLine(field('unit')),
      samplesPerRecord,
      offset,
      digital: limit('digitalLow', 'digitalHigh'),
      physical: limit('physicalLow', 'physicalHigh'),
      isAnnotations: format.endsWith('+') && label === annotations,
    };
    offset += samplesPerRecord * bytesPerSample;
    return signal;
  });
}

/** Made anew by each process and kept nowhere, so that no digest is known again. */
const KEY = randomBytes(32);

/** A digest of the patient's field, unless it is that of an anonymous one: empty, or an X for each part. */
function sharedBy(patient: string): string | undefined {
  if (/^[X\s.\-_0]*$/i.test(patient)) return undefined;
  return createHmac('sha256', KEY).update(patient).digest('hex');
}

/** Whether the file begins with the version of EDF or of BDF. */
function versionOf(bytes: Uint8Array): boolean {
  const version = Buffer.from(bytes.subarray(0, VERSION)).toString('latin1');
  return version === '\xffBIOSEMI' || /^0[ \0]{7}$/.test(version);
}

/** The date and time of the start. Years of two digits are those of 1985 to 2084, as the standard says. */
function startOf(bytes: Uint8Array): string | undefined {
  const date = /^(\d\d)[.:/-](\d\d)[.:/-](\d\d)$/.exec(text(bytes, 168, 8));
  const time = /^(\d\d)[.:/-](\d\d)[.:/-](\d\d)$/.exec(text(bytes, 176, 8));
  if (!date || !time) return undefined;
  const [, day = '', month = '', year = ''] = date;
  const start = `${Number(year) >= 85 ? '19' : '20'}${year}-${month}-${day}T${time.slice(1).join(':')}`;
  return Number.isNaN(Date.parse(`${start}Z`)) ? undefined : start;
}

function text(bytes: Uint8Array, start: number, width: number): string {
  const field = Buffer.from(bytes.subarray(start, start + width)).toString('latin1');
  return (field.split('\0')[0] ?? '').trim();
}

function number(field: string): number | undefined {
  const value = NUMBER.test(field) ? Number(field) : Number.NaN;
  return Number.isFinite(value) ? value : undefined;
}

function wholeNumber(field: string): number | undefined {
  const value = number(field);
  return value !== undefined && Number.isSafeInteger(value) ? value : undefined;
}

/** An error about a file that holds no text of it. */
export function wrong(name: string, what: string): BedsideError {
  return new BedsideError('E_DATA', `cannot read ${name}: ${what}`, {
    hint: 'the file is damaged or not EDF, EDF+, BDF or BDF+; copy or export it again',
  });
}
