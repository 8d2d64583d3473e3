// A fleet file of the workers on a server, by what they announce of themselves.
import { hostname } from 'node:os';
import type { BundleManifest } from '../../bundle/index.ts';
import type { FleetFile } from '../../plan/index.ts';
import type { FleetEntry } from '../../run/index.ts';
import { BedsideError } from '../../util/index.ts';
import { clamp } from '../../util/internal.ts';

/** Most devices of a fleet, and most letters of their names. */
const MOST_DEVICES = 64;
const MOST_NAME = 64;

/** Limits of a stage's seconds, as in a fleet file. */
const [LEAST_SECONDS, MOST_SECONDS] = [1e-9, 3600];

/** Assumed for links that nobody has probed yet: a weak radio link. */
const UNKNOWN_LINK = { bytesPerSecond: 1e6, latency: 0.005 };

/** How workers become a fleet. */
export interface FleetFileOptions {
  /** The device that has the input. */
  readonly source?: string | undefined;
  /** The bundle to plan for: measured times of other bundles of the same name are left out. */
  readonly bundle?: { readonly sha256: string; readonly manifest: BundleManifest } | undefined;
}

/**
 * A fleet file of the announced workers. A figure that cannot be true is clamped or left out; it does not affect other devices.
 * @throws BedsideError E_FLEET when nobody is there, or the source is missing or not trusted
 */
export function fleetFileOf(entries: readonly FleetEntry[], options: FleetFileOptions = {}): unknown {
  const source = sourceOf(entries, options.source);
  const { taken } = takenFrom(entries, source);
  const names = new Set(taken.map(({ name }) => name));
  return {
    format: 'bedside-fleet',
    version: 1,
    name: 'the fleet on NATS',
    source,
    devices: taken.map((entry) => deviceOf(entry, options)),
    network: { channel: 'independent', ...UNKNOWN_LINK },
    links: taken.flatMap(({ name: from, links }) =>
      [...new Map(links.map((link) => [link.to, link])).values()]
        .filter(({ to }) => to !== from && names.has(to))
        .map(({ to, bytesPerSecond, latency }) => ({
          ...{ from, to, oneWay: true },
          bytesPerSecond: clamp(bytesPerSecond, 1, 1e13),
          latency: clamp(latency, 0, 3600),
        })),
    ),
  };
}

/** As many as a fleet can have: first the source, then trusted devices, then others. `left` names the rest. */
export function takenFrom(
  entries: readonly FleetEntry[],
  source: string,
): { readonly taken: readonly FleetEntry[]; readonly left: readonly string[] } {
  const named = entries.filter(({ name }) => name.length <= MOST_NAME);
  const rank = ({ name, trusted }: FleetEntry): number => (name === source ? 0 : trusted ? 1 : 2);
  const sorted = named.toSorted((a, b) => rank(a) - rank(b));
  const names = new Set(sorted.slice(0, MOST_DEVICES).map(({ name }) => name));
  return {
    taken: entries.filter(({ name }) => names.has(name)),
    left: entries.flatMap(({ name }) => (names.has(name) ? [] : [name])),
  };
}

/** Whether a device has timed the stages of a bundle itself, and announces times that can be true. */
export function hasMeasured(
  { bundles, seconds }: FleetEntry,
  { sha256, manifest }: { readonly sha256: string; readonly manifest: BundleManifest },
): boolean {
  const { name, stages, ratios } = manifest;
  const table = Object.hasOwn(seconds, name) ? seconds[name] : undefined;
  return (
    bundles.some((bundle) => bundle.sha256 === sha256 && bundle.measured) &&
    table?.length === stages.length &&
    table.every((row) => row.length === ratios.length) &&
    isTable(table)
  );
}

function isTable(table: readonly (readonly number[])[]): boolean {
  return (
    table.length > 0 &&
    table.every((row) => row.length > 0 && row.every((one) => one >= LEAST_SECONDS && one <= MOST_SECONDS))
  );
}

function deviceOf(entry: FleetEntry, { bundle }: FleetFileOptions): FleetFile['devices'][number] {
  const { name, host, emulated, macsPerSecond, memory, battery, joulesPerMac, joulesPerByteSent, trusted } =
    entry;
  const said = Object.entries(emulated).map(([what, value]) => `${what} ${value}`);
  const foreign = bundle && !hasMeasured(entry, bundle) ? bundle.manifest.name : undefined;
  const seconds = Object.fromEntries(
    Object.entries(entry.seconds).filter(([of, table]) => of !== foreign && isTable(table)),
  );
  return {
    name,
    description: said.length > 0 ? `on ${host}; emulated: ${said.join(', ')}` : `on ${host}`,
    macsPerSecond: clamp(macsPerSecond, 1e3, 1e16),
    ...(Object.keys(seconds).length > 0 ? { seconds } : {}),
    memory: clamp(memory, 0, 1e15),
    ...(battery === undefined ? {} : { energy: clamp(battery, 0, 1e12) }),
    joulesPerMac: clamp(joulesPerMac, 0, 1e-3),
    joulesPerByteSent: clamp(joulesPerByteSent, 0, 1),
    trusted,
    wait: 0,
    resident: [],
  };
}

/** The named device; otherwise a trusted one of this machine, where the input is. */
function sourceOf(entries: readonly FleetEntry[], named: string | undefined): string {
  const there = entries.map(({ name }) => name).join(', ') || 'nobody';
  if (entries.length === 0) {
    throw new BedsideError('E_FLEET', 'no worker is there', {
      hint: 'start bedside worker on each device; bedside fleet shows who is there',
    });
  }
  if (named === undefined) {
    const here = entries.find(({ host, trusted }) => trusted && host === hostname());
    if (here) return here.name;
    throw new BedsideError('E_FLEET', 'no trusted worker runs on this machine, which has the input', {
      hint: `name the device that may have it with --source; there: ${there}`,
    });
  }
  const entry = entries.find(({ name }) => name === named);
  if (entry?.trusted) return named;
  throw new BedsideError(
    'E_FLEET',
    entry
      ? `source '${named}' is not trusted, but it gets the whole input`
      : `source '${named}' is not there`,
    { hint: entry ? 'name a trusted device' : `there: ${there}` },
  );
}
