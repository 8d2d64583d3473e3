// The environment of one ward as requests see it, simulated or replayed.
import type { Fleet } from '../plan/index.ts';
import type { FleetDevice } from '../plan/internal.ts';
import { must } from '../util/index.ts';

/**
 * Devices are those of `fleet`, all that there will ever be; some are away. Nothing changes but in `step` and `spend`.
 */
export interface EnvironmentView {
  readonly fleet: Fleet;
  /** Seconds since the start at which the present state began, and at which it ends. */
  readonly since: number;
  readonly until: number;
  /** By device: 1 where it is there. */
  readonly present: Uint8Array;
  /** By device: how many times as long as by `fleet` it computes. */
  readonly slowdown: Float64Array;
  /** By device: bytes free, joules that a request may spend, seconds until it serves a request when idle. */
  readonly memory: Float64Array;
  readonly energy: Float64Array;
  readonly wait: Float64Array;
  /** `[from * devices + to]`: bytes a second, 0 for no link now; seconds. */
  readonly bandwidth: Float64Array;
  readonly latency: Float64Array;
  /** Goes on to the next state. */
  step(): void;
  /** A device has spent joules on requests. */
  spend(device: number, joules: number): void;
  /** The device's entry in a fleet as it is now, but for memory, energy and wait. */
  entry(device: number): FleetDevice;
}

/** Memory and time of devices that running requests take; by device. */
export interface Occupation {
  /** Bytes held, and the second at which the device is done with all that it has been sent. */
  readonly held: Float64Array;
  readonly busyUntil: Float64Array;
}

/** The fleet as a planner sees it at `time`, and for each of its devices the index in the ward's own. */
export function fleetNow(
  environment: EnvironmentView,
  { held, busyUntil }: Occupation,
  time: number,
): { readonly fleet: Fleet; readonly devices: readonly number[] } {
  const { fleet, present, memory, energy, wait } = environment;
  const all = fleet.devices.length;
  const devices: number[] = [];
  for (let d = 0; d < all; d++) if (present[d]) devices.push(d);
  const at = (values: Float64Array, d: number): number => values[d] as number;
  const square = (values: Float64Array) => devices.map((d) => devices.map((e) => at(values, d * all + e)));
  const source = devices.indexOf(fleet.source);
  return {
    devices,
    fleet: {
      ...fleet,
      source: must(source < 0 ? undefined : source, 'the source is away'),
      devices: devices.map((d) => ({
        ...environment.entry(d),
        memory: Math.max(0, at(memory, d) - at(held, d)),
        energy: at(energy, d),
        wait: at(wait, d) + Math.max(0, at(busyUntil, d) - time),
      })),
      bandwidth: square(environment.bandwidth),
      latency: square(environment.latency),
    },
  };
}

/** The entry of a device that takes `slowdown` times as long to compute. */
export function slowed(device: FleetDevice, slowdown: number): FleetDevice {
  const { speed, seconds } = device;
  return {
    ...device,
    macsPerSecond: device.macsPerSecond / slowdown,
    ...(speed === undefined ? {} : { speed: speed / slowdown }),
    ...(seconds === undefined
      ? {}
      : {
          seconds: Object.fromEntries(
            Object.entries(seconds).map(([name, stages]) => [
              name,
              stages.map((row) => row.map((value) => value * slowdown)),
            ]),
          ),
        }),
  };
}
