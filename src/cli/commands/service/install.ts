// `bedside service install`: the gateway or a worker as a service of systemd.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Argument, type Command } from 'commander';
import { installService, type ServiceUnit, UNIT_FOLDER } from '../../../app/service/install.ts';
import { BedsideError } from '../../../util/index.ts';
import { examples } from '../../command-line.ts';
import { addCommon, type CommonOptions } from '../../options/common.ts';
import { assertNoConflict, type Conflict } from '../../options/conflicts.ts';
import { count, numberIn } from '../../options/numbers.ts';
import { Output } from '../../terminal/output.ts';

interface InstallOptions extends CommonOptions {
  readonly write?: boolean;
  readonly dryRun?: boolean;
  readonly dir: string;
  readonly user?: string;
  readonly memory?: string;
  readonly host?: string;
  readonly port?: number;
  readonly workers?: number;
  readonly fabric?: string;
  readonly credentials?: string;
  readonly tokens?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly clientCa?: string;
}

const CONFLICTS: readonly Conflict<InstallOptions>[] = [
  {
    when: ({ write, dryRun }) => write === true && dryRun === true,
    message: '--write and --dry-run contradict each other',
    hint: 'leave one of them out',
  },
  {
    when: ({ tlsCert, tlsKey }) => (tlsCert === undefined) !== (tlsKey === undefined),
    message: '--tls-cert and --tls-key go together',
    hint: 'give both, as PEM files',
  },
];

/** Adds `service install`. */
export function addInstall(group: Command): void {
  const install = group
    .command('install')
    .summary('write the unit of a gateway or of a worker')
    .description(
      'Makes the unit of a service: under a user of its own, without rights, and with nothing of the system to write but ' +
        'its state. Keys and tokens are handed over by LoadCredential, so that only the service reads them. Without --write the ' +
        'unit is printed. docs/operations.md says what follows.',
    )
    .addArgument(new Argument('<service>', 'which one').choices(['gateway', 'worker']))
    .argument('[bundles...]', 'gateway: folders written by bedside pack, below /srv or /var/lib')
    .option('--dry-run', 'print the unit (default)')
    .option('--write', 'write it; needs the rights for that')
    .option('--dir <folder>', 'folder of units', UNIT_FOLDER)
    .option('--user <name>', 'user that it runs as; default: one that systemd makes up (DynamicUser)')
    .option('--memory <size>', 'most memory of the service, as in 2G', memorySize, '2G')
    .option('--fabric <where>', 'NATS server, nats://host:port; default: that of the credentials')
    .option('--credentials <file>', 'credentials of the cluster, docs/cluster.md')
    .option('--host <address>', 'gateway: address to listen on')
    .option('--port <n>', 'gateway: port to listen on', numberIn(1, 65_535, 'a port'))
    .option('--workers <n>', 'gateway: workers on this machine', count(64))
    .option('--tokens <file>', 'gateway: tokens and their roles; must exist')
    .option('--tls-cert <file>', 'gateway: certificate, PEM')
    .option('--tls-key <file>', 'gateway: its key, PEM')
    .option('--client-ca <file>', 'gateway: authorities of client certificates, PEM');
  addCommon(install, false)
    .addHelpText(
      'after',
      examples(
        ['bedside service install gateway /srv/bedside/ecg', 'print the unit of a gateway on this machine'],
        [
          'sudo bedside service install gateway /srv/bedside/ecg --host 0.0.0.0 --tls-cert c.pem --tls-key k.pem --tokens t.json --write',
          'write that of a ward',
        ],
        [
          'sudo bedside service install worker --credentials worker-watch.json --write',
          'on each device of a cluster',
        ],
      ),
    )
    .action((service: 'gateway' | 'worker', bundles: string[], options: InstallOptions) =>
      run(service, bundles, options),
    );
}

async function run(
  kind: 'gateway' | 'worker',
  bundles: readonly string[],
  options: InstallOptions,
): Promise<void> {
  const output = new Output(options);
  assertNoConflict(options, CONFLICTS);
  assertOfKind(kind, bundles, options);
  const { dir, write = false, user, memory, fabric, credentials } = options;
  const common = { command: ownCommand(), user, memory, fabric, credentials };
  const service =
    kind === 'worker' ? ({ kind, ...common } as const) : ({ kind, ...options, ...common, bundles } as const);
  const unit = await installService(service, { folder: dir, write });
  output.result(unit);
  output.print(write ? told(unit) : unit.text);
}

/** @throws BedsideError E_USAGE for options of the other service */
function assertOfKind(kind: string, bundles: readonly string[], options: InstallOptions): void {
  if (kind === 'gateway') return;
  const { host, port, workers, tokens, tlsCert, clientCa } = options;
  const others = Object.entries({ host, port, workers, tokens, tlsCert, clientCa });
  const [other] = others.find(([, value]) => value !== undefined) ?? [];
  if (other === undefined && bundles.length === 0) return;
  throw new BedsideError(
    'E_USAGE',
    `${bundles[0] ?? `--${other}`} is for gateways; a worker fetches what it computes`,
    {
      hint: 'bedside service install worker --credentials worker-NAME.json',
    },
  );
}

function told({ name, path }: ServiceUnit): string {
  return [
    `${path} is written; start it, now and with the machine:`,
    `  systemctl daemon-reload`,
    `  systemctl enable --now ${name}`,
    '',
  ].join('\n');
}

/** Node and the compiled program, by absolute paths. */
function ownCommand(): string[] {
  const compiled = new URL('../../main.js', import.meta.url);
  const built = new URL('../../../../dist/cli/main.js', import.meta.url);
  const program = fileURLToPath(import.meta.url.endsWith('.ts') ? built : compiled);
  if (existsSync(program)) return [process.execPath, program];
  throw new BedsideError('E_UNSUPPORTED', `there is no compiled program at ${program}`, {
    hint: 'npm run build',
  });
}

function memorySize(text: string): string {
  if (/^[1-9]\d*[KMGT]?$/.test(text)) return text;
  throw new BedsideError('E_USAGE', `--memory is a size such as 2G, not '${text}'`);
}
