// Data records of EDF and BDF one after another, in physical units, and whole recordings of them.
import { BedsideError, formatBytes } from '../../util/index.ts';
import { availableMemory, RegularFile } from '../../util/internal.ts';
import type { ByteSource } from '../archive/byte-source.ts';
import { type EdfAnnotation, parseRecordAnnotations } from './annotations.ts';
import {
  type EdfHeader,
  type EdfSignalHeader,
  HEADER_PART,
  headerBytes,
  parseEdfHeader,
  rateOf,
  wrong,
} from './header.ts';

/** A data record. */
export interface EdfBlock {
  /** Seconds from the file's first sample to this record's. */
  readonly time: number;
  readonly seconds: number;
  /** For each wanted signal its samples in the signal's unit; valid until the next record is asked for. */
  readonly samples: readonly Float64Array[];
  /** Those that stand in this record; they may be about another time. */
  readonly annotations: readonly EdfAnnotation[];
}

/** A stretch without gaps. */
export interface EdfRun {
  /** Seconds from the file's first sample. */
  readonly time: number;
  readonly seconds: number;
  /** Its first data record, from 0, and how many it has. */
  readonly record: number;
  readonly records: number;
}

/** A stretch of time of which nothing was recorded. */
export interface EdfGap {
  readonly time: number;
  readonly seconds: number;
}

/** A signal that is in memory. */
export interface EdfSignal {
  readonly label: string;
  readonly unit: string;
  /** Samples a second. */
  readonly rate: number;
  readonly samplesPerRecord: number;
  /** In the signal's unit, of all data records one after another: gaps take no place. */
  readonly samples: Float64Array;
}

/** A whole recording. */
export interface EdfRecording {
  readonly format: EdfHeader['format'];
  /** Local time of the first sample, `2026-01-31T12:00:00.5`. A date identifies a patient: it is not to be logged. */
  readonly startsAt: string | undefined;
  /** From the first sample to the end of the last data record, gaps included. */
  readonly seconds: number;
  readonly signals: readonly EdfSignal[];
  /** In time order. */
  readonly runs: readonly EdfRun[];
  readonly gaps: readonly EdfGap[];
  /** In time order. */
  readonly annotations: readonly EdfAnnotation[];
}

/** So many bytes are read at a time, or one data record if that is more. */
const READ = 2 ** 20;

/** Bytes of a data record that are passed by, where nothing of them is wanted: reading fewer costs less than asking again. */
const WORTH_SKIPPING = 2 ** 14;

/** A file of EDF, EDF+, BDF or BDF+ whose header was read. */
export class EdfReader {
  readonly header: EdfHeader;
  /** Data records that are there. */
  readonly records: number;
  /** What was taken for granted. */
  readonly remarks: readonly string[];
  readonly #source: ByteSource;
  readonly #name: string;

  private constructor(source: ByteSource, name: string, header: EdfHeader) {
    this.#source = source;
    this.#name = name;
    this.header = header;
    const whole = Math.floor((source.size - header.bytes) / header.recordBytes);
    this.records = header.records ?? whole;
    if (this.records > whole) {
      const expected = header.bytes + this.records * header.recordBytes;
      throw wrong(name, `it is short: expected ${expected} bytes, got ${source.size}`);
    }
    this.remarks =
      header.records === undefined
        ? [`${name} does not say how many data records it has: ${whole} whole ones were read`]
        : [];
  }

  /**
   * Reads a file's header.
   * @param name how messages call the file
   * @throws BedsideError E_DATA for a file that is not EDF or BDF, malformed or cut off
   */
  static async open(source: ByteSource, name: string): Promise<EdfReader> {
    const first = await source.read(0, Math.min(HEADER_PART, source.size));
    const bytes = headerBytes(first, name);
    if (bytes > source.size) throw wrong(name, 'it ends within its header');
    return new EdfReader(source, name, parseEdfHeader(await source.read(0, bytes), name));
  }

  /** The signals that hold samples, by their place in the header. */
  get signals(): readonly EdfSignalHeader[] {
    return this.header.signals.filter(({ isAnnotations }) => !isAnnotations);
  }

  /**
   * The data records in the order of the file, from `first` on.
   * @param wanted signals whose samples are decoded
   * @throws BedsideError E_DATA for malformed annotations, a signal without a range, or a record without its time
   */
  async *blocks(wanted: readonly EdfSignalHeader[] = this.signals, first = 0): AsyncGenerator<EdfBlock> {
    const { header } = this;
    // A header may say any size of records that are not there.
    if (first >= this.records) return;
    const decoders = wanted.map((signal) => this.#decoder(signal));
    const notes = header.signals.filter(({ isAnnotations }) => isAnnotations);
    const samples = wanted.map(({ samplesPerRecord }) => new Float64Array(samplesPerRecord));
    const origin = first === 0 ? undefined : await this.#onsetOf(0);
    let start = origin;
    for await (const { bytes, record } of this.#recordBytes(first, [...wanted, ...notes])) {
      const found = this.#annotationsOf(bytes, notes, record);
      const onset = header.isContinuous
        ? (start ?? found.onset ?? 0) + record * header.recordSeconds
        : this.#known(found.onset, record);
      start ??= onset;
      const zero = start;
      for (const [i, decode] of decoders.entries()) decode(bytes, samples[i] ?? new Float64Array(0));
      yield {
        time: onset - zero,
        seconds: header.recordSeconds,
        samples,
        annotations: found.annotations.map((one) => ({ ...one, time: one.time - zero })),
      };
    }
  }

  /**
   * Reads everything into memory.
   * @param wanted signals to keep; default all
   * @throws BedsideError as `blocks`; E_DATA for data records that overlap, or more than memory holds
   */
  async recording(wanted: readonly EdfSignalHeader[] = this.signals): Promise<EdfRecording> {
    const { header, records } = this;
    const samples = wanted.reduce((sum, { samplesPerRecord }) => sum + samplesPerRecord, 0) * records;
    if (samples * 8 > availableMemory()) {
      throw new BedsideError(
        'E_DATA',
        `${this.#name} holds ${samples} samples, which take ${formatBytes(samples * 8)}: more than memory has left`,
        { hint: 'read fewer signals, or cut the recording into parts' },
      );
    }
    const signals = wanted.map((signal) => ({
      label: signal.label,
      unit: signal.unit,
      rate: rateOf(header, signal),
      samplesPerRecord: signal.samplesPerRecord,
      samples: new Float64Array(signal.samplesPerRecord * records),
    }));
    const runs = new Runs(header, this.#name);
    const annotations: EdfAnnotation[] = [];
    let record = 0;
    for await (const block of this.blocks(wanted)) {
      for (const [i, signal] of signals.entries()) {
        signal.samples.set(block.samples[i] ?? [], record * signal.samplesPerRecord);
      }
      runs.add(block.time, record);
      for (const one of block.annotations) annotations.push(one);
      record++;
    }
    const all = runs.list();
    const last = all.at(-1);
    return {
      format: header.format,
      startsAt: startOf(header, await this.#onsetOf(0)),
      seconds: last ? last.time + last.seconds : 0,
      signals,
      runs: all,
      gaps: gapsBetween(all),
      annotations: annotations.sort((a, b) => a.time - b.time),
    };
  }

  /**
   * The stretches without gaps, and the annotations in the order of the file, without reading samples.
   * @throws BedsideError as `recording`
   */
  async outline(): Promise<{ readonly runs: readonly EdfRun[]; readonly annotations: EdfAnnotation[] }> {
    const runs = new Runs(this.header, this.#name);
    const annotations: EdfAnnotation[] = [];
    let record = 0;
    if (this.header.signals.every(({ isAnnotations }) => !isAnnotations)) {
      const seconds = this.records * this.header.recordSeconds;
      const whole = { time: 0, seconds, record, records: this.records };
      return { runs: this.records === 0 ? [] : [whole], annotations };
    }
    for await (const block of this.blocks([])) {
      runs.add(block.time, record++);
      for (const one of block.annotations) annotations.push(one);
    }
    return { runs: runs.list(), annotations };
  }

  /** The bytes of each data record from `first` on. @param parts what is read of it; what lies outside is zero */
  async *#recordBytes(
    first: number,
    parts: readonly EdfSignalHeader[],
  ): AsyncGenerator<{ bytes: Uint8Array; record: number }> {
    const { bytes: head, recordBytes, bytesPerSample } = this.header;
    const from = parts.length === 0 ? 0 : Math.min(...parts.map(({ offset }) => offset));
    const ends = parts.map(({ offset, samplesPerRecord }) => offset + samplesPerRecord * bytesPerSample);
    const to = parts.length === 0 ? recordBytes : Math.max(...ends);
    if (recordBytes - (to - from) >= WORTH_SKIPPING) {
      const bytes = new Uint8Array(recordBytes);
      for (let record = first; record < this.records; record++) {
        const start = head + record * recordBytes;
        bytes.set(await this.#source.read(start + from, start + to), from);
        yield { bytes, record };
      }
      return;
    }
    const many = Math.max(1, Math.floor(READ / recordBytes));
    for (let record = first; record < this.records; record += many) {
      const count = Math.min(many, this.records - record);
      const start = head + record * recordBytes;
      const piece = await this.#source.read(start, start + count * recordBytes);
      for (let i = 0; i < count; i++) {
        yield { bytes: piece.subarray(i * recordBytes, (i + 1) * recordBytes), record: record + i };
      }
    }
  }

  /** The time at which a data record begins by the clock of the file; 0 where it does not say it. */
  async #onsetOf(record: number): Promise<number> {
    const notes = this.header.signals.filter(({ isAnnotations }) => isAnnotations);
    if (notes.length === 0 || this.records <= record) return 0;
    const start = this.header.bytes + record * this.header.recordBytes;
    const bytes = await this.#source.read(start, start + this.header.recordBytes);
    return this.#annotationsOf(bytes, notes, record).onset ?? 0;
  }

  #annotationsOf(bytes: Uint8Array, notes: readonly EdfSignalHeader[], record: number) {
    const parts = notes.map(({ offset, samplesPerRecord }) =>
      bytes.subarray(offset, offset + samplesPerRecord * this.header.bytesPerSample),
    );
    return parseRecordAnnotations(parts, record + 1, this.#name);
  }

  #known(onset: number | undefined, record: number): number {
    if (onset !== undefined) return onset;
    throw wrong(
      this.#name,
      `its data records have gaps between them, and record ${record + 1} does not say its time`,
    );
  }

  /** What turns a data record's bytes into a signal's physical values. */
  #decoder(signal: EdfSignalHeader): (bytes: Uint8Array, to: Float64Array) => void {
    const { digital, physical, offset } = signal;
    const gain = (physical.high - physical.low) / (digital.high - digital.low);
    if (!Number.isFinite(gain) || gain === 0) {
      const place = this.header.signals.indexOf(signal) + 1;
      throw wrong(this.#name, `signal ${place} has no range: its limits are missing or equal`);
    }
    const shift = physical.low - digital.low * gain;
    if (this.header.bytesPerSample === 2) {
      return (bytes, to) => {
        const view = new DataView(bytes.buffer, bytes.byteOffset + offset);
        for (let i = 0; i < to.length; i++) to[i] = view.getInt16(2 * i, true) * gain + shift;
      };
    }
    return (bytes, to) => {
      for (let i = 0; i < to.length; i++) {
        const at = offset + 3 * i;
        const value = (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8) | ((bytes[at + 2] ?? 0) << 16);
        to[i] = ((value << 8) >> 8) * gain + shift;
      }
    };
  }
}

/** Collects stretches without gaps of data records that come in order. */
class Runs {
  readonly #runs: { time: number; record: number; records: number }[] = [];
  readonly #seconds: number;
  /** A record that begins less than half a sample from where the one before it ends follows it. */
  readonly #tolerance: number;
  readonly #name: string;

  constructor(header: EdfHeader, name: string) {
    this.#seconds = header.recordSeconds;
    this.#name = name;
    const counts = header.signals.filter(({ isAnnotations }) => !isAnnotations);
    const most = counts.reduce((more, { samplesPerRecord }) => Math.max(more, samplesPerRecord), 1);
    this.#tolerance = header.recordSeconds / most / 2;
  }

  add(time: number, record: number): void {
    const run = this.#runs.at(-1);
    const late = run ? time - (run.time + run.records * this.#seconds) : Number.POSITIVE_INFINITY;
    if (run && Math.abs(late) <= this.#tolerance) run.records++;
    else if (late > 0) this.#runs.push({ time, record, records: 1 });
    else throw wrong(this.#name, `data record ${record + 1} begins before the one before it ends`);
  }

  list(): EdfRun[] {
    return this.#runs.map((run) => ({ ...run, seconds: run.records * this.#seconds }));
  }
}

function gapsBetween(runs: readonly EdfRun[]): EdfGap[] {
  return runs.slice(1).map(({ time }, i) => {
    const before = runs[i];
    const end = before ? before.time + before.seconds : 0;
    return { time: end, seconds: time - end };
  });
}

/** The time of the first sample: the header's, and the part of a second that the first data record adds. */
function startOf({ startsAt }: EdfHeader, onset: number): string | undefined {
  if (startsAt === undefined || onset === 0) return startsAt;
  const moment = new Date(Date.parse(`${startsAt}Z`) + onset * 1000);
  return Number.isNaN(moment.getTime()) ? undefined : moment.toISOString().slice(0, -1);
}

/**
 * Opens a file for `blocks` and `recording`; whoever opens it closes it.
 * @throws BedsideError E_FILE for a file that cannot be read, E_DATA as `EdfReader.open`
 */
export async function openEdf(path: string): Promise<{ readonly reader: EdfReader; close(): Promise<void> }> {
  const file = await RegularFile.open(path, 'recording');
  try {
    return { reader: await EdfReader.open(file, path), close: () => file.close() };
  } catch (error) {
    await file.close();
    throw error;
  }
}

/**
 * Reads a recording of EDF, EDF+, BDF or BDF+: all its signals in their units, gaps and annotations.
 * @throws BedsideError E_FILE for a file that cannot be read, E_DATA for a malformed one or one that memory does not hold
 */
export async function readEdf(path: string): Promise<EdfRecording> {
  const { reader, close } = await openEdf(path);
  try {
    return await reader.recording();
  } finally {
    await close();
  }
}
