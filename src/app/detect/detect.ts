// Finds heartbeats in recordings as a live detector would, and compares them with annotated ones.
import {
  atRate,
  chooseLead,
  openRecording,
  type RecordedLead,
  type Recording,
  recordingPaths,
} from '../../data/internal.ts';
import {
  type BeatCounts,
  compareBeats,
  type DetectedBeat,
  type DetectionShares,
  detectionShares,
  overallDetection,
  QrsDetector,
  type QualityRules,
  QualityWatch,
} from '../../signal/index.ts';
import { BedsideError } from '../../util/index.ts';
import { type Journal, journalOf, type Reporter, type Said } from '../reporter.ts';

/** Options of `detect`. */
export interface DetectOptions extends QualityRules {
  /** The lead to look at; default MLII or II, else the first one. */
  readonly lead?: string | undefined;
  /** Seconds at the start of each recording that are not compared; default 300, as EC57 says. */
  readonly learning?: number | undefined;
  /** Ends early with its reason once it is aborted. */
  readonly signal?: AbortSignal | undefined;
}

/** What a lead was worth: seconds that are missing, flat (the lead is off) and saturated, and how often each began. */
export interface LeadQuality {
  readonly missing: number;
  readonly flat: number;
  readonly saturated: number;
  readonly times: { readonly missing: number; readonly flat: number; readonly saturated: number };
}

/** What was found in one recording. Figures are NaN where nothing was compared. */
export interface DetectedRecord extends BeatCounts, DetectionShares {
  readonly name: string;
  readonly lead: string;
  /** Samples a second. */
  readonly rate: number;
  /** Length of the recording. */
  readonly seconds: number;
  /** Beats that were found in all of it. */
  readonly beats: number;
  /** No beats are looked for in what is missing, flat or saturated. */
  readonly signal: LeadQuality;
  /** Longest time from an R peak until it was told, in seconds of the signal. */
  readonly longestDelay: number;
  /** Processor time over signal time: the share of a core that the lead takes live. */
  readonly load: number;
}

/** The result of `detect`. */
export interface DetectResult extends Said {
  readonly records: readonly DetectedRecord[];
  /** All beats of all compared recordings together; NaN without any. */
  readonly gross: BeatCounts & DetectionShares;
  /** The mean over compared recordings. */
  readonly average: DetectionShares;
  /** Seconds at the start of each recording that were not compared. */
  readonly learning: number;
}

/** Seconds that EC57 leaves out at the start of a record. */
const LEARNING = 300;

/**
 * Runs the detector through recordings, sample by sample, and compares its beats with the annotated ones by ANSI/AAMI
 * EC57: one to one within 150 ms, the first five minutes and annotated ventricular flutter left out. A recording without
 * annotations is searched and not compared.
 * @param paths of WFDB records, files of EDF or BDF, or folders of them
 * @throws BedsideError E_FILE, E_DATA as `openRecording` and `chooseLead`
 */
export async function detect(
  paths: readonly string[],
  options: DetectOptions = {},
  reporter?: Reporter | Journal,
): Promise<DetectResult> {
  const journal = journalOf(reporter);
  const { learning = LEARNING, signal } = options;
  const all = (await Promise.all(paths.map(recordingPaths))).flat();
  const records = await journal.during('records', async (progress) => {
    const found: DetectedRecord[] = [];
    for (const path of all) {
      signal?.throwIfAborted();
      found.push(await detectIn(await openRecording(path), { ...options, learning }, journal));
      progress.update(found.length, all.length);
    }
    return found;
  });
  assertDifferent(records);
  const compared = records.filter(({ tp, fn }) => tp + fn > 0);
  return { records, ...overallDetection(compared), learning, ...journal.said() };
}

async function detectIn(
  recording: Recording,
  { lead, learning, flat, saturation }: DetectOptions & { readonly learning: number },
  journal: Journal,
): Promise<DetectedRecord> {
  const read = await recording.read(chooseLead(recording, lead));
  for (const remark of read.remarks) journal.remark(remark);
  const { beats, load, quality } = beatsOf(read, { flat, saturation });
  const { rate, samples } = read;
  const { name, flutter, beats: annotated } = atRate(recording, rate);
  if (samples.length === 0) journal.remark(`${name} holds no samples`);
  const facts = {
    ...{ name, lead: read.name, rate, seconds: samples.length / rate, beats: beats.length, load },
    signal: quality,
    longestDelay: beats.reduce((most, { sample, decidedAt }) => Math.max(most, decidedAt - sample), 0) / rate,
  };
  const none = { tp: 0, fp: 0, fn: 0, sensitivity: Number.NaN, positivePredictivity: Number.NaN };
  if (!annotated) {
    journal.remark(`${name} has no annotated beats: it was searched and is not compared`);
    return { ...facts, ...none };
  }
  if (facts.seconds <= learning) {
    journal.remark(`${name} is not longer than the ${learning} s that are left out: it is not compared`);
    return { ...facts, ...none };
  }
  const { tp, fp, fn } = compareBeats({
    reference: annotated.map(({ sample }) => sample),
    detected: beats.map(({ sample }) => sample),
    ...{ rate, flutter, learning },
  });
  return { ...facts, tp, fp, fn, ...detectionShares({ tp, fp, fn }) };
}

/** The beats of a lead, its quality, and the share of a core that it takes when it comes live, as `stream` reads it. */
function beatsOf(
  { samples, rate }: RecordedLead,
  rules: QualityRules,
): { readonly beats: DetectedBeat[]; readonly load: number; readonly quality: LeadQuality } {
  const detector = new QrsDetector(rate);
  const watch = new QualityWatch(rate, rules);
  const times = { missing: 0, flat: 0, saturated: 0 };
  const beats: DetectedBeat[] = [];
  const start = process.cpuUsage();
  let before = 0;
  for (const sample of samples) {
    const what = watch.push(sample)?.what;
    if (what === 'flat' || what === 'saturated') times[what]++;
    if (Number.isNaN(sample) && !Number.isNaN(before)) times.missing++;
    before = sample;
    const beat = detector.push(watch.isSaturated(sample) || watch.isFlat ? Number.NaN : sample);
    if (beat) beats.push(beat);
  }
  beats.push(...detector.flush());
  const { user, system } = process.cpuUsage(start);
  const { missing, flat, saturated } = watch.samples;
  return {
    ...{ beats, load: samples.length === 0 ? 0 : ((user + system) / 1e6 / samples.length) * rate },
    quality: { missing: missing / rate, flat: flat / rate, saturated: saturated / rate, times },
  };
}

/** The same recording twice would count twice. */
function assertDifferent(records: readonly DetectedRecord[]): void {
  const names = records.map(({ name, lead }) => `${name} (${lead})`);
  const twice = names.find((name, i) => names.indexOf(name) < i);
  if (twice === undefined) return;
  throw new BedsideError('E_USAGE', `${twice} was given twice`, {
    hint: 'name each recording once; records of different folders with one name are run one after the other',
  });
}
