// The demo's fleet: four devices of unequal speed, slowed down to the network, so that the demo is alike for any network.
import { type BundleManifest, stageCosts } from '../../bundle/index.ts';
import { type Fleet, fleetOf } from '../../plan/index.ts';

/** Multiples of the speed of the first, which has the input. */
const DEVICES = [
  { name: 'monitor', strength: 1, trusted: true },
  { name: 'tablet', strength: 3, trusted: true },
  { name: 'gateway', strength: 8, trusted: true },
  { name: 'visitor', strength: 12, trusted: false },
] as const;

/** Least seconds of the unpruned network on the first device, and the share of them that a transfer takes. */
const AT_LEAST = 0.08;
const ON_THE_WAY = 0.1;

const LATENCY = 0.001;

/** The devices. A link carries the mean output of a stage in a tenth of the time of the whole network on the first. */
export function demoFleet(manifest: BundleManifest): Fleet {
  const unpruned = manifest.groups.map(() => 0);
  const costs = manifest.stages.map(({ index }) => stageCosts(manifest, index, unpruned));
  const here = manifest.variants[0]?.seconds ?? 1e-9 * (manifest.variants[0]?.macs ?? 1e6);
  // The fastest is at most as fast as this machine, which emulates it.
  const seconds = Math.max(AT_LEAST, 4 * here);
  const bytes = costs.slice(0, -1).reduce((sum, { outputBytes }) => sum + outputBytes, 0) / costs.length;
  return fleetOf({
    format: 'bedside-fleet',
    version: 1,
    name: 'a room',
    source: DEVICES[0].name,
    devices: DEVICES.map(({ name, strength, trusted }) => ({
      ...{ name, trusted },
      macsPerSecond: (strength * (manifest.variants[0]?.macs ?? 1e6)) / seconds,
      speed: Math.min(1, (strength * here) / seconds),
      memory: 2 ** 30,
      joulesPerMac: 1e-10,
    })),
    network: {
      channel: 'independent',
      bytesPerSecond: Math.max(1e3, bytes / (ON_THE_WAY * seconds)),
      latency: LATENCY,
    },
  });
}

/** The same fleet with the links between two devices slower or faster by a factor. */
export function withLink(fleet: Fleet, a: string, b: string, factor: number): Fleet {
  const [from, to] = [a, b].map((name) => fleet.devices.findIndex((device) => device.name === name));
  const bandwidth = fleet.bandwidth.map((row, i) =>
    row.map((value, j) => ((i === from && j === to) || (i === to && j === from) ? value * factor : value)),
  );
  return { ...fleet, bandwidth };
}
