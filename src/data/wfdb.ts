// Heartbeats from a folder of WFDB records (PhysioNet): a window around each annotated R peak of one lead, at the
// network's sampling rate, normalised on its own, labelled with the five classes of ANSI/AAMI EC57.
import { readdir } from 'node:fs/promises';
import { BedsideError, must } from '../util/index.ts';
import { BeatWindows, DEFAULT_RATE } from './beat-windows.ts';
import { LabelMap } from './contract/label-map.ts';
import type { Dataset, DatasetOptions, DatasetSplit } from './dataset.ts';
import { BEAT_CLASSES } from './ecg-beats.ts';
import { absentClasses, allocateSamples, shapeMisfit } from './fit.ts';
import { hashSamples } from './hash.ts';
import { isHidden } from './hidden.ts';
import { PassedOverCount } from './passed-over.ts';
import { selectIndices } from './sampling.ts';
import { LEAD, type Lead, type Peak, readLead, readPeaks, withoutAnnotations } from './wfdb-record.ts';

/** Far more than a record has annotations, so that record and annotation make one number. */
const RECORD_STRIDE = 2 ** 32;

interface Beat extends Peak {
  readonly record: string;
  readonly position: number;
}

/** Facts about the records after all have been looked through. */
interface Survey {
  readonly beats: readonly Beat[];
  /** Without signals. */
  readonly leads: readonly Omit<Lead, 'signal'>[];
  readonly passedOver: PassedOverCount;
}

/**
 * Reads the beats of a folder's records. A window that leaves its record or has missing samples is left out. Of each
 * record's beats in time order, the first two thirds are the local split and the rest the test split. A record of
 * another sampling rate than the network's (360 Hz where nothing says it) is resampled. Records without annotations are
 * passed over, unless they were asked for by name.
 * @throws BedsideError E_DATA_FIT unless the model reads `[1, length]` and its classes are known
 * @throws BedsideError E_DATA for an unknown record, a damaged file, or missing annotations
 * @throws BedsideError E_FILE for a file that cannot be read
 */
export async function readWfdb(folder: string, options: DatasetOptions): Promise<Dataset> {
  const length = windowLength(options.sampleShape, folder);
  const map = LabelMap.named(options, BEAT_CLASSES, folder);
  const windows = new BeatWindows(length, options.rate ?? DEFAULT_RATE);

  // Twice through the files, so that only one record's signal is in memory and only chosen windows are kept.
  const { beats, leads, passedOver } = await survey(folder, windows, options);
  const { labels: all, leftOut } = map.apply(Int32Array.from(beats, (beat) => beat.label));
  const chosen = selectIndices(beats.length, all, options, folder);

  const samples = allocateSamples(chosen.length, length, folder);
  const labels = new Int32Array(chosen.length);
  const positions = new Float64Array(chosen.length);
  const origins: string[] = [];
  let lead: Lead | undefined;
  for (const [to, from] of chosen.entries()) {
    const beat = must(beats[from], 'a beat for each index');
    if (lead?.record !== beat.record) lead = await readLead(folder, beat.record);
    samples.set(normalised(windows.cut(lead, beat.frame)), to * length);
    labels[to] = all[from] ?? 0;
    positions[to] = beat.position;
    origins.push(beat.record);
  }
  return {
    kind: 'wfdb',
    name: folder,
    size: chosen.length,
    sampleShape: [...options.sampleShape],
    samples,
    labels,
    classNames: map.classNames,
    origins,
    positions,
    skipped: [],
    passedOver: [...passedOver.list(), ...leftOut],
    remarks: [
      ...leadRemarks(leads),
      ...rateRemarks(leads, windows.rate, options.rate === undefined),
      ...map.remarks,
      ...absentClasses(all, map.classNames, options.classFilter, folder),
    ],
    rate: windows.rate,
    leads: leadCounts(leads),
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

async function survey(folder: string, windows: BeatWindows, options: DatasetOptions): Promise<Survey> {
  const passedOver = new PassedOverCount();
  const known = await knownRecords(folder, passedOver);
  const records = chosenRecords(folder, known, options.records);
  const beats: Beat[] = [];
  const leads: Omit<Lead, 'signal'>[] = [];
  const without: string[] = [];
  let hasPeaks = false;
  for (const [done, record] of records.entries()) {
    options.onProgress?.(done, records.length);
    const lead = await readLead(folder, record);
    const peaks = await readPeaks(folder, lead);
    if (!peaks) {
      if (options.records) throw withoutAnnotations(folder, record);
      without.push(record);
      continue;
    }
    const { signal: _, ...facts } = lead;
    leads.push(facts);
    hasPeaks ||= peaks.length > 0;
    if (peaks.length === 0) passedOver.add('records of which no annotation (.atr) marks a beat', record);
    const whole = windows.whole(lead, peaks, passedOver);
    const place = known.indexOf(record) * RECORD_STRIDE;
    for (const peak of inSplit(whole, options.split)) {
      beats.push({ ...peak, record, position: place + peak.annotation });
    }
  }
  options.onProgress?.(records.length, records.length);
  const [first] = without;
  if (first !== undefined && leads.length === 0) throw withoutAnnotations(folder, first);
  if (leads.length > 0 && beats.length === 0 && !hasPeaks) {
    throw new BedsideError('E_DATA', `no annotation of ${folder} (.atr) marks a beat`, {
      hint: 'some databases keep beats in files of other endings (.qrs, .ecg): copy them to .atr',
    });
  }
  for (const record of without) passedOver.add('records without annotations (.atr)', record);
  return { beats, leads, passedOver };
}

/** All records of the folder; its other folders are passed over. */
async function knownRecords(folder: string, passedOver: PassedOverCount): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  for (const entry of entries) {
    if (entry.isDirectory() && !isHidden(entry.name))
      passedOver.add('folders beside the records, which are not read', entry.name);
  }
  return recordNames(entries.map(({ name }) => name));
}

function chosenRecords(
  folder: string,
  known: readonly string[],
  wanted: readonly string[] | undefined,
): readonly string[] {
  if (!wanted) return known;
  const unknown = wanted.filter((record) => !known.includes(record));
  if (unknown.length > 0) {
    throw new BedsideError('E_DATA', `${folder} has no record ${unknown.join(', ')}`, {
      hint: `its records are ${known.join(', ')}`,
    });
  }
  return known.filter((record) => wanted.includes(record));
}

function inSplit(beats: readonly Peak[], split: DatasetSplit): readonly Peak[] {
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

function leadCounts(leads: readonly Pick<Lead, 'name'>[]): Record<string, number> {
  const counts = new Map<string, number>();
  for (const { name } of leads) counts.set(name, (counts.get(name) ?? 0) + 1);
  return Object.fromEntries(counts);
}

const FEW = 5;

function few(items: readonly string[]): string {
  return items.slice(0, FEW).join(', ') + (items.length > FEW ? ', ...' : '');
}

/** Says which records gave another lead than the one that is looked for. */
function leadRemarks(leads: readonly Pick<Lead, 'record' | 'name' | 'isFallback'>[]): string[] {
  const others = leads.filter(({ isFallback }) => isFallback);
  if (others.length === 0) return [];
  const named = few(others.map(({ record, name }) => `${record} (${name})`));
  return [
    `${others.length} of ${leads.length} records have no lead ${LEAD}; their first one was taken: ${named}`,
  ];
}

/** Says which records were resampled, and whether the rate that they were brought to is known or assumed. */
function rateRemarks(
  leads: readonly Pick<Lead, 'record' | 'rate'>[],
  rate: number,
  isAssumed: boolean,
): string[] {
  const rates = [...new Set(leads.map((lead) => lead.rate))].sort((a, b) => a - b);
  if (rates.every((other) => other === rate)) return [];
  const told = rates.map((other) => {
    const records = leads.filter((lead) => lead.rate === other).map(({ record }) => record);
    return `${other} Hz (${few(records)})`;
  });
  const target = isAssumed
    ? `${rate} Hz, which is assumed as the network does not say its rate (--sampling-rate says another)`
    : `the network's ${rate} Hz`;
  const slowest = rates[0] ?? rate;
  const lacking = slowest < rate ? `; above ${slowest / 2} Hz the slowest hold nothing` : '';
  const what = rates.length === 1 ? 'records sampled at' : 'records differ in sampling rate:';
  return [`${what} ${told.join(', ')} were brought to ${target}${lacking}`];
}
