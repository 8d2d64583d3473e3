// Waveform objects of DICOM (12-lead ECG and others) as a source of recordings: one file, or all of a folder.
import { stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { BedsideError, messageOf, must } from '../../util/index.ts';
import { RegularFile } from '../../util/internal.ts';
import type { InputContract } from '../contract/contract.ts';
import type { Dataset, DatasetOptions } from '../dataset.ts';
import { FrameAxis, marksOf, OUTSIDE } from '../edf/marks.ts';
import { filesBelow } from '../file-tree.ts';
import { medicalName } from '../images/medical-name.ts';
import { PassedOverCount } from '../passed-over.ts';
import { SYMBOLS } from '../recordings/marks.ts';
import { folderPatient } from '../recordings/record-patients.ts';
import { readRecordings } from '../recordings/recordings.ts';
import { signalFacts } from '../recordings/remarks.ts';
import { chooseLeads, type Lead, type MarkedRecord, type RecordSource } from '../recordings/source.ts';
import { type SignalTarget, unitFactor } from '../recordings/steps.ts';
import { millivoltsOf, unitGuess } from '../recordings/units.ts';
import { BEAT_CLASSES } from '../synthetic/ecg-beats.ts';
import { looksLikeDicom, parseObject } from './object.ts';
import { hasWaveform, readWaveform, type Waveform } from './waveform.ts';

const MARKED = 132;

/** Whether a file is a waveform object of DICOM. */
export async function isWaveform(path: string): Promise<boolean> {
  if (medicalName(basename(path)) === undefined) return false;
  const file = await RegularFile.open(path, 'recording').catch(() => undefined);
  if (!file) return false;
  try {
    const isMarked = looksLikeDicom(await file.read(0, Math.min(MARKED, file.size)));
    return isMarked && hasWaveform(await parseObject(file));
  } catch (error) {
    if (BedsideError.is(error)) throw error;
    return false;
  } finally {
    await file.close();
  }
}

/**
 * Reads the windows of waveform objects, as `readRecordings`: of a file, or of all of a folder and of those below. Without
 * annotations of beats or rhythms, windows are one after the other.
 * @throws BedsideError as `readRecordings`
 */
export async function readWaveforms(path: string, options: DatasetOptions): Promise<Dataset> {
  return readRecordings(await WaveformSource.at(path, options.contract), options);
}

/** Names of leads and rates of waveform objects. */
export async function waveformFacts(path: string): Promise<{
  readonly hasBeats: boolean;
  readonly labels?: readonly string[];
  readonly leads: readonly string[];
  readonly rates: readonly number[];
}> {
  const source = await WaveformSource.at(path, undefined);
  const records = [];
  let hasBeats = false;
  for (const record of await source.list(new PassedOverCount())) {
    const { groups, annotations } = await source.read(record);
    hasBeats ||= annotations.some(({ text }) => SYMBOLS.includes(text));
    const leads = groups.flatMap(({ channels }) => channels.map(({ name }) => name));
    records.push({ leads, rates: groups.map(({ rate }) => rate) });
  }
  return { hasBeats, ...(hasBeats ? { labels: BEAT_CLASSES } : {}), ...signalFacts(records) };
}

class WaveformSource implements RecordSource {
  readonly kind = 'dicom';
  readonly marksIn = '';
  readonly path: string;
  readonly folder: string;
  readonly #isFolder: boolean;
  readonly #contract: InputContract;
  readonly #firstOf = new Map<string, string>();
  readonly #sameAs = new Map<string, string>();

  private constructor(path: string, isFolder: boolean, contract: InputContract) {
    this.path = path;
    this.folder = isFolder ? path : dirname(path);
    this.#isFolder = isFolder;
    this.#contract = contract;
  }

  static async at(path: string, contract: InputContract | undefined): Promise<WaveformSource> {
    return new WaveformSource(path, (await stat(path)).isDirectory(), contract ?? {});
  }

  async list(passedOver: PassedOverCount): Promise<readonly string[]> {
    if (!this.#isFolder) return [basename(this.path)];
    const records: string[] = [];
    for (const file of await filesBelow(this.folder, passedOver)) {
      if (await isWaveform(join(this.folder, file))) records.push(file);
      else if (!/\.[ct]sv$/i.test(file)) passedOver.add('files without waveforms of DICOM', file);
    }
    return records;
  }

  async marks(record: string, passedOver: PassedOverCount): Promise<MarkedRecord> {
    const { groups, annotations, unread } = await this.read(record);
    for (const [code, count] of unread)
      passedOver.add(`annotations with a code that is not read (${code})`, record, count);
    const [base] = [...groups].sort((a, b) => b.rate - a.rate);
    if (!base || annotations.length === 0) return { marks: undefined, rate: 1 };
    const { rate, length } = base;
    const axis = new FrameAxis([{ time: 0, seconds: length / rate, record: 0, records: 1 }], rate, length);
    const marks = marksOf(annotations, axis, this.#contract);
    if (marks.others > 0)
      passedOver.add('annotations that name neither a beat nor a class', record, marks.others);
    if (marks.lost > 0) passedOver.add(OUTSIDE, record, marks.lost);
    // Texts of other kinds, as carts write them, label nothing.
    return { marks: marks.peaks.length + marks.rhythms.length > 0 ? marks : undefined, rate };
  }

  async leads(
    record: string,
    { leads: wanted, contract }: SignalTarget,
  ): Promise<readonly Lead[] | undefined> {
    const { groups } = await this.read(record);
    for (const { rate, channels } of groups) {
      const places = chooseLeads({ name: record, leads: channels.map(({ name }) => name) }, wanted, isNamed);
      if (!places) continue;
      return places.map((place, i) => {
        const { name, unit, step, samples } = must(channels[place], 'a channel for each place');
        const millivolts = millivoltsOf(unit) ?? 1;
        const factor = millivolts * unitFactor(contract, 1 / Math.abs(step * millivolts));
        return {
          ...{ record, rate, name },
          isFallback: !isNamed(name, wanted[i]?.[0] ?? ''),
          guess: unitGuess(unit),
          signal: samples().map((value) => value * factor),
        };
      });
    }
    return undefined;
  }

  patientOf(record: string): string {
    return folderPatient(record) ?? this.#sameAs.get(record) ?? record;
  }

  remarks(): string[] {
    return [];
  }

  /** @throws BedsideError E_DATA for a damaged object */
  async read(record: string): Promise<Waveform> {
    const path = join(this.folder, record);
    const file = await RegularFile.open(path, 'recording');
    try {
      const waveform = await readWaveform(file);
      if (waveform.sharedBy !== undefined) {
        const first = this.#firstOf.get(waveform.sharedBy) ?? record;
        this.#firstOf.set(waveform.sharedBy, first);
        this.#sameAs.set(record, first);
      }
      return waveform;
    } catch (cause) {
      if (BedsideError.is(cause)) throw cause;
      throw new BedsideError('E_DATA', `cannot read recording ${path}: ${messageOf(cause)}`, {
        hint: 'copy or export it again, or leave it out with --records',
        cause,
      });
    } finally {
      await file.close();
    }
  }
}

/** II of a 12-lead ECG is what is called MLII elsewhere. */
function isNamed(lead: string, name: string): boolean {
  return lead === name || lead.toLowerCase() === name.toLowerCase() || (lead === 'II' && name === 'MLII');
}
