// For sibling folders only: nothing here is published.

export { assumedSamples, batchAxes } from './batch-axis/batch-axes.ts';
export { fixedBatchOf, samplesOfShapes } from './batch-axis/fixed-batch.ts';
export { freeBatch } from './batch-axis/free-batch.ts';
export {
  type BatchAxis,
  type BatchPlace,
  batchAxisOf,
  isAlone,
  isBatchFirst,
  sampleOf,
} from './batch-axis/place.ts';
export { sampleShapes } from './batch-axis/sample-shapes.ts';
export { GraphBuilder } from './builder.ts';
export { unmergedModel } from './canonical/canonical.ts';
export { canonicalGraph } from './canonical/fold.ts';
export { foldBatchNorm } from './canonical/fold-batch-norm.ts';
export { biasBehind, viewOf } from './canonical/fold-bias.ts';
export { withSqueezeAxes } from './canonical/squeeze-axes.ts';
export { rawBytes } from './codec/proto.ts';
export { elemTypeName, typeName } from './codec/tensor-read.ts';
export type { ModelCosts, NodeCosts, Uncounted } from './costs/costs.ts';
export { assertFiniteWeights, nonFiniteWeight } from './finite-weights.ts';
export { withOutputFirst } from './form/choose-output.ts';
export { dequantised } from './form/dequantise.ts';
export { inFloat32, withFloatOutputs } from './form/float32.ts';
export {
  type Form,
  formOf,
  type PackedInput,
  type PositionRange,
  packedInputs,
  wholePositions,
  withForm,
} from './form/form.ts';
export { withOneInput } from './form/one-input.ts';
export { restored, restoredModel } from './form/restore.ts';
export {
  cloneModel,
  cloneNode,
  consumers,
  type Dim,
  ELEM,
  float,
  floatConstant,
  floats,
  type Graph,
  int,
  intConstant,
  ints,
  isFloating,
  type Node,
  producers,
  sizeOf,
  string,
  type Value,
} from './graph.ts';
export {
  isDepthwise,
  isWeighted,
  type LayerLayout,
  layerLayout,
  outputChannels,
} from './layers/layer-layout.ts';
export { applyLayer, applyTransposedLayer } from './layers/layer-operators.ts';
export {
  hasOneOutputPerGroup,
  type WeightedLayer,
  weightedLayer,
  weightedLayers,
} from './layers/weighted-layer.ts';
export { metadataEntries, metadataOf, withMetadata } from './metadata.ts';
export {
  ARGUMENT_OPS,
  COMPARISON_OPS,
  entries,
  FUNCTION_OPS,
  LOGIC_OPS,
  NARY_OPS,
  REDUCTION_OPS,
  STEP_OPS,
  TEST_OPS,
} from './op-families.ts';
export {
  constantInput,
  describeNode,
  floatAttribute,
  intAttribute,
  intsAttribute,
  intsParameter,
  OPS,
  type OpName,
  type OpTable,
  opOf,
  stringAttribute,
} from './ops.ts';
export { givenNames, readsOf, sortNodes } from './order.ts';
export {
  gateRows,
  RECURRENT_INPUTS,
  type RecurrentLayer,
  recurrentLayer,
  recurrentOp,
  UNIT_AXES,
} from './recurrent/recurrent-layer.ts';
export { scoredLayer, scoredLayers } from './recurrent/scored-layers.ts';
export { valuesOfShapes } from './shapes/arithmetic.ts';
export {
  askedFirst,
  declarationOf,
  type MeasuredShape,
  unknownShape,
  valuesWithoutShape,
  withDeclarations,
} from './shapes/given.ts';
export { constantOfKnown, integerConstant, integersLike, integersOf, knownOf } from './shapes/known.ts';
export { hasConstantSize, resizeMaps } from './shapes/resize.ts';
export { batchSymbols, inputShapes, knownValues, symbolicShapes } from './shapes/shapes.ts';
export { poolParameters } from './shapes/window.ts';
export { soleInput } from './sole-input.ts';
export type { Stage } from './stages.ts';
export {
  extractSubgraph,
  forgetShapes,
  insertAfter,
  type PartShapes,
  partShapes,
  pinnedValues,
  removeDead,
  sliceAxis,
} from './surgery.ts';
export { withoutFunctions } from './upgrade/inline-functions.ts';
export { upgradeOpset } from './upgrade/upgrade.ts';
