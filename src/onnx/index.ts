// ONNX models as typed graphs: files, builder, operators.

export { assumedSamples, batchAxes } from './batch-axis/batch-axes.ts';
export { type BatchAxis, type BatchPlace, batchAxisOf, isBatchFirst, sampleOf } from './batch-axis/place.ts';
export { sampleShapes } from './batch-axis/sample-shapes.ts';
export { GraphBuilder } from './builder.ts';
export { canonicalModel, unmergedModel } from './canonical.ts';
export { loadModel, readModel, type SaveOptions, SUPPORTED, saveModel, writeModel } from './codec.ts';
export { type ModelCosts, modelCosts, type NodeCosts, type Uncounted } from './costs.ts';
export { assertFiniteWeights, nonFiniteWeight } from './finite-weights.ts';
export { fixedBatchOf } from './fixed-batch.ts';
export { canonicalGraph } from './fold.ts';
export { type Affine, affineOf, foldBatchNorm } from './fold-batch-norm.ts';
export { biasBehind, foldBias, viewOf } from './fold-bias.ts';
export { freeBatch } from './free-batch.ts';
export {
  askedFirst,
  declarationOf,
  type Measured,
  unknownShape,
  valuesWithoutShape,
  withDeclarations,
} from './given-shapes.ts';
export {
  type Attribute,
  type Constant,
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
  type Model,
  type Node,
  producers,
  sizeOf,
  string,
  type Value,
} from './graph.ts';
export { integersLike, integersOf, knownOf } from './known.ts';
export { isDepthwise, isWeighted, type LayerLayout, layerLayout, outputChannels } from './layer-layout.ts';
export { metadataOf, withMetadata } from './metadata.ts';
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
  toNumber,
} from './ops.ts';
export { readsOf } from './order.ts';
export { rawBytes } from './proto.ts';
export { batchSymbols, inferShapes, inputShapes, symbolicShapes } from './shapes.ts';
export { soleInput } from './sole-input.ts';
export { withSqueezeAxes } from './squeeze-axes.ts';
export { findStages, type Stage } from './stages.ts';
export {
  extractSubgraph,
  forgetShapes,
  insertAfter,
  pinnedValues,
  removeDead,
  removeNode,
  replaceConstant,
  replaceUses,
  sliceAxis,
} from './surgery.ts';
export { elemTypeName } from './tensor-read.ts';
export { upgradeOpset } from './upgrade.ts';
export { hasOneOutputPerGroup, type WeightedLayer, weightedLayers } from './weighted-layer.ts';
export {
  type ConvParameters,
  convParameters,
  type PoolParameters,
  poolParameters,
  type WindowParameters,
} from './window.ts';
