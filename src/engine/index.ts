export { createSession, ENGINE } from './node.ts';
export { type EngineOptions, type FloatTensor, type Session, type Tensor, tensor } from './session.ts';
export { withEngineShapes } from './shapes.ts';
