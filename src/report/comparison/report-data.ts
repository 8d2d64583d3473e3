// The data of a comparison report. `compare` and `demo` fill it in; `render-report.ts` draws it.
import type { MeasureName } from '../../util/index.ts';

/** The measurements of one pruned network. */
export interface ReportRow {
  readonly criterion: string;
  readonly family: 'xai' | 'reference';
  /** Fraction of channels removed. */
  readonly ratio: number;
  readonly reconstruct: boolean;
  /** Of tasks without classes the main measure, as the next. */
  readonly accuracy: number;
  readonly balancedAccuracy: number;
  /** Recall per class; NaN if the class has no sample. */
  readonly recall: readonly number[];
  /** Share of samples whose predicted class is that of the unpruned network. */
  readonly agreement: number;
  /** Multiply-accumulates for one sample. */
  readonly macs: number;
  readonly macsFraction: number;
  /** Standard deviations over seeds; the measures above are then means. */
  readonly accuracyStd?: number;
  readonly balancedAccuracyStd?: number;
  /** Number of seeds. */
  readonly seeds?: number;
}

/** A network pruned by scores on one kind of samples, measured on the local test samples. */
export interface SourceRow extends ReportRow {
  /** Samples of the local class mix, of all classes equally, or of the wrong classes. */
  readonly mix: 'local' | 'uniform' | 'wrong';
}

/** A heatmap of one sample. */
export interface ReportHeatmap {
  /** Describes the picture; its alternative text. */
  readonly title: string;
  /** A self-contained SVG. */
  readonly svg: string;
}

/** All data of a report. */
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
    /** Nodes with unknown multiply-accumulates, which count as 0. */
    readonly uncounted?: readonly { readonly name: string; readonly op: string }[];
    readonly parameters: number;
  };
  readonly data: {
    readonly name: string;
    readonly sha256: string;
    readonly calibration: number;
    readonly test: number;
    /** Test samples of each class. If absent, the report does not state the sampling error of an imbalanced data set. */
    readonly testPerClass?: readonly number[];
  };
  readonly classNames: readonly string[];
  /** The measure that stands in `accuracy`; default accuracy. */
  readonly measure?: MeasureName;
  readonly base: {
    readonly accuracy: number;
    readonly balancedAccuracy: number;
    readonly recall: readonly number[];
  };
  readonly rows: readonly ReportRow[];
  /** Seconds that each criterion took to score the channels. */
  readonly seconds: Readonly<Record<string, number>>;
  /** Rows of the comparison of calibration sources (`--local`). */
  readonly sources?: readonly SourceRow[];
  /** The report shows recalls at the measured ratio nearest to this one; default: the middle ratio. */
  readonly recallRatio?: number;
  readonly heatmaps?: readonly ReportHeatmap[];
}
