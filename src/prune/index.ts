// Structured pruning without retraining: scores of channels, the choice of the channels that stay, and comparisons.
export { argmax } from '../util/internal.ts';
export type { CriterionChoice } from './auto/criterion-choice.ts';
export {
  type CompareCriteriaOptions,
  type CriteriaComparison,
  compareCriteria,
  type FinishedNetwork,
} from './compare/compare.ts';
export type { CalibrationDrawName, CompareRow } from './compare/compare-rows.ts';
export { CRITERIA, CRITERION_PARAMETERS, findCriterion } from './criteria.ts';
export {
  type PruneAmount,
  type PrunedModel,
  pruneModel,
  type Ranking,
  type RankOptions,
  rankModel,
} from './prune-model.ts';
export { type ScoreModelOptions, scoreModel } from './score/score-model.ts';
export type { ScoreRemark } from './score/unexplained.ts';
export { NORMALISATIONS, type Normalisation, type UnitScores } from './score/unit-scores.ts';
export { detectBlock } from './select/block.ts';
export { type BudgetOptions, selectForMacs } from './select/budget.ts';
export { type SelectOptions, selectGlobal, selectUniform } from './select/select.ts';
