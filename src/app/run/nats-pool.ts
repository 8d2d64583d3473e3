// Workers that joined a NATS server.
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { type Bundle, openBundle } from '../../bundle/index.ts';
import { MANIFEST_FILE } from '../../bundle/internal.ts';
import { type Fleet, fleetOf } from '../../plan/index.ts';
import {
  type Coordinator,
  type Fabric,
  type FleetEntry,
  loadNats,
  type NatsAccess,
} from '../../run/index.ts';
import { BedsideError } from '../../util/index.ts';
import { readFileChecked } from '../../util/internal.ts';
import { findAccess, type ServerOptions } from '../cluster/access.ts';
import { fleetFileOf, hasMeasured } from '../cluster/fleet-file.ts';
import { type Journal, journalOf, type Reporter } from '../reporter.ts';
import { type Measured, measureDevices } from './measure-devices.ts';
import type { WorkerPool } from './pool.ts';

/** Which server, and which of its workers. */
export interface NatsPoolOptions extends ServerOptions {
  /** Only the devices of this fleet take part, by its figures. */
  readonly fleet?: Fleet | undefined;
  /** The device that has the input; default: a trusted worker of this machine. */
  readonly source?: string | undefined;
}

interface Members {
  readonly fabric: Fabric;
  readonly fleet: Fleet;
  readonly clientName: string;
  readonly unmeasured: readonly string[];
}

/** The workers of a NATS server. They run on their own: closing the pool ends nothing. */
export class NatsPool implements WorkerPool {
  readonly bundle: Bundle;
  readonly fleet: Fleet;
  readonly clientName: string;
  readonly unmeasured: readonly string[];
  readonly #fabric: Fabric;

  private constructor(bundle: Bundle, { fabric, fleet, clientName, unmeasured }: Members) {
    this.bundle = bundle;
    this.fleet = fleet;
    this.clientName = clientName;
    this.unmeasured = unmeasured;
    this.#fabric = fabric;
  }

  /**
   * Publishes a bundle on a server if it is not there yet, and reads which workers are there.
   * @param bundle an opened one, or its folder
   * @throws BedsideError E_FABRIC when the server cannot be reached, or the credentials may not publish; E_FLEET when a device
   *   of the given fleet is missing, or the source is missing or not trusted; as `openBundle`
   */
  static async join(
    bundle: Bundle | string,
    options: NatsPoolOptions,
    reporter?: Reporter | Journal,
  ): Promise<NatsPool> {
    const journal = journalOf(reporter);
    const opened = typeof bundle === 'string' ? await openBundle(bundle) : bundle;
    const access = await findAccess(options, ['coordinator', 'client']);
    await publish(opened, access, journal);
    return new NatsPool(opened, await membersOf(opened, access, options, journal));
  }

  async open(): Promise<Fabric> {
    return this.#fabric;
  }

  /** All at once: each is a machine of its own. */
  measure(
    coordinator: Pick<Coordinator, 'measure'>,
    devices: readonly string[],
    onProgress: (done: number, total: number) => void = () => {},
  ): Promise<Measured> {
    return measureDevices(coordinator, devices, true, onProgress);
  }

  async close(): Promise<void> {}

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

async function publish(bundle: Bundle, access: NatsAccess, journal: Journal): Promise<void> {
  const { BundleStore } = await loadNats();
  await using store = await BundleStore.open(access);
  if (await store.has(bundle.sha256)) return;
  if (access.credentials && access.credentials.role !== 'coordinator') {
    throw new BedsideError(
      'E_FABRIC',
      `bundle '${bundle.manifest.name}' is not on the server, and a ${access.credentials.role} may not publish it`,
      { hint: 'run it once with the credentials of a coordinator' },
    );
  }
  const manifest = await readFileChecked(join(bundle.dir, MANIFEST_FILE), 'manifest');
  await journal.during('publishing the bundle', (progress) =>
    store.publish(bundle, manifest, (done, total) => progress.update(done, total)),
  );
  journal.note(`bundle '${bundle.manifest.name}' published`);
}

async function membersOf(
  bundle: Bundle,
  access: NatsAccess,
  { fleet: given, source }: NatsPoolOptions,
  journal: Journal,
): Promise<Members> {
  const { NatsFabric } = await loadNats();
  const expected = given?.devices.map(({ name }) => name) ?? (source === undefined ? [] : [source]);
  const entries = await readEntries(access, expected);
  const fleet = given ? present(given, entries) : fleetOf(fleetFileOf(entries, { source, bundle }));
  const names = new Set(fleet.devices.map(({ name }) => name));
  const left = given ? [] : entries.flatMap(({ name }) => (names.has(name) ? [] : [name]));
  if (left.length > 0) {
    journal.note(
      `a fleet has at most 64 devices, with names of at most 64 letters; left out: ${left.join(', ')}`,
    );
  }
  const unmeasured = entries.filter((one) => names.has(one.name) && !hasMeasured(one, bundle));
  const { role = 'coordinator', name } = access.credentials ?? {};
  return {
    fabric: new NatsFabric(access, { onNote: (text) => journal.note(text) }),
    fleet,
    clientName: `${role}/${name ?? `infer-${randomBytes(4).toString('hex')}`}`,
    unmeasured: unmeasured.map((one) => one.name),
  };
}

async function readEntries(access: NatsAccess, expected: readonly string[]): Promise<FleetEntry[]> {
  const { connectNats, FleetDirectory } = await loadNats();
  const connection = await connectNats(access);
  try {
    return await (await FleetDirectory.open(connection, access.credentials)).read(expected);
  } finally {
    await connection.close();
  }
}

/** The given fleet, if all its devices are there. */
function present(given: Fleet, entries: readonly FleetEntry[]): Fleet {
  const there = new Map(entries.map((entry) => [entry.name, entry]));
  const missing = given.devices.filter(({ name }) => !there.has(name)).map(({ name }) => name);
  if (missing.length > 0) {
    throw new BedsideError('E_FLEET', `not there: ${missing.join(', ')}`, {
      hint: `there: ${[...there.keys()].join(', ') || 'nobody'}; start bedside worker on each device of the fleet`,
    });
  }
  // A file alone makes nobody trusted: the server must vouch for the device too.
  const devices = given.devices.map((device) => ({
    ...device,
    trusted: device.trusted && (there.get(device.name)?.trusted ?? false),
  }));
  if (devices[given.source]?.trusted) return { ...given, devices };
  throw new BedsideError('E_FLEET', `source '${devices[given.source]?.name}' is not trusted on this server`, {
    hint: 'name a trusted device as source of the fleet',
  });
}
