export { createSession, ENGINE } from './node.ts';
export { type Session, type SessionOptions, type Tensor, tensor } from './session.ts';
