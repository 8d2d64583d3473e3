// Plans for a room as it is now: what is left of its devices, and what they have measured.
import { plannerOf, type SolverName } from '../app/index.ts';
import { type BundleManifest, checkLevels, findVariant } from '../bundle/index.ts';
import {
  buildProblem,
  type Fleet,
  type Frozen,
  PinnedPlanner,
  type Planner,
  type PlanRequest,
  type PlanView,
  refusal,
  viewPlan,
} from '../plan/index.ts';
import type { DeviceReport } from '../run/index.ts';
import type { BedsideError } from '../util/index.ts';
import { withoutDevices, withSeconds } from './local-fleet.ts';

/** What plans keep to. */
export interface RoomRequest {
  readonly request: PlanRequest;
  readonly solver: SolverName;
  /** These levels and no others. */
  readonly levels?: readonly number[] | undefined;
  /** What of the first plan stays. */
  readonly freeze?: Frozen | undefined;
}

const PLANNING_SECONDS = 10;

/** Plans that are kept. */
const MOST_KNOWN = 256;

const NOBODY: ReadonlySet<string> = new Set();

/** Plans on what is known of a fleet, which may change. */
export class RoomPlanner {
  readonly #manifest: BundleManifest;
  readonly #all: BundleManifest;
  readonly #room: RoomRequest;
  readonly #known = new Map<string, Promise<PlanView | undefined>>();
  readonly #planner: Planner;
  #fleet: Fleet;

  /** @throws BedsideError E_LEVELS for levels that the bundle does not have */
  constructor(manifest: BundleManifest, fleet: Fleet, room: RoomRequest) {
    this.#all = manifest;
    this.#manifest = room.levels ? onlyLevels(manifest, room.levels) : manifest;
    this.#fleet = fleet;
    this.#room = room;
    const planner = sure(room.solver);
    this.#planner = room.freeze ? new PinnedPlanner(planner, room.freeze) : planner;
  }

  get fleet(): Fleet {
    return this.#fleet;
  }

  set fleet(fleet: Fleet) {
    this.#fleet = fleet;
    this.#known.clear();
  }

  /** Takes what devices measured themselves as their times. */
  learn(reports: readonly DeviceReport[]): void {
    this.fleet = withSeconds(this.#fleet, this.#all.name, reports);
  }

  /** The plan without these devices; the same question is answered once. Undefined when there is none. */
  plan(lost: ReadonlySet<string> = NOBODY): Promise<PlanView | undefined> {
    return this.#once('plan', lost, (left) =>
      this.#solve(this.#planner, this.#manifest, left, this.#room.request),
    );
  }

  /** A plan of the unpruned network, however long it takes. */
  unpruned(lost: ReadonlySet<string> = NOBODY): Promise<PlanView | undefined> {
    const levels = this.#all.groups.map(() => 0);
    const { deadline: _, ...rest } = this.#room.request;
    const request: PlanRequest = { ...rest, deadline: 86_400, accuracyFloor: 0, levels: 'certified' };
    return this.#once('unpruned', lost, (left) =>
      this.#solve(sure(this.#room.solver), onlyLevels(this.#all, levels), left, request),
    );
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
    if (this.#known.size >= MOST_KNOWN) this.#known.clear();
    const left = lost.size === 0 ? this.#fleet : withoutDevices(this.#fleet, lost);
    const found = left ? solve(left) : Promise.resolve(undefined);
    this.#known.set(key, found);
    return found;
  }

  /** Why there is no plan, as an error. */
  async refusal(name: string): Promise<BedsideError> {
    const { instance } = buildProblem(this.#manifest, this.#fleet, this.#room.request);
    return await refusal(plannerOf('beam'), instance, name);
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

/** The planner of a name; the policy proves nothing, so where it finds no plan the guided beam looks for one. */
function sure(solver: SolverName): Planner {
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
