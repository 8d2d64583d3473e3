// Structured pruning without retraining: scores of channels, the choice of the channels that stay, and comparisons.

export { type CompareCriteriaOptions, type CriteriaComparison, compareCriteria } from './compare/compare.ts';
export { CRITERIA, CRITERION_PARAMETERS, findCriterion } from './criteria.ts';
export { type PruneAmount, type PrunedModel, pruneModel, type Ranking, rankModel } from './prune-model.ts';
export { scoreModel } from './score/score-model.ts';
export { NORMALISATIONS } from './score/unit-scores.ts';
export { selectForMacs } from './select/budget.ts';
export { selectGlobal, selectUniform } from './select/select.ts';
