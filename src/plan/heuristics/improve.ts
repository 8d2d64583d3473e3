// Local search. It changes the devices of a stage, its inner choice, its precision with what it receives, or the level of
// a run of cuts that must keep one level.
import { must } from '../../util/index.ts';
import { levelInOf, levelOutOf } from '../problem/choice.ts';
import type { PlanningInstance, StageDecision } from '../problem/instance.ts';
import { channelLevelsIn, channelLevelsOut, precisionsOf, wiresIn } from '../problem/precision.ts';
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
    const levels = channelLevelsOut(must(instance.stages[must(run[0], 'a stage')], 'a stage'));
    for (let level = 0; level < levels; level++) {
      yield (plan) => relevelled(plan, run, (old) => level + old - (old % levels));
    }
  }
  yield* precisionChanges(instance);
}

/** A stage's precision with the wire that fits it: alone, and for all stages from it on. */
function* precisionChanges({ stages }: PlanningInstance): Generator<Change> {
  for (const [l, stage] of stages.entries()) {
    for (let r = 0; r < precisionsOf(stage) || r < wiresIn(stage); r++) {
      for (const to of [l + 1, stages.length]) {
        yield (plan) =>
          stages.slice(l, to).reduce<StageDecision[] | undefined>((made, _, i) => {
            return inPrecision(stages, made ?? plan, l + i, r) ?? made;
          }, undefined);
      }
    }
  }
}

/** The plan with stage `l` in one precision, and its input on the wire of the same bits; undefined where that is so. */
function inPrecision(
  stages: PlanningInstance['stages'],
  plan: readonly StageDecision[],
  l: number,
  precision: number,
): StageDecision[] | undefined {
  const stage = must(stages[l], 'a stage');
  const inner = stage.inner / precisionsOf(stage);
  const levels = channelLevelsIn(stage);
  const own = Math.min(precision, precisionsOf(stage) - 1) * inner;
  const wire = Math.min(precision, wiresIn(stage) - 1) * levels;
  const moved = relevelled(plan, [l - 1], (old) => (old % levels) + wire);
  const next = changed(moved ?? plan, [l], { inner: (must(plan[l], 'a decision').inner % inner) + own });
  return next ?? moved;
}

/** The plan with other levels at some stages; undefined when they are the same. */
function relevelled(
  plan: readonly StageDecision[],
  at: readonly number[],
  level: (old: number) => number,
): StageDecision[] | undefined {
  const next = plan.map((decision, l) =>
    at.includes(l) ? { ...decision, level: level(decision.level) } : decision,
  );
  return next.some(({ level: to }, l) => to !== plan[l]?.level) ? next : undefined;
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
    const levels = channelLevelsOut(stage);
    const tied = channelLevelsIn(stage) === levels && levels > 1 && keepsLevel(stage, levels);
    if (tied && last?.at(-1) === l - 1) last.push(l);
    else runs.push([l]);
  });
  return runs;
}

/** Whether the level of channels never changes, and any of them may be kept. */
function keepsLevel(stage: PlanningInstance['stages'][number], levels: number): boolean {
  const kept = new Set<number>();
  const changes = stage.allowed.some((ok, choice) => {
    const [before, after] = [levelInOf(stage, choice) % levels, levelOutOf(stage, choice) % levels];
    if (ok === 1 && before === after) kept.add(before);
    return ok === 1 && before !== after;
  });
  return !changes && kept.size === levels;
}
