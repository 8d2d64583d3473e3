// What a stream tells: of each beat, of each change of a signal, and of everything at its end.
import type { DetectionShares, RhythmSummary } from '../../signal/index.ts';
import type { DeliveryStates } from '../interop/outlets.ts';
import type { Said } from '../reporter.ts';

/** A beat that was found. */
interface ToldBeat {
  readonly bed: string;
  /** Seconds from the signal's start to the R peak, by its samples. */
  readonly at: number;
  readonly sample: number;
  /** The lead in which it was found, and samples a second there. */
  readonly lead: string;
  readonly rate: number;
  /** Whether the signal could not be read between the beat before and this one, so that no interval reaches across. */
  readonly afterBreak: boolean;
}

/** A beat with its answer. */
export interface AnsweredBeat extends ToldBeat {
  readonly kind: 'beat';
  /** Name of the class, and its index. */
  readonly class: string;
  readonly label: number;
  /** Of that class, in [0, 1]. */
  readonly probability: number;
  /** How sure the answer is, in [0, 1]. */
  readonly confidence: number;
  readonly levels: readonly number[];
  readonly devices: readonly string[];
  /** As of requests: `none`, `taken`, `late` or `failed`. */
  readonly fallback: string;
  /** Plans that the request gave up because of lost devices. */
  readonly replanned: number;
  /** Seconds from the R peak to the answer: signal that had to be waited for, and the request. */
  readonly latency: number;
  /** Seconds of the request alone. */
  readonly requestSeconds: number;
}

/** A beat without an answer. */
export interface UnansweredBeat extends ToldBeat {
  readonly kind: 'unanswered';
  /** `late`: no answer by its deadline; `lost`: there will be none. */
  readonly outcome: 'late' | 'lost';
  readonly reason: string;
}

/** Something about a signal. */
export interface SignalEvent {
  readonly kind: 'signal';
  readonly bed: string;
  /** Seconds from the signal's start. */
  readonly at: number;
  readonly what:
    | 'gap'
    | 'late'
    | 'rate'
    | 'restart'
    | 'flat'
    | 'saturated'
    | 'readable'
    | 'malformed'
    | 'ended';
  /** What exactly, for people. */
  readonly text: string;
}

/** What a stream reports: an answered beat, a beat without an answer, or a change of a signal. */
export type StreamEvent = AnsweredBeat | UnansweredBeat | SignalEvent;

/** Shares of the time from R peak to answer, in seconds; NaN without answers. */
export interface LatencySummary {
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
}

/** What a signal was like. Durations are in seconds. */
export interface SignalCounts {
  /** Missing samples, of gaps and within packets. */
  readonly missing: number;
  readonly flat: number;
  readonly saturated: number;
  /** Samples that came too late, and were left out. */
  readonly late: number;
  readonly gaps: number;
  readonly rateChanges: number;
  readonly restarts: number;
  /** Packets that could not be read. */
  readonly malformed: number;
  /** How much faster the sender's clock goes than its samples, in parts per million; undefined where it is not known. */
  readonly drift: number | undefined;
}

/** Counts of beats: those found are answered, late, or lost. */
export interface BeatOutcomes {
  readonly beats: number;
  readonly answered: number;
  /** Without an answer by the deadline. */
  readonly late: number;
  /** Without an answer for another reason. */
  readonly lost: number;
  /** Late and lost beats by reason. */
  readonly reasons: Readonly<Record<string, number>>;
}

/** What was found in one signal, or in all. */
export interface StreamFigures extends BeatOutcomes {
  /** Seconds of signal. */
  readonly seconds: number;
  /** Beats by class, of all classes. */
  readonly classes: Readonly<Record<string, number>>;
  /** Beats a minute; undefined before there is an interval between beats. */
  readonly heartRate: RhythmSummary['heartRate'];
  readonly latency: LatencySummary;
  /** Where beats are annotated: how well they are found. */
  readonly qrs?: DetectionShares & {
    readonly tp: number;
    readonly fp: number;
    readonly fn: number;
    /** Seconds at the start that are not compared. */
    readonly learning: number;
  };
  /** Where beats are annotated: share of right classes among answered beats that were annotated, and the mean recall. */
  readonly accuracy?: number;
  readonly balancedAccuracy?: number;
}

/** One signal. */
export interface BedResult extends StreamFigures {
  readonly bed: string;
  readonly source: string;
  readonly lead: string;
  /** Samples a second at its end; NaN before a packet came. */
  readonly rate: number;
  readonly signal: SignalCounts;
  readonly rhythm: RhythmSummary;
}

/** The result of `stream`. */
export interface StreamResult extends StreamFigures, Said, DeliveryStates {
  readonly bundle: string;
  readonly beds: readonly BedResult[];
  /** Whether every source came to its end; false after an abort. */
  readonly finished: boolean;
  /** When it began, in ISO 8601, and how fast it was replayed (0: as fast as beats were answered). */
  readonly startedAt: string;
  readonly speed: number;
}
