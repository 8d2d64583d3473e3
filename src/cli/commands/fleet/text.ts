// The workers of a fleet as text.
import type { FleetEntry } from '../../../run/index.ts';
import { formatBytes, formatCount, formatJoules, formatSeconds } from '../../../util/index.ts';
import { table } from '../../terminal/tables.ts';

/** A table of devices with what they hold, and a table of their links. */
export function describeFleet(entries: readonly FleetEntry[]): string {
  if (entries.length === 0) return 'no worker is there';
  const devices = table(
    ['device', 'host', 'trusted', '>MAC/s', '>memory', '>used', '>battery', 'holds', 'emulated'],
    entries.map((entry) => [
      entry.name,
      entry.host,
      entry.trusted ? 'yes' : 'no',
      formatCount(entry.macsPerSecond),
      formatBytes(entry.memory),
      formatBytes(entry.memoryUsed),
      entry.battery === undefined ? '-' : formatJoules(entry.battery),
      entry.bundles.map(describeHeld).join('; ') || '-',
      Object.entries(entry.emulated)
        .map(([what, value]) => `${what} ${value}`)
        .join(', ') || '-',
    ]),
  );
  const links = entries.flatMap(({ name, links: own }) =>
    own.map(({ to, bytesPerSecond, latency }) => [
      `${name} > ${to}`,
      `${formatBytes(bytesPerSecond)}/s`,
      formatSeconds(latency),
    ]),
  );
  if (links.length === 0) return devices;
  return `${devices}\n\n${table(['link', '>throughput', '>latency'], links)}`;
}

function describeHeld({ name, stages, measured }: FleetEntry['bundles'][number]): string {
  return `${name} ${stages.length === 0 ? 'no stage' : stages.join(' ')}${measured ? ', timed' : ''}`;
}
