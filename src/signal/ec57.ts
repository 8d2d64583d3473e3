// Detected beats against annotated ones, beat by beat, as ANSI/AAMI EC57 says: one to one, each pair within a window,
// after a learning period. The pairing follows the description of `bxb` in the WFDB Applications Guide.

/** An interval of a recording, in samples, both ends inside. */
export interface Episode {
  readonly from: number;
  readonly to: number;
}

/** What is compared, and by which limits. Places are sample numbers. */
export interface BeatComparison {
  /** R peaks that people annotated, in time order. */
  readonly reference: readonly number[];
  /** R peaks that were detected, in time order. */
  readonly detected: readonly number[];
  /** Samples a second. */
  readonly rate: number;
  /** Ventricular flutter or fibrillation in the reference: nothing in it is counted. */
  readonly flutter?: readonly Episode[] | undefined;
  /** Seconds that are left out at the start; default 300. */
  readonly learning?: number | undefined;
  /** Most seconds between two beats of a pair; default 0.15. */
  readonly window?: number | undefined;
}

/** Counts of a comparison. */
export interface BeatCounts {
  /** Annotated beats that were detected. */
  readonly tp: number;
  /** Detections without an annotated beat. */
  readonly fp: number;
  /** Annotated beats that were not detected. */
  readonly fn: number;
}

/** Counts, and for each annotated beat that is a pair the detection it belongs to. */
export interface ComparedBeats extends BeatCounts {
  /** Pairs as indices into `reference` and `detected`. */
  readonly pairs: readonly (readonly [reference: number, detected: number])[];
  /** Indices of annotated beats without a detection, and of detections without a beat. */
  readonly missed: readonly number[];
  readonly extra: readonly number[];
}

const LEARNING = 300;
const WINDOW = 0.15;

/** Pairs annotated and detected beats; each is part of one pair at most, and the nearer of two candidates is taken. */
export function compareBeats(comparison: BeatComparison): ComparedBeats {
  const { rate, flutter = [], learning = LEARNING, window = WINDOW } = comparison;
  const start = learning * rate;
  const most = Math.round(window * rate);
  const inFlutter = (at: number): boolean => flutter.some(({ from, to }) => at >= from && at <= to);
  const { reference, detected } = comparison;
  const next = (list: readonly number[], at: number): number => {
    let i = at;
    while (i < list.length && list === reference && inFlutter(list[i] as number)) i++;
    return i;
  };
  const pairs: [number, number][] = [];
  const missed: number[] = [];
  const extra: number[] = [];
  let r = next(reference, firstFrom(reference, start));
  let d = firstFrom(detected, start);
  const at = (list: readonly number[], i: number): number => list[i] ?? Number.POSITIVE_INFINITY;
  // Beats on both sides of the start: a detection just before it may be that of the first annotated beat, and one just
  // behind it that of the last beat of the learning period.
  const before = at(detected, d - 1);
  const first = at(reference, r);
  if (d > 0 && first - before <= most && first - before < Math.abs(first - at(detected, d))) d--;
  else if (
    start > 0 &&
    at(detected, d) - start <= most &&
    Math.abs(first - at(detected, d + 1)) < Math.abs(first - at(detected, d))
  )
    d++;
  while (r < reference.length || d < detected.length) {
    const beat = at(reference, r);
    const found = at(detected, d);
    const afterBeat = next(reference, r + 1);
    if (found < beat) {
      if (beat - found <= most && beat - found < Math.abs(beat - at(detected, d + 1))) {
        pairs.push([r, d]);
        r = afterBeat;
      } else if (!inFlutter(found)) extra.push(d);
      d++;
      continue;
    }
    if (found - beat <= most && found - beat < Math.abs(found - at(reference, afterBeat))) {
      pairs.push([r, d]);
      d++;
    } else missed.push(r);
    r = afterBeat;
  }
  return { tp: pairs.length, fp: extra.length, fn: missed.length, pairs, missed, extra };
}

/** How well beats are found, each in [0, 1]; NaN where nothing was there or nothing was detected. */
export interface DetectionShares {
  /** Share of annotated beats that were detected. */
  readonly sensitivity: number;
  /** Share of detections that are beats. */
  readonly positivePredictivity: number;
}

/** The shares of counts. */
export function detectionShares({ tp, fp, fn }: BeatCounts): DetectionShares {
  return { sensitivity: tp / (tp + fn), positivePredictivity: tp / (tp + fp) };
}

/** Gross figures (all beats together), and average ones (each record counts alike), as EC57 defines them. */
export function overallDetection(records: readonly BeatCounts[]): {
  readonly gross: BeatCounts & DetectionShares;
  readonly average: DetectionShares;
} {
  const sum = (of: keyof BeatCounts): number => records.reduce((total, counts) => total + counts[of], 0);
  const counts = { tp: sum('tp'), fp: sum('fp'), fn: sum('fn') };
  const shares = records.map(detectionShares);
  const mean = (of: keyof DetectionShares): number => {
    const known = shares.map((own) => own[of]).filter((share) => !Number.isNaN(share));
    return known.reduce((total, share) => total + share, 0) / known.length;
  };
  return {
    gross: { ...counts, ...detectionShares(counts) },
    average: { sensitivity: mean('sensitivity'), positivePredictivity: mean('positivePredictivity') },
  };
}

/** Index of the first place that is not before `start`. */
function firstFrom(places: readonly number[], start: number): number {
  const found = places.findIndex((at) => at >= start);
  return found < 0 ? places.length : found;
}
