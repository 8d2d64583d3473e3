// Plans for a fleet that changes: devices are lost and come back, and measure their own times.
import type { BundleManifest } from '../../bundle/index.ts';
import { checkLevels, figureWord, findVariant } from '../../bundle/internal.ts';
import {
  buildProblem,
  type Fleet,
  type Planner,
  type PlanRequest,
  type PlanView,
  viewPlan,
} from '../../plan/index.ts';
import { PinnedPlanner, type PinScope, refusal } from '../../plan/internal.ts';
import type { DeviceReport } from '../../run/internal.ts';
import type { BedsideError } from '../../util/index.ts';
import { plannerOf, type SolverName } from '../planners.ts';
import { withMeasuredTimes, withoutDevices } from './fleet-changes.ts';

/** How plans are made. */
export interface ReplannerOptions {
  readonly request: PlanRequest;
  readonly solver: SolverName;
  /** These levels and no others. */
  readonly levels?: readonly number[] | undefined;
  /** The part of the first plan that every later plan keeps. */
  readonly freeze?: PinScope | undefined;
}

/** Seconds for one plan. */
const PLANNING_SECONDS = 10;

/** Plans that are remembered. */
const MAX_REMEMBERED = 256;

const NOBODY: ReadonlySet<string> = new Set();

/** Plans for a fleet as it is now. */
export class Replanner {
  readonly #manifest: BundleManifest;
  readonly #all: BundleManifest;
  readonly #options: ReplannerOptions;
  readonly #known = new Map<string, Promise<PlanView | undefined>>();
  readonly #planner: Planner;
  #fleet: Fleet;

  /** @throws BedsideError E_LEVELS for levels that the bundle does not have */
  constructor(manifest: BundleManifest, fleet: Fleet, options: ReplannerOptions) {
    this.#all = manifest;
    this.#manifest = options.levels ? onlyLevels(manifest, options.levels) : manifest;
    this.#fleet = fleet;
    this.#options = options;
    const planner = withBeam(options.solver);
    this.#planner = options.freeze ? new PinnedPlanner(planner, options.freeze) : planner;
  }

  get fleet(): Fleet {
    return this.#fleet;
  }

  set fleet(fleet: Fleet) {
    this.#fleet = fleet;
    this.#known.clear();
  }

  /** Plans from now on by the times that devices measured themselves. */
  learn(reports: readonly DeviceReport[]): void {
    this.fleet = withMeasuredTimes(this.#fleet, this.#all.name, reports);
  }

  /** The plan without the lost devices, made once for the same devices; undefined when there is none. */
  plan(lost: ReadonlySet<string> = NOBODY): Promise<PlanView | undefined> {
    return this.#once('plan', lost, (left) =>
      this.#solve(this.#planner, this.#manifest, left, this.#options.request),
    );
  }

  /** A plan for the unpruned network, without a deadline; undefined when it fits nowhere. */
  unpruned(lost: ReadonlySet<string> = NOBODY): Promise<PlanView | undefined> {
    const levels = this.#all.groups.map(() => 0);
    const { deadline: _, ...rest } = this.#options.request;
    const request: PlanRequest = { ...rest, deadline: 86_400, accuracyFloor: 0, levels: 'certified' };
    return this.#once('unpruned', lost, (left) =>
      this.#solve(withBeam(this.#options.solver), onlyLevels(this.#all, levels), left, request),
    );
  }

  /** The error that explains why there is no plan. */
  async refusal(name: string): Promise<BedsideError> {
    const { instance } = buildProblem(this.#manifest, this.#fleet, this.#options.request);
    return await refusal(plannerOf('beam'), instance, name, figureWord(this.#manifest.accuracy));
  }

  #once(
    kind: string,
    lost: ReadonlySet<string>,
    solve: (left: Fleet) => Promise<PlanView | undefined>,
  ): Promise<PlanView | undefined> {
    const key = [kind, ...[...lost].sort()].join('\n');
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    // Devices may come and go without end.
    if (this.#known.size >= MAX_REMEMBERED) this.#known.clear();
    const left = lost.size === 0 ? this.#fleet : withoutDevices(this.#fleet, lost);
    const found = left ? solve(left) : Promise.resolve(undefined);
    this.#known.set(key, found);
    return found;
  }

  async #solve(
    planner: Planner,
    manifest: BundleManifest,
    left: Fleet,
    request: PlanRequest,
  ): Promise<PlanView | undefined> {
    const problem = buildProblem(manifest, left, request);
    const { decisions } = await planner.plan(problem.instance, { seconds: PLANNING_SECONDS });
    const view = decisions && viewPlan(problem, decisions);
    return view && view.violations.length === 0 ? view : undefined;
  }
}

/** The planner of a name. The policy proves nothing: where it finds no plan, the guided beam searches for one. */
function withBeam(solver: SolverName): Planner {
  const planner = plannerOf(solver);
  if (solver !== 'policy') return planner;
  return {
    name: solver,
    async plan(instance, options) {
      const found = await planner.plan(instance, options);
      return found.decisions ? found : plannerOf('beam').plan(instance, options);
    },
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
