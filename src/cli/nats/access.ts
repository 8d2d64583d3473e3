// --fabric and --credentials: where the NATS server is, and as whom to come.
import { readdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import { loadNats, type NatsAccess } from '../../run/index.ts';
import { BedsideError, readTextChecked } from '../../util/index.ts';

export interface NatsOptions {
  readonly fabric?: string;
  readonly credentials?: string;
}

/** Roles in the order in which a command would come, where a folder has credentials of several. */
export type Wanted = readonly string[];

const SERVER = /^(nats|tls):\/\/(\[[\da-fA-F:.]+\]|[^\s/:@]+)(:\d{1,5})?$/;

/** Whether a fabric is a NATS server. */
export function isServer(fabric: string): boolean {
  return SERVER.test(fabric);
}

export function server(text: string): string {
  if (isServer(text)) return text;
  throw new InvalidArgumentError('Expected nats://host:port or tls://host:port.');
}

/** --fabric and --credentials, for commands that always need a server. */
export function addNats(command: Command): Command {
  return addCredentials(
    command.option(
      '--fabric <url>',
      'NATS server, as nats://host:port; default: the one that the credentials name',
      server,
    ),
  );
}

export function addCredentials(command: Command): Command {
  return command.option(
    '--credentials <path>',
    'what bedside cluster init wrote for this node: a file, or its folder, of which the fitting one is taken',
  );
}

/**
 * What to connect with.
 * @throws BedsideError E_FILE, E_FABRIC for credentials that cannot be read, or a folder without fitting ones
 */
export async function accessOf({ fabric, credentials }: NatsOptions, wanted: Wanted): Promise<NatsAccess> {
  const servers = fabric === undefined ? undefined : [fabric];
  if (credentials === undefined) return { servers };
  const path = await fileOf(credentials, wanted);
  const { parseCredentials } = await loadNats();
  const text = await readTextChecked(path, 'credentials');
  return { servers, credentials: parseCredentials(text, path) };
}

async function fileOf(path: string, wanted: Wanted): Promise<string> {
  const info = await stat(path).catch(() => undefined);
  if (!info?.isDirectory()) return path;
  const folders = [join(path, 'credentials'), path];
  for (const folder of folders) {
    const names = new Set(await readdir(folder).catch(() => []));
    const found = wanted.map((name) => `${name}.json`).find((name) => names.has(name));
    if (found !== undefined) return join(folder, found);
  }
  throw new BedsideError('E_FABRIC', `${path} has no credentials for this: ${wanted.join(', ')}`, {
    hint: `bedside cluster init writes them; copy ${basename(wanted[0] ?? 'one')}.json here, or name a file`,
  });
}
