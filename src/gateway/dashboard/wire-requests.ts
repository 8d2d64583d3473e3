// What the page Requests is told. Seconds; times in milliseconds since 1970. Never a sample, a score or a client's own id.
import type { WirePlan } from './wire-ward.ts';

/** A request that has ended, as a row. */
export interface RequestRow {
  /** The gateway's own number of it. */
  readonly seq: number;
  /** When it ended. */
  readonly at: number;
  readonly kind: 'infer' | 'explain';
  readonly model: string;
  /** `ok`, or the code of its error. */
  readonly code: string;
  /** From its arrival to its answer; in the queue; on the devices. */
  readonly seconds: number;
  readonly waited: number | null;
  readonly computed: number | null;
  readonly samples: number;
  readonly variant: number | null;
  readonly devices: readonly string[];
  /** Of the least sure sample; null where answers have none. */
  readonly confidence: number | null;
  /** What became of uncertain samples. */
  readonly fallback: 'none' | 'taken' | 'late' | 'failed';
  /** Plans that it gave up because a device was lost. */
  readonly replanned: number;
}

/** The rows that are kept. */
export interface RequestRows {
  /** The newest first. */
  readonly rows: readonly RequestRow[];
  /** How many are kept at most. */
  readonly most: number;
  /** The gateway's clock. */
  readonly now: number;
}

/** One request with what the devices did. */
export interface RequestDetail {
  readonly row: RequestRow;
  /** What it asked for itself. */
  readonly asked: {
    readonly solver?: string | undefined;
    readonly levels?: readonly number[] | undefined;
    readonly accuracyFloor?: number | undefined;
    readonly deadline?: number | undefined;
  };
  readonly stages: readonly string[];
  readonly ratios: readonly number[];
  /** The plan that answered its first sample; null for one that failed. */
  readonly plan: WirePlan | null;
  /** Its samples, up to a number. */
  readonly timelines: readonly SampleTimeline[];
}

/** One sample. Seconds from when it was given to the devices. */
export interface SampleTimeline {
  readonly seconds: number;
  readonly confidence: number | null;
  readonly fallback: RequestRow['fallback'];
  readonly levels: readonly number[];
  readonly parts: readonly TimedPart[];
}

/** A device's run of one segment. Its wait is `started - arrived`. */
export interface TimedPart {
  readonly device: string;
  readonly stage: number;
  readonly last: number;
  readonly segment: number;
  /** The transfer of its input, from the end of the part that sent it last. */
  readonly transfer: number;
  readonly arrived: number;
  readonly started: number;
  readonly ended: number;
}

/** Why a plan: what others would have cost at that moment. Objectives: lower is better; null: no plan. */
export interface WhyPlan {
  /** What accuracy means here. */
  readonly measure: string;
  readonly used: PlanFigures & { readonly breaks: readonly string[] };
  readonly greedy: PlanFigures;
  readonly exact?:
    | (PlanFigures & { readonly status: string; readonly gap: number | null; readonly seconds: number })
    | undefined;
}

export interface PlanFigures {
  readonly objective: number | null;
  readonly latency: number | null;
  readonly energy: number | null;
  readonly accuracy: number | null;
}

/** Events of requests. */
export interface RequestEvents {
  readonly request: RequestRow;
}
