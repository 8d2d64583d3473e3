// `bedside fleet`: who is there, what each can do and holds, and how fast the links are.
import type { Command } from 'commander';
import { fleetOf } from '../../plan/index.ts';
import { type BoardEntry, loadNats } from '../../run/index.ts';
import { BedsideError, writeFileAtomic } from '../../util/index.ts';
import { examples } from '../command-line.ts';
import { Interrupt } from '../interrupt.ts';
import { accessOf, addNats, type NatsOptions } from '../nats/access.ts';
import { fleetOfBoard } from '../nats/board-fleet.ts';
import { fleetText } from '../nats/fleet-text.ts';
import { addCommon, type CommonOptions } from '../options.ts';
import { Output } from '../output.ts';

interface FleetOptions extends CommonOptions, NatsOptions {
  readonly once?: boolean;
  readonly out?: string;
  readonly source?: string;
}

const EVERY_MS = 1000;

/** Adds the command to the program. */
export function addFleet(program: Command): void {
  const command = program
    .command('fleet')
    .summary('the workers on a NATS server: devices, links, what each holds')
    .description(
      'Shows every worker with what it measured of itself, its links to the others as they were found by probing, and ' +
        'the stages of bundles that it holds; again every second until Ctrl-C. With --once, --json or --out once. ' +
        'Workers that say nothing for five seconds are gone.',
    );
  addNats(command)
    .option('--once', 'show it once')
    .option('--out <file>', 'write it as a fleet file, which bedside plan --fleet takes')
    .option('--source <device>', 'with --out: who has the input; default: a trusted worker of this machine');
  addCommon(command)
    .addHelpText(
      'after',
      examples(
        ['bedside fleet --credentials cluster/', 'live'],
        ['bedside fleet --credentials observer.json --json', 'once, for programs'],
        ['bedside fleet --credentials cluster/ --out ward.json --source watch', 'to plan with'],
      ),
    )
    .action((options: FleetOptions) => fleet(options));
}

async function fleet(options: FleetOptions): Promise<void> {
  const output = new Output(options);
  const { out, source } = options;
  if (source !== undefined && out === undefined) {
    throw new BedsideError('E_USAGE', '--source is for the file that --out writes', {
      hint: 'give --out FILE too',
    });
  }
  const access = await accessOf(options, ['observer', 'coordinator', 'client', 'operator']);
  const { connectNats, FleetBoard, OPEN_NOTE } = await loadNats();
  const connection = await connectNats(access);
  if (!access.credentials) output.note(OPEN_NOTE);
  const stop = Interrupt.ofService();
  try {
    const board = await FleetBoard.open(connection, access.credentials);
    if (options.once || output.json || out !== undefined) {
      await showOnce(await board.read(), options, output);
      return;
    }
    for (;;) {
      // A server that is away for a moment ends nothing.
      const text = await board.read().then(fleetText, (error: Error) => error.message);
      output.clear();
      output.say(`${new Date().toLocaleTimeString()}\n${text}\n`);
      if (await stop.sleep(EVERY_MS)) return;
    }
  } finally {
    stop.end();
    await connection.close();
  }
}

async function showOnce(
  entries: readonly BoardEntry[],
  { out, source }: FleetOptions,
  output: Output,
): Promise<void> {
  if (out !== undefined) {
    const file = fleetOfBoard(entries, { source });
    fleetOf(file, out);
    await writeFileAtomic(out, `${JSON.stringify(file, null, 2)}\n`);
    output.note(`${entries.length} devices written to ${out}`);
  }
  output.result({ devices: entries, ...(out === undefined ? {} : { out }) });
  output.say(fleetText(entries));
}
