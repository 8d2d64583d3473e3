// `bedside cluster`: the NATS server over which the devices of a ward reach each other.
import { hostname, networkInterfaces } from 'node:os';
import { relative } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import { type Identity, loadNats, type Renewed } from '../../run/index.ts';
import { BedsideError, formatBytes, formatSeconds } from '../../util/index.ts';
import { examples } from '../command-line.ts';
import { accessOf, addNats, type NatsOptions } from '../nats/access.ts';
import { fleetText } from '../nats/fleet-text.ts';
import { runServer } from '../nats/run-server.ts';
import type { ServerProcess } from '../nats/server-process.ts';
import { type ClusterStatus, readStatus } from '../nats/server-status.ts';
import { addCommon, type CommonOptions, names } from '../options.ts';
import { Output } from '../output.ts';
import { table } from '../tables.ts';

const DIR = '--dir <folder>';
const DEFAULT_DIR = 'cluster';

interface DirOptions extends CommonOptions {
  readonly dir: string;
}

interface InitOptions extends DirOptions {
  readonly host?: readonly string[];
  readonly listen: string;
  readonly port: number;
  readonly monitorPort: number;
  readonly workers?: readonly string[];
  readonly guests?: readonly string[];
  readonly maxPayload: number;
  readonly maxStorage: number;
  readonly days: number;
  readonly force?: boolean;
  readonly renewCertificates?: boolean;
}

interface AddOptions extends DirOptions {
  readonly role: 'worker' | 'client' | 'coordinator' | 'observer';
  readonly guest?: boolean;
}

/** Adds the command to the program. */
export function addCluster(program: Command): void {
  const cluster = program
    .command('cluster')
    .summary('the NATS server of a ward: its files, keys and state')
    .description(
      'A ward needs one NATS server (the package nats-server), which every device can reach. init writes its files: TLS ' +
        'with an authority of its own, a key for every role or device, and what each may read and say. docs/cluster.md',
    );
  addInit(cluster);
  addAdd(cluster);
  addUp(cluster);
  addStatus(cluster);
}

function addInit(cluster: Command): void {
  const command = cluster
    .command('init')
    .summary('write configuration, certificate and credentials')
    .description(
      'Writes server.conf for nats-server, its certificate, and one credentials file for each role (worker, client, ' +
        'coordinator, observer, operator), readable for you alone. With --workers and --guests each device has a key of ' +
        'its own, under which nobody else can speak or listen, and there is no key for workers of any name. Guests are ' +
        'not trusted: what plans let untrusted devices see, the server holds them to.',
    )
    .option(DIR, 'where the files go', DEFAULT_DIR)
    .option(
      '--host <list>',
      'names and addresses by which devices reach the server, the best first; default: this machine’s',
      names,
    )
    .option('--listen <address>', 'address that the server listens on', '0.0.0.0')
    .option('--port <n>', 'port of the server', port, 4222)
    .option('--monitor-port <n>', 'port of its status page, for this machine only', port, 8222)
    .option('--workers <list>', 'names of trusted devices, each with a key of its own', names)
    .option('--guests <list>', 'names of devices that are not trusted, each with a key of its own', names)
    .option(
      '--max-payload <bytes>',
      'of one message; larger tensors travel in chunks',
      bytes(65_536, 64 << 20),
      8 << 20,
    )
    .option('--max-storage <bytes>', 'for bundles, on disk', bytes(1 << 20, 1e15), 4 * 2 ** 30)
    .option('--days <n>', 'how long the certificate is valid', bytes(1, 36_500), 1825)
    .option('--force', 'make new keys, which shuts out all that have the old ones')
    .option(
      '--renew-certificates',
      'of a cluster that is there: a new certificate for its server; all keys stay. With --host and --days only',
    );
  addCommon(command)
    .addHelpText(
      'after',
      examples(
        ['bedside cluster init', 'this machine, one key a role'],
        ['bedside cluster init --host ward7.local --workers watch,gateway --guests tv', 'one key a device'],
        ['bedside cluster init --renew-certificates', 'before they run out; keys stay'],
      ),
    )
    .action((options: InitOptions) => {
      if (!options.renewCertificates) return init(options);
      const unfit = NOT_RENEWED.filter((name) => command.getOptionValueSource(name) === 'cli');
      return renew(options, unfit);
    });
}

function addAdd(cluster: Command): void {
  const command = cluster
    .command('add')
    .summary('a key for one more device or user')
    .description(
      'Adds a named key to a cluster; those that are there stay. The server knows it once it has read its configuration ' +
        'again: start it again, or nats-server --signal reload.',
    )
    .argument('<name>', 'name that it bears')
    .option(DIR, 'the folder of the cluster', DEFAULT_DIR)
    .option('--role <role>', 'worker, client, coordinator or observer', role, 'worker')
    .option('--guest', 'a worker that is not trusted');
  addCommon(command)
    .addHelpText(
      'after',
      examples(['bedside cluster add tablet-3', ''], ['bedside cluster add tv --guest', '']),
    )
    .action((name: string, options: AddOptions) => add(name, options));
}

function addUp(cluster: Command): void {
  const command = cluster
    .command('up')
    .summary('run the server in the foreground')
    .description(
      'Runs nats-server with the configuration of the cluster, makes the bucket for bundles, and ' +
        'shows what it says. Where it runs already, as a service, makes the bucket alone; one that was left behind by a ' +
        'bedside cluster up that is gone it takes over. Ctrl-C stops it.',
    )
    .option(DIR, 'the folder of the cluster', DEFAULT_DIR);
  addCommon(command)
    .addHelpText('after', examples(['bedside cluster up', ''], ['bedside cluster up --dir /etc/bedside', '']))
    .action((options: DirOptions) => up(options));
}

function addStatus(cluster: Command): void {
  const command = cluster
    .command('status')
    .summary('the server, who is connected, storage, the fleet')
    .description(
      'Asks the server how it is, what is stored, and who is in the fleet. Who is connected only the machine of the ' +
        'server can say, from its status page.',
    )
    .option('--monitor <url>', 'status page of the server', 'http://127.0.0.1:8222');
  addNats(command);
  addCommon(command)
    .addHelpText('after', examples(['bedside cluster status --credentials cluster/', '']))
    .action((options: StatusOptions) => status(options));
}

/** Options of init that have no meaning for a cluster that is there. */
const NOT_RENEWED = 'force workers guests listen port monitorPort maxPayload maxStorage'.split(' ');

async function renew({ dir, host, days, ...options }: InitOptions, unfit: readonly string[]): Promise<void> {
  if (unfit[0]) {
    const flag = `--${unfit[0].replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
    throw new BedsideError(
      'E_USAGE',
      `${flag} has no meaning with --renew-certificates, which keeps all else`,
      {
        hint: 'leave one of them out',
      },
    );
  }
  const output = new Output(options);
  const { renewCertificates } = await loadNats();
  const renewed = await renewCertificates(dir, { hosts: host, days });
  output.result(renewed);
  output.say(renewedText(renewed));
}

function renewedText({ dir, hosts, expires, authority, credentials, missing }: Renewed): string {
  const short = (path: string): string => relative('.', path) || path;
  const lines = [
    `server          new certificate for ${hosts.join(', ')}; expires ${expires.slice(0, 10)}`,
    `authority       ${authority.kept ? 'stays' : 'new'}; expires ${authority.expires.slice(0, 10)}`,
    'keys            stay',
    '',
  ];
  if (!authority.kept) {
    lines.push('Devices trust the new authority with these files only; copy each its own again:');
    for (const path of credentials) lines.push(`  ${short(path)}`);
    for (const path of missing) lines.push(`  ${short(path)} is not here: delete that key and add it again`);
    lines.push('');
  }
  lines.push(
    `Start the server again (bedside cluster up --dir ${short(dir)}): until then it shows the old certificate.`,
  );
  return lines.join('\n');
}

async function init(options: InitOptions): Promise<void> {
  const output = new Output(options);
  const { writeCluster } = await loadNats();
  const { dir, workers, guests, force, host, ...rest } = options;
  const hosts = host ?? ownHosts();
  const named: Identity[] = [
    ...(workers ?? []).map((name): Identity => ({ role: 'worker', name, trusted: true })),
    ...(guests ?? []).map((name): Identity => ({ role: 'worker', name, trusted: false })),
  ];
  const identities: Identity[] = [
    ...(named.length > 0 ? named : [{ role: 'worker', trusted: true } satisfies Identity]),
    ...(['client', 'coordinator', 'observer', 'operator'] as const).map((one): Identity => ({ role: one })),
  ];
  const { listen, port: number, monitorPort, maxPayload, maxStorage, days } = rest;
  const written = await writeCluster(
    dir,
    { listen, port: number, monitorPort, hosts, identities, maxPayload, maxStorage, days },
    force,
  );
  output.result({ ...written, hosts, port: number });
  const short = (path: string): string => relative('.', path) || path;
  output.say(
    [
      `cluster written to ${short(written.dir)}: server at ${hosts[0]}:${number}`,
      '',
      table(
        ['credentials', 'role', 'name', 'trusted'],
        written.credentials.map(({ identity, path }) => [
          short(path),
          identity.role,
          identity.name ?? 'any',
          identity.role === 'worker' ? (identity.trusted === false ? 'no' : 'yes') : '-',
        ]),
      ),
      '',
      'Each file holds a private key: give each device its own, and nobody another.',
      'Next:',
      `  bedside cluster up --dir ${short(written.dir)}              # here`,
      '  bedside worker --credentials worker….json      # on each device',
      `  bedside fleet --credentials ${short(written.dir)}           # who is there`,
      `  bedside infer BUNDLE --data D --fabric tls://${hosts[0]}:${number} --credentials ${short(written.dir)}`,
    ].join('\n'),
  );
}

async function add(name: string, { dir, role: wanted, guest, ...options }: AddOptions): Promise<void> {
  const output = new Output(options);
  const { addToCluster } = await loadNats();
  const identity: Identity =
    wanted === 'worker' ? { role: wanted, name, trusted: !guest } : { role: wanted, name };
  const written = await addToCluster(dir, [identity]);
  output.result(written);
  output.say(
    `${written.credentials.map(({ path }) => relative('.', path)).join(', ')} written; ` +
      'start the server again, or nats-server --signal reload, so that it knows',
  );
}

async function up({ dir, ...options }: DirOptions): Promise<void> {
  await runServer(dir, new Output(options));
}

interface StatusOptions extends CommonOptions, NatsOptions {
  readonly monitor: string;
}

async function status(options: StatusOptions): Promise<void> {
  const output = new Output(options);
  const access = await accessOf(options, ['operator', 'observer', 'coordinator']);
  const found = await readStatus(access, options.monitor, options.credentials);
  if (!access.credentials) output.note((await loadNats()).OPEN_NOTE);
  output.result(found);
  output.say(statusText(found));
}

function statusText({ server, storage, process, connections, fleet }: ClusterStatus): string {
  const lines = [
    `server          ${server.name}, nats-server ${server.version}, ${server.tls ? 'TLS' : 'NO TLS'}`,
    ...(server.certificate ? [`certificate     ${certificateText(server.certificate)}`] : []),
    `round trip      ${formatSeconds(server.roundTrip)}; payloads up to ${formatBytes(server.maxPayload)}`,
    ...(process ? [`process         ${processText(process)}`] : []),
    storage
      ? `stored          ${formatBytes(storage.used)} of ${storage.limit === null ? 'no limit' : formatBytes(storage.limit)} in ${storage.streams} streams`
      : 'stored          not for these credentials to know',
    connections
      ? `connections     ${connections.length}`
      : 'connections     only the machine of the server can say',
    '',
  ];
  if (connections && connections.length > 0) {
    lines.push(
      table(
        ['connection', 'from', '>in', '>out', '>idle'],
        connections.map(({ name, from, bytesIn, bytesOut, idle }) => [
          name,
          from,
          formatBytes(bytesIn),
          formatBytes(bytesOut),
          idle,
        ]),
      ),
      '',
    );
  }
  return [...lines, fleetText(fleet)].join('\n');
}

function certificateText({ expires, renew }: NonNullable<ClusterStatus['server']['certificate']>): string {
  const date = expires.slice(0, 10);
  if (!renew) return `expires ${date}`;
  const days = Math.max(0, Math.floor((Date.parse(expires) - Date.now()) / 86_400_000));
  return `EXPIRES ${date}, in ${days} days: bedside cluster init --renew-certificates, then start the server again`;
}

function processText({ pid, by, isLeft }: ServerProcess): string {
  return isLeft
    ? `${pid}, left behind by a bedside cluster up that is gone; bedside cluster up takes it over`
    : `${pid}, of bedside cluster up (${by})`;
}

/** How this machine may be called: its name and addresses, then what only it can use. */
function ownHosts(): string[] {
  const addresses = Object.values(networkInterfaces())
    .flatMap((list) => list ?? [])
    .filter(({ internal, family }) => !internal && family === 'IPv4')
    .map(({ address }) => address);
  return [...new Set([hostname(), ...addresses, 'localhost', '127.0.0.1'])];
}

function port(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value > 0 && value < 65_536) return value;
  throw new InvalidArgumentError('Expected a port, from 1 to 65535.');
}

function bytes(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (Number.isInteger(value) && value >= least && value <= most) return value;
    throw new InvalidArgumentError(`Expected a whole number from ${least} to ${most}.`);
  };
}

function role(text: string): AddOptions['role'] {
  if (text === 'worker' || text === 'client' || text === 'coordinator' || text === 'observer') return text;
  throw new InvalidArgumentError('Expected worker, client, coordinator or observer.');
}
