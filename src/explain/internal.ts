// For sibling folders only: nothing here is published.

export { Aggregator } from './aggregate.ts';
export { Attributor, attribute } from './attribution/attribute.ts';
export { oneHot } from './attribution/pass.ts';
export type { ReadoutKind } from './attribution/readouts.ts';
export { startWeights } from './attribution/starts.ts';
export { trySamples } from './attribution/try-samples.ts';
export { type BatchFirst, batchFirst } from './backward/batch-first.ts';
export type { AttributionCriterion, CriterionFamily } from './criteria/attribution.ts';
export { convolutional, parseRule } from './lrp/composite.ts';
export type { RuleOf } from './lrp/relevance-rules.ts';
export { CRITERION_FAMILIES, criterionTable, findPlainCriterion, PLAIN_CRITERIA } from './registry.ts';
