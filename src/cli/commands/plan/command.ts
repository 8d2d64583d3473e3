// `bedside plan`: the levels and the devices for one request, beside what simpler plans would give.
import { type Command, Option } from 'commander';
import { DEFAULT_TIME_LIMIT, type PlanOptions, plan } from '../../../app/plan/plan.ts';
import { SOLVERS } from '../../../app/planners.ts';
import { PRIVACY_PRESETS } from '../../../plan/index.ts';
import { examples } from '../../command-line.ts';
import { addCommon, type CommonOptions } from '../../options/common.ts';
import { assertNoConflict, type Conflict } from '../../options/conflicts.ts';
import { addData } from '../../options/data.ts';
import { positive, share } from '../../options/numbers.ts';
import { rawInputOption } from '../../options/raw-input.ts';
import { Output } from '../../terminal/output.ts';
import { planJson } from './json.ts';
import { describePlan } from './text.ts';

interface PlanCommandOptions extends CommonOptions, Omit<PlanOptions, 'fleet' | 'request' | 'seed'> {
  readonly fleet: string;
  readonly request?: string;
}

/** Adds the command to the program. */
export function addPlan(program: Command): void {
  const command = program
    .command('plan')
    .summary('choose levels and devices for one request on a fleet')
    .description(
      'Chooses the level of every group of channels and the devices of every stage for one request. The plan minimises a ' +
        'weighted sum of time, energy and lost accuracy, within the deadline, the accuracy floor, memory, energy and ' +
        'privacy. The status is optimal (proven), gap (a plan and a proven bound), infeasible (proven; with the smallest ' +
        'changes that would help) or unknown. Independent code checks every plan against every constraint. With --data, ' +
        'free levels are corrected, measured and added to the bundle until a plan keeps the floor by measurement; that ' +
        'plan may run.',
    )
    .argument('<bundle>', 'a folder written by bedside pack')
    .requiredOption('--fleet <file>', 'devices and links, as JSON; docs/fleets.md, examples/fleets/')
    .option('--request <file>', 'the request, as JSON; the options below override its fields')
    .addOption(
      new Option(
        '--solver <name>',
        'exact (to proof), beam (guided, fast), highs (integer program, small instances), greedy, heft, ' +
          'prune-only, distribute-only, local, or policy (learned, a millisecond or two)',
      )
        .choices(SOLVERS)
        .default('exact'),
    )
    .option(
      '--policy <file>',
      'a policy of bedside train, as ONNX, for --solver policy; default: the shipped one',
    )
    .addOption(
      new Option(
        '--levels <which>',
        'free: any level of each group, by the accuracy model; certified: measured variants',
      ).choices(['free', 'certified']),
    )
    .option('--deadline <s>', 'seconds from the request to its result', positive(86_400, 'seconds'))
    .option('--accuracy-floor <a>', "least accuracy, by the bundle's measure, in [0, 1]", share)
    .addOption(
      new Option(
        '--privacy <preset>',
        'what untrusted devices may see: nothing, late stages, or all but the input',
      ).choices(PRIVACY_PRESETS),
    )
    .addOption(rawInputOption())
    .option(
      '--time-limit <s>',
      'seconds for the search: then the result is the best plan so far, with its bound. ' +
        'Without a plan, finding out what would help may take as long again',
      positive(3600, 'seconds'),
      DEFAULT_TIME_LIMIT,
    )
    .option('--export <file>', 'write the integer program as an LP file, for any solver');
  addData(command, {
    optional: true,
    split: 'with --data, the samples that are divided in two; default local',
    perClass: 'with --data, repair on at most this many samples of each class; default 20',
  });
  addCommon(command)
    .addHelpText(
      'after',
      examples(
        ['bedside plan ecg/ --fleet examples/fleets/ward.json', 'the best plan, with a timeline'],
        ['bedside plan ecg/ --fleet ward.json --deadline .05 --accuracy-floor .95', 'tighter'],
        ['bedside plan ecg/ --fleet ward.json --levels certified --solver beam --json', 'as when serving'],
        ['bedside plan ecg/ --fleet ward.json --data mitdb/', 'free levels, measured before they may run'],
        ['bedside plan ecg/ --fleet ward.json --export ecg.lp', 'for another solver'],
      ),
    )
    .action((path: string, options: PlanCommandOptions) => run(path, options));
}

async function run(path: string, options: PlanCommandOptions): Promise<void> {
  const output = new Output(options);
  assertNoConflict(options, conflictsWith(options));
  const result = await plan(path, options, output);
  output.result(planJson(result));
  output.print(describePlan(result));
}

function conflictsWith({ solver }: PlanCommandOptions): readonly Conflict<PlanCommandOptions>[] {
  return [
    {
      when: ({ policy }) => policy !== undefined && solver !== 'policy',
      message: `--policy has no meaning with --solver ${solver}`,
      hint: 'leave one of the two out, or give --solver policy',
    },
  ];
}
