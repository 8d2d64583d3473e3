// `bedside worker`: a device that computes for others, over a NATS server.
import { availableParallelism } from 'node:os';
import type { Command } from 'commander';
import { runWorker, type WorkerEvent, type WorkerSettings } from '../../../app/cluster/worker.ts';
import { examples } from '../../command-line.ts';
import { addCommon, type CommonOptions } from '../../options/common.ts';
import { addNats, type NatsOptions } from '../../options/nats.ts';
import { count, numberIn } from '../../options/numbers.ts';
import { Interrupt } from '../../terminal/interrupt.ts';
import { Output } from '../../terminal/output.ts';

type WorkerOptions = CommonOptions & NatsOptions & WorkerSettings;

/** Milliseconds that a start that was given up has to end. */
const STARTING_MS = 500;

/** Adds the command to the program. */
export function addWorker(program: Command): void {
  const command = program
    .command('worker')
    .summary('join a fleet: compute for others, over NATS')
    .description(
      'Joins the fleet on a NATS server and computes for it until Ctrl-C. The worker measures its own speed and the ' +
        'links to the other workers. It fetches from the server only the weights of the stages that it runs, checked by ' +
        'their hashes. It reconnects by itself after the server was away. Ctrl-C lets running requests end, then leaves; ' +
        'plans are made again without it. The emulate options make it weaker than this machine; the fleet shows them.',
    )
    .option(
      '--name <name>',
      'name in the fleet; default: that of the credentials, otherwise of this machine',
    );
  addNats(command)
    .option('--threads <n>', 'threads of ONNX Runtime', count(256), Math.min(2, availableParallelism()))
    .option(
      '--memory <bytes>',
      'limit for weights and activations; plans that need more are refused',
      numberIn(1, 1e15, 'bytes'),
    )
    .option(
      '--speed <x>',
      'emulate: times the speed of this machine, at most 1',
      numberIn(1e-4, 1, 'a factor'),
    )
    .option(
      '--bandwidth <bytes/s>',
      'emulate: links of so many bytes a second',
      numberIn(1, 1e13, 'bytes a second'),
    )
    .option(
      '--latency <s>',
      'emulate: seconds by which every message is delayed',
      numberIn(0, 3600, 'seconds'),
    )
    .option(
      '--battery <joules>',
      'emulate: energy; the worker leaves when it is spent',
      numberIn(1e-9, 1e12, 'joules'),
    )
    .option('--joules-per-mac <j>', 'emulate: energy of a multiply-accumulate', numberIn(0, 1e-3, 'joules'))
    .option('--joules-per-byte <j>', 'emulate: energy of a byte sent', numberIn(0, 1, 'joules'));
  addCommon(command)
    .addHelpText(
      'after',
      examples(
        ['bedside worker --credentials tablet.json', 'server and name are in the file'],
        ['bedside worker --credentials cluster/ --name watch --speed 0.1', 'a tenth of this speed'],
        ['bedside worker --fabric nats://127.0.0.1:4222 --name a', 'an open server, to try it out'],
      ),
    )
    .action((options: WorkerOptions) => work(options));
}

async function work(options: WorkerOptions): Promise<void> {
  const output = new Output(options);
  const stop = Interrupt.ofService();
  try {
    const { signal } = stop;
    const joined = await runWorker(options, options, { signal, onEvent: (event) => print(output, event) });
    // A start that waits for a server would go on.
    if (!joined) setTimeout(() => process.exit(), STARTING_MS).unref();
  } finally {
    stop.end();
  }
}

function print(output: Output, event: WorkerEvent): void {
  output.note(`${new Date().toISOString().slice(11, 19)} ${event.text}`);
  output.result(event);
}
