// What the page Policy is told: how plans are chosen, whether they are good, and what is set by hand.

/** How plans are chosen now. Seconds, bytes, joules. */
export interface PolicyInfo {
  readonly model: string;
  readonly solver: string;
  /** What accuracy means here. */
  readonly measure: string;
  readonly unpruned: number;
  /** Accuracies of the measured variants, each once, ascending. */
  readonly accuracies: readonly number[];
  readonly floor: {
    /** What requests keep to that state none. */
    readonly now: number;
    /** As the gateway was started. */
    readonly atStart: number;
    readonly by?: string | undefined;
    readonly since?: number | undefined;
  };
  readonly deadline: number;
  /** Levels that the gateway was started with, if it was: nothing chooses them. */
  readonly givenLevels: readonly number[] | null;
  readonly frozen: {
    readonly scope: 'plan' | 'levels';
    readonly by: string;
    /** Milliseconds since 1970. */
    readonly since: number;
  } | null;
  readonly plan: PlanSummary | null;
  readonly fleet: {
    /** Name of the device that has the input. */
    readonly source: string;
    readonly devices: readonly PolicyDevice[];
    /** `[from][to]`, bytes a second; null between a device and itself. */
    readonly bandwidth: readonly (readonly (number | null)[])[];
  };
  readonly points: readonly PolicyPoint[];
  /** Seconds between two points, and for the exact search of one. */
  readonly every: number;
  readonly exactSeconds: number;
  readonly solvers: readonly string[];
}

/** A device as plans count it. */
export interface PolicyDevice {
  readonly name: string;
  readonly macsPerSecond: number;
  readonly memory: number;
  readonly trusted: boolean;
  readonly lost: boolean;
}

/** A plan in figures. */
export interface PlanSummary {
  readonly objective: number | null;
  readonly latency: number | null;
  readonly energy: number | null;
  readonly accuracy: number | null;
  readonly levels: readonly number[] | null;
  readonly variant: number | null;
  readonly devices: readonly string[];
  /** Runs of stages on the same devices. */
  readonly runs: readonly {
    readonly first: number;
    readonly last: number;
    readonly devices: readonly string[];
  }[];
  /** Why there is none. */
  readonly refused?: string | undefined;
}

/** Plans compared at one moment. Objectives: lower is better; null: no plan. */
export interface PolicyPoint {
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly used: number | null;
  readonly greedy: number | null;
  readonly exact: number | null;
  /** Nothing is better, proven; null where nothing was. */
  readonly bound: number | null;
  /** How far the exact objective may be from the best; 0 is proven best. */
  readonly gap: number | null;
  /** Limits that the plan in use breaks by the figures of the moment. */
  readonly breaks: readonly string[];
  readonly frozen: boolean;
  /** Devices that were lost. */
  readonly lost: number;
}

/** What is asked of a what-if: only what is different. */
export interface WhatIfRequest {
  readonly devices: readonly {
    readonly name: string;
    readonly speed?: number | undefined;
    readonly memory?: number | undefined;
    readonly away?: boolean | undefined;
  }[];
  readonly links: readonly { readonly from: string; readonly to: string; readonly bytesPerSecond: number }[];
  readonly accuracyFloor?: number | undefined;
  readonly deadline?: number | undefined;
  readonly solver?: string | undefined;
}

/** What would be chosen. */
export interface WhatIfAnswer {
  readonly now: PlanSummary;
  readonly changed: PlanSummary;
  readonly solver: string;
}
