// `bedside infer`: samples through a plan on real workers.
import { type Command, Option } from 'commander';
import { isServerUrl, plannerOf, SOLVERS, type SolverName } from '../../app/index.ts';
import type { Bundle, BundleManifest } from '../../bundle/index.ts';
import { describeClassifier } from '../../evaluate/index.ts';
import { fixedBatchOf } from '../../onnx/index.ts';
import { thisMachine } from '../../pack/index.ts';
import {
  completeRequest,
  type Fleet,
  type PlanView,
  PRIVACY_PRESETS,
  type PrivacyPreset,
  parseFleet,
} from '../../plan/index.ts';
import { Batcher, Coordinator, type Fallback, LocalWorkers, type Replan } from '../../run/index.ts';
import { BedsideError, must, readTextChecked } from '../../util/index.ts';
import { EXIT, examples } from '../command-line.ts';
import { adaptation, fallbackOf, returning } from '../infer-adapt.ts';
import { inferAll } from '../infer-run.ts';
import { tellInferred } from '../infer-text.ts';
import { Interrupt } from '../interrupt.ts';
import { loadData } from '../load.ts';
import { emulated, localFleet, reportsOf } from '../local-fleet.ts';
import { measureProposals } from '../measured-levels.ts';
import { type NatsRoom, openNatsRoom } from '../nats/nats-room.ts';
import { openedBundle } from '../opened-bundle.ts';
import { addCredentials } from '../options/nats.ts';
import {
  addCommon,
  addData,
  type CommonOptions,
  count,
  type DataOptions,
  levelList,
  numberIn,
} from '../options.ts';
import { Output } from '../output.ts';
import { DEFAULT_VALIDATION } from '../pack-run.ts';
import { measureDevices, ReadyPlans } from '../ready-plan.ts';
import { RoomPlanner, type RoomRequest } from '../room-planner.ts';

type LevelsOption = 'free' | 'certified' | readonly number[];

interface InferOptions extends CommonOptions, DataOptions {
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
    .summary('answers of a bundle computed by several workers, by a plan')
    .description(
      'Starts workers, plans, and sends one sample after another through the plan: each worker computes its stages, or ' +
        'its share of them, and passes its output straight to the next. Every answer is compared with that of one ' +
        'machine at the same levels. Workers are processes of this machine; with --fleet each stands in for one ' +
        'device, slowed down to its speed, with its memory and behind its links. A worker that dies is noticed and its ' +
        'stages move. Ctrl-C waits for the request that runs, tells what was done, and stops.',
    )
    .argument('<bundle>', 'a folder written by bedside pack')
    .option('--workers <n>', 'equal workers on this machine (2 unless a fleet is given)', count(64))
    .option('--fleet <file>', 'devices and links to stand in for, as JSON; docs/fleets.md, examples/fleets/')
    .addOption(
      new Option('--solver <name>', 'how to plan; bedside plan --help tells what each does')
        .choices(SOLVERS)
        .default('policy'),
    )
    .option(
      '--levels <which>',
      'certified: measured variants; free: any mix, measured before it runs; or the level of each group, such as 0,3,1',
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
      'an answer whose two likeliest classes are closer than this runs again unpruned, if the deadline allows',
      numberIn(0, 1, 'a difference of probabilities'),
    )
    .option('--batch <n>', 'ask for so many samples at a time, which run as one', count(1024))
    .option('--batch-window <s>', 'how long the first of a batch waits', numberIn(0, 60, 'seconds'), 0.005)
    .option(
      '--measure',
      'workers time every stage before planning: else only local ones, of a bundle timed elsewhere',
    )
    .option('--no-measure', "plan by the bundle's and the fleet's figures alone")
    .option('--adapt', 'plan anew, by what stages took, when requests take longer or shorter than at first')
    .addOption(
      new Option(
        '--freeze <what>',
        'plan: the first plan stays, whatever happens; levels: its levels stay, stages may move',
      ).choices(['plan', 'levels']),
    )
    .option(
      '--fabric <where>',
      'local: workers are processes of this machine; nats://host:port: those that joined there, docs/cluster.md',
      'local',
    )
    .option('--source <device>', 'over NATS: who has the input; default: a trusted worker of this machine');
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
    .action((path: string, options: InferOptions) => infer(path, options));
}

async function infer(path: string, asked: InferOptions): Promise<void> {
  const output = new Output(asked);
  assertOptions(asked);
  const given = asked.fleet === undefined ? undefined : await readFleet(asked.fleet);
  const { bundle, options } = await measuredFirst(await openedBundle(path, output), given, asked, output);
  assertBatch(bundle, options);
  const room = options.fabric === 'local' ? undefined : await openNatsRoom(bundle, given, options, output);
  const fleet = room?.fleet ?? given ?? localFleet(bundle.manifest, options.workers ?? 2);
  const planner = new RoomPlanner(bundle.manifest, fleet, roomOf(fleet, options));
  const untimed = room ? room.unmeasured.length > 0 : given === undefined && !isMeasuredHere(bundle.manifest);
  const measures = options.measure ?? untimed;
  // What cannot be planned is told before anything is started.
  if (!measures) await planned(planner, path, output);
  const classifier = describeClassifier(bundle.model, path);
  const dataset = await loadData(classifier, options, { split: 'test', seed: options.seed }, output);
  await using workers = room
    ? undefined
    : await output.during(`starting ${fleet.devices.length} workers`, () =>
        LocalWorkers.start(emulated(fleet), [path], {
          device: must(fleet.devices[fleet.source], 'a source').name,
          bundles: [bundle],
        }),
      );
  const requester = new Coordinator(room?.requester ?? 'requester', bundle);
  await requester.join(must(room ?? workers, 'workers').fabric);
  const interrupt = Interrupt.atOnce(output);
  const plans = new ReadyPlans(planner, requester, output, interrupt.signal);
  try {
    const measured = measures ? measuredBy(options, room, planner.fleet) : undefined;
    const ready = await interrupt.orStop(
      makeReady({ planner, requester, plans, path }, options, measured, output),
    );
    if (!ready) {
      process.exitCode = EXIT.interrupted;
      return;
    }
    const { view, fallback } = ready;
    interrupt.waitingFor('the request');
    output.note(`${planner.fleet.devices.length} workers are ready`);
    const replan: Replan = (lost) => {
      output.note(`lost: ${[...lost].join(', ')}; planning for the devices that are left`);
      return planner.plan(lost);
    };
    const { batch, batchWindow } = options;
    const batcher =
      batch === undefined ? undefined : new Batcher(requester, { most: batch, window: batchWindow });
    const back = returning(planner, requester, output);
    const adapt = options.adapt ? adaptation(planner, requester, output) : undefined;
    const found = await output.during('inferring', (progress) =>
      inferAll(
        {
          ...{ bundle, asker: batcher ?? requester, plan: view, replan, fallback },
          together: batch ?? 1,
          adapt: async (answers) => (await back()) ?? (await adapt?.(answers)),
          deadline: roomOf(fleet, options).request.deadline,
          signal: interrupt.signal,
          onProgress: (done, total) => progress.update(done, total),
        },
        dataset,
      ),
    );
    const reports = await reportsOf(requester, planner.fleet);
    const { leftOut } = plans;
    const out = new Set(leftOut.map(({ device }) => device));
    const lost = [...requester.lost.keys()].filter((name) => !out.has(name));
    const batches = batcher?.batches ?? 0;
    tellInferred(output, { bundle, fleet, view, found, reports, lost, leftOut, batches });
    if (interrupt.signal.aborted) process.exitCode = EXIT.interrupted;
  } finally {
    interrupt.end();
    await requester.close();
  }
}

/** Who is asked to time stages, and whether all at once. */
interface Measuring {
  readonly devices: readonly string[];
  readonly together: boolean;
}

function measuredBy({ measure }: InferOptions, room: NatsRoom | undefined, { devices }: Fleet): Measuring {
  const all = devices.map(({ name }) => name);
  return { devices: room && !measure ? room.unmeasured : all, together: room !== undefined };
}

interface Making {
  readonly planner: RoomPlanner;
  readonly requester: Coordinator;
  readonly plans: ReadyPlans;
  readonly path: string;
}

/** The first plan, and what unsure answers fall back to, on devices that are ready for them. */
async function makeReady(
  { planner, requester, plans, path }: Making,
  options: InferOptions,
  measuring: Measuring | undefined,
  output: Output,
): Promise<{ readonly view: PlanView; readonly fallback: () => Fallback | undefined }> {
  if (measuring) {
    const { reports, failed } = await output.during('workers time their stages', (progress) =>
      measureDevices(requester, measuring.devices, measuring.together, (done, total) =>
        progress.update(done, total),
      ),
    );
    planner.learn(reports);
    plans.leave(failed);
  }
  const view = await plans.ready(
    () => output.during('planning', () => planner.plan()),
    () => planner.refusal(path),
  );
  const fallback = await fallbackOf(planner, plans, requester, path, options.fallbackMargin);
  return { view, fallback };
}

/**
 * Free levels are measured before they may run: what planning comes to is corrected, measured on local samples and added
 * to the bundle, and the plan is then one over measured levels.
 */
async function measuredFirst(
  bundle: Bundle,
  given: Fleet | undefined,
  options: InferOptions,
  output: Output,
): Promise<{ bundle: Bundle; options: InferOptions }> {
  if (options.levels !== 'free') return { bundle, options };
  const fleet = given ?? localFleet(bundle.manifest, options.workers ?? 2);
  const { data, classes, records, skipBad, seed } = options;
  const samples = { data, validationPerClass: DEFAULT_VALIDATION };
  const measured = await measureProposals(
    bundle,
    {
      fleet,
      request: roomOf(fleet, options).request,
      solve: ({ instance }) => plannerOf(options.solver).plan(instance),
      data: {
        ...samples,
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

/** @throws BedsideError E_REQUEST when there is no plan */
async function planned(planner: RoomPlanner, path: string, output: Output): Promise<PlanView> {
  const view = await output.during('planning', () => planner.plan());
  if (view) return view;
  throw await planner.refusal(path);
}

/** Whether the bundle's times are those of a worker on a machine like this one. */
function isMeasuredHere({ measured }: BundleManifest): boolean {
  return measured?.machine === thisMachine() && measured.threads === 1;
}

function assertOptions({ fabric, fleet, workers, credentials, source, levels }: InferOptions): void {
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

function assertBatch({ model, dir }: Bundle, { batch }: InferOptions): void {
  const fixed = fixedBatchOf(model);
  if (fixed === undefined) return;
  if (fixed > 1) {
    throw new BedsideError(
      'E_UNSUPPORTED',
      `the network of ${dir} fixes a batch of ${fixed}: workers run one sample`,
      {
        hint: 'pack the model again: its batch is left open where that changes nothing',
      },
    );
  }
  if (batch === undefined) return;
  throw new BedsideError(
    'E_UNSUPPORTED',
    `the network fixes its batch at ${fixed}: requests cannot run together`,
    {
      hint: 'leave out --batch, or export the network with a batch of any size',
    },
  );
}

async function readFleet(path: string): Promise<Fleet> {
  return parseFleet(await readTextChecked(path, 'fleet'), `fleet ${path}`);
}

/** What requests ask for: options before what the fleet says. Levels are measured ones unless said otherwise. */
function roomOf(
  fleet: Fleet,
  { deadline, accuracyFloor, privacy, levels, solver, freeze }: InferOptions,
): RoomRequest {
  const fixed = typeof levels !== 'string';
  const given = { deadline, accuracyFloor: fixed ? 0 : accuracyFloor, privacy };
  const request = completeRequest({ ...given, levels: fixed ? 'certified' : levels }, fleet.request);
  return { request, solver, levels: fixed ? levels : undefined, freeze };
}

function levelsOption(text: string): LevelsOption {
  return text === 'free' || text === 'certified' ? text : levelList(text);
}
