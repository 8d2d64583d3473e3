// Withdrawing keys from a cluster: the server lets them in no more once it has read its configuration again.
import { rm } from 'node:fs/promises';
import { resolve } from 'node:path';
import { BedsideError } from '../../../util/index.ts';
import { nearestNames } from '../../../util/internal.ts';
import type { Identity, Role } from './roles.ts';
import { credentialsPath, readCluster, writeClusterFile, writeConfig } from './write-cluster.ts';

/** Whose keys are withdrawn: those of a name, of a role, or of a name in a role. Without a name, a role's key for any name. */
export interface Revocation {
  readonly name?: string | undefined;
  readonly role?: Role | undefined;
}

/** The keys that were withdrawn. */
export interface Revoked {
  readonly dir: string;
  readonly config: string;
  readonly revoked: readonly Identity[];
  /** Workers and clients that share a key for any name, and so may still come under a withdrawn name. */
  readonly anyName: readonly Role[];
}

/**
 * Takes the keys of a device or user out of a cluster's configuration, and removes its credentials file from the folder. All
 * other keys stay.
 * @throws BedsideError E_FILE without a cluster; E_USAGE where no such key is, or for the key that `cluster up` needs
 */
export async function revokeFromCluster(folder: string, { name, role }: Revocation): Promise<Revoked> {
  const dir = resolve(folder);
  const cluster = await readCluster(dir);
  const isMeant = ({ identity }: { readonly identity: Identity }): boolean =>
    identity.name === name && (role === undefined || identity.role === role);
  const revoked = cluster.users.filter(isMeant).map(({ identity }) => identity);
  const users = cluster.users.filter((user) => !isMeant(user));
  if ((name === undefined && role === undefined) || revoked.length === 0) {
    throw unknown(dir, { name, role }, cluster.users);
  }
  if (revoked.some((identity) => identity.role === 'operator')) {
    throw new BedsideError('E_USAGE', 'the key of the operator cannot be withdrawn: cluster up needs it', {
      hint: 'bedside cluster init --force makes all keys again',
    });
  }
  // The configuration first: after a crash the key is out, and the same command does the rest.
  const config = await writeConfig(dir, { ...cluster, users });
  await writeClusterFile(dir, { ...cluster, users });
  for (const identity of revoked) await rm(credentialsPath(dir, identity), { force: true });
  const roles = new Set(revoked.map((identity) => identity.role));
  const shared = users.filter(({ identity }) => identity.name === undefined && roles.has(identity.role));
  return {
    dir,
    config,
    revoked,
    anyName: name === undefined ? [] : shared.map(({ identity }) => identity.role),
  };
}

function unknown(
  dir: string,
  { name, role }: Revocation,
  users: readonly { readonly identity: Identity }[],
): BedsideError {
  const named = users.flatMap(({ identity }) => identity.name ?? []);
  const shared = users.flatMap(({ identity }) =>
    identity.name === undefined ? [`--role ${identity.role}`] : [],
  );
  const hint =
    name === undefined || named.length === 0
      ? `there are: ${[...named, ...shared].join(', ')}`
      : `did you mean: ${nearestNames(name, named, 3).join(', ')}?`;
  if (name === undefined && role === undefined) {
    return new BedsideError(
      'E_USAGE',
      'whose key is withdrawn? give a name, or --role for the key of any name',
      {
        hint,
      },
    );
  }
  const whose = [
    ...(name === undefined ? ['for any name'] : [`of '${name}'`]),
    ...(role ? [`as ${role}`] : []),
  ];
  return new BedsideError('E_USAGE', `${dir} has no key ${whose.join(' ')}`, { hint });
}
