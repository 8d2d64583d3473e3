// `bedside plan`: the levels and the devices for one request, beside what simpler plans would give.
import { type Command, InvalidArgumentError, Option } from 'commander';
import {
  anyPlan,
  certifyProposals,
  type DataOptions,
  DEFAULT_VALIDATION,
  loadBundle,
  type Proposal,
  plannerOf,
  SOLVERS,
  type SolverName,
} from '../../app/index.ts';
import type { Bundle } from '../../bundle/index.ts';
import {
  buildProblem,
  checkPlan,
  completeRequest,
  type Diagnosis,
  diagnose,
  exportLp,
  type Fleet,
  localPlan,
  type Planner,
  type PlanningProblem,
  type PlanRequest,
  type PlanStatus,
  type PlanView,
  PRIVACY_PRESETS,
  type PrivacyPreset,
  parseFleet,
  parseRequest,
  type RequestInput,
  type Solution,
  viewPlan,
} from '../../plan/index.ts';
import {
  assertWritable,
  BedsideError,
  formatPercent,
  formatSeconds,
  must,
  plainLine,
  readTextChecked,
  writeFileAtomic,
} from '../../util/index.ts';
import { examples } from '../command-line.ts';
import { addCommon, type CommonOptions } from '../options/common.ts';
import { addData } from '../options/data.ts';
import { planText, type TotalsRow, totalsText } from '../plan-text.ts';
import { Output } from '../terminal/output.ts';

interface PlanCommandOptions extends CommonOptions, Omit<DataOptions, 'data'> {
  readonly fleet: string;
  readonly request?: string;
  readonly solver: SolverName;
  readonly policy?: string;
  readonly levels?: 'free' | 'certified';
  readonly deadline?: number;
  readonly accuracyFloor?: number;
  readonly privacy?: PrivacyPreset;
  readonly timeLimit: number;
  readonly export?: string;
  readonly data?: string;
}

/** Plans that every other is shown beside. */
const BASELINES = ['local', 'distribute-only', 'prune-only'] as const;

/** Adds the command to the program. */
export function addPlan(program: Command): void {
  const command = program
    .command('plan')
    .summary('levels and devices for one request on a fleet')
    .description(
      'Chooses, for one request, the level of every group of channels and the devices of every stage: the least weighted ' +
        'sum of time, energy and lost accuracy within the deadline, the accuracy floor, memory, energy and privacy. ' +
        'The status is optimal (proven), gap (a plan, and a proven bound), infeasible (proven; with the smallest changes ' +
        'that would help) or unknown. Every plan is checked against every constraint by code of its own. With --data, ' +
        'free levels that the plan comes to are corrected and measured, added to the bundle, and planned anew where ' +
        'they fall short of the floor: the plan that is told then keeps it by measurement and may run.',
    )
    .argument('<bundle>', 'a folder written by bedside pack')
    .requiredOption('--fleet <file>', 'devices and links, as JSON; docs/fleets.md, examples/fleets/')
    .option('--request <file>', 'what the request asks for, as JSON; the options below go before it')
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
      'a policy of bedside train, as ONNX, for --solver policy; else the one that is shipped',
    )
    .addOption(
      new Option(
        '--levels <which>',
        'free: any mix, by the accuracy model; certified: measured variants',
      ).choices(['free', 'certified']),
    )
    .option('--deadline <s>', 'seconds from the request to its result', positive(86_400))
    .option('--accuracy-floor <a>', "least accuracy, by the bundle's measure, in [0, 1]", share)
    .addOption(
      new Option(
        '--privacy <preset>',
        'what untrusted devices may see: nothing, late stages, or all but the input',
      ).choices(PRIVACY_PRESETS),
    )
    .option(
      '--time-limit <s>',
      'seconds after which the best plan so far is given, with its bound; as long again for what would help where there is none',
      positive(3600),
      10,
    )
    .option('--export <file>', 'write the integer program as an LP file, for any solver');
  addData(command, {
    optional: true,
    split: 'with --data, what is divided in two; default local',
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
    .action((path: string, options: PlanCommandOptions) => plan(path, options));
}

async function plan(path: string, options: PlanCommandOptions): Promise<void> {
  const output = new Output(options);
  const { solver } = options;
  const planner = chosenPlanner(options);
  if (options.export !== undefined) await assertWritable(options.export);
  const fleet = parseFleet(await readTextChecked(options.fleet, 'fleet'), `fleet ${options.fleet}`);
  const request = await requestOf(options, fleet);
  const opened = await loadBundle(path, output);
  const { bundle, proposals } =
    options.data === undefined
      ? { bundle: opened, proposals: [] }
      : await measured(opened, fleet, request, { ...options, data: options.data }, planner, output);
  const final: PlanRequest = options.data === undefined ? request : { ...request, levels: 'certified' };
  const problem = buildProblem(bundle.manifest, fleet, final);
  if (options.export !== undefined) await writeLp(problem, options.export, output);
  const start = performance.now();
  const solution = await output.during('planning', (progress) =>
    planner.plan(problem.instance, {
      seconds: options.timeLimit,
      onProgress: ({ labels, objective, bound }) =>
        progress.update(labels, labels, `planning, ${tellGap(objective, bound)}`),
    }),
  );
  const seconds = (performance.now() - start) / 1000;
  const view = solution.decisions && checkedView(problem, solution, solver);
  const diagnosis =
    isSearch(solver) && !view ? await diagnosed(problem, options.timeLimit, output) : undefined;
  const baselines = await baselinesOf(problem, solver, options.timeLimit);
  const outcome: Outcome = {
    ...{ bundle, proposals, problem, solver, solution, view, diagnosis, baselines, seconds },
  };
  output.result(resultOf(outcome));
  output.say(describe(outcome));
}

/** What free levels come to, measured; with certified levels there is nothing to measure. */
function measured(
  bundle: Bundle,
  fleet: Fleet,
  request: PlanRequest,
  options: PlanCommandOptions & DataOptions,
  planner: Planner,
  output: Output,
) {
  if (request.levels === 'certified') {
    throw new BedsideError('E_USAGE', '--data has no meaning with --levels certified, which are measured', {
      hint: 'leave one of the two out',
    });
  }
  const data = { ...options, validationPerClass: DEFAULT_VALIDATION };
  const solve = ({ instance }: PlanningProblem) => planner.plan(instance, { seconds: options.timeLimit });
  return certifyProposals(bundle, { fleet, request, solve, data, seed: options.seed }, output);
}

/** The integer program as a file. */
async function writeLp({ instance }: PlanningProblem, path: string, output: Output): Promise<void> {
  const text = exportLp(instance);
  if (text === undefined)
    return output.note(`not written: ${path}; no device may run some stage, or the floor is too high`);
  await writeFileAtomic(path, text);
  output.note(`written: ${path}`);
}

/** Options first, then the request file, then what the fleet says. */
async function requestOf(options: PlanCommandOptions, fleet: Fleet): Promise<PlanRequest> {
  const { deadline, accuracyFloor, levels, privacy } = options;
  const given: RequestInput = { deadline, accuracyFloor, levels, privacy };
  const file = options.request;
  const read =
    file === undefined ? {} : parseRequest(await readTextChecked(file, 'request'), `request ${file}`);
  return completeRequest(given, read, fleet.request);
}

/** The planner that was asked for. */
function chosenPlanner({ solver, policy }: PlanCommandOptions): Planner {
  if (policy === undefined) return plannerOf(solver);
  if (solver === 'policy') return plannerOf(solver, policy);
  throw new BedsideError('E_USAGE', `--policy has no meaning with --solver ${solver}`, {
    hint: 'leave one of the two out, or give --solver policy',
  });
}

/** What the plan means; a plan that breaks a constraint is never told. */
function checkedView(problem: PlanningProblem, { decisions = [] }: Solution, solver: string): PlanView {
  const view = viewPlan(problem, decisions);
  const [broken] = view.violations;
  if (!broken) return view;
  const where = [broken.device, broken.stage].filter((part) => part !== undefined).join(', stage ');
  throw new BedsideError(
    'E_INTERNAL',
    `solver ${solver} gave a plan that breaks ${broken.constraint} (${where}): ${broken.value} against ${broken.limit}`,
    { hint: 'please report it, with the fleet and the bundle' },
  );
}

/** Whether a solver searches the whole program, so that finding nothing says something of the request. */
function isSearch(solver: SolverName): boolean {
  return ['exact', 'beam', 'highs', 'policy'].includes(solver);
}

function diagnosed(problem: PlanningProblem, seconds: number, output: Output): Promise<Diagnosis> {
  const end = performance.now() + 1000 * seconds;
  const stop = (): boolean => performance.now() > end;
  return output.during('looking for what would help', () => diagnose(problem, anyPlan, stop));
}

interface Baseline {
  readonly name: SolverName;
  readonly view: PlanView | undefined;
  readonly note: string;
}

async function baselinesOf(
  problem: PlanningProblem,
  solver: SolverName,
  seconds: number,
): Promise<Baseline[]> {
  const rows: Baseline[] = [];
  for (const name of BASELINES) {
    if (name === solver) continue;
    const solution = await plannerOf(name).plan(problem.instance, { seconds });
    const view = solution.decisions && checkedView(problem, solution, name);
    rows.push({ name, view, note: view ? '' : whyNot(name, problem) });
  }
  return rows;
}

/** What stands in the way of a baseline; of the local plan, which is only one, by name. */
function whyNot(name: SolverName, { instance }: PlanningProblem): string {
  if (name !== 'local') return 'none within the limits';
  const { violations } = checkPlan(instance, localPlan(instance));
  const broken = violations.map(({ constraint, device }) =>
    device ? `${constraint} of ${device}` : constraint,
  );
  return `breaks ${broken.join(', ')}`;
}

interface Outcome {
  readonly bundle: Bundle;
  /** Free levels that were measured on the way. */
  readonly proposals: readonly Proposal[];
  readonly problem: PlanningProblem;
  readonly solver: SolverName;
  readonly solution: Solution;
  readonly view: PlanView | undefined;
  readonly diagnosis: Diagnosis | undefined;
  readonly baselines: readonly Baseline[];
  readonly seconds: number;
}

/** The JSON object. Numbers that there are not are null. */
function resultOf(outcome: Outcome): object {
  const { bundle, proposals, problem, solver, solution, view, diagnosis, baselines, seconds } = outcome;
  const { status, objective, bound } = solution;
  const totals = (of: PlanView | undefined) =>
    of
      ? { objective: of.objective, latency: of.latency, energy: of.energy, accuracy: of.accuracy }
      : { objective: null, latency: null, energy: null, accuracy: null };
  return {
    status,
    solver,
    ...totals(view),
    bound: Number.isFinite(bound) ? bound : null,
    gap: gapOf(status, objective, bound),
    stages: view?.stages ?? [],
    levels: view?.levels ?? null,
    variant: view?.variant ?? null,
    devices: view?.devices ?? [],
    uncounted: bundle.manifest.uncounted ?? [],
    deadline: problem.request.deadline,
    accuracyFloor: problem.accuracyFloor,
    baselines: Object.fromEntries(baselines.map(({ name, view: own }) => [name, totals(own)])),
    ...(diagnosis ? { diagnosis } : {}),
    ...(proposals.length > 0 ? { proposals } : {}),
    seconds,
  };
}

/** Relative distance of the objective from what is proven; null without a plan. */
function gapOf(status: PlanStatus, objective: number, bound: number): number | null {
  if (status === 'optimal') return 0;
  if (status !== 'gap') return null;
  return Math.max(0, objective - bound) / Math.max(Math.abs(objective), Number.MIN_VALUE);
}

function tellGap(objective: number, bound: number): string {
  if (!Number.isFinite(objective)) return 'no plan yet';
  return Number.isFinite(bound)
    ? `gap ${formatPercent(gapOf('gap', objective, bound) ?? 0)}`
    : 'no bound yet';
}

function describe(outcome: Outcome): string {
  const { bundle, problem, solver, solution, view, diagnosis, baselines, seconds } = outcome;
  const { request, accuracyFloor } = problem;
  const asked = `within ${formatSeconds(request.deadline)}, accuracy at least ${formatPercent(accuracyFloor)}, ${request.levels} levels, privacy ${request.maxSeen ? 'by stage' : request.privacy}`;
  const title = plainLine(`${bundle.manifest.name} on ${problem.fleet.name}: ${asked}`);
  if (!view)
    return [title, '', noPlan(solution.status, diagnosis, solver), '', totalsText(baselines)].join('\n');
  const gap = gapOf(solution.status, solution.objective, solution.bound) ?? 0;
  const proof =
    solution.status === 'optimal' ? 'proven optimal' : `gap ${formatPercent(gap)} to what is proven`;
  const rows: TotalsRow[] = [
    { name: solver, view, note: `${proof}, found in ${formatSeconds(seconds)}` },
    ...baselines,
  ];
  return [title, '', planText(view, rows), '', ...proposalLines(outcome), ...standing(view, bundle)].join(
    '\n',
  );
}

/** Whether the accuracy that is told has been measured, and how to measure it. */
function standing({ variant, levels }: PlanView, { manifest, dir }: Bundle): string[] {
  if (variant !== null) {
    const { accuracy, lowerBound } = must(manifest.variants[variant], 'a variant');
    return [
      `these levels have been measured: variant ${variant} of the bundle, accuracy ${formatPercent(accuracy)}, at least ${formatPercent(lowerBound)} with 95 % confidence`,
    ];
  }
  const { meanError, maxError } = manifest.accuracy;
  return [
    `accuracy is predicted (mean error ${meanError.toFixed(3)}, at most ${maxError.toFixed(3)} on checked mixes); to measure these levels before they run:`,
    `bedside pack ${plainLine(dir)} --certify ${levels.join(',')} --data …   (or this command with --data)`,
  ];
}

/** What free levels promised and kept. */
function proposalLines({ proposals, problem }: Outcome): string[] {
  return proposals.map(
    ({ levels, predicted, accuracy, variant }) =>
      `free levels ${levels.join(',')}: predicted ${formatPercent(predicted)}, measured ${formatPercent(accuracy)}, ` +
      `${accuracy >= problem.accuracyFloor ? 'keeps' : 'BREAKS'} the floor; variant ${variant}`,
  );
}

function noPlan(status: PlanStatus, diagnosis: Diagnosis | undefined, solver: SolverName): string {
  if (status === 'infeasible') return `infeasible, proven: ${plainLine(diagnosis?.text ?? '')}`;
  if (diagnosis) return `unknown: no plan was found, which proves nothing; ${plainLine(diagnosis.text)}`;
  return `unknown: ${solver} found no plan, which proves nothing; try --solver exact or a longer --time-limit`;
}

/** Seconds above 0. */
function positive(most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== '' && value > 0 && value <= most) return value;
    throw new InvalidArgumentError(`Expected seconds above 0, at most ${most}.`);
  };
}

function share(text: string): number {
  const value = Number(text);
  if (text.trim() !== '' && value >= 0 && value <= 1) return value;
  throw new InvalidArgumentError('Expected a number in [0, 1].');
}
