// What a comparison report shows; `compare` and `demo` fill it, `render-report.ts` draws it.

/** One measured pruned network. */
export interface ReportRow {
  readonly criterion: string;
  readonly family: 'xai' | 'reference';
  /** Fraction of channels removed. */
  readonly ratio: number;
  readonly reconstruct: boolean;
  readonly accuracy: number;
  readonly balancedAccuracy: number;
  /** Recall per class; NaN where the class has no sample. */
  readonly recall: readonly number[];
  /** Share of samples whose predicted class is that of the unpruned network. */
  readonly agreement: number;
  /** Multiply-accumulates for one sample. */
  readonly macs: number;
  readonly macsFraction: number;
  /** Standard deviations over seeds; the measures above are then means. */
  readonly accuracyStd?: number;
  readonly balancedAccuracyStd?: number;
  /** How many seeds. */
  readonly seeds?: number;
}

/** A network pruned by scores from a mix of classes, measured on the local samples. */
export interface MixRow extends ReportRow {
  /** Scores from the local mix of classes, from a uniform one, or from a mix of other classes. */
  readonly mix: 'local' | 'uniform' | 'wrong';
}

/** A picture of what matters in a sample. */
export interface ReportHeatmap {
  /** What it shows, in words. */
  readonly title: string;
  /** A self-contained SVG. */
  readonly svg: string;
}

/** Everything in a report. */
export interface ReportData {
  readonly title: string;
  /** The command that made it, as typed. */
  readonly command: string;
  /** ISO date. */
  readonly date: string;
  readonly version: string;
  readonly model: {
    readonly name: string;
    readonly sha256: string;
    readonly macs: number;
    /** Nodes whose multiply-accumulates are not known and count as 0. */
    readonly uncounted?: readonly { readonly name: string; readonly op: string }[];
    readonly parameters: number;
  };
  readonly data: {
    readonly name: string;
    readonly sha256: string;
    readonly calibration: number;
    readonly test: number;
    /** Test samples of each class. Without it no statement about an imbalanced set's sampling error is made. */
    readonly testPerClass?: readonly number[];
  };
  readonly classNames: readonly string[];
  readonly base: {
    readonly accuracy: number;
    readonly balancedAccuracy: number;
    readonly recall: readonly number[];
  };
  readonly rows: readonly ReportRow[];
  /** Seconds each criterion took to score the channels. */
  readonly seconds: Readonly<Record<string, number>>;
  /** Rows of the comparison of class mixes. */
  readonly mix?: readonly MixRow[];
  /** The ratio at which recalls are shown, the nearest one measured; default the middle one. */
  readonly recallRatio?: number;
  readonly heatmaps?: readonly ReportHeatmap[];
}
