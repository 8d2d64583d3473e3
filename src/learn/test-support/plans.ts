// Small instances of every kind, and every plan of one.
import type { PlanningInstance, RandomInstanceOptions, StageDecision } from '../../plan/index.ts';

/** Options of the seed-th mixture of kinds: 3 or 4 stages, 2 or 3 devices, 1 to 3 levels. */
export function smallMixture(seed: number): RandomInstanceOptions {
  const bits = Math.imul(seed, 2654435761) >>> 0;
  const on = (bit: number): boolean => ((bits >>> bit) & 1) === 1;
  return {
    stages: 3 + (seed % 2),
    devices: 2 + (seed % 2),
    levels: 1 + (seed % 3),
    ...{ pairs: 1, quads: 0, seed },
    tightness: [0.3, 0.6, 1, 1.5][seed % 4] ?? 1,
    privacy: (['open', 'shares', 'strict'] as const)[seed % 3] ?? 'open',
    mixedSplits: on(3),
    sharedChannel: on(4),
    inner: on(5) && seed % 3 === 0 ? 2 : 1,
    trunks: on(6),
    activations: on(7),
    measured: on(8),
    waits: on(9),
    missingLinks: on(10),
    loss: on(11) ? 0.02 : 0.08,
    trusted: on(12) ? 0.3 : 0.7,
  };
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
