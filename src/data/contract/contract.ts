// The contract of a network's input and output: how raw data become what the network reads, and what its scores mean.
// Every field may be absent: then it is taken from the network, or from the defaults that docs/data.md lists.
import type { TaskKind } from '../../util/index.ts';

/** How pixels become the network's input. The steps are applied in the order of the fields. */
export interface ImageContract {
  /** Bits of a stored value: white is 2^bits - 1. Absent: the type of the data says it (8 or 16). */
  readonly bits?: number | undefined;
  /** Stored values that become 0 and 1; what lies outside is clipped. Then `scale` is 1 unless it is said. */
  readonly window?: ImageWindow | undefined;
  /** How another size becomes the network's. */
  readonly resize?: ImageResize | undefined;
  /** Which part is taken of a picture that is larger than the network's input after it was resized. */
  readonly crop?: ImageCrop | undefined;
  /** The order of the network's channels; default RGB. */
  readonly colour?: 'RGB' | 'BGR' | undefined;
  /** What a stored value is multiplied by; default 1 / white. */
  readonly scale?: number | undefined;
  /** Subtracted after scaling, for all channels or for each of the network's; default 0. */
  readonly mean?: number | readonly number[] | undefined;
  /** Divided by after that; default 1. */
  readonly deviation?: number | readonly number[] | undefined;
  /** Whether channels come before height and width, or last. Absent: the input's shape says it. */
  readonly layout?: 'NCHW' | 'NHWC' | undefined;
}

/** Stored values from black to white, by their limits or by centre and width as radiologists say them. */
export type ImageWindow =
  | { readonly low: number; readonly high: number }
  | { readonly centre: number; readonly width: number };

/** How a picture of another size is resized. */
export interface ImageResize {
  /**
   * `stretch`: height and width each to `size`. `cover`: the smallest of its own shape that covers `size`; `contain`:
   * the largest of its own shape within it, with `fill` around. `none`: cropped or filled only.
   */
  readonly mode: 'stretch' | 'cover' | 'contain' | 'none';
  /** Height and width, or both as one number; default the network's. */
  readonly size?: number | readonly [number, number] | undefined;
  readonly kernel?: 'nearest' | 'linear' | 'cubic' | 'lanczos' | undefined;
  /** The stored value around a picture that does not fill the input; default 0. */
  readonly fill?: number | undefined;
}

/** Where the network's input is cut from a larger picture. */
export interface ImageCrop {
  readonly mode: 'centre' | 'top-left';
  /** Height and width; must be the network's. */
  readonly size?: number | readonly [number, number] | undefined;
}

/** How recordings become the network's input. The steps are applied in the order of the fields. */
export interface SignalContract {
  /** For each lead of the network its names in the data, the first that is there; `*` is any lead not yet taken. */
  readonly leads?: readonly (string | readonly string[])[] | undefined;
  /** Samples a second that the network reads. */
  readonly samplingRate?: number | undefined;
  /** What 1 means: a millivolt (default), a microvolt, a volt, or a step of the converter from its baseline. */
  readonly units?: 'mV' | 'uV' | 'V' | 'steps' | undefined;
  readonly window?: SignalWindow | undefined;
  readonly normalisation?: Normalisation | undefined;
  /** Whether leads come before samples, or last. Absent: the input's shape says it. */
  readonly layout?: 'leads-first' | 'leads-last' | undefined;
  /** Which annotations are the labels; default `aami`, or `symbols` where class names are all symbols. */
  readonly labels?: 'aami' | 'symbols' | undefined;
}

/** The part of a recording that is a sample. Counts are of samples at the network's rate. */
export type SignalWindow =
  | { readonly around: 'beat'; readonly before: number; readonly after?: number | undefined }
  | { readonly around: 'segment'; readonly step?: number | undefined };

/** How a window's values are normalised. */
export type Normalisation =
  | { readonly kind: 'none' }
  | {
      readonly kind: 'z-score';
      /** Mean and deviation of the whole window, or of each lead in it (default). */
      readonly per?: 'window' | 'lead' | undefined;
      /** Added to the deviation; default 1e-6. */
      readonly epsilon?: number | undefined;
    }
  | {
      readonly kind: 'fixed';
      /** One for all leads, or one for each. */
      readonly mean: number | readonly number[];
      readonly deviation: number | readonly number[];
    };

/** Which output a label of the data stands for: its index or its name; null leaves samples of that label out. */
export type ClassMap = Readonly<Record<string, number | string | null>>;

/** Everything that is known of a network's input and output beside its graph. */
export interface InputContract {
  /** Names of the network's inputs, in its order: they must be its own. */
  readonly inputs?: readonly string[] | undefined;
  /** The output that is explained and measured; default the first. */
  readonly output?: string | undefined;
  readonly task?: TaskKind | undefined;
  /** The probability from which a label counts as there, for all labels or for each; default 0.5. */
  readonly threshold?: number | readonly number[] | undefined;
  /** Whether the output is a probability (sigmoid, softmax) and not a logit. */
  readonly probabilities?: boolean | undefined;
  /** Names of the network's classes, in the order of its scores. */
  readonly classes?: readonly string[] | undefined;
  readonly classMap?: ClassMap | undefined;
  readonly image?: ImageContract | undefined;
  readonly signal?: SignalContract | undefined;
}

/** Where a field of a contract was said. */
export type ContractSource = 'options' | 'model.json' | 'metadata' | 'bundle';

/** A contract, and for each field (`classes`, `image.mean`) where it was said. */
export interface MergedContract {
  readonly contract: InputContract;
  readonly from: Readonly<Record<string, ContractSource>>;
}

/** The parts of a contract whose fields are merged one by one. */
const PARTS = ['image', 'signal'] as const;

/**
 * One contract of several: of each field, the first that says it. Fields of `image` and `signal` are merged one by one.
 * @param said the strongest first
 */
export function mergeContracts(
  said: readonly { readonly source: ContractSource; readonly contract: InputContract }[],
): MergedContract {
  const contract: Record<string, unknown> = {};
  const from: Record<string, ContractSource> = {};
  const take = (
    to: Record<string, unknown>,
    fields: object,
    source: ContractSource,
    prefix: string,
  ): void => {
    for (const [key, value] of Object.entries(fields)) {
      if (value === undefined || to[key] !== undefined) continue;
      to[key] = value;
      from[prefix + key] = source;
    }
  };
  for (const { source, contract: one } of said) {
    const { image, signal, ...rest } = one;
    take(contract, rest, source, '');
    for (const part of PARTS) {
      const fields = { image, signal }[part];
      if (!fields) continue;
      contract[part] ??= {};
      take(contract[part] as Record<string, unknown>, fields, source, `${part}.`);
    }
  }
  return { contract: contract as InputContract, from };
}

/** Whether a contract says nothing. */
export function isEmptyContract(contract: InputContract | undefined): boolean {
  return contract === undefined || Object.values(contract).every((value) => value === undefined);
}
