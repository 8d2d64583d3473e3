// The files of a cluster: configuration and certificate of its server, and credentials for each role.
import { chmod, mkdir, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { BedsideError, writeFileAtomic } from '../../../util/index.ts';
import { tokenOf } from '../subjects.ts';
import { certify } from './certificates.ts';
import { newCredentials } from './credentials.ts';
import type { Identity } from './roles.ts';
import { serverConfig } from './server-config.ts';

/** What a cluster is like. */
export interface ClusterOptions {
  /** Address that the server listens on; default all. */
  readonly listen?: string;
  readonly port: number;
  /** Port of the monitoring page, on this machine only. */
  readonly monitorPort: number;
  /** Names and addresses of the server, as nodes call it; the first is the one that credentials name. */
  readonly hosts: readonly string[];
  /** Who may connect. */
  readonly identities: readonly Identity[];
  /** Bytes of a payload and of all that is stored. */
  readonly maxPayload: number;
  readonly maxStorage: number;
  /** Days that the server's certificate is valid. */
  readonly days: number;
}

/** What was written, as paths. */
export interface WrittenCluster {
  readonly dir: string;
  readonly config: string;
  readonly credentials: readonly { readonly identity: Identity; readonly path: string }[];
}

export const SERVER_CONFIG = 'server.conf';

/** Where the credentials of an identity are. */
export function credentialsPath(dir: string, { role, name }: Identity): string {
  return join(dir, 'credentials', `${name === undefined ? role : `${role}-${tokenOf(name)}`}.json`);
}

/**
 * Writes the files of a cluster; keys are readable for this user alone. Keys that are there stay.
 * @param force makes new keys: nodes with the old ones are no longer let in
 * @throws BedsideError E_OUTPUT when there are keys already, or the folder cannot be written
 */
export async function writeCluster(
  folder: string,
  options: ClusterOptions,
  force = false,
): Promise<WrittenCluster> {
  const dir = resolve(folder);
  const config = join(dir, SERVER_CONFIG);
  if (!force && (await exists(config))) {
    throw new BedsideError('E_OUTPUT', `${dir} has a cluster already, whose keys stay as they are`, {
      hint: 'name another folder with --dir, or --force to make new keys, which shuts out all that have the old ones',
    });
  }
  const { hosts, port, maxPayload, maxStorage, monitorPort, days, identities } = options;
  const files = {
    certificate: join(dir, 'tls', 'server.pem'),
    key: join(dir, 'tls', 'server.key'),
    storage: join(dir, 'data'),
  };
  const { ca, server } = await certify(hosts, days);
  const servers = [`tls://${address(hosts[0] ?? '127.0.0.1', port)}`];
  const made = identities.map((identity) => ({ identity, ...newCredentials(identity, servers, ca) }));
  await makeFolders(dir);
  await writeFileAtomic(join(dir, 'tls', 'ca.pem'), ca);
  await writeFileAtomic(files.certificate, server.certificate);
  await writeSecret(files.key, server.key);
  const credentials: { identity: Identity; path: string }[] = [];
  for (const { identity, credentials: secret } of made) {
    const path = credentialsPath(dir, identity);
    await writeSecret(path, `${JSON.stringify(secret, null, 2)}\n`);
    credentials.push({ identity, path });
  }
  // Last: with it, the cluster is there.
  await writeSecret(
    config,
    serverConfig({
      host: options.listen ?? '0.0.0.0',
      ...{ port, monitorPort, maxPayload, maxStorage },
      ...files,
      users: made.map(({ identity, publicKey }) => ({ identity, publicKey })),
    }),
  );
  return { dir, config, credentials };
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

/** The file is never readable for others, not even for a moment. */
async function writeSecret(path: string, content: string): Promise<void> {
  await writeFileAtomic(path, content, 0o600);
}

async function exists(path: string): Promise<boolean> {
  return readFile(path).then(
    () => true,
    () => false,
  );
}

function address(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
