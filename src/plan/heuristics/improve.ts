// Local search. It changes the devices of a stage, its inner choice, or the level of a run of cuts that must keep one
// level.
import { must } from '../../util/index.ts';
import { levelInOf, levelOutOf } from '../problem/choice.ts';
import type { PlanningInstance, StageDecision } from '../problem/instance.ts';
import { LEAST_GAIN } from '../problem/tolerances.ts';
import { objectiveOf } from './partial.ts';

/** Changes tried, at most. The bound does not depend on the machine. */
const MOST_TRIES = 200_000;

/** Improves a plan: takes the first single change that helps, again and again, until none does. */
export function improve(instance: PlanningInstance, plan: readonly StageDecision[]): StageDecision[] {
  let current = [...plan];
  let cost = objectiveOf(instance, current);
  const runs = levelRuns(instance);
  let tries = 0;
  for (let improved = true; improved && tries < MOST_TRIES; ) {
    improved = false;
    for (const change of changes(instance, runs)) {
      if (++tries > MOST_TRIES) break;
      const next = change(current);
      const found = next ? objectiveOf(instance, next) : Number.POSITIVE_INFINITY;
      if (next && found < cost - LEAST_GAIN) {
        current = next;
        cost = found;
        improved = true;
      }
    }
  }
  return current;
}

type Change = (plan: readonly StageDecision[]) => StageDecision[] | undefined;

function* changes(instance: PlanningInstance, runs: readonly (readonly number[])[]): Generator<Change> {
  for (const [l, stage] of instance.stages.entries()) {
    for (let set = 0; set < stage.sets.length; set++) yield (plan) => changed(plan, [l], { set });
    for (let inner = 0; inner < stage.inner; inner++) yield (plan) => changed(plan, [l], { inner });
    // The devices of two stages at once: moving one alone may cost two transfers.
    for (let set = 0; set < stage.sets.length && l > 1; set++) {
      const wanted = must(stage.sets[set], 'a set').join();
      const before = instance.stages[l - 1]?.sets.findIndex((other) => other.join() === wanted) ?? -1;
      if (before >= 0) {
        yield (plan) => {
          const moved = changed(plan, [l], { set }) ?? [...plan];
          return changed(moved, [l - 1], { set: before });
        };
      }
    }
  }
  for (const run of runs) {
    const levels = must(instance.stages[must(run[0], 'a stage')], 'a stage').levelsOut;
    for (let level = 0; level < levels; level++) yield (plan) => changed(plan, run, { level });
  }
}

/** The plan with other decisions at some stages; undefined when they are the same. */
function changed(
  plan: readonly StageDecision[],
  at: readonly number[],
  what: Partial<StageDecision>,
): StageDecision[] | undefined {
  let different = false;
  const next = plan.map((decision, l) => {
    if (!at.includes(l)) return decision;
    const other = { ...decision, ...what };
    different ||=
      other.set !== decision.set || other.inner !== decision.inner || other.level !== decision.level;
    return other;
  });
  return different ? next : undefined;
}

/** Stages whose outgoing levels can only change together. */
function levelRuns({ stages }: PlanningInstance): number[][] {
  const runs: number[][] = [];
  stages.forEach((stage, l) => {
    if (stage.levelsOut === 1) return;
    const last = runs.at(-1);
    const tied = stage.levelsIn === stage.levelsOut && stage.levelsIn > 1 && keepsLevel(stage);
    if (tied && last?.at(-1) === l - 1) last.push(l);
    else runs.push([l]);
  });
  return runs;
}

function keepsLevel(stage: PlanningInstance['stages'][number]): boolean {
  return stage.allowed.every(
    (ok, choice) => ok === (levelInOf(stage, choice) === levelOutOf(stage, choice) ? 1 : 0),
  );
}
