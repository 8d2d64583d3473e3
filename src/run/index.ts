// Running plans: workers on a fabric, and the requester that asks them.
export { Batcher, type BatchOptions } from './batches.ts';
export { type Fallback, inferSurely, marginOf, type SureAnswer } from './confidence.ts';
export { Device, type DeviceOptions, type DeviceReport } from './device.ts';
export { Drift } from './drift.ts';
export { BEAT_MS, type Endpoint, type Fabric, type NodeHandlers, SILENCE_MS } from './fabric.ts';
export { assertFits } from './fits.ts';
export { type FloatTensor, joinParts } from './join.ts';
export { LocalFabric } from './local/local-fabric.ts';
export { type Here, type LocalWorker, LocalWorkers } from './local/local-workers.ts';
export type { Assignment, ErrorWords, Message, Part } from './messages.ts';
export type {
  BoardEntry,
  Credentials,
  Identity,
  NatsAccess,
  NatsFabric,
  NatsWorker,
  NodeEntry,
  Renewed,
  ServerInfo,
} from './nats/index.ts';
export type { RunPlan } from './plan.ts';
export { type Answer, type Asker, type Replan, Requester, type RequestOptions } from './requester.ts';
export type { LinkOptions } from './shaping.ts';
export { type ChannelRange, type Joining, StageModels } from './stage-model.ts';
export { Worker, type WorkerOptions } from './worker.ts';

/** All of the NATS fabric. Loaded when it is asked for: what runs on one machine does without. */
export const loadNats = (): Promise<typeof import('./nats/index.ts')> => import('./nats/index.ts');
