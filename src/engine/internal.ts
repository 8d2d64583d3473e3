// For sibling folders only: nothing here is published.

export { withEngineConstants } from './constants.ts';
export { type RunKernel, runKernels } from './kernels.ts';
export { EngineTensor, openSession } from './node.ts';
export type { EngineSettings, Feed } from './session.ts';
export { ComputeThread } from './thread/compute-thread.ts';
