// Running plans: workers on a fabric, and the requester that asks them.
export type { FloatTensor } from '../engine/index.ts';
export { Batcher, type BatchOptions } from './client/batches.ts';
export { type Fallback, type FallbackResult, inferWithFallback, marginOf } from './client/confidence.ts';
export {
  Coordinator,
  type InferenceClient,
  type InferenceOptions,
  type InferenceResult,
  type Replan,
} from './client/coordinator.ts';
export { LatencyDrift } from './client/latency-drift.ts';
export { Device, type DeviceOptions, type DeviceReport } from './device/device.ts';
export { assertFits } from './device/fits.ts';
export type { LinkOptions } from './device/link-emulation.ts';
export { mergeSegments } from './device/merge-segments.ts';
export { type ChannelRange, type MergeRule, StageModels } from './device/stage-model.ts';
export { Worker, type WorkerOptions } from './device/worker.ts';
export { LocalFabric } from './local/local-fabric.ts';
export { type InProcessNode, type LocalWorker, LocalWorkers } from './local/local-workers.ts';
export type {
  Credentials,
  FleetEntry,
  Identity,
  NatsAccess,
  NatsFabric,
  NatsWorker,
  NodeEntry,
  Renewed,
  ServerInfo,
  WrittenCluster,
} from './nats/index.ts';
export {
  type Endpoint,
  type Fabric,
  HEARTBEAT_MS,
  type NodeHandlers,
  SILENCE_MS,
} from './protocol/fabric.ts';
export type { Assignment, NodeMessage, SerializedError, TensorMessage } from './protocol/messages.ts';
export type { RunPlan } from './protocol/plan.ts';

/** All of the NATS fabric. Loaded when it is asked for: what runs on one machine does without. */
export const loadNats = (): Promise<typeof import('./nats/index.ts')> => import('./nats/index.ts');
