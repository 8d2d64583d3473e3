// `bedside cluster init`: the files of a new cluster, or a new certificate for the server of one.
import { type Command, InvalidArgumentError } from 'commander';
import { CLUSTER_DEFAULTS, initCluster, renewCluster } from '../../../app/cluster/cluster-files.ts';
import { BedsideError } from '../../../util/index.ts';
import { examples } from '../../command-line.ts';
import { addCommon, type CommonOptions } from '../../options/common.ts';
import { names } from '../../options/numbers.ts';
import { Output } from '../../terminal/output.ts';
import { describeNewCluster, describeRenewed } from './text.ts';

/** The folder of a cluster, and where it is unless given. */
export const DIR = '--dir <folder>';
export const DEFAULT_DIR = 'cluster';

interface InitOptions extends CommonOptions {
  readonly dir: string;
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

/** Options that have no meaning for a cluster that exists. */
const NOT_RENEWED = 'force workers guests listen port monitorPort maxPayload maxStorage'.split(' ');

/** Adds the command to its group. */
export function addInit(cluster: Command): void {
  const defaults = CLUSTER_DEFAULTS;
  const command = cluster
    .command('init')
    .summary('write configuration, certificate and credentials')
    .description(
      'Writes server.conf for nats-server, its certificate, and a credentials file for each role: worker, client, ' +
        'coordinator, observer, operator. Only you can read the files. With --workers and --guests each device gets a key ' +
        'of its own: nobody else can speak or listen under its name, and no key works for any name. Guests are not ' +
        'trusted: the server enforces what plans let untrusted devices see.',
    )
    .option(DIR, 'folder to write to', DEFAULT_DIR)
    .option(
      '--host <list>',
      'names and addresses by which devices reach the server, the best first; default: this machine’s',
      names,
    )
    .option('--listen <address>', 'address that the server listens on', defaults.listen)
    .option('--port <n>', 'port of the server', port, defaults.port)
    .option(
      '--monitor-port <n>',
      'port of its status page, for this machine only',
      port,
      defaults.monitorPort,
    )
    .option('--workers <list>', 'names of trusted devices, each with a key of its own', names)
    .option('--guests <list>', 'names of devices that are not trusted, each with a key of its own', names)
    .option(
      '--max-payload <bytes>',
      'limit of one message; larger tensors travel in chunks',
      whole(65_536, 64 << 20),
      defaults.maxPayload,
    )
    .option('--max-storage <bytes>', 'limit of stored bundles', whole(1 << 20, 1e15), defaults.maxStorage)
    .option('--days <n>', 'days that the certificate is valid', whole(1, 36_500), defaults.days)
    .option('--force', 'create new keys; devices holding the old ones lose access')
    .option(
      '--renew-certificates',
      'for an existing cluster: a new certificate for its server; all keys stay. With --host and --days only',
    );
  addCommon(command, false)
    .addHelpText(
      'after',
      examples(
        ['bedside cluster init', 'this machine, one key a role'],
        ['bedside cluster init --host ward7.local --workers watch,gateway --guests tv', 'one key a device'],
        ['bedside cluster init --renew-certificates', 'before they expire; keys stay'],
      ),
    )
    .action((options: InitOptions) => {
      if (!options.renewCertificates) return init(options);
      const unfit = NOT_RENEWED.filter((name) => command.getOptionValueSource(name) === 'cli');
      return renew(options, unfit);
    });
}

async function init({ dir, host, ...options }: InitOptions): Promise<void> {
  const output = new Output(options);
  const { listen, port: number, monitorPort, workers, guests, maxPayload, maxStorage, days, force } = options;
  const written = await initCluster(dir, {
    ...{
      hosts: host,
      listen,
      port: number,
      monitorPort,
      workers,
      guests,
      maxPayload,
      maxStorage,
      days,
      force,
    },
  });
  output.result(written);
  output.print(describeNewCluster(written));
}

async function renew({ dir, host, days, ...options }: InitOptions, unfit: readonly string[]): Promise<void> {
  if (unfit[0]) {
    const flag = `--${unfit[0].replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
    throw new BedsideError(
      'E_USAGE',
      `${flag} has no meaning with --renew-certificates, which changes the certificate alone`,
      { hint: 'leave one of them out' },
    );
  }
  const output = new Output(options);
  const renewed = await renewCluster(dir, { hosts: host, days });
  output.result(renewed);
  output.print(describeRenewed(renewed));
}

function port(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value > 0 && value < 65_536) return value;
  throw new InvalidArgumentError('Expected a port, from 1 to 65535.');
}

function whole(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (Number.isInteger(value) && value >= least && value <= most) return value;
    throw new InvalidArgumentError(`Expected a whole number from ${least} to ${most}.`);
  };
}
