// The files of a cluster: configuration and certificate of its NATS server, and one credentials file for each role or device.
import { hostname, networkInterfaces } from 'node:os';
import { loadNats, type Renewed, type WrittenCluster } from '../../run/index.ts';
import type { Identity, Revocation, Revoked } from '../../run/internal.ts';
import { type Reload, reloadServer } from './reload.ts';

/** Settings of a new cluster. */
export interface ClusterSettings {
  /** Names and addresses by which devices reach the server, the best first; default: those of this machine. */
  readonly hosts?: readonly string[] | undefined;
  /** Address that the server listens on. */
  readonly listen?: string | undefined;
  readonly port?: number | undefined;
  /** Port of the server's status page, which only its own machine can read. */
  readonly monitorPort?: number | undefined;
  /** Names of trusted devices, each with a key of its own. Without any device, one key serves workers of any name. */
  readonly workers?: readonly string[] | undefined;
  /** Names of devices that are not trusted, each with a key of its own. */
  readonly guests?: readonly string[] | undefined;
  /** Bytes of one message, and of all stored bundles. */
  readonly maxPayload?: number | undefined;
  readonly maxStorage?: number | undefined;
  /** Days that the server's certificate is valid. */
  readonly days?: number | undefined;
  /** Creates new keys where there are some; devices that hold the old ones lose access. */
  readonly force?: boolean | undefined;
}

/** Settings of a new cluster unless others are given. */
export const CLUSTER_DEFAULTS = {
  listen: '0.0.0.0',
  port: 4222,
  monitorPort: 8222,
  maxPayload: 8 << 20,
  maxStorage: 4 * 2 ** 30,
  days: 1825,
} as const;

/** Files of a new cluster, and the address of its server. */
export type NewCluster = WrittenCluster & { readonly hosts: readonly string[]; readonly port: number };

/**
 * Writes the files of a new cluster, readable for this user alone.
 * @throws BedsideError E_OUTPUT when the folder has keys already (unless `force`), or cannot be written
 */
export async function initCluster(folder: string, settings: ClusterSettings = {}): Promise<NewCluster> {
  const { writeCluster } = await loadNats();
  const { workers = [], guests = [], hosts = ownHosts(), force, ...rest } = settings;
  const named: Identity[] = [
    ...workers.map((name): Identity => ({ role: 'worker', name, trusted: true })),
    ...guests.map((name): Identity => ({ role: 'worker', name, trusted: false })),
  ];
  const anyWorker: Identity = { role: 'worker', trusted: true };
  const identities: Identity[] = [
    ...(named.length > 0 ? named : [anyWorker]),
    ...(['client', 'coordinator', 'observer', 'operator'] as const).map((role): Identity => ({ role })),
  ];
  const given = Object.entries(rest).filter(([, value]) => value !== undefined);
  const options = { ...CLUSTER_DEFAULTS, ...Object.fromEntries(given) };
  const written = await writeCluster(folder, { ...options, hosts, identities }, force);
  return { ...written, hosts, port: options.port };
}

/** Roles that a key can be added for. */
export const ADDED_ROLES = ['worker', 'client', 'coordinator', 'observer'] as const;

/** One more device or user of a cluster. */
export interface NewMember {
  readonly name: string;
  readonly role: (typeof ADDED_ROLES)[number];
  /** A worker that is not trusted. */
  readonly guest?: boolean | undefined;
}

/**
 * Adds a key to a cluster; existing keys stay. The server accepts it after it has read its configuration again.
 * @throws BedsideError E_FILE without a cluster, or without the key that signs new members; E_OUTPUT when the name has a key
 */
export async function addToCluster(
  folder: string,
  { name, role, guest }: NewMember,
): Promise<WrittenCluster> {
  const nats = await loadNats();
  return nats.addToCluster(folder, [role === 'worker' ? { role, name, trusted: !guest } : { role, name }]);
}

/** Keys that were withdrawn, and whether the running server refuses them already. */
export type RevokeResult = Revoked & { readonly server: Reload };

/**
 * Withdraws the keys of a device or user. A server of this machine reads its configuration again, and ends the connections of
 * those keys at once; all other keys and connections stay.
 * @throws BedsideError E_FILE without a cluster; E_USAGE where no such key is, or for the operator's
 */
export async function revokeFromCluster(folder: string, whose: Revocation): Promise<RevokeResult> {
  const nats = await loadNats();
  const revoked = await nats.revokeFromCluster(folder, whose);
  return { ...revoked, server: await reloadServer(folder) };
}

/**
 * Makes a new certificate for the server of a cluster; all keys stay.
 * @throws BedsideError E_FILE without a cluster; E_OUTPUT when it cannot be written
 */
export async function renewCluster(
  folder: string,
  { hosts, days = CLUSTER_DEFAULTS.days }: Pick<ClusterSettings, 'hosts' | 'days'> = {},
): Promise<Renewed> {
  const { renewCertificates } = await loadNats();
  return renewCertificates(folder, { hosts, days });
}

/** How this machine may be called: its name and addresses, then those that only it can use. */
function ownHosts(): string[] {
  const addresses = Object.values(networkInterfaces())
    .flatMap((list) => list ?? [])
    .filter(({ internal, family }) => !internal && family === 'IPv4')
    .map(({ address }) => address);
  return [...new Set([hostname(), ...addresses, 'localhost', '127.0.0.1'])];
}
