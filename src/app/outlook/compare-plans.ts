// The plan in use beside what greedy and exact planning would do at the same moment.
import type { BundleManifest } from '../../bundle/index.ts';
import {
  buildProblem,
  checkPlan,
  exactPlanner,
  type Fleet,
  greedyPlanner,
  type PlanningProblem,
  type PlanRequest,
  viewPlan,
} from '../../plan/index.ts';
import {
  choiceIndex,
  type PlanStatus,
  precisionOf,
  type StageDecision,
  wireOf,
  withoutPrecision,
} from '../../plan/internal.ts';
import type { RunPlan } from '../../run/index.ts';
import { must } from '../../util/index.ts';
import { type PlanTotals, totalsOf } from '../plan/baselines.ts';
import { onlyLevels } from '../run/only-levels.ts';

/** A moment: devices as they are, and what requests ask for. */
export interface Moment {
  readonly fleet: Fleet;
  readonly request: PlanRequest;
  /** These levels and no others; undefined: any that the request allows. */
  readonly levels?: readonly number[] | undefined;
}

/** Three plans of one moment. Objectives: lower is better. */
export interface ComparedPlans {
  /** The plan in use with the figures of the moment; nulls where a device of it is missing. */
  readonly used: PlanTotals & {
    /** Limits that it breaks by these figures, such as `deadline`. */
    readonly breaks: readonly string[];
  };
  readonly greedy: PlanTotals;
  readonly exact: PlanTotals & {
    readonly status: PlanStatus;
    /** No plan is better; null where nothing was proven. */
    readonly bound: number | null;
    /** How far the objective may be from the best one, relative; 0 is proven best. Null without a plan. */
    readonly gap: number | null;
  };
}

/**
 * Compares the plan in use with greedy and exact planning.
 * @param seconds limit of the exact search
 * @throws BedsideError as `buildProblem`
 */
export async function comparePlans(
  manifest: BundleManifest,
  { fleet, request, levels }: Moment,
  plan: RunPlan,
  seconds: number,
): Promise<ComparedPlans> {
  const problem = buildProblem(levels ? onlyLevels(manifest, levels) : manifest, fleet, request);
  const [greedy, exact] = [
    await greedyPlanner.plan(problem.instance),
    await exactPlanner.plan(problem.instance, { seconds }),
  ];
  return {
    used: figuresOf(manifest, problem, plan),
    greedy: planTotals(problem, greedy.decisions),
    exact: {
      ...planTotals(problem, exact.decisions),
      status: exact.status,
      bound: Number.isFinite(exact.bound) ? exact.bound : null,
      gap: exact.decisions ? gapOf(exact.status, exact.objective, exact.bound) : null,
    },
  };
}

function planTotals(problem: PlanningProblem, decisions: readonly StageDecision[] | undefined): PlanTotals {
  const view = decisions && viewPlan(problem, decisions);
  return totalsOf(view && view.violations.length === 0 ? view : undefined);
}

function gapOf(status: PlanStatus, objective: number, bound: number): number | null {
  if (status === 'optimal') return 0;
  return Number.isFinite(bound)
    ? Math.max(0, objective - bound) / Math.max(Math.abs(objective), 1e-12)
    : null;
}

/**
 * A plan with the figures of a problem: its levels as the problem counts them, and for each stage its devices alone. Levels
 * that the problem does not offer, such as frozen ones below the floor, are counted as the only ones.
 */
export function figuresOf(
  manifest: BundleManifest,
  problem: PlanningProblem,
  plan: RunPlan,
): ComparedPlans['used'] {
  const { fleet, request } = problem;
  const sets = plan.stages.map(({ segments }) =>
    segments.map(({ device }) => fleet.devices.findIndex(({ name }) => name === device)),
  );
  if (sets.flat().includes(-1)) return { ...totalsOf(undefined), breaks: ['device'] };
  let { instance } = problem;
  const { ahead } = problem;
  const placed = ahead === 1 ? [[fleet.source], ...sets] : sets;
  let choices = choicesAt(problem, plan);
  if (!choices) {
    const any = { ...request, accuracyFloor: 0, levels: 'certified' as const };
    const only = buildProblem(onlyLevels(manifest, plan.levels), fleet, any);
    instance = { ...only.instance, weights: instance.weights };
    choices = must(choicesAt(only, plan) ?? choicesAt(only, { ...plan, stages: [] }), 'the only levels');
  }
  const stages = instance.stages.map((stage, l) => ({ ...stage, sets: [placed[l] ?? []] }));
  const decisions = choices.map((choice) => ({ ...choice, set: 0 }));
  const { violations, ...costs } = checkPlan({ ...instance, stages }, decisions);
  const { objective, latency, energy, accuracy } = costs;
  const breaks = [...new Set(violations.map(({ constraint }) => constraint))];
  return { objective, latency, energy, accuracy, breaks };
}

/** The choice of each stage that gives a plan's levels and precisions; undefined where there is none. */
function choicesAt(
  { space, instance, ahead }: PlanningProblem,
  { levels, stages: planned }: Pick<RunPlan, 'levels' | 'stages'>,
): Omit<StageDecision, 'set'>[] | undefined {
  const input = { inner: 0, level: 0 };
  const choices: Omit<StageDecision, 'set'>[] = ahead === 1 ? [input] : [];
  let before = 0;
  for (const [l, stage] of instance.stages.slice(ahead).entries()) {
    const fits = (inner: number, out: number): boolean => {
      if (!stage.allowed[choiceIndex(stage, before, inner, out)]) return false;
      const { precision = 'float32' } = planned[l] ?? {};
      const { wire = 'float32' } = planned[l + 1] ?? {};
      if (precisionOf(stage, inner) !== precision || wireOf(stage, out) !== wire) return false;
      const own = space.levels(l, withoutPrecision(stage, { in: before, inner, out }));
      return own !== undefined && [...own].every(([group, level]) => levels[group] === level);
    };
    const all = Array.from({ length: stage.inner * stage.levelsOut }, (_, i) => ({
      inner: Math.floor(i / stage.levelsOut),
      level: i % stage.levelsOut,
    }));
    const found = all.find(({ inner, level }) => fits(inner, level));
    if (!found) return undefined;
    choices.push(found);
    before = found.level;
  }
  return choices;
}
