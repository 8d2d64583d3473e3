// `auto`, which may stand in place of a criterion, and the result of its choice.
import type { Criterion } from '../../explain/index.ts';
import { findCriterion } from '../criteria.ts';
import type { Allocation } from './allocation.ts';

/** The names of the criteria that `auto` chooses from. */
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

/** The same where the pruned network is repaired. The first one is taken where there are too few samples to choose. */
export const REPAIRED_CANDIDATES: readonly string[] = ['obs', 'lrp-gamma', 'l2'];

/** Stands for a criterion that is chosen by measurement. */
export interface AutoCriterion {
  readonly name: 'auto';
  /** The candidates. */
  readonly candidates: readonly Criterion[];
  /** The candidates where the pruned network is repaired. */
  readonly repaired: readonly Criterion[];
}

/** A criterion, or the choice of one by measurement. */
export type CriterionChoice = Criterion | AutoCriterion;

/** `auto` with its usual candidates. */
export function autoCriterion(): AutoCriterion {
  return {
    name: 'auto',
    candidates: AUTO_CANDIDATES.map(findCriterion),
    repaired: REPAIRED_CANDIDATES.map(findCriterion),
  };
}

/** Whether a criterion is to be chosen by measurement. */
export function isAuto(choice: CriterionChoice): choice is AutoCriterion {
  return 'candidates' in choice;
}

/** The measurements of one candidate. */
export interface CandidateResult {
  readonly criterion: string;
  readonly family: 'xai' | 'reference';
  /** The deciding value: `screened`, or the mean of it and `halves` where those were measured. */
  readonly measure: number;
  /** Measured on the samples that ranked, with the network that would be written. */
  readonly screened: number;
  /** Measured with two networks, each ranked on one half of the samples, on the other half. */
  readonly halves?: number;
  /**
   * Mean squared difference of the class probabilities from the unpruned network, which decides ties. After repair it
   * is the distance of `chooseRepaired`, which decides.
   */
  readonly difference: number;
}

/** The criterion chosen for one amount of pruning, and the reason. */
export interface AutoChoice {
  readonly criterion: Criterion;
  /** The measure in words: `balanced accuracy`, `accuracy`, `agreement`; of other tasks their main one, such as `Dice`. */
  readonly measure: string;
  /** Number of samples that measured. */
  readonly samples: number;
  /** Whether there were enough samples to rank on one half and measure on the other. */
  readonly halved: boolean;
  /** Whether the networks were repaired before they were measured; `difference` then decides. */
  readonly repaired: boolean;
  /** Best first; candidates that were measured on halves come before the others. */
  readonly candidates: readonly CandidateResult[];
  /** Candidates that cannot explain the model, with the reason. */
  readonly skipped: readonly { readonly criterion: string; readonly reason: string }[];
  /** The reason for the choice, in one sentence. */
  readonly reason: string;
  /** How a budget is shared among the groups; absent where every group keeps the same fraction. */
  readonly allocation?: Allocation;
}
