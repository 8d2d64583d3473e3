// The answers of a bundle, and what they cost, for programs.
import type { InferResult } from '../../../app/run/infer.ts';

/** The fields of `--json`. */
export function inferredJson(result: InferResult): object {
  const { plan } = result;
  return {
    n: result.n,
    missed: result.missed,
    accuracy: result.accuracy,
    task: result.task,
    measure: result.measure,
    matchesSingleMachine: result.matchesSingleMachine,
    maxDifference: result.maxDifference,
    msPerRequest: result.msPerRequest,
    p95: result.p95,
    bytesMoved: result.bytesMoved,
    fallbacks: result.fallbacks,
    unsure: result.unsure,
    batches: result.batches,
    replanned: result.replanned,
    adapted: result.adapted,
    lost: result.lost,
    leftOut: result.leftOut,
    levels: plan.levels,
    variant: result.variant,
    stages: plan.stages.map(({ index, level, segments }) => ({ index, level, segments })),
    predictedMs: 1000 * plan.latency,
    devices: result.devices.map(({ name, sessions, memoryUsed, bytesSent }) => ({
      name,
      sessions,
      memoryUsed,
      bytesSent,
    })),
  };
}
