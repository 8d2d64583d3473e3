// Random fleets and requests for a real bundle, by number: what the planner meets in earnest, with costs of a real network.
import type { BundleManifest } from '../../bundle/index.ts';
import {
  buildProblem,
  completeRequest,
  fleetOf,
  type PlanningProblem,
  PRIVACY_PRESETS,
} from '../../plan/index.ts';
import { Random } from '../../util/index.ts';

/** How large fleets are; both ends can be drawn. */
export interface FleetRanges {
  readonly devices: readonly [number, number];
}

export const FLEET_RANGES: FleetRanges = { devices: [2, 12] };

/**
 * A problem of a bundle: tablets and boxes of unequal speed, memory and battery, links of 1 to 100 MB/s, a deadline from
 * half to twice what the source alone would take. The same number always gives the same one.
 */
export function drawProblem(
  manifest: BundleManifest,
  seed: number,
  { devices: [fewest, most] }: FleetRanges = FLEET_RANGES,
): PlanningProblem {
  const random = new Random(seed * 2246822519 + 31);
  const uniform = (low: number, high: number): number => low + (high - low) * random.uniform();
  const scale = (low: number, high: number): number => Math.exp(uniform(Math.log(low), Math.log(high)));
  const chance = (share: number): boolean => random.uniform() < share;
  const macs = manifest.layers.reduce((sum, layer) => sum + layer.macs, 0);
  const bytes = manifest.layers.reduce((sum, layer) => sum + layer.weightBytes, 0);
  const D = fewest + random.integer(most - fewest + 1);
  const sourceSpeed = scale(1e8, 2e9);
  const tightness = uniform(0.6, 1.6);
  const devices = Array.from({ length: D }, (_, d) => {
    const joulesPerMac = scale(0.1e-9, 2e-9);
    return {
      name: d === 0 ? 'source' : `device-${d}`,
      macsPerSecond: d === 0 ? sourceSpeed : sourceSpeed * scale(0.5, 20),
      memory: Math.ceil((bytes * uniform(0.5, 1.8) * Math.max(0.3, 2 / D)) / tightness + bytes * 0.3),
      ...(chance(0.5) ? { energy: (macs * joulesPerMac * uniform(0.4, 1.6)) / tightness } : {}),
      joulesPerMac,
      trusted: d === 0 || chance(0.7),
      wait: chance(0.3) ? (macs / sourceSpeed) * scale(1e-3, 0.1) : 0,
    };
  });
  const typical = scale(1e6, 1e8);
  const links = devices.flatMap(({ name: from }, a) =>
    devices.slice(a + 1).flatMap(({ name: to }) => {
      const missing = a > 0 && chance(0.1);
      const bytesPerSecond = missing ? 0 : typical * scale(0.25, 4);
      return [{ from, to, bytesPerSecond, latency: scale(2e-4, 4e-3) }];
    }),
  );
  const fleet = fleetOf({
    format: 'bedside-fleet',
    version: 1,
    name: `random ${seed}`,
    source: 'source',
    devices,
    links,
    network: {
      channel: chance(0.3) ? 'shared' : 'independent',
      bytesPerSecond: typical,
      joulesPerByteSent: scale(2e-8, 2e-7),
      joulesPerByteReceived: scale(2e-8, 1e-7),
    },
  });
  const request = completeRequest({
    deadline: (macs / sourceSpeed) * scale(0.5, 2),
    accuracyDrop: scale(0.005, 0.08),
    privacy: PRIVACY_PRESETS[random.integer(PRIVACY_PRESETS.length)],
    levels: chance(0.5) ? 'certified' : 'free',
  });
  return buildProblem(manifest, fleet, request);
}
