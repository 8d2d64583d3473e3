// What annotations of EDF+ say of beats and rhythms, on a time axis in which gaps are short.
import type { InputContract } from '../contract/contract.ts';
import {
  BEAT_SYMBOL_CLASSES,
  type Marks,
  type Peak,
  type RhythmChange,
  SYMBOLS,
} from '../recordings/marks.ts';
import type { EdfAnnotation } from './annotations.ts';
import type { EdfRun } from './reader.ts';

/** Rhythms as WFDB writes them: `(AFIB`. */
const RHYTHM = /^\(([A-Z0-9]{1,8})$/;
/** Sleep stages of the standard's list of texts; `?` is none. */
const SLEEP_STAGE = /^Sleep stage (W|N?[1-4]|R|M|N|\?)$/;
const NO_STAGE = 'Sleep stage ?';

/** The reason under which beats are counted that no sample belongs to. */
export const OUTSIDE = 'beats outside of what was recorded';

/** Times of a recording as frames of one signal: where it has a gap, the frames of one data record are missing. */
export class FrameAxis {
  readonly #runs: readonly EdfRun[];
  readonly #rate: number;
  readonly #perRecord: number;

  constructor(runs: readonly EdfRun[], rate: number, perRecord: number) {
    this.#runs = runs;
    this.#rate = rate;
    this.#perRecord = perRecord;
  }

  /** Frames in all. */
  get length(): number {
    const last = this.#runs.at(-1);
    return last ? this.startOf(this.#runs.length - 1) + last.records * this.#perRecord : 0;
  }

  /** The frame at which a run begins. */
  startOf(run: number): number {
    return ((this.#runs[run]?.record ?? 0) + run) * this.#perRecord;
  }

  /** The frame of a time; undefined in a gap, before the start and from the end on. */
  frameOf(time: number): number | undefined {
    const run = this.#firstRun((one) => one.time > time) - 1;
    const own = this.#runs[run];
    if (!own || time >= own.time + own.seconds) return undefined;
    return this.startOf(run) + Math.round((time - own.time) * this.#rate);
  }

  /** The first frame from a time on. */
  from(time: number): number {
    const next = this.#firstRun((one) => time < one.time + one.seconds);
    if (next === this.#runs.length) return this.length;
    return this.frameOf(time) ?? this.startOf(next);
  }

  /** The first run that is so, as all behind it are; their number where none is. By halves: a night may be all gaps. */
  #firstRun(isSo: (run: EdfRun) => boolean): number {
    let [from, to] = [0, this.#runs.length];
    while (from < to) {
      const middle = (from + to) >> 1;
      if (isSo(this.#runs[middle] as EdfRun)) to = middle;
      else from = middle + 1;
    }
    return from;
  }

  /** The signal with missing samples in its gaps. */
  laidOut(samples: Float64Array): Float64Array {
    if (this.#runs.length <= 1) return samples;
    const signal = new Float64Array(this.length).fill(Number.NaN);
    for (const [i, { record, records }] of this.#runs.entries()) {
      const first = record * this.#perRecord;
      signal.set(samples.subarray(first, first + records * this.#perRecord), this.startOf(i));
    }
    return signal;
  }
}

/** Marks, and how many annotations were none. */
export interface EdfMarks extends Marks {
  readonly others: number;
  /** Beats in gaps or outside of the recording. */
  readonly lost: number;
}

/**
 * The marks that annotations are: beats by the symbol that is their whole text; rhythms as WFDB writes them, sleep stages
 * of the standard, and texts that the contract's classes or class map name. All others may be anything, names of people
 * among them, and are only counted. What has a duration ends after it.
 */
export function marksOf(
  annotations: readonly EdfAnnotation[],
  axis: FrameAxis,
  contract: InputContract,
): EdfMarks {
  const named = new Set([...(contract.classes ?? []), ...Object.keys(contract.classMap ?? {})]);
  const peaks: Peak[] = [];
  const spans: { readonly time: number; readonly end: number; readonly rhythm: string | undefined }[] = [];
  let [others, lost] = [0, 0];
  for (const [annotation, { time, seconds, text }] of annotations.entries()) {
    const rhythm = rhythmOf(text, named);
    const symbol = SYMBOLS.indexOf(text);
    if (rhythm !== undefined) {
      const end = seconds === undefined ? Number.POSITIVE_INFINITY : time + seconds;
      spans.push({ time, end, rhythm: rhythm === NO_STAGE ? undefined : rhythm });
    } else if (symbol < 0) others++;
    else {
      const frame = axis.frameOf(time);
      if (frame === undefined) lost++;
      else peaks.push({ frame, label: BEAT_SYMBOL_CLASSES[symbol] ?? 0, annotation, symbol });
    }
  }
  const rhythms: RhythmChange[] = [];
  for (const [i, { time, end, rhythm }] of spans.entries()) {
    rhythms.push({ frame: axis.from(time), rhythm });
    if (end < (spans[i + 1]?.time ?? Number.POSITIVE_INFINITY))
      rhythms.push({ frame: axis.from(end), rhythm: undefined });
  }
  return { peaks, rhythms, flutter: [], annotator: 'edf', others, lost };
}

function rhythmOf(text: string, named: ReadonlySet<string>): string | undefined {
  const rhythm = RHYTHM.exec(text)?.[1];
  if (rhythm !== undefined) return rhythm;
  if (SLEEP_STAGE.test(text)) return text;
  return named.has(text) && !SYMBOLS.includes(text) ? text : undefined;
}
