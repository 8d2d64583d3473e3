// Demonstrations: plans of the exact planner's guided beam, from which imitation learns.
import { beamPlanner } from '../../plan/index.ts';
import { mostSteps, type PlanningInstance } from '../../plan/internal.ts';
import type { Features } from '../policy/features.ts';
import { compress } from '../policy/network.ts';
import { sampleOf } from './batch.ts';
import type { DemonstratedRequest } from './imitate.ts';

/** A demonstration as it is stored: small, and enough to compute everything else again. */
export interface StoredDemonstration {
  readonly seed: number;
  /** By stage. */
  readonly sets: readonly number[];
  readonly levels: readonly number[];
  readonly objective: number;
  /** Deadline, one step of loss, then memory and energy of every device; rounded to six digits. */
  readonly prices: readonly number[];
}

/** Search budget of one demonstration, in labels: the same on any machine. */
const LABELS = 100_000;

/** The demonstration of a request; undefined when it has no plan. */
export async function demonstrationOf(
  seed: number,
  instance: PlanningInstance,
): Promise<StoredDemonstration | undefined> {
  const { decisions, multipliers, objective } = await beamPlanner.plan(instance, { labels: LABELS });
  if (!decisions || !multipliers) return undefined;
  const short = (value: number): number => Number(value.toPrecision(6));
  return {
    seed,
    sets: decisions.map(({ set }) => set),
    levels: decisions.map(({ level }) => level),
    objective,
    prices: [multipliers.time, multipliers.step, ...multipliers.memory, ...multipliers.energy].map(short),
  };
}

/** A request with its demonstration as training reads them. */
export function demonstrated(
  instance: PlanningInstance,
  stored: StoredDemonstration,
  features: Features,
): DemonstratedRequest {
  features.load(instance);
  const { unit } = features;
  const D = instance.devices.length;
  const [time = 0, step = 0, ...rest] = stored.prices;
  const devicePrices = new Float32Array(2 * D);
  for (let d = 0; d < D; d++) {
    devicePrices[2 * d] = compress((rest[d] ?? 0) / unit);
    devicePrices[2 * d + 1] = compress((rest[D + d] ?? 0) / unit);
  }
  return {
    sample: sampleOf(features),
    demonstration: {
      sets: Int32Array.from(stored.sets),
      levels: Int32Array.from(stored.levels),
      devicePrices,
      requestPrices: Float32Array.of(compress(time / unit), compress((step * mostSteps(instance)) / unit)),
    },
  };
}
