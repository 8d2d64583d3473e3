// Plans for a fleet that changes: devices are lost and come back, and measure their own times.
import type { BundleManifest } from '../../bundle/index.ts';
import { figureWord } from '../../bundle/internal.ts';
import {
  buildProblem,
  type Fleet,
  type Planner,
  type PlanRequest,
  type PlanView,
  viewPlan,
} from '../../plan/index.ts';
import { PinnedPlanner, type PinScope, refusal } from '../../plan/internal.ts';
import type { RunPlan } from '../../run/index.ts';
import { type DeviceReport, devicesOf } from '../../run/internal.ts';
import type { BedsideError } from '../../util/index.ts';
import { plannerOf, type SolverName } from '../planners.ts';
import { withMeasuredTimes, withoutDevices } from './fleet-changes.ts';
import { onlyLevels } from './only-levels.ts';

/** How plans are made. */
export interface ReplannerOptions {
  readonly request: PlanRequest;
  readonly solver: SolverName;
  /** These levels and no others. */
  readonly levels?: readonly number[] | undefined;
  /** The part of the first plan that every later plan keeps. */
  readonly freeze?: PinScope | undefined;
}

/** A plan that is kept while it is pinned: as it is, or its levels alone on whichever devices. */
export interface Pin {
  readonly scope: PinScope;
  readonly plan: PlanView;
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
  #request: PlanRequest;
  #pin: Pin | undefined;

  /** @throws BedsideError E_LEVELS for levels that the bundle does not have */
  constructor(manifest: BundleManifest, fleet: Fleet, options: ReplannerOptions) {
    this.#all = manifest;
    this.#manifest = options.levels ? onlyLevels(manifest, options.levels) : manifest;
    this.#fleet = fleet;
    this.#options = options;
    this.#request = options.request;
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

  get request(): PlanRequest {
    return this.#request;
  }

  set request(request: PlanRequest) {
    this.#request = request;
    this.#known.clear();
  }

  /** What every plan keeps, beside `freeze`; undefined: nothing. */
  get pin(): Pin | undefined {
    return this.#pin;
  }

  set pin(pin: Pin | undefined) {
    this.#pin = pin;
    this.#known.clear();
  }

  /** Whether a plan, made before perhaps, keeps what is pinned. */
  allows(plan: RunPlan): boolean {
    if (!this.#pin) return true;
    const { scope, plan: kept } = this.#pin;
    return scope === 'plan' ? plan === kept : plan.levels.join() === kept.levels.join();
  }

  /** Plans from now on by the times that devices measured themselves. */
  learn(reports: readonly DeviceReport[]): void {
    this.fleet = withMeasuredTimes(this.#fleet, this.#all.name, reports);
  }

  /** The plan without the lost devices, made once for the same devices; undefined when there is none. */
  plan(lost: ReadonlySet<string> = NOBODY): Promise<PlanView | undefined> {
    const pin = this.#pin;
    if (pin?.scope === 'plan') {
      return Promise.resolve(devicesOf(pin.plan).some((name) => lost.has(name)) ? undefined : pin.plan);
    }
    if (!pin) {
      return this.#once('plan', lost, (left) =>
        this.#solve(this.#planner, this.#manifest, left, this.#request),
      );
    }
    // Pinned levels are believed, as levels that were asked for.
    const request = { ...this.#request, accuracyFloor: 0, levels: 'certified' as const };
    const pinned = onlyLevels(this.#all, pin.plan.levels);
    return this.#once('plan', lost, (left) => this.#solve(this.#planner, pinned, left, request));
  }

  /** The plan that a request with other limits would get, neither pinned nor remembered; undefined when there is none. */
  async planFor(request: PlanRequest, lost: ReadonlySet<string> = NOBODY): Promise<PlanView | undefined> {
    const left = lost.size === 0 ? this.#fleet : withoutDevices(this.#fleet, lost);
    return left && (await this.#solve(withBeam(this.#options.solver), this.#manifest, left, request));
  }

  /** A plan for the unpruned network, without a deadline; undefined when it fits nowhere. */
  unpruned(lost: ReadonlySet<string> = NOBODY): Promise<PlanView | undefined> {
    const levels = this.#all.groups.map(() => 0);
    const { deadline: _, ...rest } = this.#request;
    const request: PlanRequest = {
      ...rest,
      deadline: 86_400,
      accuracyFloor: 0,
      levels: 'certified',
      precision: 'float32',
    };
    return this.#once('unpruned', lost, (left) =>
      this.#solve(withBeam(this.#options.solver), onlyLevels(this.#all, levels), left, request),
    );
  }

  /** The error that explains why there is no plan. */
  async refusal(name: string, request: PlanRequest = this.#request): Promise<BedsideError> {
    const { instance } = buildProblem(this.#manifest, this.#fleet, request);
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
    // What failed is tried again.
    found.catch(() => {
      if (this.#known.get(key) === found) this.#known.delete(key);
    });
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
