// Smaller instances than those of planning's tests, and every plan of one.
import type { PlanningInstance, RandomInstanceOptions, StageDecision } from '../../plan/internal.ts';
import { mixture } from '../../plan/test-support/small-instances.ts';

/** Options of the seed-th mixture of kinds: 3 or 4 stages, 2 or 3 devices, 1 to 3 levels. */
export function smallMixture(seed: number): RandomInstanceOptions {
  return mixture(seed, {
    stages: 3 + (seed % 2),
    devices: 2 + (seed % 2),
    levels: 1 + (seed % 3),
    pairs: 1,
    quads: 0,
  });
}

/** Every plan, whether it keeps limits or not. The array is used again for the next. */
export function* allPlans(
  { stages }: PlanningInstance,
  decisions: StageDecision[] = [],
): Generator<StageDecision[]> {
  const stage = stages[decisions.length];
  if (!stage) {
    yield decisions;
    return;
  }
  for (let set = 0; set < stage.sets.length; set++) {
    for (let inner = 0; inner < stage.inner; inner++) {
      for (let level = 0; level < stage.levelsOut; level++) {
        decisions.push({ set, inner, level });
        yield* allPlans({ stages } as PlanningInstance, decisions);
        decisions.pop();
      }
    }
  }
}
