// Files of EDF and BDF as a source of recordings: one file, or all of a folder.
import { stat } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';
import { must } from '../../util/index.ts';
import type { Dataset, DatasetOptions } from '../dataset.ts';
import { filesBelow } from '../file-tree.ts';
import { PassedOverCount } from '../passed-over.ts';
import { folderPatient } from '../recordings/record-patients.ts';
import { readRecordings } from '../recordings/recordings.ts';
import { few, signalFacts } from '../recordings/remarks.ts';
import { chooseLeads, type Lead, type MarkedRecord, type RecordSource } from '../recordings/source.ts';
import { type SignalTarget, unitFactor } from '../recordings/steps.ts';
import { millivoltsOf, unitGuess } from '../recordings/units.ts';
import { BEAT_CLASSES } from '../synthetic/ecg-beats.ts';
import { readMarks } from '../wfdb/marks.ts';
import { type EdfSignalHeader, rateOf } from './header.ts';
import { FrameAxis, marksOf, OUTSIDE } from './marks.ts';
import { type EdfReader, openEdf } from './reader.ts';

/** Endings of files of recordings, in any capitals. */
const ENDINGS = ['.edf', '.bdf', '.rec'];
/** The standard's types of signals of the heart, which stand before the name of the lead. */
const HEART = /^(ECG|EKG)\s+/i;

/** Whether a file's name is that of a recording. */
export function isEdfName(path: string): boolean {
  return ENDINGS.includes(extname(path).toLowerCase());
}

/**
 * Reads the windows of files of EDF, EDF+, BDF or BDF+, as `readRecordings`: a file, or all of a folder and of those
 * below. Without annotations of beats or rhythms, windows are one after the other.
 * @throws BedsideError as `readRecordings`
 */
export async function readEdfData(path: string, options: DatasetOptions): Promise<Dataset> {
  const isFolder = (await stat(path)).isDirectory();
  return readRecordings(new EdfSource(path, isFolder ? path : dirname(path), isFolder, options), options);
}

/** Names of labels, leads and rates of files of EDF. */
export async function edfFacts(path: string): Promise<{
  readonly hasBeats: boolean;
  readonly labels: readonly string[];
  readonly leads: readonly string[];
  readonly rates: readonly number[];
}> {
  const isFolder = (await stat(path)).isDirectory();
  const folder = isFolder ? path : dirname(path);
  const options: DatasetOptions = { sampleShape: [], classes: 0, split: 'all', seed: 1 };
  const source = new EdfSource(path, folder, isFolder, options);
  const records = [];
  const rhythms = new Set<string>();
  let isBeats = false;
  for (const record of await source.list(new PassedOverCount())) {
    const { marks } = await source.marks(record, new PassedOverCount());
    isBeats ||= (marks?.peaks.length ?? 0) > 0;
    for (const { rhythm } of marks?.rhythms ?? []) if (rhythm !== undefined) rhythms.add(rhythm);
    const { reader, close } = await openEdf(join(folder, record));
    const signals = leadsOf(reader);
    records.push({
      leads: signals.map(({ label }) => label),
      rates: signals.slice(0, 1).map((signal) => rateOf(reader.header, signal)),
    });
    await close();
  }
  return { hasBeats: isBeats, labels: isBeats ? BEAT_CLASSES : [...rhythms].sort(), ...signalFacts(records) };
}

class EdfSource implements RecordSource {
  readonly kind = 'edf';
  readonly marksIn = '';
  readonly path: string;
  readonly folder: string;
  readonly #isFolder: boolean;
  readonly #options: DatasetOptions;
  readonly #remarks = new Set<string>();
  /** Records whose beats are from a file beside them, by its ending. */
  readonly #beside = new Map<string, string[]>();
  /** The first record of each identification that recordings share; the identification itself is not kept. */
  readonly #firstOf = new Map<string, string>();
  readonly #sameAs = new Map<string, string>();

  constructor(path: string, folder: string, isFolder: boolean, options: DatasetOptions) {
    this.path = path;
    this.folder = folder;
    this.#isFolder = isFolder;
    this.#options = options;
  }

  async list(passedOver: PassedOverCount): Promise<readonly string[]> {
    if (!this.#isFolder) return [basename(this.path)];
    const files = await filesBelow(this.folder, passedOver);
    for (const file of files)
      if (!isEdfName(file) && !isCompanion(file)) passedOver.add('files that are not EDF or BDF', file);
    return files.filter(isEdfName);
  }

  async marks(record: string, passedOver: PassedOverCount): Promise<MarkedRecord> {
    return this.#with(record, async (reader) => {
      const base = baseOf(reader);
      if (!base) return { marks: undefined, rate: 1 };
      const rate = rateOf(reader.header, base);
      const { runs, annotations } = await reader.outline();
      annotations.sort((a, b) => a.time - b.time);
      const axis = new FrameAxis(runs, rate, base.samplesPerRecord);
      const marks = marksOf(annotations, axis, this.#options.contract ?? {});
      if (marks.others > 0) {
        passedOver.add('annotations that name neither a beat nor a class', record, marks.others);
      }
      if (marks.lost > 0) passedOver.add(OUTSIDE, record, marks.lost);
      if (marks.peaks.length > 0) return { marks, rate };
      const beside = await this.#marksBeside(record, { rate, axis, passedOver });
      return { marks: beside ?? (annotations.length > 0 ? marks : undefined), rate };
    });
  }

  async leads(
    record: string,
    { leads: wanted, contract }: SignalTarget,
  ): Promise<readonly Lead[] | undefined> {
    return this.#with(record, async (reader) => {
      const signals = leadsOf(reader);
      const labels = signals.map(({ label }) => label);
      const places = chooseLeads({ name: record, leads: labels }, wanted, isLeadNamed);
      if (!places) return undefined;
      const chosen = places.map((place) => must(signals[place], 'a signal for each place'));
      const { signals: read, runs } = await reader.recording(chosen);
      return read.map(({ label, unit, rate, samplesPerRecord, samples }, i) => {
        const { digital, physical } = must(chosen[i], 'a header for each signal');
        const millivolts = millivoltsOf(unit) ?? 1;
        const steps = Math.abs((digital.high - digital.low) / (physical.high - physical.low)) / millivolts;
        const factor = millivolts * unitFactor(contract, steps);
        if (factor !== 1) for (const [at, value] of samples.entries()) samples[at] = value * factor;
        const first = wanted[i]?.[0] ?? '';
        return {
          record,
          rate,
          name: label || 'without a name',
          isFallback: !isLeadNamed(label, first),
          guess: unitGuess(unit),
          signal: new FrameAxis(runs, rate, samplesPerRecord).laidOut(samples),
        };
      });
    });
  }

  patientOf(record: string): string {
    return folderPatient(record) ?? this.#sameAs.get(record) ?? record;
  }

  remarks(): string[] {
    const beside = [...this.#beside].map(
      ([annotator, records]) =>
        `beats were read from .${annotator} beside recordings whose annotations mark none: ${few(records)}`,
    );
    return [...this.#remarks, ...beside];
  }

  /** Marks of an annotation file of WFDB beside a recording: `r01.edf.qrs` or `r01.qrs`. */
  async #marksBeside(
    record: string,
    {
      rate,
      axis,
      passedOver,
    }: {
      readonly rate: number;
      readonly axis: FrameAxis;
      readonly passedOver: PassedOverCount;
    },
  ): Promise<MarkedRecord['marks']> {
    for (const name of [record, record.slice(0, -extname(record).length)]) {
      const marks = await readMarks(this.folder, name, rate);
      if (!marks || marks.peaks.length + marks.rhythms.length === 0) continue;
      this.#beside.set(marks.annotator, [...(this.#beside.get(marks.annotator) ?? []), record]);
      const peaks = marks.peaks.flatMap((peak) => {
        const frame = axis.frameOf(peak.frame / rate);
        return frame === undefined ? [] : [{ ...peak, frame }];
      });
      const lost = marks.peaks.length - peaks.length;
      if (lost > 0) passedOver.add(OUTSIDE, record, lost);
      const rhythms = marks.rhythms.map((one) => ({ ...one, frame: axis.from(one.frame / rate) }));
      return { ...marks, peaks, rhythms };
    }
    return undefined;
  }

  async #with<T>(record: string, use: (reader: EdfReader) => Promise<T>): Promise<T> {
    const { reader, close } = await openEdf(join(this.folder, record));
    try {
      for (const remark of reader.remarks) this.#remarks.add(remark);
      const { sharedBy } = reader.header;
      if (sharedBy !== undefined) {
        const first = this.#firstOf.get(sharedBy) ?? record;
        this.#firstOf.set(sharedBy, first);
        this.#sameAs.set(record, first);
      }
      return await use(reader);
    } finally {
      await close();
    }
  }
}

/** Signals that can be leads, those of the heart first. */
function leadsOf({ signals }: EdfReader): readonly EdfSignalHeader[] {
  const filled = signals.filter(({ samplesPerRecord }) => samplesPerRecord > 0);
  return [
    ...filled.filter(({ label }) => HEART.test(label)),
    ...filled.filter(({ label }) => !HEART.test(label)),
  ];
}

/** The signal of the highest rate, in whose frames marks are counted. */
function baseOf(reader: EdfReader): EdfSignalHeader | undefined {
  return leadsOf(reader).reduce<EdfSignalHeader | undefined>(
    (most, one) => (most && most.samplesPerRecord >= one.samplesPerRecord ? most : one),
    undefined,
  );
}

/** Whether a signal goes by a name: `II` is `ECG II` too. */
export function isLeadNamed(label: string, name: string): boolean {
  return label === name || (HEART.test(label) && label.replace(HEART, '') === name);
}

/** Whether a file belongs to the recordings or to the list beside them. */
function isCompanion(file: string): boolean {
  return /\.(csv|tsv|atr|qrs|ecg|qrsc|ari|ann|beat|gqrs|wqrs)$/i.test(file);
}
