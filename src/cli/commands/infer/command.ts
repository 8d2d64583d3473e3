// `bedside infer`: samples through a plan on real workers.
import { type Command, Option } from 'commander';
import {
  BATCH_WINDOW,
  type DataOptions,
  type InferOptions,
  infer,
  isServerUrl,
  loadBundle,
  loadSamples,
  localFleet,
  plannerOf,
  SOLVERS,
  type SolverName,
} from '../../../app/index.ts';
import type { Bundle } from '../../../bundle/index.ts';
import { describeClassifier } from '../../../evaluate/index.ts';
import {
  completeRequest,
  type Fleet,
  PRIVACY_PRESETS,
  type PrivacyPreset,
  parseFleet,
} from '../../../plan/index.ts';
import { BedsideError, readTextChecked } from '../../../util/index.ts';
import { EXIT, examples } from '../../command-line.ts';
import { measureProposals } from '../../measured-levels.ts';
import { addCommon, type CommonOptions } from '../../options/common.ts';
import { addData } from '../../options/data.ts';
import { addCredentials } from '../../options/nats.ts';
import { count, levelList, numberIn } from '../../options/numbers.ts';
import { DEFAULT_VALIDATION } from '../../pack-run.ts';
import { Interrupt } from '../../terminal/interrupt.ts';
import { Output } from '../../terminal/output.ts';
import { inferredJson } from './json.ts';
import { describeInferred } from './text.ts';

type LevelsOption = 'free' | 'certified' | readonly number[];

interface InferCommandOptions extends CommonOptions, DataOptions {
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

/** Adds the command to the program. */
export function addInfer(program: Command): void {
  const command = program
    .command('infer')
    .summary('run a bundle on several workers, by a plan')
    .description(
      'Starts workers, plans, and sends one sample after another through the plan: each worker computes its stages, or ' +
        'its share of a stage, and passes the output straight to the next worker. Every answer is compared with that of ' +
        'one machine at the same levels. Workers are processes of this machine; with --fleet each emulates one device, ' +
        'with its speed, memory and links. The stages of a worker that dies move to the others. Ctrl-C lets the running ' +
        'request end, prints the result so far, and stops.',
    )
    .argument('<bundle>', 'a folder written by bedside pack')
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
  assertOptions(given);
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
  const data = () =>
    loadSamples(
      describeClassifier(bundle.model, path),
      options,
      { split: 'test', seed: options.seed },
      output,
    );
  const { signal } = control;
  try {
    const fabric = options.fabric === 'local' ? undefined : options.fabric;
    const levels = options.levels === 'free' ? undefined : options.levels;
    const result = await infer(bundle, { ...options, fleet, fabric, levels, data, signal, onPhase }, output);
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
  const measured = await measureProposals(
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

function assertOptions({ fabric, fleet, workers, credentials, source, levels }: InferCommandOptions): void {
  if (fabric !== 'local' && levels === 'free') {
    throw new BedsideError(
      'E_USAGE',
      '--levels free are measured before they may run, which is not done over NATS',
      {
        hint: 'bedside plan BUNDLE --fleet … --data … measures them and adds them to the bundle; then run without --levels',
      },
    );
  }
  if (fabric !== 'local' && !isServerUrl(fabric)) {
    throw new BedsideError('E_USAGE', `there is no fabric '${fabric}'`, {
      hint: 'leave --fabric out for processes of this machine, or name a server as nats://host:port',
    });
  }
  if (fabric !== 'local' && workers !== undefined) {
    throw new BedsideError('E_USAGE', '--workers starts processes of this machine, not workers on NATS', {
      hint: 'start bedside worker on each device',
    });
  }
  if (fabric === 'local' && (credentials !== undefined || source !== undefined)) {
    throw new BedsideError('E_USAGE', '--credentials and --source are for workers on NATS', {
      hint: 'name the server with --fabric nats://host:port',
    });
  }
  if (fleet !== undefined && workers !== undefined) {
    throw new BedsideError('E_USAGE', 'give either --workers or --fleet, not both', {
      hint: 'a fleet has one worker for each of its devices',
    });
  }
}

async function readFleet(path: string): Promise<Fleet> {
  return parseFleet(await readTextChecked(path, 'fleet'), `fleet ${path}`);
}

function levelsOption(text: string): LevelsOption {
  return text === 'free' || text === 'certified' ? text : levelList(text);
}
