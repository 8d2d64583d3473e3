// ONNX models as typed graphs: files, builder, operators.

export { canonicalModel } from './canonical.ts';
export { loadModel, readModel, saveModel, writeModel } from './codec.ts';
export { modelCosts } from './costs.ts';
export type { Attribute, Constant, Graph, Model, Node } from './graph.ts';
export { inferShapes } from './shapes.ts';
export { findStages } from './stages.ts';
