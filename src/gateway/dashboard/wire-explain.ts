// What the page Explain is told. Values of samples and of relevance are float32, little-endian, in base64.

/** What a network reads and answers, and what may be chosen. */
export interface ExplainInfo {
  readonly model: string;
  readonly task: string;
  /** Names of classes, labels or values. */
  readonly classNames: readonly string[];
  readonly inputs: readonly ExplainInput[];
  /** Of a mask: the name of each of its values, the first for none. */
  readonly maskNames: readonly string[];
  /** How raw data become the network's input. */
  readonly preprocessing: string;
  readonly measure: string;
  readonly variants: readonly {
    readonly index: number;
    readonly levels: readonly number[];
    readonly accuracy: number;
    readonly macs: number;
  }[];
  /** Whether a class may be chosen whose score is explained. */
  readonly choosesClass: boolean;
  /** Samples of the operator's; null where none were given. */
  readonly samples: {
    readonly name: string;
    readonly picks: readonly { readonly index: number; readonly label: string }[];
  } | null;
}

/** An input, and how it is drawn. */
export interface ExplainInput {
  readonly name: string;
  readonly shape: readonly number[];
  readonly kind: 'image' | 'signal' | 'values';
  readonly channelsLast: boolean;
  readonly rate?: number | undefined;
  readonly leads?: readonly string[] | undefined;
}

/** One sample, answered at the chosen levels and by the unpruned network. */
export interface Explained {
  /** Which sample of how many that were sent. */
  readonly index: number;
  readonly of: number;
  /** Its label where the operator's data has one. */
  readonly label?: string | undefined;
  /** What was assumed to read a file. */
  readonly remarks: readonly string[];
  /** Values of each input. */
  readonly inputs: readonly string[];
  /** What the relevance explains, such as `V`. */
  readonly subject: string;
  readonly chosen: ExplainedSide;
  /** The same as `chosen` where that was unpruned. */
  readonly unpruned: ExplainedSide | ExplainRefused;
  readonly isUnpruned: boolean;
  /** At most 1; null where there is no other answer. */
  readonly agreement: number | null;
  /** What agreement means for this task. */
  readonly agreementIs: string;
  /** Cosine of the two relevances; null without both. */
  readonly relevanceAgreement: number | null;
}

/** Why something is not shown. */
export interface ExplainRefused {
  readonly refused: string;
}

/** One answer. */
export interface ExplainedSide {
  readonly levels: readonly number[];
  readonly variant: number | null;
  readonly devices: readonly string[];
  /** Seconds on the devices. */
  readonly computed: number;
  readonly fallback: string;
  readonly probabilities?: readonly number[] | undefined;
  /** Classes or labels that are the answer. */
  readonly found?: readonly number[] | undefined;
  readonly values?: readonly number[] | undefined;
  /** The class of each position as bytes in base64: 0 is none. */
  readonly mask?: { readonly shape: readonly number[]; readonly data: string } | undefined;
  readonly relevance:
    | {
        /** Of each input. */
        readonly inputs: readonly string[];
        /** The part of the explained score that reaches the input; the rest stays in biases and stabilisers. */
        readonly share: number;
      }
    | ExplainRefused;
}
