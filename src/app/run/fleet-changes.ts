// A fleet after its devices were measured, or after some of them were lost.
import type { Fleet } from '../../plan/index.ts';
import type { DeviceReport } from '../../run/internal.ts';

/** A fleet whose devices have the stage times that they measured themselves, for the bundle of this name. */
export function withMeasuredTimes(fleet: Fleet, bundle: string, reports: readonly DeviceReport[]): Fleet {
  const measured = new Map(reports.map((report) => [report.name, report]));
  const devices = fleet.devices.map((device) => {
    const report = measured.get(device.name);
    const rows = (table: DeviceReport['seconds'] | undefined) => table?.[bundle]?.map((row) => [...row]);
    const [seconds, int8] = [rows(report?.seconds), rows(report?.secondsInt8)];
    return {
      ...device,
      ...(seconds ? { seconds: { ...device.seconds, [bundle]: seconds } } : {}),
      ...(int8 ? { secondsInt8: { ...device.secondsInt8, [bundle]: int8 } } : {}),
    };
  });
  return { ...fleet, devices };
}

/** A fleet without the lost devices; undefined when its source is lost. */
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
