// Plans one request: the level of every group and the devices of every stage, beside what simpler planners give.
import type { Bundle } from '../../bundle/index.ts';
import type { BundleMeasure } from '../../bundle/internal.ts';
import type { Uncounted } from '../../onnx/internal.ts';
import {
  buildProblem,
  type Diagnosis,
  diagnose,
  exportLp,
  type Fleet,
  type Planner,
  type PlanningProblem,
  type PlanRequest,
  type PlanView,
  parseRequest,
  type RequestInput,
} from '../../plan/index.ts';
import { completeRequest, type PlanStatus, type StageView } from '../../plan/internal.ts';
import { assertWritable, BedsideError, formatPercent, writeFileAtomic } from '../../util/index.ts';
import { readTextChecked } from '../../util/internal.ts';
import { certifyProposals, type Proposal } from '../bundle/certification-loop.ts';
import { loadBundle } from '../bundle/open-bundle.ts';
import type { DataOptions } from '../options.ts';
import { anyPlan, plannerOf, type SolverName, searchesAll } from '../planners.ts';
import { type Journal, journalOf, type Reporter, type Said } from '../reporter.ts';
import { DEFAULT_VALIDATION } from '../samples/local-draws.ts';
import { type Baseline, baselinesOf, checkedView, type PlanTotals, totalsOf } from './baselines.ts';
import { fleetFrom } from './fleet-source.ts';

/** Seconds for the search, unless the options say otherwise. */
export const DEFAULT_TIME_LIMIT = 10;

/** The devices, the request and the planner. Fields of `RequestInput` go before the request, which goes before the fleet's. */
export interface PlanOptions
  extends Pick<RequestInput, 'deadline' | 'accuracyFloor' | 'levels' | 'privacy' | 'rawInput'>,
    Omit<DataOptions, 'data'> {
  /** A file, or a fleet of `parseFleet` or `fleetOf`. */
  readonly fleet: Fleet | string;
  /** A file, or its fields. */
  readonly request?: RequestInput | string | undefined;
  /** `exact` by default. */
  readonly solver?: SolverName | undefined;
  /** File of a policy that `train` wrote, for the solver `policy`; the shipped one if absent. */
  readonly policy?: string | undefined;
  /** Seconds after which the best plan so far is the result; `DEFAULT_TIME_LIMIT` if absent. */
  readonly timeLimit?: number | undefined;
  /** A file for the integer program, in LP format. */
  readonly export?: string | undefined;
  /** Samples that measure free levels before the plan may use them. */
  readonly data?: string | undefined;
  /** Seed of the draws from `data`; 1 by default. */
  readonly seed?: number | undefined;
}

/** The plan and its quality. Figures that do not exist are null. */
export interface PlanResult extends PlanTotals, Said {
  readonly status: PlanStatus;
  readonly solver: SolverName;
  /** No plan is better, in the objective. */
  readonly bound: number | null;
  /** Relative distance of the objective from the bound; null without a plan. */
  readonly gap: number | null;
  readonly stages: readonly StageView[];
  readonly levels: readonly number[] | null;
  /** The measured variant that these levels are, if they are one. */
  readonly variant: number | null;
  readonly devices: PlanView['devices'];
  /** Nodes whose multiply-accumulates are unknown. */
  readonly uncounted: readonly Uncounted[];
  /** Seconds. */
  readonly deadline: number;
  readonly accuracyFloor: number;
  /** What accuracy is here: the measure of the bundle. */
  readonly measure: BundleMeasure;
  /** Simpler planners on the same request. */
  readonly baselines: readonly Baseline[];
  /** Why no plan was found, and the smallest changes that would help. */
  readonly diagnosis: Diagnosis | undefined;
  /** Free levels that were measured on the way. */
  readonly proposals: readonly Proposal[];
  /** Time of the planner. */
  readonly seconds: number;
  /** The plan as a whole, for a coordinator. */
  readonly view: PlanView | undefined;
  /** The problem that was solved. */
  readonly problem: PlanningProblem;
  /** The bundle, with the levels that were measured on the way. */
  readonly bundle: Bundle;
}

/**
 * Plans one request. With `data`, free levels are corrected, measured and added to the bundle until a plan keeps the accuracy
 * floor by measurement.
 * @param source folder of a bundle, or an opened one
 * @throws BedsideError E_FLEET, E_REQUEST, E_BUNDLE and its kin; E_OUTPUT before any work if the LP file cannot be written;
 *   E_USAGE for data with certified levels, and for a policy with another solver; E_INTERNAL for a plan that breaks a limit
 */
export async function plan(
  source: Bundle | string,
  options: PlanOptions,
  reporter?: Reporter | Journal,
): Promise<PlanResult> {
  const journal = journalOf(reporter);
  const { solver = 'exact', timeLimit = DEFAULT_TIME_LIMIT } = options;
  const planner = plannerOf(solver, options.policy);
  if (options.export !== undefined) await assertWritable(options.export);
  const fleet = await fleetFrom(options.fleet);
  const request = await requestOf(options, fleet);
  const opened = await loadBundle(source, journal);
  const { bundle, proposals, levels } = await certified(
    opened,
    { fleet, request, planner },
    options,
    journal,
  );
  const problem = buildProblem(bundle.manifest, fleet, { ...request, levels });
  if (options.export !== undefined) await writeLp(problem, options.export, journal);
  const { solution, seconds } = await solve(problem, planner, timeLimit, journal);
  const view = solution.decisions && checkedView(problem, solution.decisions, solver);
  const diagnosis = searchesAll(solver) && !view ? await diagnosed(problem, timeLimit, journal) : undefined;
  const { status, objective, bound } = solution;
  return {
    ...{ status, solver, ...totalsOf(view) },
    bound: Number.isFinite(bound) ? bound : null,
    gap: gapOf(status, objective, bound),
    stages: view?.stages ?? [],
    levels: view?.levels ?? null,
    variant: view?.variant ?? null,
    devices: view?.devices ?? [],
    uncounted: bundle.manifest.uncounted ?? [],
    ...{ deadline: problem.request.deadline, accuracyFloor: problem.accuracyFloor },
    measure: bundle.manifest.accuracy.measure,
    baselines: await baselinesOf(problem, solver, timeLimit),
    ...{ diagnosis, proposals, seconds, view, problem, bundle },
    ...journal.said(),
  };
}

/** The options first, then the request, then the fleet. */
async function requestOf(options: PlanOptions, fleet: Fleet): Promise<PlanRequest> {
  const { deadline, accuracyFloor, levels, privacy, rawInput, request: source = {} } = options;
  const request =
    typeof source === 'string'
      ? parseRequest(await readTextChecked(source, 'request'), `request ${source}`)
      : source;
  return completeRequest({ deadline, accuracyFloor, levels, privacy, rawInput }, request, fleet.request);
}

interface Question {
  readonly fleet: Fleet;
  readonly request: PlanRequest;
  readonly planner: Planner;
}

/** Measures free levels on `data`, if there is any; the plan then keeps to measured levels. */
async function certified(
  bundle: Bundle,
  { fleet, request, planner }: Question,
  options: PlanOptions,
  journal: Journal,
): Promise<Pick<PlanResult, 'bundle' | 'proposals'> & Pick<PlanRequest, 'levels'>> {
  const { data, timeLimit: seconds = DEFAULT_TIME_LIMIT, seed = 1 } = options;
  if (data === undefined) return { bundle, proposals: [], levels: request.levels };
  if (request.levels === 'certified') {
    throw new BedsideError('E_USAGE', '--data has no meaning with --levels certified, which are measured', {
      hint: 'leave one of the two out',
    });
  }
  const solve = ({ instance }: PlanningProblem) => planner.plan(instance, { seconds });
  const draws = { ...options, data, validationPerClass: DEFAULT_VALIDATION };
  const found = await certifyProposals(bundle, { fleet, request, solve, data: draws, seed }, journal);
  return { ...found, levels: 'certified' };
}

async function writeLp({ instance }: PlanningProblem, path: string, journal: Journal): Promise<void> {
  const text = exportLp(instance);
  if (text === undefined) {
    return journal.note(`not written: ${path}; no device may run some stage, or the floor is too high`);
  }
  await writeFileAtomic(path, text);
  journal.note(`written: ${path}`);
}

async function solve({ instance }: PlanningProblem, planner: Planner, seconds: number, journal: Journal) {
  const start = performance.now();
  const solution = await journal.during('planning', (progress) =>
    planner.plan(instance, {
      seconds,
      onProgress: ({ labels, objective, bound }) =>
        progress.update(labels, labels, `planning, ${describeGap(objective, bound)}`),
    }),
  );
  return { solution, seconds: (performance.now() - start) / 1000 };
}

function diagnosed(problem: PlanningProblem, seconds: number, journal: Journal): Promise<Diagnosis> {
  const end = performance.now() + 1000 * seconds;
  const stop = (): boolean => performance.now() > end;
  return journal.during('looking for what would help', () => diagnose(problem, anyPlan, stop));
}

function gapOf(status: PlanStatus, objective: number, bound: number): number | null {
  if (status === 'optimal') return 0;
  if (status !== 'gap') return null;
  return Math.max(0, objective - bound) / Math.max(Math.abs(objective), Number.MIN_VALUE);
}

function describeGap(objective: number, bound: number): string {
  if (!Number.isFinite(objective)) return 'no plan yet';
  if (!Number.isFinite(bound)) return 'no bound yet';
  return `gap ${formatPercent(gapOf('gap', objective, bound) ?? 0)}`;
}
