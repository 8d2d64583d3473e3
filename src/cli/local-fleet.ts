// The workers of one machine as a fleet, and a fleet as workers of one machine that stand in for its devices.
import { freemem } from 'node:os';
import type { BundleManifest } from '../bundle/index.ts';
import { type Fleet, fleetOf } from '../plan/index.ts';
import type { Coordinator, DeviceReport, LocalWorker } from '../run/index.ts';

/** Measured between two processes here: about a tenth of a millisecond and a gigabyte a second. */
const LOCAL_LINK = { latency: 1e-4, bytesPerSecond: 1e9 };

/** Equal workers, the first of which has the input. */
export function localFleet(manifest: BundleManifest, workers: number): Fleet {
  const macs = manifest.variants[0]?.macs ?? 1e6;
  const seconds = manifest.variants[0]?.seconds;
  const devices = Array.from({ length: workers }, (_, at) => ({
    name: `worker-${at + 1}`,
    macsPerSecond: Math.max(1e3, seconds ? macs / seconds : 1e9),
    ...(seconds ? { speed: 1 } : {}),
    memory: Math.floor(freemem() / workers),
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

/** A worker for each device: as slow (never faster than this machine), as small and as badly connected. */
export function emulated({ devices, bandwidth, latency, sharedChannel }: Fleet): LocalWorker[] {
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

/** A fleet with what devices measured of themselves as their times for a bundle. */
export function withSeconds(fleet: Fleet, bundle: string, reports: readonly DeviceReport[]): Fleet {
  const measured = new Map(reports.map((report) => [report.name, report.seconds[bundle]]));
  const devices = fleet.devices.map((device) => {
    const seconds = measured.get(device.name)?.map((row) => [...row]);
    return seconds ? { ...device, seconds: { ...device.seconds, [bundle]: seconds } } : device;
  });
  return { ...fleet, devices };
}

/** What the devices that are not lost say of themselves. */
export async function reportsOf(requester: Coordinator, { devices }: Fleet): Promise<DeviceReport[]> {
  const alive = devices.filter(({ name }) => !requester.lost.has(name));
  // One that is lost only now has done its work.
  const asked = alive.map(({ name }) => requester.report(name).catch(() => undefined));
  return (await Promise.all(asked)).filter((report) => report !== undefined);
}

/** What is left of a fleet; undefined when its source is gone. */
export function withoutDevices(fleet: Fleet, lost: ReadonlySet<string>): Fleet | undefined {
  const left = fleet.devices.flatMap(({ name }, at) => (lost.has(name) ? [] : [at]));
  const source = left.indexOf(fleet.source);
  if (source < 0) return undefined;
  const rows = (table: readonly (readonly number[])[]) =>
    left.map((from) => left.map((to) => table[from]?.[to] ?? 0));
  return {
    ...fleet,
    source,
    devices: fleet.devices.filter((_, at) => left.includes(at)),
    bandwidth: rows(fleet.bandwidth),
    latency: rows(fleet.latency),
  };
}
