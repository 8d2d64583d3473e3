// Explaining: relevance and gradient passes, and criteria that score channels.
export { AGGREGATIONS, type Aggregation, Aggregator, parseAggregation } from './aggregate.ts';
export {
  type AttributionBatch,
  type AttributionSpec,
  Attributor,
  attribute,
} from './attribution/attribute.ts';
export {
  type Attribution,
  AttributionPass,
  oneHot,
  type PassOptions,
  type PassResult,
} from './attribution/pass.ts';
export type { ReadoutKind } from './attribution/readouts.ts';
export {
  noisyCopies,
  type ReferenceKind,
  type SamplingPath,
  straightPath,
} from './attribution/sampling-path.ts';
export { trySamples } from './attribution/try-samples.ts';
export { type BackwardGraph, buildBackward } from './backward/backward.ts';
export { type BatchFirst, batchFirst } from './backward/batch-first.ts';
export { type AttributionCriterion, type CriterionFamily, isAttribution } from './criteria/attribution.ts';
export type { CalibrationSet, Criterion, CriterionContext, LayerScores, Target } from './criterion.ts';
export {
  type CompositeEntry,
  composite,
  convolutional,
  type LayerMatch,
  parseComposite,
  parseRule,
} from './lrp/composite.ts';
export type { RuleOf } from './lrp/relevance-rules.ts';
export {
  alphaBetaRule,
  type Branch,
  DEFAULT_EPSILON,
  epsilonRule,
  gammaRule,
  type LrpRule,
  zplusRule,
} from './lrp/rules.ts';
export {
  CRITERIA,
  CRITERION_FAMILIES,
  CRITERION_PARAMETERS,
  type CriterionTable,
  criterionTable,
  findCriterion,
} from './registry.ts';
