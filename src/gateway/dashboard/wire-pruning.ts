// What the page Pruning is told: what a bundle holds, and which of it answers.

/** What does not change while a bundle is served. */
export interface PruningInfo {
  readonly model: string;
  /** What accuracy means here, such as `balanced accuracy` or `AUROC`, and whether it is agreement with the unpruned network. */
  readonly measure: string;
  readonly isAgreement: boolean;
  readonly unpruned: number;
  readonly variants: readonly PrunedVariant[];
  readonly groups: readonly PrunedGroup[];
  /** Fraction of channels removed at each level. */
  readonly ratios: readonly number[];
  /** Largest error of predicted accuracies of level vectors that were not measured before. */
  readonly maxError: number;
  readonly provenance: {
    readonly criterion: string;
    readonly dataset: string;
    readonly calibration: number;
    readonly validation: number;
    readonly labelled: boolean;
    readonly created: string;
    /** Where seconds were measured; undefined where nothing was timed. */
    readonly machine?: string | undefined;
  };
}

/** A measured level vector. */
export interface PrunedVariant {
  readonly index: number;
  readonly levels: readonly number[];
  readonly accuracy: number;
  /** One-sided 95 % lower bound. */
  readonly lowerBound: number;
  readonly agreement: number;
  readonly macs: number;
  readonly weightBytes: number;
  /** For one sample; null where nothing was timed. */
  readonly seconds: number | null;
  readonly corrected: boolean;
}

/** Channels that are removed together. */
export interface PrunedGroup {
  readonly id: number;
  readonly channels: number;
  readonly layers: readonly string[];
  /** Channels kept at each level. */
  readonly counts: readonly number[];
  /** Predicted accuracy with this group alone at each level. */
  readonly accuracy: readonly number[];
}

/** Which levels answer now, and how often each variant did lately. */
export interface PruningUse {
  readonly levels: readonly number[] | null;
  readonly variant: number | null;
  readonly accuracy: number | null;
  readonly macs: number | null;
  readonly frozen: 'plan' | 'levels' | null;
  /** Seconds that the counts cover, at most an hour. */
  readonly seconds: number;
  readonly answered: readonly { readonly variant: number | null; readonly samples: number }[];
}

/** A network at certain levels, layer by layer. */
export interface PrunedLayers {
  readonly levels: readonly number[];
  readonly macs: number;
  readonly weightBytes: number;
  readonly layers: readonly {
    readonly name: string;
    readonly stage: number;
    /** Share of its output channels that stays, in (0, 1]. */
    readonly kept: number;
    readonly macs: number;
    readonly unprunedMacs: number;
    readonly weightBytes: number;
    /** Whether any of its channels can be cut, of what it reads or gives. */
    readonly canShrink: boolean;
  }[];
}
