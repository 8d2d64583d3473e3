// The workers of one machine as a fleet, and a fleet as workers of one machine that emulate its devices.
import type { BundleManifest } from '../../bundle/index.ts';
import { type Fleet, fleetOf } from '../../plan/index.ts';
import type { LocalWorker } from '../../run/internal.ts';
import { availableMemory } from '../../util/internal.ts';

/** Measured between two processes of one machine: about a tenth of a millisecond, and a gigabyte a second. */
const LOCAL_LINK = { latency: 1e-4, bytesPerSecond: 1e9 };

/** Equal workers, the first of which has the input. */
export function localFleet(manifest: BundleManifest, workers: number): Fleet {
  const macs = manifest.variants[0]?.macs ?? 1e6;
  const seconds = manifest.variants[0]?.seconds;
  const devices = Array.from({ length: workers }, (_, at) => ({
    name: `worker-${at + 1}`,
    macsPerSecond: Math.max(1e3, seconds ? macs / seconds : 1e9),
    ...(seconds ? { speed: 1 } : {}),
    memory: Math.floor(availableMemory() / workers),
    joulesPerMac: 0,
    trusted: true,
  }));
  return fleetOf({
    format: 'bedside-fleet',
    version: 1,
    name: 'this machine',
    source: 'worker-1',
    devices,
    network: { channel: 'independent', ...LOCAL_LINK },
  });
}

/** A worker for each device: with its memory and links, and slowed down to its speed (never faster than this machine). */
export function emulatedWorkers({ devices, bandwidth, latency, sharedChannel }: Fleet): LocalWorker[] {
  return devices.map((device, from) => ({
    device: {
      name: device.name,
      speed: Math.min(1, device.speed ?? 1),
      memory: device.memory,
      joulesPerMac: device.joulesPerMac,
      joulesPerByteSent: device.joulesPerByteSent,
    },
    links: {
      shared: sharedChannel,
      to: Object.fromEntries(
        devices.map((to, at) => [
          to.name,
          { bytesPerSecond: bandwidth[from]?.[at], latency: latency[from]?.[at] },
        ]),
      ),
    },
  }));
}
