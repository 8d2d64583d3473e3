// What the page Ward is told: devices, links, what each holds. Seconds, bytes, joules; times in milliseconds since 1970.

/** The devices of each model. */
export interface WardInfo {
  readonly models: readonly WardModel[];
  /** The gateway's clock. */
  readonly now: number;
}

/** A model's devices and plan. */
export interface WardModel {
  readonly model: string;
  /** Name of the device that has the input. */
  readonly source: string;
  /** Whether all links are one radio channel. */
  readonly sharedChannel: boolean;
  /** What accuracy means here. */
  readonly measure: string;
  readonly devices: readonly WardDevice[];
  readonly links: readonly WardLink[];
  readonly stages: readonly string[];
  readonly groups: number;
  /** Shares that each level cuts: `[0, 0.25, …]`. */
  readonly ratios: readonly number[];
  readonly plan: WirePlan | null;
  readonly queue: QueueState;
  /** Devices that take no part, and why. */
  readonly leftOut: readonly { readonly device: string; readonly why: string }[];
}

/** A device as the fleet describes it, and as it is. */
export interface WardDevice {
  readonly name: string;
  readonly description?: string | undefined;
  readonly trusted: boolean;
  /** Bytes for weights and activations. */
  readonly memory: number;
  readonly macsPerSecond: number;
  readonly lost?: { readonly since: number; readonly why: string } | undefined;
  readonly state: DeviceState | null;
}

/** What a device says of itself. */
export interface DeviceState {
  readonly at: number;
  readonly memoryUsed: number;
  /** Joules left; absent without a battery. */
  readonly battery?: number | undefined;
  /** The share of the last seconds in which it computed; null where it does not say, or not yet. */
  readonly load: number | null;
  /** Bytes a second that it sent lately. */
  readonly sending: number | null;
  readonly sessions: number;
}

/** A link in one direction, or in both where they are equal. */
export interface WardLink {
  readonly from: string;
  readonly to: string;
  readonly both: boolean;
  readonly bytesPerSecond: number;
  readonly latency: number;
}

/** Requests that wait and run. */
export interface QueueState {
  readonly waiting: number;
  readonly running: number;
}

/** A plan. Its figures are predictions; null where a plan has none. */
export interface WirePlan {
  /** When it was first in use. */
  readonly since: number;
  readonly levels: readonly number[];
  readonly variant: number | null;
  readonly latency: number | null;
  readonly energy: number | null;
  readonly accuracy: number | null;
  readonly objective: number | null;
  readonly stages: readonly WireStage[];
}

/** One stage of a plan. */
export interface WireStage {
  readonly index: number;
  readonly segments: readonly { readonly device: string; readonly from: number; readonly to: number }[];
  /** Bytes of weights on each device of it. */
  readonly weightBytes: number | null;
  /** Predicted seconds from the request. */
  readonly start: number | null;
  readonly end: number | null;
}

/** Events of the ward. */
export interface WardEvents {
  readonly devices: {
    readonly model: string;
    readonly states: Readonly<Record<string, DeviceState>>;
  };
  readonly queue: { readonly model: string } & QueueState;
  readonly lost: {
    readonly model: string;
    readonly device: string;
    readonly why: string;
    readonly at: number;
  };
  readonly found: { readonly model: string; readonly device: string; readonly at: number };
  readonly plan: { readonly model: string; readonly plan: WirePlan; readonly at: number };
}
