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

/** What a plan needs of a device: bytes of weights; bytes of activations and joules for one sample. */
export interface PlanNeeds {
  readonly weightBytes: number;
  readonly activationBytes: number;
  readonly joules: number;
}

/**
 * What a plan needs of a device, by the same costs as planning.
 * @param costsOf costs of a stage at the plan's levels and precision
 */
export function needsOf(
  manifest: BundleManifest,
  plan: RunPlan,
  device: DeviceCapacity,
  costsOf: (stage: number) => StageCosts = (stage) => costsAt(manifest, plan, stage),
): PlanNeeds {
  let [weightBytes, activationBytes, joules] = [0, 0, 0];
  for (const { index, segments } of plan.stages) {
    const own = segments.filter((segment) => segment.device === device.name).length / segments.length;
    if (own === 0) continue;
    const costs = costsOf(index);
    weightBytes += costs.weightBytes * own;
    activationBytes = Math.max(activationBytes, costs.activationBytes);
    joules += (device.joulesPerMac ?? 0) * costs.macs * own;
    const { split } = must(manifest.stages[index], `stage ${index}`);
    const rounded = plan.stages[index + 1]?.wire === 'uint8';
    const outputBytes = rounded ? eightBitBytes(costs.outputBytes) : costs.outputBytes;
    const sent = outputBytes * (split === 'partial-sums' ? 1 : own);
    const next =
      plan.stages[index + 1]?.segments.filter((segment) => segment.device !== device.name).length ?? 1;
    joules += (device.joulesPerByteSent ?? 0) * sent * next;
  }
  return { weightBytes, activationBytes, joules };
}

/**
 * Refuses a plan that needs more memory or battery than a device has.
 * @param samples number of samples in the batch
 * @throws BedsideError E_DEVICE, naming the device and the resource
 */
export function assertFits(needs: PlanNeeds, device: DeviceCapacity, samples = 1): void {
  const needed = needs.weightBytes + samples * needs.activationBytes;
  const joules = samples * needs.joules;
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
