// Explaining: relevance and gradient passes, and criteria that score channels.
export { type Aggregation, parseAggregation } from './aggregate.ts';
export { type Attribution, AttributionPass } from './attribution/pass.ts';
export { isAttribution } from './criteria/attribution.ts';
export type { CalibrationSet, Criterion, CriterionContext, LayerScores, Target } from './criterion.ts';
export { composite, parseComposite } from './lrp/composite.ts';
export { alphaBetaRule, epsilonRule, gammaRule, type LrpRule, zplusRule } from './lrp/rules.ts';
export { CRITERIA, findCriterion } from './registry.ts';
