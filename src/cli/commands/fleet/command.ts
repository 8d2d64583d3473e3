// `bedside fleet`: who is there, what each can do and holds, and how fast the links are.
import type { Command } from 'commander';
import { FleetReader, writeFleetFile } from '../../../app/cluster/fleet.ts';
import { examples } from '../../command-line.ts';
import { addCommon, type CommonOptions } from '../../options/common.ts';
import { assertNoConflict, type Conflict } from '../../options/conflicts.ts';
import { addNats, type NatsOptions } from '../../options/nats.ts';
import { Interrupt } from '../../terminal/interrupt.ts';
import { Output } from '../../terminal/output.ts';
import { describeFleet } from './text.ts';

interface FleetOptions extends CommonOptions, NatsOptions {
  readonly once?: boolean;
  readonly out?: string;
  readonly source?: string;
}

const EVERY_MS = 1000;

const CONFLICTS: readonly Conflict<FleetOptions>[] = [
  {
    when: ({ source, out }) => source !== undefined && out === undefined,
    message: '--source is for the file that --out writes',
    hint: 'give --out FILE too',
  },
];

/** Adds the command to the program. */
export function addFleet(program: Command): void {
  const command = program
    .command('fleet')
    .summary('show the workers on a NATS server, their links and the stages they hold')
    .description(
      'Shows every worker on a NATS server: its measured speed and memory, its links to the others, and the stages of ' +
        'bundles that it holds. Repeats every second until Ctrl-C; with --once, --json or --out it shows the fleet once. ' +
        'Workers that are silent for five seconds disappear.',
    );
  addNats(command)
    .option('--once', 'show it once')
    .option('--out <file>', 'write the fleet to a file that bedside plan --fleet reads')
    .option(
      '--source <device>',
      'with --out: the device with the input; default: a trusted worker of this machine',
    );
  addCommon(command, false)
    .addHelpText(
      'after',
      examples(
        ['bedside fleet --credentials cluster/', 'live'],
        ['bedside fleet --credentials observer.json --json', 'once, for programs'],
        ['bedside fleet --credentials cluster/ --out ward.json --source watch', 'to plan with'],
      ),
    )
    .action((options: FleetOptions) => showFleet(options));
}

async function showFleet(options: FleetOptions): Promise<void> {
  const output = new Output(options);
  const { out, source, once } = options;
  assertNoConflict(options, CONFLICTS);
  await using fleet = await FleetReader.connect(options, output);
  if (!once && !output.json && out === undefined) return watch(fleet, output);
  const entries = await fleet.read();
  if (out !== undefined) {
    await writeFleetFile(out, entries, source);
    output.note(`${entries.length} devices written to ${out}`);
  }
  output.result({ devices: entries, ...(out === undefined ? {} : { out }) });
  output.print(describeFleet(entries));
}

async function watch(fleet: FleetReader, output: Output): Promise<void> {
  const stop = Interrupt.ofService();
  try {
    for (;;) {
      // A server that is away for a moment ends nothing.
      const text = await fleet.read().then(describeFleet, (error: Error) => error.message);
      output.clear();
      output.print(`${new Date().toLocaleTimeString()}\n${text}\n`);
      if (await stop.sleep(EVERY_MS)) return;
    }
  } finally {
    stop.end();
  }
}
