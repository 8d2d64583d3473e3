// `auto` in the place of a criterion, and what its choice says.
import type { Criterion } from '../../explain/index.ts';
import { findCriterion } from '../criteria.ts';

/** What `auto` chooses from, by name. */
export const AUTO_CANDIDATES: readonly string[] = [
  'lrp-gamma',
  'lrp-gamma=0.1',
  'lrp-epsilon',
  'lrp-zplus',
  'lrp-alpha2beta1',
  'taylor',
  'deeplift-rescale',
  'deeplift-rescale=mean',
  'expected-gradients',
  'grad-cam',
  'l2',
];

/** What `auto` chooses from where the cut network is repaired; the first where there is too little to choose by. */
export const REPAIRED_CANDIDATES: readonly string[] = ['obs', 'lrp-gamma', 'l2'];

/** The criterion that is chosen by measurement. */
export interface AutoCriterion {
  readonly name: 'auto';
  /** What is chosen from. */
  readonly candidates: readonly Criterion[];
  /** The same, where the cut network is repaired. */
  readonly repaired: readonly Criterion[];
}

/** A criterion, or the choice of one. */
export type CriterionChoice = Criterion | AutoCriterion;

/** `auto` with its usual candidates. */
export function autoCriterion(): AutoCriterion {
  return {
    name: 'auto',
    candidates: AUTO_CANDIDATES.map(findCriterion),
    repaired: REPAIRED_CANDIDATES.map(findCriterion),
  };
}

/** Whether it is to be chosen by measurement. */
export function isAuto(choice: CriterionChoice): choice is AutoCriterion {
  return 'candidates' in choice;
}

/** How one criterion did. */
export interface CandidateResult {
  readonly criterion: string;
  readonly family: 'xai' | 'reference';
  /** What decides: `screened`, or its mean with `halves` for those that got so far. */
  readonly measure: number;
  /** Of the network as it would be cut, on the samples that ranked it. */
  readonly screened: number;
  /** Of two networks, each ranked on one half of the samples, on the other half. */
  readonly halves?: number;
  /**
   * Mean squared difference of the class probabilities to the uncut network, which decides between equals; repaired, the
   * distance of `chooseRepaired`, which decides.
   */
  readonly difference: number;
}

/** A criterion chosen for one amount of pruning, and why. */
export interface AutoChoice {
  readonly criterion: Criterion;
  /** What was measured. */
  readonly measure: 'balanced accuracy' | 'accuracy' | 'agreement';
  /** Number of samples that were measured on. */
  readonly samples: number;
  /** Whether there were enough samples to rank on one half and measure on the other. */
  readonly halved: boolean;
  /** Whether the networks were repaired before they were measured: then `difference` decides. */
  readonly repaired: boolean;
  /** Best first; those that were measured on halves before the others. */
  readonly candidates: readonly CandidateResult[];
  /** Candidates that the model cannot be explained by, and why. */
  readonly skipped: readonly { readonly criterion: string; readonly reason: string }[];
  /** One sentence. */
  readonly reason: string;
}
