// Heartbeats from a folder of WFDB records (PhysioNet): a window around each annotated R peak of one lead, normalised on
// its own, labelled with the five classes of ANSI/AAMI EC57.
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { BedsideError, must, readFileChecked } from '../util/index.ts';
import type { Dataset, DatasetOptions, Split } from './dataset.ts';
import { allocateSamples, assertClassCount, shapeMisfit } from './fit.ts';
import { hashSamples } from './hash.ts';
import { selectIndices } from './sampling.ts';
import { annotationResolution, parseAnnotations } from './wfdb-annotations.ts';
import { parseWfdbHeader, type WfdbHeader, type WfdbSignal } from './wfdb-header.ts';
import { decodeSignal } from './wfdb-signals.ts';

/** The classes of ANSI/AAMI EC57: normal, supraventricular, ventricular, fusion, unclassifiable or paced. */
export const BEAT_CLASSES: readonly string[] = ['N', 'S', 'V', 'F', 'Q'];

/** Annotation symbols of each class; all others are no beats. */
const BEAT_SYMBOLS: readonly string[] = ['NLRej', 'AaJS', 'VE', 'F', '/fQ'];

// The documented geometry: 256 samples of which 100 stand before the R peak; other lengths scale it.
const WINDOW = 256;
const BEFORE = 100;
const LEAD = 'MLII';

interface Beat {
  readonly record: string;
  /** First sample of the window. */
  readonly start: number;
  readonly label: number;
}

/**
 * Reads the beats of a folder's records. A window that leaves its record or has missing samples is left out. Of each
 * record's beats in time order, the first two thirds are the local split and the rest the test split.
 * @throws BedsideError E_DATA_FIT unless the model reads `[1, length]` and has five classes
 * @throws BedsideError E_DATA for an unknown record, a damaged file, or missing annotations
 * @throws BedsideError E_FILE for a file that cannot be read
 */
export async function readWfdb(folder: string, options: DatasetOptions): Promise<Dataset> {
  const length = windowLength(options.sampleShape, folder);
  assertClassCount(options, BEAT_CLASSES, folder);
  const records = await chooseRecords(folder, options.records);

  // Twice through the files, so that only one record's signal is in memory and only chosen windows are kept.
  const beats: Beat[] = [];
  for (const [done, record] of records.entries()) {
    options.onProgress?.(done, records.length);
    beats.push(...inSplit(await readBeats(folder, record, length), options.split));
  }
  options.onProgress?.(records.length, records.length);
  const chosen = selectIndices(
    beats.length,
    Int32Array.from(beats, (beat) => beat.label),
    options,
    folder,
  );

  const samples = allocateSamples(chosen.length, length, folder);
  const labels = new Int32Array(chosen.length);
  const origins: string[] = [];
  let signal: Float64Array | undefined;
  for (const [to, from] of chosen.entries()) {
    const beat = must(beats[from], 'a beat for each index');
    if (!signal || beat.record !== origins.at(-1)) signal = (await readLead(folder, beat.record)).signal;
    const window = signal.subarray(beat.start, beat.start + length);
    samples.set(normalised(window), to * length);
    labels[to] = beat.label;
    origins.push(beat.record);
  }
  return {
    kind: 'wfdb',
    name: folder,
    size: chosen.length,
    sampleShape: [...options.sampleShape],
    samples,
    labels,
    classNames: BEAT_CLASSES,
    origins,
    skipped: [],
    hash: hashSamples(samples, labels),
  };
}

/** The names of the records in a folder, sorted. */
export function recordNames(files: readonly string[]): string[] {
  return files
    .filter((file) => file.endsWith('.hea') && !file.startsWith('.'))
    .map((file) => file.slice(0, -'.hea'.length))
    .sort();
}

function windowLength(sampleShape: readonly number[], folder: string): number {
  const length = sampleShape.at(-1) ?? 0;
  if (sampleShape.length !== 2 || sampleShape[0] !== 1 || length < 1) {
    throw shapeMisfit(sampleShape, 'beats of one lead, [1, length]', folder);
  }
  return length;
}

async function chooseRecords(
  folder: string,
  wanted: readonly string[] | undefined,
): Promise<readonly string[]> {
  const known = recordNames(await readdir(folder));
  if (!wanted) return known;
  const unknown = wanted.filter((record) => !known.includes(record));
  if (unknown.length > 0) {
    throw new BedsideError('E_DATA', `${folder} has no record ${unknown.join(', ')}`, {
      hint: `its records are ${known.join(', ')}`,
    });
  }
  return known.filter((record) => wanted.includes(record));
}

async function readBeats(folder: string, record: string, length: number): Promise<Beat[]> {
  const { header, signal } = await readLead(folder, record);
  const annotations = parseAnnotations(await readAnnotationFile(folder, record), record);
  const resolution = annotationResolution(annotations);
  const framesPerTick = resolution === undefined ? 1 : header.rate / resolution;
  const before = Math.round((length * BEFORE) / WINDOW);
  const beats: Beat[] = [];
  for (const { time, symbol } of annotations) {
    const label = BEAT_SYMBOLS.findIndex((symbols) => symbols.includes(symbol));
    if (label < 0) continue;
    const start = Math.round(time * framesPerTick) - before;
    if (start < 0 || start + length > signal.length) continue;
    if (hasGap(signal, start, start + length)) continue;
    beats.push({ record, start, label });
  }
  return beats;
}

function hasGap(signal: Float64Array, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if (Number.isNaN(signal[i])) return true;
  return false;
}

async function readLead(
  folder: string,
  record: string,
): Promise<{ header: WfdbHeader; signal: Float64Array }> {
  const text = await readFileChecked(join(folder, `${record}.hea`), 'header');
  const header = parseWfdbHeader(Buffer.from(text).toString('latin1'), record);
  const lead = chooseLead(header);
  const content = await readFileChecked(join(folder, lead.file), `signal file of record ${record}`);
  return { header, signal: decodeSignal(header, lead, content) };
}

function chooseLead(header: WfdbHeader): WfdbSignal {
  const lead = header.signals.find((signal) => signal.description === LEAD) ?? header.signals[0];
  if (lead) return lead;
  throw new BedsideError('E_DATA', `record ${header.record} has no signals`, {
    hint: 'leave it out with --records',
  });
}

async function readAnnotationFile(folder: string, record: string): Promise<Uint8Array> {
  const file = `${record}.atr`;
  return readFileChecked(join(folder, file), 'annotations').catch((cause: unknown) => {
    throw new BedsideError('E_DATA', `record ${record} has no readable annotations ${file} in ${folder}`, {
      hint: 'beats are cut around annotated R peaks: put the .atr file beside the header, or use --records',
      cause,
    });
  });
}

function inSplit(beats: readonly Beat[], split: Split): readonly Beat[] {
  // Rounded up: a beat that straddles the border was learned from, so that accuracy is never measured on it.
  const local = Math.ceil((beats.length * 2) / 3);
  if (split === 'all') return beats;
  return split === 'local' ? beats.slice(0, local) : beats.slice(local);
}

/** Minus its mean, over its population standard deviation and a little. */
function normalised(window: Float64Array): Float64Array {
  const mean = window.reduce((sum, value) => sum + value, 0) / window.length;
  const variance = window.reduce((sum, value) => sum + (value - mean) ** 2, 0) / window.length;
  const scale = 1 / (Math.sqrt(variance) + 1e-6);
  return window.map((value) => (value - mean) * scale);
}
