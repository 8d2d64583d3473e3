// A fleet as its devices say it is.
import { hostname } from 'node:os';
import type { BundleManifest } from '../../bundle/index.ts';
import type { FleetFile } from '../../plan/index.ts';
import type { BoardEntry } from '../../run/index.ts';
import { BedsideError } from '../../util/index.ts';

/** Of links that nobody has probed yet: a weak radio link. */
const UNKNOWN_LINK = { bytesPerSecond: 1e6, latency: 0.005 };

export interface BoardFleetOptions {
  /** The device that has the input. */
  readonly source?: string | undefined;
  /** Measured times of other bundles of the same name are left out. */
  readonly bundle?: { readonly sha256: string; readonly manifest: BundleManifest } | undefined;
}

/**
 * A fleet file of the entries of a board, for `bedside plan` and for planning.
 * @throws BedsideError E_FLEET when nobody is there, or the source is not or is not trusted
 */
export function fleetOfBoard(entries: readonly BoardEntry[], options: BoardFleetOptions = {}): unknown {
  const source = sourceOf(entries, options.source);
  const names = new Set(entries.map(({ name }) => name));
  return {
    format: 'bedside-fleet',
    version: 1,
    name: 'the fleet on NATS',
    source,
    devices: entries.map((entry) => deviceOf(entry, options)),
    network: { channel: 'independent', ...UNKNOWN_LINK },
    links: entries.flatMap(({ name: from, links }) =>
      links
        .filter(({ to }) => names.has(to))
        .map(({ to, bytesPerSecond, latency }) => ({
          ...{ from, to, oneWay: true },
          bytesPerSecond: clamp(bytesPerSecond, 1, 1e13),
          latency: clamp(latency, 0, 3600),
        })),
    ),
  };
}

/** Whether a device has timed a bundle's stages itself. */
export function hasMeasured({ bundles }: BoardEntry, sha256: string): boolean {
  return bundles.some((bundle) => bundle.sha256 === sha256 && bundle.measured);
}

function deviceOf(entry: BoardEntry, { bundle }: BoardFleetOptions): FleetFile['devices'][number] {
  const { name, host, emulated, macsPerSecond, memory, battery, joulesPerMac, joulesPerByteSent, trusted } =
    entry;
  const said = Object.entries(emulated).map(([what, value]) => `${what} ${value}`);
  const foreign = bundle && !hasMeasured(entry, bundle.sha256) ? bundle.manifest.name : undefined;
  const seconds = Object.fromEntries(Object.entries(entry.seconds).filter(([of]) => of !== foreign));
  return {
    name,
    description: said.length > 0 ? `on ${host}; emulated: ${said.join(', ')}` : `on ${host}`,
    macsPerSecond: clamp(macsPerSecond, 1e3, 1e16),
    ...(Object.keys(seconds).length > 0 ? { seconds } : {}),
    memory: clamp(memory, 0, 1e15),
    ...(battery === undefined ? {} : { energy: battery }),
    joulesPerMac: clamp(joulesPerMac, 0, 1e-3),
    joulesPerByteSent: clamp(joulesPerByteSent, 0, 1),
    trusted,
    wait: 0,
    resident: [],
  };
}

/** The one that is named; else a trusted one of this machine, where the input is. */
function sourceOf(entries: readonly BoardEntry[], named: string | undefined): string {
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

function clamp(value: number, least: number, most: number): number {
  return Math.min(most, Math.max(least, value));
}
