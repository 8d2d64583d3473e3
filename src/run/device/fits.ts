// Checks whether a plan fits on a device.
import { type BundleManifest, stageCosts } from '../../bundle/index.ts';
import { eightBitBytes, eightBitCosts, type StageCosts } from '../../bundle/internal.ts';
import { BedsideError, formatBytes, formatJoules, must } from '../../util/index.ts';
import { isEightBit, type RunPlan } from '../protocol/plan.ts';

/** The resources of a device that limit a plan; fields as in `DeviceOptions`. */
export interface DeviceCapacity {
  readonly name: string;
  readonly memory?: number | undefined;
  readonly battery?: number | undefined;
  readonly joulesPerMac?: number | undefined;
  readonly joulesPerByteSent?: number | undefined;
}

/** Further inputs of the check. */
export interface FitOptions {
  /** Samples in a batch; default 1. */
  readonly samples?: number;
  /** Costs of a stage at the plan's levels and precision; default: computed from the manifest. */
  readonly costsOf?: (stage: number) => StageCosts;
}

/**
 * Refuses a plan that needs more memory or battery than a device has. Uses the same costs as planning.
 * @throws BedsideError E_DEVICE, naming the device and the resource
 */
export function assertFits(
  manifest: BundleManifest,
  plan: RunPlan,
  device: DeviceCapacity,
  { samples = 1, costsOf = (stage) => costsAt(manifest, plan, stage) }: FitOptions = {},
): void {
  let [weights, activations, joules] = [0, 0, 0];
  for (const { index, segments } of plan.stages) {
    const own = segments.filter((segment) => segment.device === device.name).length / segments.length;
    if (own === 0) continue;
    const costs = costsOf(index);
    weights += costs.weightBytes * own;
    activations = Math.max(activations, samples * costs.activationBytes);
    joules += (device.joulesPerMac ?? 0) * samples * costs.macs * own;
    const { split } = must(manifest.stages[index], `stage ${index}`);
    const rounded = plan.stages[index + 1]?.wire === 'uint8';
    const outputBytes = rounded ? eightBitBytes(costs.outputBytes) : costs.outputBytes;
    const sent = samples * outputBytes * (split === 'partial-sums' ? 1 : own);
    const next =
      plan.stages[index + 1]?.segments.filter((segment) => segment.device !== device.name).length ?? 1;
    joules += (device.joulesPerByteSent ?? 0) * sent * next;
  }
  const needed = weights + activations;
  if (needed > (device.memory ?? Number.POSITIVE_INFINITY)) {
    throw new BedsideError(
      'E_DEVICE',
      `device '${device.name}' has too little memory for the plan: ${formatBytes(device.memory ?? 0)}, ${formatBytes(needed)} needed`,
      { hint: 'plan with a fleet file that gives its memory, or at lower levels' },
    );
  }
  if (joules > (device.battery ?? Number.POSITIVE_INFINITY)) {
    throw new BedsideError(
      'E_DEVICE',
      `device '${device.name}' has too little battery for the plan: ${formatJoules(device.battery ?? 0)}, ${formatJoules(joules)} needed`,
      { hint: 'plan without it, or at lower levels' },
    );
  }
}

function costsAt(manifest: BundleManifest, plan: RunPlan, stage: number): StageCosts {
  return (isEightBit(plan, stage) ? eightBitCosts : stageCosts)(manifest, stage, plan.levels);
}
