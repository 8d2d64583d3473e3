// Services of systemd: the units of a gateway or of a worker, shown or written.
import { access } from 'node:fs/promises';
import { isAbsolute, join, resolve } from 'node:path';
import { BedsideError, messageOf, writeFileAtomic } from '../../util/index.ts';
import { assertVisible, unitText } from './units.ts';

/** What both services are made of. */
interface CommonSettings {
  /** The command: Node, and the program. */
  readonly command: readonly string[];
  readonly user?: string | undefined;
  /** As systemd writes it, such as `2G`; default `2G`. */
  readonly memory?: string | undefined;
  /** Credentials of the cluster. */
  readonly credentials?: string | undefined;
  readonly fabric?: string | undefined;
}

/** A gateway as a service. */
export interface GatewayService extends CommonSettings {
  readonly kind: 'gateway';
  readonly bundles: readonly string[];
  readonly host?: string | undefined;
  readonly port?: number | undefined;
  readonly workers?: number | undefined;
  readonly tokens?: string | undefined;
  readonly tlsCert?: string | undefined;
  readonly tlsKey?: string | undefined;
  readonly clientCa?: string | undefined;
}

/** A worker as a service. */
export interface WorkerService extends CommonSettings {
  readonly kind: 'worker';
}

/** A unit: its name, where it belongs, and its text. */
export interface ServiceUnit {
  readonly name: string;
  readonly path: string;
  readonly text: string;
  /** Whether it was written. */
  readonly written: boolean;
}

export const UNIT_FOLDER = '/etc/systemd/system';
/** Rarer collections of young objects: the slowest requests take half as long (docs/operations.md). */
const GATEWAY_NODE_OPTIONS = '--max-semi-space-size=64';

const DEFAULT_MEMORY = '2G';
const LOOPBACK = /^(localhost|::1|127(\.\d{1,3}){3})$/;

/**
 * The unit of a service, and writes it if it shall.
 * @param folder of units
 * @throws BedsideError E_USAGE for what a service cannot see, or a gateway off this machine without TLS and tokens; E_FILE for
 *   a missing file; E_OUTPUT
 */
export async function installService(
  service: GatewayService | WorkerService,
  { folder = UNIT_FOLDER, write }: { readonly folder?: string | undefined; readonly write: boolean },
): Promise<ServiceUnit> {
  for (const path of service.command) {
    if (isAbsolute(path)) assertVisible(path, 'the program');
  }
  const name = `bedside-${service.kind}.service`;
  const path = join(folder, name);
  const text = service.kind === 'gateway' ? await gatewayUnit(service) : await workerUnit(service);
  if (write) {
    try {
      await writeFileAtomic(path, text, 0o644);
    } catch (cause) {
      if (BedsideError.is(cause)) throw cause;
      throw new BedsideError('E_OUTPUT', `cannot write ${path}: ${messageOf(cause)}`, {
        hint: 'run it as root, or look at the unit with --dry-run',
        cause,
      });
    }
  }
  return { name, path, text, written: write };
}

async function gatewayUnit(service: GatewayService): Promise<string> {
  const { bundles, host, port, workers, fabric, tokens, tlsCert, tlsKey, clientCa, credentials } = service;
  if (bundles.length === 0) throw new BedsideError('E_USAGE', 'a gateway serves bundles, and none is named');
  if (host !== undefined && !LOOPBACK.test(host) && !(tokens && tlsCert && tlsKey)) {
    throw new BedsideError(
      'E_USAGE',
      `${host} can be reached from other machines: TLS and tokens are missing`,
      {
        hint: 'give --tls-cert, --tls-key and --tokens',
      },
    );
  }
  const files = await credentialFiles({
    'tls-cert.pem': tlsCert,
    'tls-key.pem': tlsKey,
    'client-ca.pem': clientCa,
    'tokens.json': tokens,
    'cluster.json': credentials,
  });
  const given = (option: string, file: string): string[] => (file in files ? [option, `%d/${file}`] : []);
  const value = (option: string, own: string | number | undefined): string[] =>
    own === undefined ? [] : [option, String(own)];
  const folders: string[] = [];
  for (const bundle of bundles) folders.push(await visibleFile(bundle, 'a bundle'));
  return unitText({
    command: service.command,
    words: [
      ...['serve', ...folders],
      ...[...value('--host', host), ...value('--port', port), ...value('--workers', workers)],
      ...[...value('--fabric', fabric), ...given('--credentials', 'cluster.json')],
      ...[...given('--tls-cert', 'tls-cert.pem'), ...given('--tls-key', 'tls-key.pem')],
      ...[...given('--client-ca', 'client-ca.pem'), ...given('--tokens', 'tokens.json')],
      ...['--audit', '%S/bedside-gateway/audit', '--log'],
    ],
    credentials: files,
    user: service.user,
    memory: service.memory ?? DEFAULT_MEMORY,
    state: ['bedside-gateway', 'bedside-gateway/audit'],
    description: 'bedside gateway: answers requests over HTTP',
    nodeOptions: GATEWAY_NODE_OPTIONS,
  });
}

async function workerUnit({ command, credentials, fabric, user, memory }: WorkerService): Promise<string> {
  if (credentials === undefined && fabric === undefined) {
    throw new BedsideError('E_USAGE', 'a worker needs its credentials, or the address of an open server', {
      hint: 'give --credentials worker-NAME.json, written by bedside cluster init',
    });
  }
  const files = await credentialFiles({ 'cluster.json': credentials });
  return unitText({
    command,
    words: [
      'worker',
      ...(fabric === undefined ? [] : ['--fabric', fabric]),
      ...(credentials === undefined ? [] : ['--credentials', '%d/cluster.json']),
    ],
    credentials: files,
    user,
    memory: memory ?? DEFAULT_MEMORY,
    state: ['bedside-worker'],
    description: 'bedside worker: computes for a ward',
  });
}

/** Those files that are given, by absolute path. systemd reads them before it hides anything, so they may lie anywhere. */
async function credentialFiles(
  given: Readonly<Record<string, string | undefined>>,
): Promise<Record<string, string>> {
  const files: Record<string, string> = {};
  for (const [name, path] of Object.entries(given)) {
    if (path !== undefined) files[name] = await existing(path, 'a key or certificate');
  }
  return files;
}

async function visibleFile(path: string, what: string): Promise<string> {
  const found = await existing(path, what);
  assertVisible(found, what);
  return found;
}

async function existing(path: string, what: string): Promise<string> {
  const found = resolve(path);
  try {
    await access(found);
  } catch (cause) {
    throw new BedsideError('E_FILE', `${what} is missing: ${found}`, {
      hint: 'the service would not start without it',
      cause,
    });
  }
  return found;
}
