// Random fleets and requests for a real bundle, by number.
import type { BundleManifest } from '../../bundle/index.ts';
import { buildProblem, type PlanningProblem } from '../../plan/index.ts';
import { randomFleet } from '../../plan/internal.ts';
import { Random } from '../../util/internal.ts';

/** How large fleets are, and how tight their limits; both ends can be drawn. */
export interface FleetRanges {
  readonly devices: readonly [number, number];
  readonly tightness: readonly [number, number];
}

export const FLEET_RANGES: FleetRanges = { devices: [2, 12], tightness: [0.3, 0.8] };

/** A problem of a bundle; half of them with certified levels. The same number always gives the same one. */
export function drawProblem(
  manifest: BundleManifest,
  seed: number,
  { devices: [fewest, most], tightness: [loose, tight] }: FleetRanges = FLEET_RANGES,
): PlanningProblem {
  const random = new Random(seed * 2246822519 + 31);
  const devices = fewest + random.integer(most - fewest + 1);
  const tightness = loose + (tight - loose) * random.uniform();
  const { fleet, request } = randomFleet(manifest, { devices, tightness, seed });
  const levels = random.uniform() < 0.5 ? 'certified' : 'free';
  return buildProblem(manifest, fleet, { ...request, levels });
}
