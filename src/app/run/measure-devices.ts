// Devices that time the stages of a bundle.
import type { Fleet } from '../../plan/index.ts';
import type { Coordinator } from '../../run/index.ts';
import type { DeviceReport } from '../../run/internal.ts';
import { BedsideError } from '../../util/index.ts';

/** Measurements of devices, and the errors of those that gave none. */
export interface Measured {
  readonly reports: readonly DeviceReport[];
  readonly failed: ReadonlyMap<string, BedsideError>;
}

/**
 * Has devices time every stage at each level. A device that fails does not hold up the others.
 * @param together all at once, where each is a machine of its own; otherwise one after another, as they share one machine
 * @throws errors that are not a device's own
 */
export async function measureDevices(
  coordinator: Pick<Coordinator, 'measure'>,
  devices: readonly string[],
  together: boolean,
  onProgress: (done: number, total: number) => void,
): Promise<Measured> {
  const reports: DeviceReport[] = [];
  const failed = new Map<string, BedsideError>();
  let done = 0;
  const measure = async (device: string): Promise<void> => {
    try {
      reports.push(await coordinator.measure(device));
    } catch (error) {
      if (!BedsideError.is(error)) throw error;
      failed.set(device, error);
    }
    onProgress(++done, devices.length);
  };
  if (together) await Promise.all(devices.map(measure));
  else for (const device of devices) await measure(device);
  return { reports, failed };
}

/** Reports of the devices that are not lost. */
export async function readReports(coordinator: Coordinator, { devices }: Fleet): Promise<DeviceReport[]> {
  const alive = devices.filter(({ name }) => !coordinator.lost.has(name));
  // A device that is lost only now has done its work.
  const reports = alive.map(({ name }) => coordinator.report(name).catch(() => undefined));
  return (await Promise.all(reports)).filter((report) => report !== undefined);
}
