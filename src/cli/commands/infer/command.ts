// `bedside infer`: samples through a plan on real workers.
import type { Command } from 'commander';
import {
  certifyProposals,
  DEFAULT_VALIDATION,
  type InferOptions,
  infer,
  loadBundle,
  localFleet,
  plannerOf,
} from '../../../app/index.ts';
import type { Bundle } from '../../../bundle/index.ts';
import { completeRequest, type Fleet, parseFleet } from '../../../plan/index.ts';
import { readTextChecked } from '../../../util/index.ts';
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

async function run(path: string, given: InferCommandOptions): Promise<void> {
  const output = new Output(given);
  assertInferOptions(given);
  const fleet = given.fleet === undefined ? undefined : await readFleet(given.fleet);
  const opened = await loadBundle(path, output);
  const { bundle, options } = await measuredFirst(opened, fleet, given, output);
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
    const levels = options.levels === 'free' ? undefined : options.levels;
    const result = await infer(bundle, { ...options, fleet, fabric, levels, signal, onPhase }, output);
    output.result(inferredJson(result));
    output.say(describeInferred(result));
  } catch (error) {
    if (!signal.aborted || error !== signal.reason) throw error;
  } finally {
    interrupt?.end();
    if (signal.aborted) process.exitCode = EXIT.interrupted;
  }
}

/**
 * Free levels are measured before they may run: what planning comes to is corrected, measured on local samples and added
 * to the bundle, and the plan is then one over measured levels.
 */
async function measuredFirst(
  bundle: Bundle,
  given: Fleet | undefined,
  options: InferCommandOptions,
  output: Output,
): Promise<{ bundle: Bundle; options: InferCommandOptions }> {
  if (options.levels !== 'free') return { bundle, options };
  const fleet = given ?? localFleet(bundle.manifest, options.workers ?? 2);
  const { data, classes, records, skipBad, seed, deadline, accuracyFloor, privacy } = options;
  const measured = await certifyProposals(
    bundle,
    {
      fleet,
      request: completeRequest({ deadline, accuracyFloor, privacy, levels: 'free' }, fleet.request),
      solve: ({ instance }) => plannerOf(options.solver).plan(instance),
      data: {
        ...{ data, validationPerClass: DEFAULT_VALIDATION },
        ...(classes ? { classes } : {}),
        ...(records ? { records } : {}),
        ...(skipBad ? { skipBad } : {}),
      },
      seed,
    },
    output,
  );
  return { bundle: measured.bundle, options: { ...options, levels: 'certified' } };
}

async function readFleet(path: string): Promise<Fleet> {
  return parseFleet(await readTextChecked(path, 'fleet'), `fleet ${path}`);
}
