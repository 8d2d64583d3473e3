// The fleet on a NATS server, as `infer` runs plans on it.
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { findAccess, fleetFileOf, hasMeasured, type ServerOptions } from '../../app/index.ts';
import { type Bundle, MANIFEST_FILE } from '../../bundle/index.ts';
import { type Fleet, fleetOf } from '../../plan/index.ts';
import { type Fabric, type FleetEntry, loadNats, type NatsAccess } from '../../run/index.ts';
import { BedsideError, readFileChecked } from '../../util/index.ts';
import type { Output } from '../output.ts';

/** Where plans run. */
export interface NatsRoom {
  readonly fabric: Fabric;
  readonly fleet: Fleet;
  /** A name for who asks. */
  readonly requester: string;
  /** Devices that have not timed the bundle's stages. */
  readonly unmeasured: readonly string[];
}

export interface NatsRoomOptions extends ServerOptions {
  /** The device that has the input. */
  readonly source?: string | undefined;
}

/**
 * Publishes the bundle where it is not there yet, and reads who is there.
 * @param given only its devices take part, by its figures where they have none of their own
 * @throws BedsideError E_FABRIC; E_FLEET when a device of the given fleet is not there
 */
export async function openNatsRoom(
  bundle: Bundle,
  given: Fleet | undefined,
  options: NatsRoomOptions,
  output: Output,
): Promise<NatsRoom> {
  const access = await findAccess(options, ['coordinator', 'client']);
  const { NatsFabric, connectNats, FleetDirectory } = await loadNats();
  await publish(bundle, access, output);
  const connection = await connectNats(access);
  let entries: FleetEntry[];
  try {
    const board = await FleetDirectory.open(connection, access.credentials);
    const { source } = options;
    const expected = given?.devices.map(({ name }) => name) ?? (source === undefined ? [] : [source]);
    entries = await board.read(expected);
  } finally {
    await connection.close();
  }
  const fleet = given
    ? present(given, entries)
    : fleetOf(fleetFileOf(entries, { source: options.source, bundle }));
  const names = new Set(fleet.devices.map(({ name }) => name));
  const left = given ? [] : entries.flatMap(({ name }) => (names.has(name) ? [] : [name]));
  if (left.length > 0)
    output.note(`a fleet has 64 devices at most, with names of 64 letters; left out: ${left.join(', ')}`);
  const unmeasured = entries.filter((one) => names.has(one.name) && !hasMeasured(one, bundle));
  const { role = 'coordinator', name } = access.credentials ?? {};
  return {
    fabric: new NatsFabric(access, { onNote: (text) => output.note(text) }),
    fleet,
    requester: `${role}/${name ?? `infer-${randomBytes(4).toString('hex')}`}`,
    unmeasured: unmeasured.map((one) => one.name),
  };
}

async function publish(bundle: Bundle, access: NatsAccess, output: Output): Promise<void> {
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
  await output.during('publishing the bundle', (progress) =>
    store.publish(bundle, manifest, (done, total) => progress.update(done, total)),
  );
  output.note(`bundle '${bundle.manifest.name}' published`);
}

/** The given fleet, if all of it is there. */
function present(given: Fleet, entries: readonly FleetEntry[]): Fleet {
  const there = new Map(entries.map((entry) => [entry.name, entry]));
  const missing = given.devices.filter(({ name }) => !there.has(name)).map(({ name }) => name);
  if (missing.length > 0) {
    throw new BedsideError('E_FLEET', `not there: ${missing.join(', ')}`, {
      hint: `there: ${[...there.keys()].join(', ') || 'nobody'}; start bedside worker on each device of the fleet`,
    });
  }
  // Nobody is trusted by the word of a file whom the server does not vouch for.
  const devices = given.devices.map((device) => ({
    ...device,
    trusted: device.trusted && (there.get(device.name)?.trusted ?? false),
  }));
  if (devices[given.source]?.trusted) return { ...given, devices };
  throw new BedsideError('E_FLEET', `source '${devices[given.source]?.name}' is not trusted on this server`, {
    hint: 'name a trusted device as source of the fleet',
  });
}
