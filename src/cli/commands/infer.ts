// `bedside infer`: samples through a plan on real workers.
import { type Command, InvalidArgumentError, Option } from 'commander';
import {
  type Bundle,
  type BundleManifest,
  checkLevels,
  findVariant,
  openBundle,
} from '../../bundle/index.ts';
import {
  buildProblem,
  completeRequest,
  type Fleet,
  type PlanRequest,
  type PlanView,
  PRIVACY_PRESETS,
  type PrivacyPreset,
  parseFleet,
  viewPlan,
} from '../../plan/index.ts';
import { accuracies, describeClassifier } from '../../prune/index.ts';
import { type DeviceReport, LocalWorkers, type Replan, Requester } from '../../run/index.ts';
import {
  BedsideError,
  formatBytes,
  formatPercent,
  formatSeconds,
  median,
  must,
  readFileChecked,
} from '../../util/index.ts';
import { EXIT, examples } from '../command-line.ts';
import { type Inferred, inferAll } from '../infer-run.ts';
import { loadData } from '../load.ts';
import { emulated, localFleet, withoutDevices } from '../local-fleet.ts';
import { addCommon, addData, type CommonOptions, count, type DataOptions, levelList } from '../options.ts';
import { Output } from '../output.ts';
import { plannerOf, SOLVERS, type SolverName } from '../solvers.ts';
import { indent, table } from '../tables.ts';

type LevelsOption = 'free' | 'certified' | readonly number[];

interface InferOptions extends CommonOptions, DataOptions {
  readonly workers?: number;
  readonly fleet?: string;
  readonly solver: SolverName;
  readonly levels: LevelsOption;
  readonly deadline?: number;
  readonly accuracyFloor?: number;
  readonly privacy?: PrivacyPreset;
  readonly fabric: string;
}

/** How far logits may be from those of one machine. */
const TOLERANCE = 1e-4;

const PLANNING_SECONDS = 10;

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
        .default('beam'),
    )
    .option(
      '--levels <which>',
      'certified: measured variants; free: any mix, by the accuracy model; or the level of each group, such as 0,3,1',
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
    .option('--fabric <where>', 'how workers reach each other: local', 'local');
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

async function infer(path: string, options: InferOptions): Promise<void> {
  const output = new Output(options);
  assertOptions(options);
  const given = options.fleet === undefined ? undefined : await readFleet(options.fleet);
  const bundle = await openBundle(path);
  const fleet = given ?? localFleet(bundle.manifest, options.workers ?? 2);
  const planned = plannerFor(bundle, fleet, options);
  const view = await output.during('planning', () => planned(fleet));
  if (!view) throw noPlan(path, options);
  const classifier = describeClassifier(bundle.model, path);
  const dataset = await loadData(classifier, options, { split: 'test', seed: options.seed }, output);
  await using workers = await output.during(`starting ${fleet.devices.length} workers`, () =>
    LocalWorkers.start(emulated(fleet), [path], {
      device: must(fleet.devices[fleet.source], 'a source').name,
      bundles: [bundle],
    }),
  );
  const requester = new Requester('requester', bundle);
  await requester.join(workers.fabric);
  const interrupt = new Interrupt(output);
  try {
    await requester.warm(view);
    output.note(`${fleet.devices.length} workers are ready`);
    const replan: Replan = async (lost) => {
      const left = withoutDevices(fleet, lost);
      output.note(`lost: ${[...lost].join(', ')}; planning for the devices that are left`);
      return left && (await planned(left));
    };
    const found = await output.during('inferring', (progress) =>
      inferAll(
        {
          ...{ bundle, requester, plan: view, replan },
          deadline: requestOf(fleet, options).deadline,
          signal: interrupt.signal,
          onProgress: (done, total) => progress.update(done, total),
        },
        dataset,
      ),
    );
    const alive = fleet.devices.filter(({ name }) => !requester.lost.has(name));
    // One that is lost only now has done its work.
    const asked = alive.map(({ name }) => requester.report(name).catch(() => undefined));
    const reports = (await Promise.all(asked)).filter((report) => report !== undefined);
    tell(output, { bundle, fleet, view, found, reports, lost: [...requester.lost.keys()] });
    if (interrupt.signal.aborted) process.exitCode = EXIT.interrupted;
  } finally {
    interrupt.end();
    await requester.close();
  }
}

/** The first Ctrl-C lets the request that runs end; the next does what it did before. */
class Interrupt {
  readonly #control = new AbortController();
  readonly #before = process.listeners('SIGINT');
  readonly #stop: () => void;

  constructor(output: Output) {
    this.#stop = () => {
      output.note('stopping after the request that runs; once more stops at once');
      this.#control.abort();
      this.end();
    };
    process.removeAllListeners('SIGINT');
    process.once('SIGINT', this.#stop);
  }

  get signal(): AbortSignal {
    return this.#control.signal;
  }

  end(): void {
    process.off('SIGINT', this.#stop);
    for (const listener of this.#before.splice(0)) process.on('SIGINT', listener);
  }
}

function assertOptions({ fabric, fleet, workers }: InferOptions): void {
  if (fabric !== 'local') {
    const nats = fabric.startsWith('nats://');
    throw new BedsideError(
      nats ? 'E_UNSUPPORTED' : 'E_USAGE',
      nats ? `workers over NATS (${fabric}) are not there yet` : `there is no fabric '${fabric}'`,
      { hint: 'leave --fabric out: workers are then processes of this machine' },
    );
  }
  if (fleet !== undefined && workers !== undefined) {
    throw new BedsideError('E_USAGE', 'give either --workers or --fleet, not both', {
      hint: 'a fleet has one worker for each of its devices',
    });
  }
}

async function readFleet(path: string): Promise<Fleet> {
  return parseFleet(new TextDecoder().decode(await readFileChecked(path, 'fleet')), `fleet ${path}`);
}

/** What a request asks for: options before what the fleet says. Levels are measured ones unless said otherwise. */
function requestOf(fleet: Fleet, options: InferOptions): PlanRequest {
  const { deadline, accuracyFloor, privacy, levels } = options;
  const fixed = typeof levels !== 'string';
  const given = { deadline, accuracyFloor: fixed ? 0 : accuracyFloor, privacy };
  return completeRequest({ ...given, levels: fixed ? 'certified' : levels }, fleet.request);
}

/** Plans for what is there of the fleet. */
function plannerFor(bundle: Bundle, fleet: Fleet, options: InferOptions) {
  const { levels, solver } = options;
  const manifest = typeof levels === 'string' ? bundle.manifest : onlyLevels(bundle.manifest, levels);
  const request = requestOf(fleet, options);
  return async (left: Fleet): Promise<PlanView | undefined> => {
    const problem = buildProblem(manifest, left, request);
    const { decisions } = await plannerOf(solver).plan(problem.instance, { seconds: PLANNING_SECONDS });
    const view = decisions && viewPlan(problem, decisions);
    return view && view.violations.length === 0 ? view : undefined;
  };
}

/** The bundle as if these levels were its only variant. */
function onlyLevels(manifest: BundleManifest, levels: readonly number[]): BundleManifest {
  checkLevels(manifest, levels);
  const { unpruned, loss } = manifest.accuracy;
  const lost = levels.reduce((sum, level, group) => sum + (loss[group]?.[level] ?? 0), 0);
  const index = findVariant(manifest, levels);
  const known = index === undefined ? undefined : manifest.variants[index];
  const accuracy = unpruned * Math.exp(-lost);
  const [first] = manifest.variants;
  const variant = known ?? (first && { ...first, levels, corrected: false, accuracy });
  return { ...manifest, variants: variant ? [variant] : [] };
}

function noPlan(path: string, { solver, fleet }: InferOptions): BedsideError {
  return new BedsideError('E_REQUEST', `solver ${solver} found no plan for ${path} within the limits`, {
    hint: `bedside plan ${path} --fleet ${fleet ?? '…'} tells what would help`,
  });
}

interface Outcome {
  readonly bundle: Bundle;
  readonly fleet: Fleet;
  readonly view: PlanView;
  readonly found: Inferred;
  readonly reports: readonly DeviceReport[];
  readonly lost: readonly string[];
}

function tell(output: Output, { bundle, fleet, view, found, reports, lost }: Outcome): void {
  const { n, predictions, expected, seconds, maxDifference, replanned, missed } = found;
  const { classes } = bundle.manifest.model.output;
  const accuracy = n === 0 ? Number.NaN : accuracies(predictions, expected, classes).accuracy;
  const [p50, p95] = [1000 * median(seconds), 1000 * percentile(seconds, 0.95)];
  const bytesMoved = reports.reduce((sum, { bytesSent }) => sum + bytesSent, 0);
  const matchesSingleMachine = maxDifference <= TOLERANCE;
  output.result({
    n,
    missed,
    accuracy,
    matchesSingleMachine,
    maxDifference,
    msPerRequest: p50,
    p95,
    bytesMoved,
    replanned,
    lost,
    levels: view.levels,
    variant: findVariant(bundle.manifest, view.levels) ?? null,
    stages: view.stages.map(({ index, level, segments }) => ({ index, level, segments })),
    predictedMs: 1000 * view.latency,
    devices: reports.map(({ name, sessions, memoryUsed, bytesSent }) => ({
      name,
      sessions,
      memoryUsed,
      bytesSent,
    })),
  });
  output.say(
    [
      `${bundle.manifest.name} on ${fleet.name}: levels ${view.levels.join(',')}`,
      '',
      `accuracy        ${n === 0 ? '-' : formatPercent(accuracy)} of ${n} samples${missed > 0 ? `; ${missed} more had no result in time` : ''}`,
      `one machine     ${matchesSingleMachine ? 'gives the same' : 'gives OTHER logits'}: largest difference ${maxDifference.toExponential(1)}`,
      `time            ${formatSeconds(p50 / 1000)} a request, 95 % within ${formatSeconds(p95 / 1000)}, planned ${formatSeconds(view.latency)}`,
      `moved           ${formatBytes(bytesMoved)} between devices`,
      ...(lost.length > 0 ? [`lost            ${lost.join(', ')}; ${replanned} requests planned anew`] : []),
      '',
      indent(
        table(
          ['device', 'stages', '>sessions', '>memory', '>sent'],
          reports.map(({ name, sessions, memoryUsed, bytesSent }) => [
            name,
            stagesOf(view, name),
            String(sessions),
            formatBytes(memoryUsed),
            formatBytes(bytesSent),
          ]),
        ),
      ),
    ].join('\n'),
  );
}

/** The stages that a device takes part in; shared ones with a slash and among how many. */
function stagesOf({ stages }: PlanView, name: string): string {
  const own = stages.filter(({ segments }) => segments.some(({ device }) => device === name));
  const words = own.map(({ index, segments }) =>
    segments.length === 1 ? `${index}` : `${index}/${segments.length}`,
  );
  return words.join(' ') || '-';
}

function percentile(values: readonly number[], share: number): number {
  return values.toSorted((a, b) => a - b)[Math.max(0, Math.ceil(share * values.length) - 1)] ?? Number.NaN;
}

function levelsOption(text: string): LevelsOption {
  return text === 'free' || text === 'certified' ? text : levelList(text);
}

function numberIn(least: number, most: number, what: string): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== '' && value >= least && value <= most) return value;
    throw new InvalidArgumentError(`Expected ${what} from ${least} to ${most}.`);
  };
}
