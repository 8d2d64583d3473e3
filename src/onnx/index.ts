// ONNX models as typed graphs: files, builder, operators.

export { canonicalModel } from './canonical/canonical.ts';
export { loadModel, readModel, saveModel, writeModel } from './codec/codec.ts';
export { modelCosts } from './costs/costs.ts';
export type { Attribute, Constant, Graph, Model, Node } from './graph.ts';
export { inferShapes } from './shapes/shapes.ts';
export { findStages } from './stages.ts';
