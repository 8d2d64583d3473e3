// `bedside simulate`: planners in a ward where everything changes, on the same requests in the same world.
import { type Command, InvalidArgumentError, Option } from 'commander';
import {
  DEFAULT_SIMULATED_REQUESTS,
  DEFAULT_SIMULATED_SOLVERS,
  simulate,
} from '../../../app/simulate/simulate.ts';
import { SIMULATED_SOLVERS, type SimulatedSolver, STALE_SECONDS } from '../../../app/simulate/strategies.ts';
import {
  DECISION_TIMES,
  type DecisionTimeKind,
  WARD_PRESETS,
  type WardPreset,
} from '../../../simulate/index.ts';
import { EXIT, examples } from '../../command-line.ts';
import { addCommon, type CommonOptions } from '../../options/common.ts';
import { assertNoConflict, type Conflict } from '../../options/conflicts.ts';
import { count, names, positive } from '../../options/numbers.ts';
import { Interrupt } from '../../terminal/interrupt.ts';
import { Output } from '../../terminal/output.ts';
import { simulationJson } from './json.ts';
import { describeSimulation } from './text.ts';

interface SimulateCommandOptions extends CommonOptions {
  readonly preset?: WardPreset;
  readonly fleet?: string;
  readonly replay?: string;
  readonly record?: string;
  readonly solver: readonly SimulatedSolver[];
  readonly requests?: number;
  readonly rate?: number;
  readonly policy?: string;
  readonly levels?: 'free' | 'certified';
  readonly decisionTime: DecisionTimeKind;
}

/** Adds the command to the program. */
export function addSimulate(program: Command): void {
  const command = program
    .command('simulate')
    .summary('compare planners in a ward where links, load, batteries and devices change')
    .description(
      'Simulates requests on a fleet that changes all the time: links fade and fail, other programs load the devices, ' +
        'batteries drain, devices leave and return. Each planner meets the same requests in the same world. It plans for ' +
        'the fleet as it is, and the plan runs in the world as it then becomes. The time to decide counts against the ' +
        'deadline. Independent code checks every plan before it runs. docs/ward.md explains every figure and its source.',
    )
    .argument('<bundles...>', 'folders written by bedside pack; requests are for any of them')
    .addOption(
      new Option('--preset <name>', `what changes, and how much: ${WARD_PRESETS.join(', ')}`).choices(
        WARD_PRESETS,
      ),
    )
    .option('--fleet <file>', "devices and links, as JSON; by default the preset's own")
    .option('--replay <trace>', 'a recorded ward instead, as JSON lines: fleets, and requests if it has any')
    .option(
      '--record <trace>',
      "write the world and its requests under the first solver's plans to this file",
    )
    .addOption(
      new Option(
        '--solver <list>',
        `of ${SIMULATED_SOLVERS.join(', ')}; exact-stale plans every ${STALE_SECONDS} s, static once`,
      )
        .argParser(solvers)
        .default(DEFAULT_SIMULATED_SOLVERS, DEFAULT_SIMULATED_SOLVERS.join()),
    )
    .option('--policy <file>', 'a policy of bedside train, as ONNX, instead of the shipped one')
    .option(
      '--requests <n>',
      `number of requests; ${DEFAULT_SIMULATED_REQUESTS}, or those of the trace`,
      count(10_000_000),
    )
    .option('--rate <n>', "requests a second; by default the preset's", positive(1000, 'requests a second'))
    .addOption(
      new Option(
        '--levels <which>',
        'free: any level of each group, by the accuracy model; certified: measured variants',
      ).choices(['free', 'certified']),
    )
    .addOption(
      new Option(
        '--decision-time <rule>',
        'counted: from the work that the planner did, so that runs repeat; measured: by the clock; none',
      )
        .choices(DECISION_TIMES)
        .default('counted'),
    );
  addCommon(command)
    .addHelpText(
      'after',
      examples(
        ['bedside simulate ecg/ --preset ward', 'one bed, four planners'],
        ['bedside simulate ecg/ xray/ --preset ambulance --solver policy,exact,static', 'two networks'],
        ['bedside simulate ecg/ --fleet my-room.json --requests 5000 --json', 'your own devices'],
        ['bedside simulate ecg/ --replay monday.jsonl --solver beam,static', 'a recorded ward'],
      ),
    )
    .action((bundles: readonly string[], options: SimulateCommandOptions) => run(bundles, options));
}

async function run(
  bundles: readonly string[],
  { solver: solvers, ...options }: SimulateCommandOptions,
): Promise<void> {
  const output = new Output(options);
  assertNoConflict(options, CONFLICTS);
  const interrupt = Interrupt.of(output);
  try {
    const result = await simulate(bundles, { ...options, solvers, signal: interrupt.signal }, output);
    output.result(simulationJson(result));
    output.print(describeSimulation(result));
    if (options.record !== undefined) output.note(`written: ${options.record}`);
    if (!result.finished) process.exitCode = EXIT.interrupted;
  } finally {
    interrupt.end();
  }
}

const CONFLICTS: readonly Conflict<Pick<SimulateCommandOptions, 'fleet' | 'replay' | 'record'>>[] = [
  {
    when: ({ fleet, replay }) => fleet !== undefined && replay !== undefined,
    message: "option '--fleet' cannot be used with option '--replay'",
    hint: 'a trace has its own fleets',
  },
  {
    when: ({ record, replay }) => record !== undefined && replay !== undefined,
    message: "option '--record' cannot be used with option '--replay'",
    hint: 'a trace has its own fleets',
  },
];

function solvers(text: string): readonly SimulatedSolver[] {
  return names(text).map((name) => {
    const found = SIMULATED_SOLVERS.find((known) => known === name);
    if (found) return found;
    throw new InvalidArgumentError(`'${name}' is none of ${SIMULATED_SOLVERS.join(', ')}.`);
  });
}
