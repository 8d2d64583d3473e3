// The signals of a record: from its own signal files, or from those of its segments one after the other.
import { posix } from 'node:path';
import { BedsideError } from '../../util/index.ts';
import { availableMemory, readFileChecked } from '../../util/internal.ts';
import { isWfdbFormat } from './formats.ts';
import { parseWfdbHeader, type WfdbHeader, type WfdbSignal } from './header.ts';
import { decodeSignal, formatOf, guessOf } from './signals.ts';

/** A record's headers, read; no signal is in memory yet. */
export interface WfdbRecord {
  /** The record's path in the folder of the data. */
  readonly name: string;
  /** Frames per second. */
  readonly rate: number;
  /** Names of its signals, without those of formats that are not read unless there are no others. */
  readonly leads: readonly string[];
  /** Frames in all; undefined when the signal file tells. */
  readonly frames: number | undefined;
  readonly header: WfdbHeader;
  /** The parts that have signals, and the frame at which each begins. */
  readonly parts: readonly { readonly header: WfdbHeader; readonly start: number; readonly folder: string }[];
}

/**
 * Reads a record's header, and those of its segments.
 * @param folder of the data
 * @param name of the record, with its folders below
 * @throws BedsideError E_DATA for a malformed header, E_FILE for one that cannot be read
 */
export async function openRecord(folder: string, name: string): Promise<WfdbRecord> {
  const header = await readHeader(folder, name);
  const within = posix.dirname(name);
  const { rate, frames, segments } = header;
  if (!segments) {
    return {
      name,
      rate,
      frames,
      leads: leadNames([header]),
      header,
      parts: [{ header, start: 0, folder: within }],
    };
  }
  const read = new Map<string, WfdbHeader>();
  const parts: { header: WfdbHeader; start: number; folder: string }[] = [];
  let layout: WfdbHeader | undefined;
  let start = 0;
  for (const [i, segment] of segments.entries()) {
    if (segment.record !== undefined) {
      const path = posix.join(within, segment.record);
      const own = read.get(path) ?? (await readHeader(folder, path));
      read.set(path, own);
      if (own.segments) throw malformed(name, `its segment ${segment.record} has segments of its own`);
      if (own.rate !== rate)
        throw malformed(name, `its segment ${segment.record} has ${own.rate} samples a second, not ${rate}`);
      if (segment.frames > 0) {
        const framed = { ...own, frames: segment.frames };
        parts.push({ header: framed, start, folder: posix.dirname(path) });
      } else if (i === 0) layout = own;
    }
    start += segment.frames;
  }
  const leads = leadNames(layout ? [layout, ...read.values()] : [...read.values()]);
  return { name, rate, frames, leads, header, parts };
}

/**
 * One signal of a record in millivolts, one value a frame; NaN where a sample is missing or a segment lacks the signal.
 * @param lead the signal's name; of two of one name the first is read
 * @throws BedsideError E_DATA for a damaged file or a format that is not read, E_FILE for one that cannot be read
 */
export async function readSignal(folder: string, record: WfdbRecord, lead: string): Promise<Float64Array> {
  let whole: Float64Array | undefined;
  for (const { header, start, folder: within } of record.parts) {
    const signal = header.signals.find((one) => nameOf(one) === lead);
    if (!signal || signal.file === '~') continue;
    // Before the file is read: it may be missing too.
    formatOf(header, signal);
    const content = await signalFile(folder, within, signal, header.record);
    const decoded = decodeSignal(header, signal, content);
    if (record.parts.length === 1 && start === 0 && (record.frames ?? decoded.length) === decoded.length)
      return decoded;
    whole ??= emptySignal(record);
    whole.set(decoded, start);
  }
  return whole ?? emptySignal(record);
}

/** Missing samples alone. @throws BedsideError E_DATA when memory does not hold them */
function emptySignal({ frames = 0, name }: WfdbRecord): Float64Array {
  if (frames * 8 > availableMemory()) throw malformed(name, `memory does not hold its ${frames} samples`);
  return new Float64Array(frames).fill(Number.NaN);
}

/** What is guessed about a lead's values, in the first part where anything is; undefined where headers say it all. */
export function leadGuess({ parts }: WfdbRecord, lead: string): string | undefined {
  for (const { header } of parts) {
    const signal = header.signals.find((one) => nameOf(one) === lead && one.file !== '~');
    const guess = signal && guessOf(signal);
    if (guess !== undefined) return guess;
  }
  return undefined;
}

/** A signal's name, as tables have it. */
export function nameOf({ description }: Pick<WfdbSignal, 'description'>): string {
  return description || 'without a name';
}

function leadNames(headers: readonly WfdbHeader[]): string[] {
  const signals = headers.flatMap((header) => header.signals);
  const readable = signals.filter(({ format, file }) => isWfdbFormat(format) || file === '~');
  return [...new Set((readable.length > 0 ? readable : signals).map(nameOf))];
}

/** Reads a header. Records of `.mat` files name themselves so, and others with the folder that they came from. */
async function readHeader(folder: string, name: string): Promise<WfdbHeader> {
  const text = await readFileChecked(posix.join(folder, `${name}.hea`), 'header', { maxBytes: 2 ** 20 });
  return parseWfdbHeader(Buffer.from(text).toString('latin1'), name);
}

/** A signal file: where the header says, or beside the header where it names a folder that has not come along. */
async function signalFile(
  folder: string,
  within: string,
  { file }: WfdbSignal,
  record: string,
): Promise<Uint8Array> {
  const what = `signal file of record ${record}`;
  const own = file.replaceAll('\\', '/');
  const base = posix.basename(own);
  if (own === base) return readFileChecked(posix.join(folder, within, own), what);
  try {
    return await readFileChecked(posix.join(folder, within, own), what);
  } catch (error) {
    const { cause } = error as BedsideError;
    if ((cause as NodeJS.ErrnoException | undefined)?.code !== 'ENOENT') throw error;
    return readFileChecked(posix.join(folder, within, base), what);
  }
}

function malformed(name: string, what: string): BedsideError {
  return new BedsideError('E_DATA', `cannot read record ${name}: ${what}`, {
    hint: 'copy or download the record again, with all its segments; or leave it out with --records',
  });
}
