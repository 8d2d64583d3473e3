// Plans for requests that ask for something of their own: other levels, another floor, another planner.
import type { BundleManifest } from '../../bundle/index.ts';
import type { Fleet, PlanView } from '../../plan/index.ts';
import type { Coordinator, RunPlan } from '../../run/index.ts';
import type { SolverName } from '../planners.ts';
import type { Journal } from '../reporter.ts';
import { ReadyPlans } from './ready-plans.ts';
import { Replanner, type ReplannerOptions } from './replanner.ts';

/** What a request asks for instead of what its deployment does. */
export interface PlanChoice {
  readonly solver?: SolverName | undefined;
  /** The level of each group. */
  readonly levels?: readonly number[] | undefined;
  /** Least accuracy, in [0, 1]. */
  readonly accuracyFloor?: number | undefined;
  /** Seconds that the plan may take. */
  readonly deadline?: number | undefined;
}

/** Plans of one choice. */
export interface PlanLine {
  readonly planner: Replanner;
  /** Whether its levels were asked for: then no answer is replaced by that of the unpruned network. */
  readonly fixed: boolean;
  /** The plan of the next request. */
  plan: RunPlan;
}

/** Choices that are kept ready; the least recently used goes. */
const MOST_LINES = 16;

/** What lines of plans are made with. */
export interface PlanLineParts {
  readonly manifest: BundleManifest;
  /** Names the bundle in errors. */
  readonly dir: string;
  /** As it is now: the floor may be set while requests run. */
  readonly base: () => ReplannerOptions;
  readonly coordinator: Coordinator;
  readonly journal: Journal;
}

/** Lines of plans by choice, each planned and prepared once while the fleet stays the same. */
export class PlanLines {
  readonly #parts: PlanLineParts;
  readonly #lines = new Map<string, Promise<PlanLine>>();
  #fleet: Fleet | undefined;

  constructor(parts: PlanLineParts) {
    this.#parts = parts;
  }

  /**
   * The line of a choice, with the fleet as it is now.
   * @throws BedsideError E_REQUEST when there is no such plan; E_LEVELS; as `ReadyPlans.ready`
   */
  line(choice: PlanChoice, fleet: Fleet): Promise<PlanLine> {
    if (fleet !== this.#fleet) {
      this.#lines.clear();
      this.#fleet = fleet;
    }
    const { solver = '', levels, accuracyFloor = '', deadline = '' } = choice;
    const key = [solver, levels?.join() ?? '', accuracyFloor, deadline].join(' ');
    const known = this.#lines.get(key);
    this.#lines.delete(key);
    const line = known ?? this.#open(choice, fleet);
    this.#lines.set(key, line);
    line.catch(() => this.#lines.delete(key));
    const [oldest] = this.#lines.keys();
    if (this.#lines.size > MOST_LINES && oldest !== undefined) this.#lines.delete(oldest);
    return line;
  }

  /** Forgets all lines: the next request of each choice gets a new plan. */
  clear(): void {
    this.#lines.clear();
  }

  /** A plan of a choice that is neither prepared nor kept; undefined when there is none. */
  preview(choice: PlanChoice, fleet: Fleet): { planner: Replanner; plan: Promise<PlanView | undefined> } {
    const planner = this.#planner(choice, fleet);
    return { planner, plan: planner.plan(new Set(this.#parts.coordinator.lost.keys())) };
  }

  async #open(choice: PlanChoice, fleet: Fleet): Promise<PlanLine> {
    const { coordinator, journal, dir } = this.#parts;
    const planner = this.#planner(choice, fleet);
    const plans = new ReadyPlans(planner, coordinator, journal);
    const plan = await plans.ready(
      () => planner.plan(new Set(coordinator.lost.keys())),
      () => planner.refusal(dir),
    );
    return { planner, plan, fixed: choice.levels !== undefined };
  }

  #planner({ solver, levels, accuracyFloor, deadline }: PlanChoice, fleet: Fleet): Replanner {
    const { manifest } = this.#parts;
    const base = this.#parts.base();
    const request = {
      ...base.request,
      // Levels that were asked for are believed, as in `Deployment`.
      ...(levels ? { accuracyFloor: 0 } : accuracyFloor === undefined ? {} : { accuracyFloor }),
      ...(deadline === undefined ? {} : { deadline }),
    };
    return new Replanner(manifest, fleet, {
      ...base,
      request,
      solver: solver ?? base.solver,
      levels: levels ?? base.levels,
    });
  }
}
