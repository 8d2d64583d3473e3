// A fleet as it might be: a device slower, smaller or away, a link of another rate.
import type { Fleet } from '../../plan/index.ts';
import { BedsideError } from '../../util/index.ts';
import { withoutDevices } from '../run/fleet-changes.ts';

/** What is different. Devices and links that are not named stay as they are. */
export interface FleetEdit {
  readonly devices: readonly {
    readonly name: string;
    /** Times as fast. */
    readonly speed?: number | undefined;
    /** Bytes. */
    readonly memory?: number | undefined;
    readonly away?: boolean | undefined;
  }[];
  /** Both directions between two devices. 0: no link. */
  readonly links: readonly { readonly from: string; readonly to: string; readonly bytesPerSecond: number }[];
}

/**
 * The fleet with these differences; the given one stays as it is.
 * @throws BedsideError E_REQUEST for a device that it does not have, and where the device with the input is away
 */
export function editedFleet(fleet: Fleet, { devices, links }: FleetEdit): Fleet {
  const at = (name: string): number => {
    const index = fleet.devices.findIndex((device) => device.name === name);
    if (index >= 0) return index;
    throw new BedsideError('E_REQUEST', `there is no device '${name}'`, {
      hint: `devices: ${fleet.devices.map((device) => device.name).join(', ')}`,
    });
  };
  const changed = [...fleet.devices];
  for (const { name, speed = 1, memory } of devices) {
    const index = at(name);
    const device = changed[index] as Fleet['devices'][number];
    changed[index] = {
      ...device,
      macsPerSecond: device.macsPerSecond * speed,
      ...(device.speed === undefined ? {} : { speed: device.speed * speed }),
      ...(device.seconds && { seconds: scaled(device.seconds, 1 / speed) }),
      ...(memory === undefined ? {} : { memory }),
    };
  }
  const bandwidth = fleet.bandwidth.map((row) => [...row]);
  for (const { from, to, bytesPerSecond } of links) {
    const [a, b] = [at(from), at(to)];
    if (a === b) throw new BedsideError('E_REQUEST', `a link joins two devices, not '${from}' with itself`);
    (bandwidth[a] as number[])[b] = bytesPerSecond;
    (bandwidth[b] as number[])[a] = bytesPerSecond;
  }
  const away = new Set(devices.filter((device) => device.away).map(({ name }) => name));
  const left = withoutDevices({ ...fleet, devices: changed, bandwidth }, away);
  if (left) return left;
  throw new BedsideError(
    'E_REQUEST',
    `'${fleet.devices[fleet.source]?.name}' has the input: it cannot be away`,
  );
}

function scaled(
  seconds: NonNullable<Fleet['devices'][number]['seconds']>,
  factor: number,
): NonNullable<Fleet['devices'][number]['seconds']> {
  return Object.fromEntries(
    Object.entries(seconds).map(([bundle, rows]) => [
      bundle,
      rows.map((row) => row.map((value) => value * factor)),
    ]),
  );
}
