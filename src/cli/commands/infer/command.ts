// `bedside infer`: samples through a plan on real workers.
import type { Command } from 'commander';
import { type InferOptions, infer } from '../../../app/run/infer.ts';
import { EXIT, examples } from '../../command-line.ts';
import { addCommon } from '../../options/common.ts';
import { Interrupt } from '../../terminal/interrupt.ts';
import { Output } from '../../terminal/output.ts';
import { inferredJson } from './json.ts';
import { addInferOptions, assertInferOptions, type InferCommandOptions } from './options.ts';
import { describeInferred } from './text.ts';

/** Adds the command to the program. */
export function addInfer(program: Command): void {
  const command = program
    .command('infer')
    .summary('run a bundle on several workers, by a plan')
    .description(
      'Runs samples through a bundle on several workers, by a plan, and compares every answer with that of one machine. ' +
        'Each worker computes its stages, or its share of a stage, and passes the output straight to the next worker. ' +
        'Workers are processes of this machine; with --fleet each emulates one device, with its speed, memory and links. ' +
        'The stages of a worker that dies move to the others. Ctrl-C lets the running request end, prints the result so ' +
        'far, and stops.',
    )
    .argument('<bundle>', 'a folder written by bedside pack');
  addInferOptions(command);
  addCommon(command)
    .addHelpText(
      'after',
      examples(
        ['bedside infer ecg/ --data mitdb/ --limit 100', 'two workers of this machine'],
        ['bedside infer ecg/ --data mitdb/ --fleet ward.json --limit 50', 'workers as slow as a ward'],
        ['bedside infer ecg/ --data x.npz --workers 4 --solver distribute-only', 'unpruned, spread'],
        ['bedside infer ecg/ --data x.npz --levels 0,3,3,1 --json', 'these levels, for programs'],
      ),
    )
    .action((path: string, options: InferCommandOptions) => run(path, options));
}

async function run(path: string, options: InferCommandOptions): Promise<void> {
  const output = new Output(options);
  assertInferOptions(options);
  const control = new AbortController();
  let interrupt: Interrupt | undefined;
  const onPhase: InferOptions['onPhase'] = (phase) => {
    if (phase === 'running') {
      interrupt?.waitingFor('the request');
      return;
    }
    interrupt = Interrupt.atOnce(output);
    interrupt.signal.addEventListener('abort', () => control.abort());
  };
  const { signal } = control;
  try {
    const fabric = options.fabric === 'local' ? undefined : options.fabric;
    const result = await infer(path, { ...options, fabric, signal, onPhase }, output);
    output.result(inferredJson(result));
    output.print(describeInferred(result));
  } catch (error) {
    if (!signal.aborted || error !== signal.reason) throw error;
  } finally {
    interrupt?.end();
    if (signal.aborted) process.exitCode = EXIT.interrupted;
  }
}
