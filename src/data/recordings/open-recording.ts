// One recording in time, as it is replayed: its leads one by one, and what its annotations say.
import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';
import { BedsideError } from '../../util/index.ts';
import { availableMemory } from '../../util/internal.ts';
import { openEdf } from '../edf/reader.ts';
import { isEdfName, isLeadNamed } from '../edf/source.ts';
import { isHidden } from '../hidden.ts';
import { kindOfFile } from '../kind-of-path.ts';
import { PassedOverCount } from '../passed-over.ts';
import { BEAT_CLASSES } from '../synthetic/ecg-beats.ts';
import { listRecords } from '../wfdb/folder.ts';
import { readMarks } from '../wfdb/marks.ts';
import { leadGuess, openRecord, readSignal } from '../wfdb/segments.ts';
import { BEAT_SYMBOL_CLASSES, type MarkedEpisode, type Marks, type Peak, SYMBOLS } from './marks.ts';
import { millivoltsOf, unitGuess } from './units.ts';

/** A beat that was annotated. */
export interface AnnotatedBeat {
  /** Samples from the recording's start. */
  readonly sample: number;
  /** The class of ANSI/AAMI EC57: one of `BEAT_CLASSES`. */
  readonly beatClass: string;
  /** The annotation's symbol. */
  readonly symbol: string;
}

/** A lead that was read. */
export interface RecordedLead {
  readonly name: string;
  /** Samples a second. */
  readonly rate: number;
  /** In millivolts; missing ones are NaN. */
  readonly samples: Float64Array;
  /** What was taken for granted. */
  readonly remarks: readonly string[];
}

/** A recording of one or more leads. */
export interface Recording {
  readonly name: string;
  /** Samples a second by which beats and episodes are told. */
  readonly rate: number;
  readonly leads: readonly string[];
  /** Reads a lead. @throws BedsideError E_DATA for a damaged file, E_FILE for one that cannot be read */
  readonly read: (lead: string) => Promise<RecordedLead>;
  /** In time order; undefined where nobody annotated it. */
  readonly beats: readonly AnnotatedBeat[] | undefined;
  /** Annotated ventricular flutter or fibrillation. */
  readonly flutter: readonly MarkedEpisode[];
}

/** By its ending or, whatever that is, by its first bytes, as data sets are known. */
async function isEdf(path: string): Promise<boolean> {
  if (isEdfName(path)) return true;
  const isFile = await stat(path).then(
    (found) => found.isFile(),
    () => false,
  );
  return isFile && (await kindOfFile(path)) === 'edf';
}

/**
 * Opens a WFDB record, or a file of EDF, EDF+, BDF or BDF+; signals are read when they are asked for.
 * @param path of an EDF or BDF file, of a WFDB record without ending, or of its header
 * @throws BedsideError E_DATA for a malformed header or damaged annotations, E_FILE for a file that cannot be read
 */
export async function openRecording(path: string): Promise<Recording> {
  return (await isEdf(path)) ? await ofEdf(path) : await ofWfdb(path);
}

/** A recording whose beats and episodes are told in samples of this rate: that of the lead that is looked at. */
export function atRate(recording: Recording, rate: number): Recording {
  const factor = rate / recording.rate;
  if (factor === 1) return recording;
  return {
    ...recording,
    rate,
    beats: recording.beats?.map((beat) => ({ ...beat, sample: Math.round(beat.sample * factor) })),
    flutter: recording.flutter.map(({ from, to }) => ({ from: from * factor, to: to * factor })),
  };
}

/**
 * The recordings that a path stands for: those of a folder, sorted, or itself.
 * @throws BedsideError E_DATA for a folder without recordings, E_FILE for one that cannot be read
 */
export async function recordingPaths(path: string): Promise<readonly string[]> {
  const isFolder = await stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
  if (!isFolder) return [path];
  const records = await listRecords(path, new PassedOverCount());
  const files = (await readdir(path)).filter((file) => !isHidden(file) && isEdfName(file));
  const found = [...records, ...files].sort();
  if (found.length > 0) return found.map((name) => join(path, name));
  throw new BedsideError('E_DATA', `there are no recordings in ${path}`, {
    hint: 'give WFDB records (.hea), or files of EDF or BDF',
  });
}

/**
 * The lead that beats are looked for in: the one that is named, else MLII or II, else the first.
 * @throws BedsideError E_DATA for a name that the recording does not have, or one without leads
 */
export function chooseLead({ leads, name }: Recording, wanted?: string): string {
  const named = wanted === undefined ? undefined : leadNamed(leads, wanted);
  if (wanted !== undefined && named === undefined) {
    throw new BedsideError('E_DATA', `${name} has no lead ${wanted}`, {
      hint: `its leads are ${leads.join(', ') || 'none'}`,
    });
  }
  const usual = ['MLII', 'II', 'ECG'].map((own) => leadNamed(leads, own)).find((own) => own !== undefined);
  const lead = named ?? usual ?? leads[0];
  if (lead !== undefined) return lead;
  throw new BedsideError('E_DATA', `${name} has no signals`, { hint: 'give a recording that has some' });
}

/** The lead that goes by a name: the one of just that name, else as `II` is `ECG II`. */
export function leadNamed(leads: readonly string[], name: string): string | undefined {
  return leads.find((lead) => lead === name) ?? leads.find((lead) => isLeadNamed(lead, name));
}

async function ofWfdb(path: string): Promise<Recording> {
  const own = path.replace(/\.hea$/, '');
  const folder = dirname(own);
  const name = basename(own);
  const record = await openRecord(folder, name);
  const { rate, leads } = record;
  const marks = await readMarks(folder, name, rate);
  return {
    ...{ name, rate, leads },
    read: async (lead) => ({
      name: lead,
      rate,
      samples: await readSignal(folder, record, lead),
      remarks: tellGuess(name, lead, leadGuess(record, lead)),
    }),
    beats: annotatedBeats(marks?.peaks ?? []),
    flutter: marks?.flutter ?? [],
  };
}

async function ofEdf(path: string): Promise<Recording> {
  const { reader, close } = await openEdf(path);
  try {
    const { header } = reader;
    const fastest = reader.signals.reduce(
      (most, { samplesPerRecord }) => Math.max(most, samplesPerRecord),
      1,
    );
    const rate = fastest / (header.recordSeconds || 1);
    const { annotations } = await reader.outline();
    const peaks = annotations.flatMap(({ time, text }) => {
      const symbol = SYMBOLS.indexOf(text);
      return symbol < 0 ? [] : [{ frame: Math.round(time * rate), symbol }];
    });
    const name = basename(path);
    const beside = peaks.length > 0 ? undefined : await marksBeside(path, rate);
    return {
      ...{ name, rate, leads: [...new Set(reader.signals.map(({ label }) => label))] },
      read: (lead) => readEdfLead(path, lead, name),
      beats: annotatedBeats(beside?.peaks ?? peaks),
      flutter: beside?.flutter ?? [],
    };
  } finally {
    await close();
  }
}

/** Marks of an annotation file of WFDB beside a recording, as data sets read it: `r01.edf.qrs` or `r01.qrs`. */
async function marksBeside(path: string, rate: number): Promise<Marks | undefined> {
  for (const name of [basename(path), basename(path, extname(path))]) {
    const marks = await readMarks(dirname(path), name, rate);
    if (marks && marks.peaks.length > 0) return marks;
  }
  return undefined;
}

/** Beats in time order; undefined for none. */
function annotatedBeats(peaks: readonly Pick<Peak, 'frame' | 'symbol'>[]): AnnotatedBeat[] | undefined {
  if (peaks.length === 0) return undefined;
  const beats = peaks.map(({ frame, symbol = -1 }) => ({
    sample: frame,
    beatClass: BEAT_CLASSES[BEAT_SYMBOL_CLASSES[symbol] ?? -1] ?? '',
    symbol: SYMBOLS[symbol] ?? '',
  }));
  return beats.sort((a, b) => a.sample - b.sample);
}

function tellGuess(name: string, lead: string, guess: string | undefined): string[] {
  return guess === undefined ? [] : [`${lead} of ${name} is ${guess}`];
}

async function readEdfLead(path: string, lead: string, name: string): Promise<RecordedLead> {
  const { reader, close } = await openEdf(path);
  try {
    const wanted = reader.signals.filter(({ label }) => label === lead).slice(0, 1);
    const { signals, runs, seconds } = await reader.recording(wanted);
    const [signal] = signals;
    if (!signal)
      throw new BedsideError('E_DATA', `${name} has no lead ${lead}`, { hint: 'name another lead' });
    const { rate, unit, samplesPerRecord } = signal;
    const length = Math.round(seconds * rate);
    if (length * 8 > availableMemory()) {
      throw new BedsideError(
        'E_DATA',
        `${name} spans ${Math.round(seconds)} s with its gaps: memory does not hold it`,
        {
          hint: 'cut the recording into parts',
        },
      );
    }
    const factor = millivoltsOf(unit);
    const samples = new Float64Array(length).fill(Number.NaN);
    for (const { time, record, records } of runs) {
      const own = signal.samples.subarray(record * samplesPerRecord, (record + records) * samplesPerRecord);
      const start = Math.round(time * rate);
      for (let i = 0; i < own.length && start + i < length; i++)
        samples[start + i] = (own[i] as number) * (factor ?? 1);
    }
    const remarks = [...reader.remarks, ...tellGuess(name, lead, unitGuess(unit))];
    return { name: lead, rate, samples, remarks };
  } finally {
    await close();
  }
}
