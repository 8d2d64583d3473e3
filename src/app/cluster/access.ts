// The way to a NATS server: its address, and the credentials to connect with.
import { readdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { loadNats, type NatsAccess } from '../../run/index.ts';
import { BedsideError } from '../../util/index.ts';
import { readTextChecked } from '../../util/internal.ts';

/** Which server, and as whom. */
export interface ServerOptions {
  /** `nats://host:port` or `tls://host:port`; default: the server that the credentials name. */
  readonly fabric?: string | undefined;
  /** A credentials file that `initCluster` wrote, or a folder of them. Without it the server must be an open one. */
  readonly credentials?: string | undefined;
}

const SERVER = /^(nats|tls):\/\/(\[[\da-fA-F:.]+\]|[^\s/:@]+)(:\d{1,5})?$/;

/** Whether a text is the address of a NATS server. */
export function isServerUrl(text: string): boolean {
  return SERVER.test(text);
}

/**
 * Reads the credentials to connect with.
 * @param roles the roles that fit; of a folder, the first that it has a file for is taken
 * @throws BedsideError E_FILE, E_FABRIC for credentials that cannot be read, or a folder without fitting ones
 */
export async function findAccess(
  { fabric, credentials }: ServerOptions,
  roles: readonly string[],
): Promise<NatsAccess> {
  const servers = fabric === undefined ? undefined : [fabric];
  if (credentials === undefined) return { servers };
  const path = await credentialsFile(credentials, roles);
  const { parseCredentials } = await loadNats();
  const text = await readTextChecked(path, 'credentials');
  return { servers, credentials: parseCredentials(text, path) };
}

async function credentialsFile(path: string, roles: readonly string[]): Promise<string> {
  const info = await stat(path).catch(() => undefined);
  if (!info?.isDirectory()) return path;
  for (const folder of [join(path, 'credentials'), path]) {
    const names = new Set(await readdir(folder).catch(() => []));
    const found = roles.map((role) => `${role}.json`).find((name) => names.has(name));
    if (found !== undefined) return join(folder, found);
  }
  throw new BedsideError('E_FABRIC', `${path} has no credentials for any of: ${roles.join(', ')}`, {
    hint: `bedside cluster init writes them; copy ${basename(roles[0] ?? 'one')}.json here, or name a file`,
  });
}
