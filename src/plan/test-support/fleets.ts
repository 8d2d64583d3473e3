// Fleets for tests.
import { type Fleet, type FleetFile, fleetOf } from '../input/fleet.ts';

/** What a test says of a device; the rest is the same for all. */
export type DeviceSketch = Partial<FleetFile['devices'][number]>;

/** A fleet of devices `d0`, `d1`, … with equal links; `d0` is the source. */
export function fleetOfDevices(
  devices: readonly DeviceSketch[],
  network: Partial<FleetFile['network']> = {},
  links: readonly Partial<FleetFile['links'][number]>[] = [],
): Fleet {
  return fleetOf({
    format: 'bedside-fleet',
    version: 1,
    name: 'test',
    source: devices[0]?.name ?? 'd0',
    devices: devices.map((device, index) => ({
      name: `d${index}`,
      macsPerSecond: 1e8,
      memory: 1e9,
      joulesPerMac: 1e-9,
      trusted: true,
      ...device,
    })),
    network: {
      channel: 'independent',
      bytesPerSecond: 1e7,
      latency: 0.0001,
      joulesPerByteSent: 1e-8,
      joulesPerByteReceived: 1e-8,
      ...network,
    },
    links,
  });
}
