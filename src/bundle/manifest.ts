// The contents of `bundle.json`. docs/bundle.md describes them for readers in other languages.
import type { TaskKind } from '../util/index.ts';

/**
 * The newest version. Newer ones are refused; in version 1, `bundle.json` had no hash of its own. A bundle is written as
 * the oldest version that says all of it, which older readers know: this one where a correction has recurrent layers.
 */
export const BUNDLE_VERSION = 4;

/** The version of a `task` or a `contract`, without recurrent layers in corrections. */
export const TASKED_VERSION = 3;

/** The version without `task`, in which every output is one score for each class of a single label. */
export const UNTASKED_VERSION = 2;

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
    /**
     * Shape without the batch dimension. `integers`: bits of the integers that inputs are made of exactly, with a scale and
     * an offset for each channel, as the calibration samples were; absent where they were not.
     */
    readonly input: {
      readonly name: string;
      readonly shape: readonly number[];
      readonly integers?: 8 | 16 | undefined;
    };
    /** `classes`: the number of values of one sample's output. */
    readonly output: { readonly name: string; readonly classes: number };
  };
  /** What the network is for; absent where it tells the class of a single label. */
  readonly task?: BundleTask | undefined;
  /** Repaired weights and corrections; the names of its tensors are in `weight-names.ts`. */
  readonly weights: FilePart;
  readonly preprocessing: Preprocessing;
  /**
   * How raw data become the network's input and what its classes are called, as in a model.json; absent where nobody
   * said it. Its fields are checked by who reads data (docs/model.schema.json).
   */
  readonly contract?: Readonly<Record<string, unknown>> | undefined;
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
  /** Eight-bit forms of its stages, by stage; absent where none were made. */
  readonly eightBit?: readonly EightBitForm[] | undefined;
  /** Why the bundle has eight-bit forms or none; absent in bundles that do not say it. */
  readonly precisionChoice?: PrecisionChoice | undefined;
  readonly accuracy: AccuracyModel;
  /** The measured level vectors. The first is the unpruned network. */
  readonly variants: readonly Variant[];
  readonly provenance: Provenance;
}

/** A manifest before its files are written. */
export type ManifestParts = Omit<BundleManifest, 'format' | 'version' | 'model' | 'weights'> & {
  readonly model: Omit<BundleManifest['model'], keyof FilePart>;
};

/** What a network is for, and how its output is read. */
export interface BundleTask {
  readonly kind: TaskKind;
  /** Shape of one sample's output, without the batch dimension. */
  readonly outputShape: readonly number[];
  /** The number of classes or labels, of which `recall` is told: 2 for a binary label and for a mask of one channel. */
  readonly classes: number;
  /** Outputs above it count as present, where one value stands for one label: 0 for logits, 0.5 for probabilities. */
  readonly threshold?: number | undefined;
  /** Whether the output is a sigmoid's or a softmax's; absent for logits and for values. */
  readonly probabilities?: boolean | undefined;
  /** Names of the classes or labels, where they are known. */
  readonly labels?: readonly string[] | undefined;
}

/** Names of what variants are measured by; the accuracy model's `measure`. */
export const BUNDLE_MEASURES = [
  'accuracy',
  'balanced',
  'agreement',
  'auroc',
  'dice',
  'r2',
  'cosine',
] as const;

/** One of them: `balanced` is the mean of the classes' recalls, `agreement` is with the unpruned network. */
export type BundleMeasure = (typeof BUNDLE_MEASURES)[number];

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

/** A product of two computed values: its multiply-accumulates unpruned, and the groups of what it keeps apart. */
export interface StageProduct {
  readonly macs: number;
  readonly shares: readonly Share[];
}

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
   * Multiply-accumulates of nodes that are not weighted layers (products of computed values) for one
   * sample, unpruned; absent where there are none.
   */
  readonly otherMacs?: number | undefined;
  /**
   * Those of `otherMacs` that follow channels (heads of attention), with the groups of these channels; all others are
   * the same at every level.
   */
  readonly products?: readonly StageProduct[] | undefined;
  readonly split: StageSplit;
  /** For `partial-sums`: the group of the inner channels. */
  readonly splitGroup?: number | undefined;
  /**
   * Measured seconds for one sample of the whole stage with every group at each level; corrects the sum over its
   * layers.
   */
  readonly seconds?: readonly number[] | undefined;
}

/**
 * The eight-bit form of a stage. Its weights are the float32 ones rounded for each output channel; the ranges of its
 * activations are in the weights file.
 */
export interface EightBitForm {
  /** Names of the weighted layers that compute in eight bits; none: the stage has no eight-bit form. */
  readonly layers: readonly string[];
  /**
   * Values that are rounded, whose ranges the weights file has for each variant; the first is what comes into the
   * stage, but for the first stage.
   */
  readonly values: readonly string[];
  /** Why there is none, or which layers stay in float32 and why; for people. */
  readonly kept?: string | undefined;
  /** Log loss of accuracy, nats, not negative, where this stage alone computes in eight bits. */
  readonly loss: number;
  /** The same where only its input is rounded to eight bits; absent where that was not measured. */
  readonly inputLoss?: number | undefined;
  /** Measured seconds for one sample of the whole stage with every group at each level; absent where not timed. */
  readonly seconds?: readonly number[] | undefined;
}

/** Why a bundle has eight-bit forms, or none. */
export interface PrecisionChoice {
  /** `request`: the precisions were asked for; `measurement`: eight bits were tried on the unpruned network. */
  readonly by: 'request' | 'measurement';
  /** For people. */
  readonly reason: string;
  /** Seconds in float32 over seconds in eight bits of the unpruned network, where it was timed for this choice. */
  readonly speedup?: number | undefined;
  /** What the measure then lost; below 0 where it gained. Absent where that was not measured. */
  readonly lost?: number | undefined;
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
  /** The predicted measure: the main one of the task, or agreement with the unpruned network. */
  readonly measure: BundleMeasure;
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
  /** One-sided 95 % lower bound; docs/bundle.md says how it is found for each measure. */
  readonly lowerBound: number;
  /**
   * Agreement with the unpruned network's answers: for one label, or several, the share of samples with the same;
   * otherwise Dice between the masks, R2 against the values, or the mean cosine.
   */
  readonly agreement: number;
  /**
   * By class or label, for masks by position; null without labels, or where the validation samples have none of the
   * class. Empty for values and embeddings.
   */
  readonly recall: readonly (number | null)[];
  /** Multiply-accumulates, bytes of weights, and bytes that cross between stages, for one sample. */
  readonly macs: number;
  readonly weightBytes: number;
  readonly crossingBytes: number;
  /** Seconds for one sample, summed over the stages; absent where nothing was timed. */
  readonly seconds?: number | undefined;
  /** The same measures with every stage that has one in its eight-bit form, and every tensor between them rounded. */
  readonly eightBit?:
    | { readonly accuracy: number; readonly lowerBound: number; readonly agreement: number }
    | undefined;
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
