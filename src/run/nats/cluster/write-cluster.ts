// The files of a cluster: configuration and certificate of its server, and credentials for each role.
import { chmod, mkdir, rm, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { BedsideError, writeFileAtomic } from '../../../util/index.ts';
import { readTextChecked } from '../../../util/internal.ts';
import { newSigningKey, type Signer, signerOf } from '../identity/signing.ts';
import { tokenOf } from '../transport/subjects.ts';
import { certifyServer, makeAuthority } from './certificates.ts';
import { NEW_KEYS, newCredentials } from './credentials.ts';
import { type Identity, ROLES } from './roles.ts';
import { serverConfig } from './server-config.ts';

/** The settings of a cluster. */
export interface ClusterOptions {
  /** Address that the server listens on; default: all. */
  readonly listen?: string;
  readonly port: number;
  /** Port of the monitoring page, on this machine only. */
  readonly monitorPort: number;
  /** Names and addresses by which nodes reach the server. Credentials contain the first one. */
  readonly hosts: readonly string[];
  /** The nodes that may connect. */
  readonly identities: readonly Identity[];
  /** Largest payload, and size of the storage, in bytes. */
  readonly maxPayload: number;
  readonly maxStorage: number;
  /** Days that the server's certificate is valid. */
  readonly days: number;
}

/** Paths of the files that were written. */
export interface WrittenCluster {
  readonly dir: string;
  readonly config: string;
  readonly credentials: readonly { readonly identity: Identity; readonly path: string }[];
}

/** Name of the server's configuration file in the folder of a cluster. */
export const SERVER_CONFIG = 'server.conf';

/** The file from which the configuration is written again when nodes are added. Nothing in it is secret. */
const CLUSTER_FILE = 'cluster.json';

const CLUSTER = z.strictObject({
  format: z.literal('bedside-cluster'),
  version: z.literal(2),
  /** Public key of the cluster, which signs the certificates of its nodes. */
  signer: z.string(),
  servers: z.array(z.string()).min(1),
  listen: z.string(),
  port: z.int(),
  monitorPort: z.int(),
  maxPayload: z.int(),
  maxStorage: z.int(),
  users: z.array(
    z.strictObject({
      keys: z.strictObject({ fabric: z.string(), store: z.string() }),
      identity: z.strictObject({
        role: z.enum(ROLES),
        name: z.string().optional(),
        trusted: z.boolean().optional(),
      }),
    }),
  ),
});
export type ClusterFile = z.output<typeof CLUSTER>;

/** The path of an identity's credentials. */
export function credentialsPath(dir: string, { role, name }: Identity): string {
  return join(dir, 'credentials', `${name === undefined ? role : `${role}-${tokenOf(name)}`}.json`);
}

/**
 * Writes the files of a new cluster. Only this user can read the keys.
 * @param force replaces an existing cluster with new keys: devices with the old ones lose access
 * @throws BedsideError E_OUTPUT if the folder has a cluster already, or cannot be written
 */
export async function writeCluster(
  folder: string,
  options: ClusterOptions,
  force = false,
): Promise<WrittenCluster> {
  const dir = resolve(folder);
  const config = join(dir, SERVER_CONFIG);
  if (!force && (await exists(config))) {
    throw new BedsideError('E_OUTPUT', `${dir} already has a cluster, which stays as it is`, {
      hint: 'name another folder with --dir, or use --force to make new keys; devices with the old ones then lose access',
    });
  }
  const { hosts, port, maxPayload, maxStorage, monitorPort, days, identities } = options;
  // The server's machine reaches itself by these names.
  const all = [...new Set([...hosts, 'localhost', '127.0.0.1'])];
  const authority = await makeAuthority(days);
  const server = await certifyServer(authority, all, days);
  const signingKey = newSigningKey();
  const signer = signerOf(signingKey);
  const cluster: ClusterFile = {
    format: 'bedside-cluster',
    version: 2,
    signer: signer.publicKey,
    servers: [`tls://${address(hosts[0] ?? '127.0.0.1', port)}`],
    listen: options.listen ?? '0.0.0.0',
    ...{ port, monitorPort, maxPayload, maxStorage },
    users: [],
  };
  // Old credentials are no longer valid.
  await rm(join(dir, 'credentials'), { recursive: true, force: true });
  await makeFolders(dir);
  const files = filesOf(dir);
  await writeFileAtomic(files.ca, authority.certificate);
  await writeSecret(files.caKey, authority.key);
  await writeFileAtomic(files.certificate, server.certificate);
  await writeSecret(files.key, server.key);
  await writeSecret(files.signingKey, `${signingKey}\n`);
  return writeUsers(dir, cluster, { ca: authority.certificate, signer }, identities);
}

/**
 * Adds nodes to a cluster. The server admits them after it has read its configuration again.
 * @throws BedsideError E_FILE if there is no cluster, or if its signing key is missing; E_OUTPUT for a node that exists
 */
export async function addToCluster(folder: string, identities: readonly Identity[]): Promise<WrittenCluster> {
  const dir = resolve(folder);
  const data = await readCluster(dir);
  for (const identity of identities) {
    if (await exists(credentialsPath(dir, identity))) {
      throw new BedsideError(
        'E_OUTPUT',
        `${credentialsPath(dir, identity)} already exists, and stays as it is`,
        {
          hint: 'give the node another name; to make a new key for it, delete the file first',
        },
      );
    }
  }
  const ca = await readTextChecked(filesOf(dir).ca, 'certificate');
  return writeUsers(dir, data, { ca, signer: await signerIn(dir, data.signer) }, identities);
}

/**
 * Reads the key that signs certificates of nodes. An operator who keeps it elsewhere must bring it back to add a node.
 */
async function signerIn(dir: string, publicKey: string): Promise<Signer> {
  const path = filesOf(dir).signingKey;
  const hint =
    'bring back the file that bedside cluster init wrote; without it, bedside cluster init --force makes all keys again';
  const text = await readTextChecked(path, 'signing key').catch((cause: unknown) => {
    throw new BedsideError('E_FILE', `${path}, the signing key of the cluster, is missing`, {
      hint,
      cause,
    });
  });
  try {
    const signer = signerOf(text.trim());
    if (signer.publicKey === publicKey) return signer;
  } catch {
    // As below.
  }
  throw new BedsideError('E_FILE', `${path} is not the signing key of this cluster`, { hint });
}

/**
 * What a cluster was made from.
 * @throws BedsideError E_FILE if there is none
 */
export async function readCluster(dir: string): Promise<ClusterFile> {
  const text = await readTextChecked(join(dir, CLUSTER_FILE), 'cluster');
  const value = parsed(text);
  const { success, data } = CLUSTER.safeParse(value);
  if (success) return data;
  if ((value as { version?: unknown } | null | undefined)?.version === 1) {
    throw new BedsideError(
      'E_FILE',
      `${dir} has a cluster from an earlier version, on whose server any key can speak for others`,
      { hint: NEW_KEYS },
    );
  }
  throw new BedsideError('E_FILE', `${join(dir, CLUSTER_FILE)} cannot be read as a cluster`, {
    hint: 'bedside cluster init writes it; it must not be edited',
  });
}

/** Keys for identities, beside those of the cluster; then its configuration. One of the same name is replaced. */
async function writeUsers(
  dir: string,
  cluster: ClusterFile,
  { ca, signer }: { readonly ca: string; readonly signer: Signer },
  identities: readonly Identity[],
): Promise<WrittenCluster> {
  const credentials: { identity: Identity; path: string }[] = [];
  let users = [...cluster.users];
  for (const identity of identities) {
    const told = { servers: cluster.servers, ca, signer };
    const { credentials: secret, keys } = newCredentials(identity, told);
    const path = credentialsPath(dir, identity);
    await writeSecret(path, `${JSON.stringify(secret, null, 2)}\n`);
    credentials.push({ identity, path });
    users = users.filter((user) => credentialsPath(dir, user.identity) !== path);
    users.push({ keys, identity });
  }
  await writeClusterFile(dir, { ...cluster, users });
  // Written last: it marks the cluster as complete.
  return { dir, config: await writeConfig(dir, { ...cluster, users }), credentials };
}

/** Writes what a cluster was made from. */
export async function writeClusterFile(dir: string, cluster: ClusterFile): Promise<void> {
  await writeFileAtomic(join(dir, CLUSTER_FILE), `${JSON.stringify(cluster, null, 2)}\n`);
}

/** Writes the server's configuration, which lets in the users of the cluster. @returns its path */
export async function writeConfig(dir: string, cluster: ClusterFile): Promise<string> {
  const config = join(dir, SERVER_CONFIG);
  const { certificate, key, storage } = filesOf(dir);
  const { listen: host, port, monitorPort, maxPayload, maxStorage, users } = cluster;
  const settings = { host, port, monitorPort, maxPayload, maxStorage, certificate, key, storage, users };
  await writeSecret(config, serverConfig(settings));
  return config;
}

/** Paths of a cluster's files. */
export function filesOf(dir: string) {
  return {
    ca: join(dir, 'tls', 'ca.pem'),
    caKey: join(dir, 'tls', 'ca.key'),
    certificate: join(dir, 'tls', 'server.pem'),
    key: join(dir, 'tls', 'server.key'),
    /** Private key with which the cluster signs the certificates of its nodes. */
    signingKey: join(dir, 'tls', 'signing.key'),
    storage: join(dir, 'data'),
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

async function makeFolders(dir: string): Promise<void> {
  try {
    for (const path of [dir, join(dir, 'tls'), join(dir, 'credentials'), join(dir, 'data')]) {
      await mkdir(path, { recursive: true, mode: 0o700 });
    }
    await chmod(join(dir, 'credentials'), 0o700);
  } catch (cause) {
    throw new BedsideError('E_OUTPUT', `cannot make the folder ${dir}`, {
      hint: 'choose a folder that you may write to',
      cause,
    });
  }
}

/** Writes a file that other users can never read, not even for a moment. */
export async function writeSecret(path: string, content: string): Promise<void> {
  await writeFileAtomic(path, content, 0o600);
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

function address(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
