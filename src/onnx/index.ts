// ONNX models as typed graphs: files, builder, operators.

export { canonicalModel } from './canonical.ts';
export { loadModel, readModel, type SaveOptions, saveModel, writeModel } from './codec.ts';
export { type ModelCosts, modelCosts } from './costs.ts';
export type { Attribute, Constant, Dim, Graph, Model, Node, Value } from './graph.ts';
export { inferShapes } from './shapes.ts';
export { findStages, type Stage } from './stages.ts';
