// Restricted problems: everything on the source, or nothing pruned. Their plans are plans of the whole problem.
import { must } from '../../util/index.ts';
import type { PlanningInstance, StageDecision } from '../problem/instance.ts';

/** Every stage on the source alone. */
export function onSource(instance: PlanningInstance): PlanningInstance {
  const stages = instance.stages.map((stage) => ({ ...stage, sets: [[instance.source]] }));
  return { ...instance, stages };
}

/** Level 0 and the first inner choice everywhere. */
export function unpruned(instance: PlanningInstance): PlanningInstance {
  const stages = instance.stages.map((stage) => ({
    ...stage,
    allowed: stage.allowed.map((allowed, choice) => (choice === 0 ? allowed : 0)),
  }));
  return { ...instance, stages };
}

/** Decisions of a problem with other lists of device sets, translated to the lists of `instance`. */
export function inSetsOf(
  instance: PlanningInstance,
  restricted: PlanningInstance,
  decisions: readonly StageDecision[],
): StageDecision[] | undefined {
  const translated = decisions.map((decision, l) => {
    const wanted = must(restricted.stages[l]?.sets[decision.set], `set of stage ${l}`).join();
    const set = must(instance.stages[l], `stage ${l}`).sets.findIndex((other) => other.join() === wanted);
    return { ...decision, set };
  });
  // The source is on every stage's list unless an instance was made by hand.
  return translated.every(({ set }) => set >= 0) ? translated : undefined;
}
