// `bedside cluster`: the NATS server over which the devices of a ward reach each other.
import type { Command } from 'commander';
import { ClusterServer } from '../../../app/cluster/server.ts';
import { MONITOR_URL, readClusterStatus } from '../../../app/cluster/status.ts';
import { examples } from '../../command-line.ts';
import { addCommon, type CommonOptions } from '../../options/common.ts';
import { addNats, type NatsOptions } from '../../options/nats.ts';
import { Interrupt } from '../../terminal/interrupt.ts';
import { Output } from '../../terminal/output.ts';
import { addInit, DEFAULT_DIR, DIR } from './init.ts';
import { addAdd, addRevoke, type DirOptions } from './members.ts';
import { describeServer, describeStatus } from './text.ts';

interface StatusOptions extends CommonOptions, NatsOptions {
  readonly monitor: string;
}

/** Adds the command to the program. */
export function addCluster(program: Command): void {
  const cluster = program
    .command('cluster')
    .summary('set up and run the NATS server of a ward')
    .description(
      'Sets up, runs and inspects the NATS server (the package nats-server) over which the devices of a ward reach each ' +
        'other. init writes its files: TLS with an authority of its own, keys for every role or device, and the rights of ' +
        'each key. docs/cluster.md',
    );
  addInit(cluster);
  addAdd(cluster);
  addRevoke(cluster);
  addUp(cluster);
  addStatus(cluster);
}

function addUp(cluster: Command): void {
  const command = cluster
    .command('up')
    .summary('run the server in the foreground')
    .description(
      'Runs nats-server with the configuration of the cluster, creates its buckets, and shows the log of the ' +
        'server. If the server runs already, as a service, it only creates the buckets. A server that was left behind by a ' +
        'killed bedside cluster up is taken over. Ctrl-C stops the server.',
    )
    .option(DIR, 'folder of the cluster', DEFAULT_DIR);
  addCommon(command, false)
    .addHelpText('after', examples(['bedside cluster up', ''], ['bedside cluster up --dir /etc/bedside', '']))
    .action((options: DirOptions) => up(options));
}

function addStatus(cluster: Command): void {
  const command = cluster
    .command('status')
    .summary('show the server, its connections and storage, and the fleet')
    .description(
      'Shows the state of the server, the stored bundles and the fleet. The list of connections comes from the status ' +
        'page of the server, which only the machine of the server can read.',
    )
    .option('--monitor <url>', 'status page of the server', MONITOR_URL);
  addNats(command);
  addCommon(command, false)
    .addHelpText('after', examples(['bedside cluster status --credentials cluster/', '']))
    .action((options: StatusOptions) => status(options));
}

async function up({ dir, ...options }: DirOptions): Promise<void> {
  const output = new Output(options);
  const stop = Interrupt.ofService();
  try {
    await using server = await ClusterServer.start(dir, output);
    output.note(describeServer(server.state));
    output.result(server.state);
    await server.runUntil(stop.signal);
  } finally {
    stop.end();
  }
}

async function status(options: StatusOptions): Promise<void> {
  const output = new Output(options);
  const found = await readClusterStatus(options, output);
  output.result(found);
  output.print(describeStatus(found));
}
