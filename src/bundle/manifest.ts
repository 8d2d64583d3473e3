// What `bundle.json` says. Written out for readers of other languages in docs/bundle.md.

/** The version that is written. A reader refuses newer ones; of version 1, `bundle.json` had no hash of its own. */
export const BUNDLE_VERSION = 2;

export const MANIFEST_FILE = 'bundle.json';

/** The files of a bundle bear the start of their hash, so that new ones never replace those of the bundle there is. */
export const modelFile = (sha256: string): string => `model-${sha256.slice(0, 12)}.onnx`;
export const weightsFile = (sha256: string): string => `weights-${sha256.slice(0, 12)}.safetensors`;

/** A bundle: one network at any of several widths, with what each costs and how accurate it is. */
export interface BundleManifest {
  readonly format: 'bedside-bundle';
  readonly version: number;
  readonly name: string;
  /** The network with the channels of every group ordered from the most to the least important. */
  readonly model: FilePart & {
    readonly source: { readonly file: string; readonly sha256: string };
    /** Shape without the batch dimension. */
    readonly input: { readonly name: string; readonly shape: readonly number[] };
    readonly output: { readonly name: string; readonly classes: number };
  };
  /** Repaired weights and corrections; the names of its tensors are in `weight-names.ts`. */
  readonly weights: FilePart;
  readonly preprocessing: Preprocessing;
  /** Fraction of channels removed at each level; `ratios[0]` is 0, ascending. */
  readonly ratios: readonly number[];
  readonly groups: readonly BundleGroup[];
  /** Weighted layers in execution order. */
  readonly layers: readonly BundleLayer[];
  readonly stages: readonly BundleStage[];
  /** Nodes whose multiply-accumulates are not known and count as 0 everywhere; absent where all are known. */
  readonly uncounted?: readonly { readonly name: string; readonly op: string }[] | undefined;
  /** Where `seconds` were measured; absent where nothing was. */
  readonly measured?: MeasuredOn | undefined;
  readonly accuracy: AccuracyModel;
  /** Level vectors whose accuracy has been measured. The first is the unpruned network. */
  readonly variants: readonly Variant[];
  readonly provenance: Provenance;
}

/** A manifest before its files are written. */
export type ManifestParts = Omit<BundleManifest, 'format' | 'version' | 'model' | 'weights'> & {
  readonly model: Omit<BundleManifest['model'], keyof FilePart>;
};

/** A file beside the manifest. */
export interface FilePart {
  readonly file: string;
  /** Lower-case hexadecimal. */
  readonly sha256: string;
  readonly bytes: number;
}

/** What was done to raw data to make the network's input. */
export interface Preprocessing {
  readonly kind: 'images' | 'beats' | 'tensors';
  /** In words, for people. */
  readonly description: string;
}

/** Channels that go together. */
export interface BundleGroup {
  /** Index into `groups`, and into a vector of levels. */
  readonly id: number;
  readonly channels: number;
  readonly layers: readonly string[];
  /** Channels kept at each level; `counts[0]` is `channels`, never ascending. Neighbours may be equal. */
  readonly counts: readonly number[];
}

/** The part of a tensor's channels that belongs to a group; what no group owns always stays. */
export interface Share {
  readonly group: number;
  /** Fraction of all channels of that tensor, in (0, 1]. */
  readonly share: number;
}

/** A weighted layer. Its multiply-accumulates and weights are proportional to its input and to its output channels. */
export interface BundleLayer {
  readonly name: string;
  /** Index into `stages`. */
  readonly stage: number;
  /** Groups of the channels it sums over; empty for depthwise layers, whose channels only come out. */
  readonly inputs: readonly Share[];
  readonly outputs: readonly Share[];
  /** Multiply-accumulates for one sample, unpruned. */
  readonly macs: number;
  /** Bytes of the weight (by input and output channels) and of the bias (by output channels), unpruned. */
  readonly weightBytes: number;
  readonly biasBytes: number;
  /** Bytes of what it reads and of what it gives, for one sample, unpruned. */
  readonly inputBytes: number;
  readonly outputBytes: number;
  /** Groups of the channels of what it reads, for `inputBytes`: as `inputs`, but present for depthwise layers too. */
  readonly reads: readonly Share[];
  /** Whether weights repaired for each level above 0 of its input groups are in the weights file. */
  readonly tables: boolean;
  /**
   * Measured seconds for one sample of this layer and the unweighted nodes up to the next:
   * `[level of its input groups][level of its output groups]`. Absent where nothing was measured.
   */
  readonly seconds?: readonly (readonly number[])[] | undefined;
}

/**
 * How a stage may be spread over devices: `outputs`: each computes a range of its output channels from the whole input;
 * `partial-sums`: each computes a range of the inner channels of two weighted layers (depthwise ones may lie between) and
 * what they add to the whole output, which the next holders sum; one of them also adds what does not depend on the inner
 * channels, such as the second bias and a residual's other branch; `none`: one device only.
 */
export type StageSplit = 'outputs' | 'partial-sums' | 'none';

/** A run of nodes between two single-tensor cut points: the unit of placement. */
export interface BundleStage {
  readonly index: number;
  readonly nodes: readonly string[];
  /** Names of its weighted layers. */
  readonly layers: readonly string[];
  /** Values that come in and go out. */
  readonly input: string;
  readonly output: string;
  /** Bytes of the output for one sample, unpruned, and the groups of its channels. */
  readonly outputBytes: number;
  readonly outputShares: readonly Share[];
  /** Bytes of constants that are no layer's weights. */
  readonly otherBytes: number;
  /**
   * Multiply-accumulates of nodes that are no weighted layers (recurrent ones, products of computed values), for one
   * sample, the same at every level; absent where there are none.
   */
  readonly otherMacs?: number | undefined;
  readonly split: StageSplit;
  /** For `partial-sums`: the group of the inner channels. */
  readonly splitGroup?: number | undefined;
  /**
   * Measured seconds for one sample of the whole stage with every group at each level: corrects the sum over its layers.
   */
  readonly seconds?: readonly number[] | undefined;
}

/** Where and how times were measured. */
export interface MeasuredOn {
  readonly machine: string;
  readonly provider: string;
  readonly threads: number;
  readonly batch: number;
  /** ISO 8601. */
  readonly date: string;
}

/**
 * Predicts the accuracy of any vector of levels: `unpruned * exp(-sum over groups of loss[group][level])`.
 * Made from measured mixes of levels and checked on others.
 */
export interface AccuracyModel {
  /** Measured on the validation samples. */
  readonly unpruned: number;
  /** What is predicted: plain accuracy, the mean of the classes' recalls, or agreement with the unpruned network. */
  readonly measure: 'accuracy' | 'balanced' | 'agreement';
  /** `[group][level]`, nats, not negative, never descending by level; `[group][0]` is 0. */
  readonly loss: readonly (readonly number[])[];
  /** Of predicted accuracies, on mixes that it was not made from. */
  readonly maxError: number;
  readonly meanError: number;
  /** How many mixes it was made from and checked on. */
  readonly fitted: number;
  readonly checked: number;
}

/** A vector of levels that has been measured. */
export interface Variant {
  /** Level of each group. */
  readonly levels: readonly number[];
  /** Whether per-channel corrections for it are in the weights file. */
  readonly corrected: boolean;
  /** By the accuracy model's measure, on the validation samples. */
  readonly accuracy: number;
  /** One-sided 95 % lower bound (Clopper-Pearson; for `balanced`, the mean of the classes' bounds). */
  readonly lowerBound: number;
  /** Share of validation samples with the unpruned network's answer. */
  readonly agreement: number;
  /** By class; null where the validation samples have none of it or no labels. */
  readonly recall: readonly (number | null)[];
  /** Multiply-accumulates, bytes of weights, and bytes that cross between stages, for one sample. */
  readonly macs: number;
  readonly weightBytes: number;
  readonly crossingBytes: number;
  /** Seconds for one sample, summed over the stages as measured; absent where nothing was. */
  readonly seconds?: number | undefined;
}

/** Where a bundle comes from. */
export interface Provenance {
  readonly criterion: string;
  readonly dataset: string;
  /** Samples that ranked and repaired, and samples held apart from them that measured. */
  readonly calibration: number;
  readonly validation: number;
  readonly labelled: boolean;
  readonly seed: number;
  /** ISO 8601. */
  readonly created: string;
  /** Of bedside, and of the engine. */
  readonly versions: Readonly<Record<string, string>>;
}
