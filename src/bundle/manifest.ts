// The contents of `bundle.json`. docs/bundle.md describes them for readers in other languages.

/** The version that is written. Newer versions are refused; in version 1, `bundle.json` had no hash of its own. */
export const BUNDLE_VERSION = 2;

export const MANIFEST_FILE = 'bundle.json';

/** The names of a bundle's files start with their hash, so that new files never replace those of an existing bundle. */
export const modelFile = (sha256: string): string => `model-${sha256.slice(0, 12)}.onnx`;
export const weightsFile = (sha256: string): string => `weights-${sha256.slice(0, 12)}.safetensors`;

/** A bundle: one network at many sizes, with the costs and accuracies of each. */
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
  /** Where `seconds` were measured; absent where nothing was timed. */
  readonly measured?: MeasuredOn | undefined;
  readonly accuracy: AccuracyModel;
  /** The measured level vectors. The first is the unpruned network. */
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

/** How raw data became the network's input. */
export interface Preprocessing {
  readonly kind: 'images' | 'beats' | 'tensors';
  /** A description for people. */
  readonly description: string;
}

/** Channels that are removed together. */
export interface BundleGroup {
  /** Index into `groups`, and into a level vector. */
  readonly id: number;
  readonly channels: number;
  readonly layers: readonly string[];
  /** Channels kept at each level; `counts[0]` is `channels`, never ascending. Neighbours may be equal. */
  readonly counts: readonly number[];
}

/** The part of a tensor's channels that belongs to a group. Channels outside all groups always stay. */
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
  /** Groups of the channels that it sums over; empty for depthwise layers, whose channels are only in the output. */
  readonly inputs: readonly Share[];
  readonly outputs: readonly Share[];
  /** Multiply-accumulates for one sample, unpruned. */
  readonly macs: number;
  /** Bytes of the weight (by input and output channels) and of the bias (by output channels), unpruned. */
  readonly weightBytes: number;
  readonly biasBytes: number;
  /** Bytes of its input and its output for one sample, unpruned. */
  readonly inputBytes: number;
  readonly outputBytes: number;
  /** Groups of the channels of its input, for `inputBytes`: as `inputs`, but present for depthwise layers too. */
  readonly reads: readonly Share[];
  /** Whether the weights file has repaired weights for each level above 0 of its input groups. */
  readonly tables: boolean;
  /**
   * Measured seconds for one sample of this layer and the nodes up to the next layer: `[level of its input
   * groups][level of its output groups]`. Absent where nothing was timed.
   */
  readonly seconds?: readonly (readonly number[])[] | undefined;
}

/**
 * How a stage may be spread over devices. `outputs`: each device computes a range of its output channels from the whole
 * input. `partial-sums`: each device computes a range of the inner channels of two weighted layers (depthwise ones may
 * lie between) and their part of the whole output, which the next devices sum; one device also adds what does not
 * depend on the inner channels, such as the second bias and the other branch of a residual sum. `none`: one device
 * only.
 */
export type StageSplit = 'outputs' | 'partial-sums' | 'none';

/** A run of nodes between two cut points with a single tensor: the smallest piece that is placed on devices. */
export interface BundleStage {
  readonly index: number;
  readonly nodes: readonly string[];
  /** Names of its weighted layers. */
  readonly layers: readonly string[];
  /** The values that enter and leave it. */
  readonly input: string;
  readonly output: string;
  /** Bytes of the output for one sample, unpruned, and the groups of its channels. */
  readonly outputBytes: number;
  readonly outputShares: readonly Share[];
  /** Bytes of constants that are not weights of a layer. */
  readonly otherBytes: number;
  /**
   * Multiply-accumulates of nodes that are not weighted layers (recurrent ones, products of computed values) for one
   * sample, the same at every level; absent where there are none.
   */
  readonly otherMacs?: number | undefined;
  readonly split: StageSplit;
  /** For `partial-sums`: the group of the inner channels. */
  readonly splitGroup?: number | undefined;
  /**
   * Measured seconds for one sample of the whole stage with every group at each level; corrects the sum over its
   * layers.
   */
  readonly seconds?: readonly number[] | undefined;
}

/** Where and how seconds were measured. */
export interface MeasuredOn {
  readonly machine: string;
  readonly provider: string;
  readonly threads: number;
  readonly batch: number;
  /** Date and time in ISO 8601. */
  readonly date: string;
}

/**
 * Predicts the accuracy of any level vector: `unpruned * exp(-sum over groups of loss[group][level])`. Fitted to
 * measured variants and checked on others.
 */
export interface AccuracyModel {
  /** Measured on the validation samples. */
  readonly unpruned: number;
  /**
   * The predicted measure: plain accuracy, the mean of the classes' recalls, or agreement with the unpruned network.
   */
  readonly measure: 'accuracy' | 'balanced' | 'agreement';
  /** `[group][level]`, in nats, not negative, never falling by level; `[group][0]` is 0. */
  readonly loss: readonly (readonly number[])[];
  /** Errors of predicted accuracies, on level vectors that it was not fitted to. */
  readonly maxError: number;
  readonly meanError: number;
  /** Number of level vectors that it was fitted to, and checked on. */
  readonly fitted: number;
  readonly checked: number;
}

/** A level vector that has been measured. */
export interface Variant {
  /** Level of each group. */
  readonly levels: readonly number[];
  /** Whether the weights file has a correction for it. */
  readonly corrected: boolean;
  /** In the accuracy model's measure, on the validation samples. */
  readonly accuracy: number;
  /** One-sided 95 % lower bound (Clopper-Pearson; for `balanced`, the mean of the classes' bounds). */
  readonly lowerBound: number;
  /** Share of validation samples with the unpruned network's answer. */
  readonly agreement: number;
  /** By class; null without labels, or where the validation samples have none of the class. */
  readonly recall: readonly (number | null)[];
  /** Multiply-accumulates, bytes of weights, and bytes that cross between stages, for one sample. */
  readonly macs: number;
  readonly weightBytes: number;
  readonly crossingBytes: number;
  /** Seconds for one sample, summed over the stages; absent where nothing was timed. */
  readonly seconds?: number | undefined;
}

/** The origin of a bundle. */
export interface Provenance {
  readonly criterion: string;
  readonly dataset: string;
  /** Number of samples that scored and repaired, and of others that measured. */
  readonly calibration: number;
  readonly validation: number;
  readonly labelled: boolean;
  readonly seed: number;
  /** Date and time in ISO 8601. */
  readonly created: string;
  /** Versions of bedside and of the engine. */
  readonly versions: Readonly<Record<string, string>>;
}
