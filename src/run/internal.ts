// For sibling folders only: nothing here is published.
export { Batcher } from './client/batches.ts';
export { assertConfidence, type Fallback } from './client/confidence.ts';
export { LatencyDrift } from './client/latency-drift.ts';
export { Device, type DeviceReport } from './device/device.ts';
export { mergeSegments } from './device/merge-segments.ts';
export type { LocalWorker } from './local/local-workers.ts';
export type {
  AnchorBucket,
  AnchorKey,
  Credentials,
  Identity,
  Revocation,
  Revoked,
  ServerInfo,
} from './nats/index.ts';
export { devicesOf, isRounded } from './protocol/plan.ts';
export { floatsOf, roundTensor } from './protocol/rounded-tensor.ts';
export type { TimedSegment } from './protocol/spans.ts';
export { spanContextOf, spanned, traceparentOf, tracer } from './protocol/tracing.ts';
export { bitsOnTheWire } from './protocol/wire.ts';
