// Explaining: relevance and gradient passes, and criteria that score channels.
export { type BackwardGraph, buildBackward, soleInput } from './backward.ts';
export { canonicalModel } from './canonical.ts';
export { type CompositeEntry, composite, convolutional, type LayerMatch, parseRule } from './composite.ts';
export { type AttributionCriterion, attribute, isAttribution } from './criteria/attribution.ts';
export type { CalibrationSet, Criterion, CriterionContext, LayerScores } from './criterion.ts';
export { type LinearLayer, linearLayers } from './linear.ts';
export {
  type Attribution,
  AttributionPass,
  oneHot,
  type PassOptions,
  type PassResult,
  type ReadoutKind,
} from './pass.ts';
export { CRITERIA, findCriterion } from './registry.ts';
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
