// Explaining: relevance and gradient passes, and criteria that score channels.
export { AGGREGATIONS, type Aggregation, Aggregator, parseAggregation } from './aggregate.ts';
export { type AttributionBatch, type AttributionSpec, Attributor, attribute } from './attribute.ts';
export { type BackwardGraph, buildBackward, soleInput } from './backward.ts';
export { type BatchFirst, batchFirst } from './batch-first.ts';
export { canonicalModel, unmergedModel } from './canonical.ts';
export {
  type CompositeEntry,
  composite,
  convolutional,
  type LayerMatch,
  parseComposite,
  parseRule,
} from './composite.ts';
export { type AttributionCriterion, type CriterionFamily, isAttribution } from './criteria/attribution.ts';
export type { CalibrationSet, Criterion, CriterionContext, LayerScores, Target } from './criterion.ts';
export { type LinearLayer, linearLayers } from './linear.ts';
export { type Attribution, AttributionPass, oneHot, type PassOptions, type PassResult } from './pass.ts';
export { noisyCopies, type Points, type ReferenceKind, straightPath } from './points.ts';
export type { ReadoutKind } from './readouts.ts';
export {
  CRITERIA,
  CRITERION_FAMILIES,
  CRITERION_PARAMETERS,
  type CriterionTable,
  criterionTable,
  findCriterion,
} from './registry.ts';
export type { RuleOf } from './relevance-rules.ts';
export {
  alphaBetaRule,
  type Branch,
  DEFAULT_EPSILON,
  epsilonRule,
  gammaRule,
  type LinearRule,
  zplusRule,
} from './rules.ts';
export { trySamples } from './try-samples.ts';
