// `bedside worker`: a device that computes for others, over a NATS server.
import { availableParallelism, hostname } from 'node:os';
import type { Command } from 'commander';
import { loadNats } from '../../run/index.ts';
import { formatBytes, formatCount } from '../../util/index.ts';
import { examples } from '../command-line.ts';
import { Interrupt } from '../interrupt.ts';
import { accessOf, addNats, type NatsOptions } from '../nats/access.ts';
import { addCommon, type CommonOptions, count, numberIn } from '../options.ts';
import { Output } from '../output.ts';

interface WorkerOptions extends CommonOptions, NatsOptions {
  readonly name?: string;
  readonly speed?: number;
  readonly memory?: number;
  readonly bandwidth?: number;
  readonly latency?: number;
  readonly battery?: number;
  readonly joulesPerMac?: number;
  readonly joulesPerByte?: number;
  readonly threads: number;
}

/** Milliseconds that what runs has to end. */
const DRAIN_MS = 10_000;

/** Milliseconds that a start which is given up has to end. */
const STARTING_MS = 500;

/** Adds the command to the program. */
export function addWorker(program: Command): void {
  const command = program
    .command('worker')
    .summary('a device of a fleet: computes what plans ask of it, over NATS')
    .description(
      'Joins a NATS server, says what it can do (measured, and kept up by what requests take), finds how fast its links ' +
        'to the others are, and computes what plans ask of it. Bundles come from the server, of each only the weights of ' +
        'the stages that are needed here, checked by their hashes. Comes back by itself when the server was away. ' +
        'Ctrl-C ends what runs, then leaves; plans are made anew without it. Some options emulate a weaker device than ' +
        'this is; the fleet shows what is emulated.',
    )
    .option('--name <name>', 'name in the fleet; default: that of the credentials, else of this machine');
  addNats(command)
    .option('--threads <n>', 'threads of ONNX Runtime', count(256), Math.min(2, availableParallelism()))
    .option('--memory <bytes>', 'for weights and activations; more is refused', numberIn(1, 1e15, 'bytes'))
    .option(
      '--speed <x>',
      'emulate: times the speed of this machine, at most 1',
      numberIn(1e-4, 1, 'a factor'),
    )
    .option(
      '--bandwidth <bytes/s>',
      'emulate: a link of so many bytes a second',
      numberIn(1, 1e13, 'bytes a second'),
    )
    .option(
      '--latency <s>',
      'emulate: seconds that everything sent takes longer',
      numberIn(0, 3600, 'seconds'),
    )
    .option('--battery <joules>', 'emulate: leaves when they are spent', numberIn(1e-9, 1e12, 'joules'))
    .option('--joules-per-mac <j>', 'emulate: what a multiply-accumulate costs', numberIn(0, 1e-3, 'joules'))
    .option('--joules-per-byte <j>', 'emulate: what a byte sent costs', numberIn(0, 1, 'joules'));
  addCommon(command)
    .addHelpText(
      'after',
      examples(
        ['bedside worker --credentials tablet.json', 'all else is in the file'],
        ['bedside worker --credentials cluster/ --name watch --speed .1', 'a tenth as fast as this'],
        ['bedside worker --fabric nats://127.0.0.1:4222 --name a', 'an open server, to try it out'],
      ),
    )
    .action((options: WorkerOptions) => work(options));
}

async function work(options: WorkerOptions): Promise<void> {
  const output = new Output(options);
  const wanted = options.name === undefined ? ['worker'] : [`worker-${options.name}`, 'worker'];
  const access = await accessOf(options, wanted);
  const { NatsWorker } = await loadNats();
  const name = options.name ?? access.credentials?.name ?? hostname();
  const { speed, memory, bandwidth, latency, battery, joulesPerMac, threads } = options;
  const say = (event: string, text: string, fields: object = {}): void => {
    output.note(`${new Date().toISOString().slice(11, 19)} ${text}`);
    output.result({ event, name, text, ...fields });
  };
  const stop = Interrupt.ofService();
  let left = (_: string): void => {};
  const spent = new Promise<string>((resolve) => {
    left = resolve;
  });
  try {
    const start = NatsWorker.start(access, {
      device: {
        name,
        speed,
        memory,
        battery,
        joulesPerMac,
        joulesPerByteSent: options.joulesPerByte,
        threads,
      },
      links:
        bandwidth === undefined && latency === undefined ? undefined : { bytesPerSecond: bandwidth, latency },
      onNote: (text) => say('note', text),
      onLeave: (why) => left(why),
      signal: stop.signal,
    });
    const started = await stop.orStop(start);
    if (!started) {
      say('left', `'${name}' was told to stop while it was starting`);
      // Its start ends with the step that it is at; one that waits for a server is not waited for.
      setTimeout(() => process.exit(), STARTING_MS).unref();
      return;
    }
    await using worker = started;
    const entry = worker.entry();
    const emulated = Object.keys(entry.emulated);
    say(
      'joined',
      `'${name}' joined: ${formatCount(entry.macsPerSecond)} MAC/s, ${formatBytes(entry.memory)}` +
        (emulated.length > 0 ? `; emulated: ${emulated.join(', ')}` : ''),
      { macsPerSecond: entry.macsPerSecond, memory: entry.memory },
    );
    const why = await Promise.race([spent, stop.asked.then(() => undefined)]);
    if (why === undefined) {
      say(
        'stopping',
        `stopping when what runs has ended (${worker.running} requests); once more stops at once`,
      );
      await worker.drain(DRAIN_MS);
    }
    say('left', why === undefined ? `'${name}' left` : `'${name}' left: ${why}`);
  } finally {
    stop.end();
  }
}
