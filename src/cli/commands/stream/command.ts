// `bedside stream`: live signals through a bundle, beat by beat.
import { createWriteStream } from 'node:fs';
import { finished } from 'node:stream/promises';
import type { Command } from 'commander';
import type { StreamEvent } from '../../../app/stream/events.ts';
import { stream } from '../../../app/stream/stream.ts';
import { assertWritable, plainJson } from '../../../util/index.ts';
import { EXIT, examples } from '../../command-line.ts';
import { addCommon } from '../../options/common.ts';
import { Interrupt } from '../../terminal/interrupt.ts';
import { Output } from '../../terminal/output.ts';
import { assertStreamOptions } from './conflicts.ts';
import { streamedJson } from './json.ts';
import { addStreamOptions, type StreamCommandOptions, streamOptions } from './options.ts';
import { describeStreamed } from './text.ts';

/** Adds the command to the program. */
export function addStream(program: Command): void {
  const command = program
    .command('stream')
    .summary('classify the heartbeats of live signals, as they come')
    .description(
      'Takes live or replayed ECG signals, finds their beats, and has each classified by a bundle: on workers as `bedside infer` ' +
        'uses them, or by a gateway (`bedside serve`). Windows, resampling and normalisation are those of the bundle’s ' +
        'contract. Gaps, leads that are off, late packets, drifting clocks and changed rates are counted and reported, as ' +
        'are beats without an answer in time. At the end, or after Ctrl-C, the summary is printed. ' +
        'docs/edges.md describes sources, packets and rules. Not for clinical use.',
    )
    .argument('<bundle>', 'a folder written by bedside pack, of a network that classifies heartbeats');
  addStreamOptions(command);
  addCommon(command)
    .addHelpText(
      'after',
      examples(
        ['bedside stream ecg/ --source wfdb:mitdb/100 --speed 10', 'a record, ten times as fast'],
        ['bedside stream ecg/ --source wfdb:mitdb/100 --source wfdb:mitdb/106', 'two beds in real time'],
        [
          'monitor | bedside stream ecg/ --source stdin --events -',
          'packets as JSON lines, answers as JSON lines',
        ],
        ['rdsamp -r 100 -P -c | cut -d, -f2 | bedside stream ecg/ --source stdin:360', 'one number a line'],
        ['bedside stream ecg/ --source ws:9000 --fhir-out fhir/', 'results as FHIR files, every 5 minutes'],
        [
          'bedside stream ecg/ --source ws:9000 --gateway http://127.0.0.1:8500',
          'a WebSocket, answers of a gateway',
        ],
      ),
    )
    .action((path: string, options: StreamCommandOptions) => run(path, options));
}

async function run(path: string, options: StreamCommandOptions): Promise<void> {
  const output = new Output(options);
  assertStreamOptions(options);
  const events = await eventWriter(options.events);
  const interrupt = Interrupt.of(output, 'the last request');
  try {
    const given = { ...streamOptions(options), signal: interrupt.signal, onEvent: events.write };
    const result = await stream(path, given, output);
    await events.end();
    output.result(streamedJson(result));
    if (options.events === '-') events.summary(streamedJson(result));
    else output.print(describeStreamed(result));
    if (interrupt.signal.aborted) process.exitCode = EXIT.interrupted;
  } catch (error) {
    if (!interrupt.signal.aborted || error !== interrupt.signal.reason) throw error;
    process.exitCode = EXIT.interrupted;
  } finally {
    interrupt.end();
  }
}

interface EventWriter {
  readonly write: (event: StreamEvent) => void;
  /** On standard output, the last line. */
  readonly summary: (result: object) => void;
  readonly end: () => Promise<void>;
}

/** Writes each event as a JSON line to a file, or to standard output (`-`). */
async function eventWriter(path: string | undefined): Promise<EventWriter> {
  const line = (event: object): string => `${plainJson(JSON.stringify(event))}\n`;
  if (path === undefined) return { write: () => {}, summary: () => {}, end: async () => {} };
  if (path === '-') {
    const print = (event: object): void => void process.stdout.write(line(event));
    return { write: print, summary: (result) => print({ kind: 'summary', ...result }), end: async () => {} };
  }
  await assertWritable(path);
  const file = createWriteStream(path);
  // An error while writing is told when the file is closed.
  file.on('error', () => {});
  return {
    write: (event) => void file.write(line(event)),
    summary: () => {},
    async end() {
      file.end();
      await finished(file);
    },
  };
}
