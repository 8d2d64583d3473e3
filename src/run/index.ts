// Running plans: workers, the coordinator that runs requests on them, and the fabrics that connect them.
export type { FloatTensor } from '../engine/index.ts';
export { type FallbackResult, inferWithFallback } from './client/confidence.ts';
export { Coordinator } from './client/coordinator.ts';
export type { Replan } from './client/inference.ts';
export type { LinkOptions } from './device/link-emulation.ts';
export { LocalWorkers } from './local/local-workers.ts';
export type { FleetEntry, NatsAccess, Renewed, WrittenCluster } from './nats/index.ts';
export type { Fabric } from './protocol/fabric.ts';
export type { RunPlan } from './protocol/plan.ts';

/** The NATS fabric and the tools for its server. Loaded only on demand, because one machine alone does not need it. */
export const loadNats = (): Promise<typeof import('./nats/index.ts')> => import('./nats/index.ts');
