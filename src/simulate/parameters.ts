// Parameters of a ward: everything that changes, and how much. docs/ward.md gives the source of each figure.

/** Requests of one kind: how urgent, how exact, what others may see. */
export interface RequestKind {
  readonly name: string;
  /** Mean share among requests; shares of a ward's kinds add up to 1. */
  readonly share: number;
  /** Times the deadline of the fleet's requests. */
  readonly deadline: number;
  /** Largest loss of accuracy against the unpruned network; absent: as the fleet has it. */
  readonly accuracyDrop?: number | undefined;
  /** Absent: as the fleet has it. */
  readonly privacy?: 'strict' | 'late' | 'open' | undefined;
}

/** A stationary Gauss-Markov process (of first order, Ornstein-Uhlenbeck sampled once a block). */
export interface DriftProcess {
  readonly mean: number;
  /** Standard deviation, in the unit of the mean. */
  readonly deviation: number;
  /** Seconds after which the autocorrelation has fallen to 1/e. */
  readonly seconds: number;
}

/** A battery. */
export interface Battery {
  /** Joules when full. */
  readonly capacity: number;
  /** Watts without any request. */
  readonly idle: number;
  /** Watts while on the charger. */
  readonly charge: number;
}

/** Everything that moves. */
export interface WardParameters {
  /** Seconds of a block: within one, nothing but requests changes (block fading). */
  readonly block: number;
  readonly requests: {
    /** Mean of the Poisson process. */
    readonly perSecond: number;
    readonly kinds: readonly RequestKind[];
    /** Of the logits of kinds and of bundles: how far the mix of requests drifts. `mean` is not used. */
    readonly mix: Omit<DriftProcess, 'mean'>;
    /** Each deadline is drawn within this share around its kind's. */
    readonly deadlineSpread: number;
  };
  /** Links that are no cables. */
  readonly radio: {
    /** Signal to noise, dB. A fleet's bytes a second hold at the mean. */
    readonly snr: DriftProcess;
    /** Outages of a link in an hour, and seconds that one lasts; exponential. */
    readonly outagesPerHour: number;
    readonly outageSeconds: number;
    /** A link whose latency is below this many seconds is a cable: its rate does not change. */
    readonly cableBelow: number;
  };
  /** Share of a device that other programs take; a fleet's speed holds at the mean. */
  readonly load: DriftProcess;
  /** Share of a device's memory that other programs hold; a fleet's memory is what is free at the mean. */
  readonly memory: DriftProcess;
  /** Of devices whose energy is limited: those have a battery. By name, or for all others. */
  readonly battery: {
    readonly all: Battery;
    readonly of: Readonly<Record<string, Battery>>;
    /** Charge at the start, uniform between these shares of the capacity. */
    readonly start: readonly [number, number];
    /** A device gives requests all of its `energy` from the second share of charge on, nothing below the first. */
    readonly gives: readonly [number, number];
    /** It goes to the charger at the first share, and comes back at the second. The source is charged where it is. */
    readonly charger: readonly [number, number];
  };
  /** Devices that come and go: those with a battery and those that are not trusted, but never the source. */
  readonly presence: {
    /** Mean seconds of a stay and of an absence; exponential. `Infinity`: nobody leaves. */
    readonly stays: number;
    readonly away: number;
  };
}
