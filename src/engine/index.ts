export { createSession, ENGINE } from './node.ts';
export {
  type EngineOptions,
  type Feed,
  type FloatTensor,
  type Session,
  type SessionOptions,
  type Tensor,
  tensor,
} from './session.ts';
export { withEngineShapes } from './shapes.ts';
