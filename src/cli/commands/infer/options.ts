// The options of `bedside infer`.
import { type Command, Option } from 'commander';
import { isServerUrl } from '../../../app/cluster/access.ts';
import type { DataOptions } from '../../../app/options.ts';
import { SOLVERS, type SolverName } from '../../../app/planners.ts';
import { BATCH_WINDOW } from '../../../app/run/deployment-options.ts';
import { PRIVACY_PRESETS, type PrivacyPreset } from '../../../plan/index.ts';
import type { CommonOptions } from '../../options/common.ts';
import { assertNoConflict, type Conflict } from '../../options/conflicts.ts';
import { addData } from '../../options/data.ts';
import { addCredentials, assertFabric } from '../../options/nats.ts';
import { count, levelList, numberIn } from '../../options/numbers.ts';

type LevelsOption = 'free' | 'certified' | readonly number[];

/** As commander gives them. */
export interface InferCommandOptions extends CommonOptions, DataOptions {
  readonly workers?: number;
  readonly fleet?: string;
  readonly solver: SolverName;
  readonly levels: LevelsOption;
  readonly deadline?: number;
  readonly accuracyFloor?: number;
  readonly privacy?: PrivacyPreset;
  readonly measure?: boolean;
  readonly adapt?: boolean;
  readonly freeze?: 'plan' | 'levels';
  readonly fallbackMargin?: number;
  readonly batch?: number;
  readonly batchWindow: number;
  readonly fabric: string;
  readonly credentials?: string;
  readonly source?: string;
}

/** Adds them, but for the options of every command. */
export function addInferOptions(command: Command): void {
  command
    .option('--workers <n>', 'equal workers on this machine (default 2, without --fleet)', count(64))
    .option('--fleet <file>', 'devices and links to emulate, as JSON; docs/fleets.md, examples/fleets/')
    .addOption(
      new Option('--solver <name>', 'planner; bedside plan --help describes each')
        .choices(SOLVERS)
        .default('policy'),
    )
    .option(
      '--levels <which>',
      'certified: measured variants; free: any levels, measured before they run; or the level of each group, as in 0,3,1',
      levelsOption,
      'certified',
    )
    .option('--deadline <s>', 'seconds from a request to its result', numberIn(1e-6, 86_400, 'seconds'))
    .option(
      '--accuracy-floor <a>',
      "least accuracy, by the bundle's measure, in [0, 1]",
      numberIn(0, 1, 'a number'),
    )
    .addOption(
      new Option('--privacy <preset>', 'what untrusted devices of the fleet may see').choices(
        PRIVACY_PRESETS,
      ),
    )
    .option(
      '--fallback-margin <m>',
      'repeat uncertain answers on the unpruned network: those whose two likeliest classes are closer than this',
      numberIn(0, 1, 'a difference of probabilities'),
    )
    .option('--batch <n>', 'batch up to so many requests', count(1024))
    .option(
      '--batch-window <s>',
      'how long the first request of a batch waits for others',
      numberIn(0, 60, 'seconds'),
      BATCH_WINDOW,
    )
    .option(
      '--measure',
      'let all workers time every stage before planning; default: only those whose times are not known',
    )
    .option('--no-measure', 'plan by the figures of the bundle and the fleet alone')
    .option(
      '--adapt',
      'plan again, by measured stage times, when requests take longer or shorter than at first',
    )
    .addOption(
      new Option(
        '--freeze <what>',
        'plan: keep the first plan, whatever happens; levels: keep its levels, stages may move',
      ).choices(['plan', 'levels']),
    )
    .option(
      '--fabric <where>',
      'local: workers are processes of this machine; nats://host:port: those of a NATS server, docs/cluster.md',
      'local',
    )
    .option(
      '--source <device>',
      'over NATS: the device with the input; default: a trusted worker of this machine',
    );
  addCredentials(command);
  addData(command, { split: 'default test', perClass: 'at most this many samples of each class' });
}

/** @throws BedsideError E_USAGE for options that contradict each other, and for a fabric that does not exist */
export function assertInferOptions(options: InferCommandOptions): void {
  assertNoConflict(options, CONFLICTS);
  const { fabric } = options;
  assertFabric(fabric);
}

const onServer = ({ fabric }: InferCommandOptions): boolean => isServerUrl(fabric);

const CONFLICTS: readonly Conflict<InferCommandOptions>[] = [
  {
    when: (options) => onServer(options) && options.levels === 'free',
    message: '--levels free are measured before they may run, which is not done over NATS',
    hint: 'bedside plan BUNDLE --fleet … --data … measures them and adds them to the bundle; then run without --levels',
  },
  {
    when: (options) => onServer(options) && options.workers !== undefined,
    message: '--workers starts processes of this machine, not workers on NATS',
    hint: 'start bedside worker on each device',
  },
  {
    when: ({ fabric, credentials, source }) =>
      fabric === 'local' && (credentials !== undefined || source !== undefined),
    message: '--credentials and --source are for workers on NATS',
    hint: 'name the server with --fabric nats://host:port',
  },
  {
    when: ({ fleet, workers }) => fleet !== undefined && workers !== undefined,
    message: 'give either --workers or --fleet, not both',
    hint: 'a fleet has one worker for each of its devices',
  },
];

function levelsOption(text: string): LevelsOption {
  return text === 'free' || text === 'certified' ? text : levelList(text);
}
