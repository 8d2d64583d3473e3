// Instances whose inner cuts all keep one level: certified variants, or one residual trunk through the whole network.
// Each level is an instance of its own, in which only devices are chosen. They are solved in the order of their roots'
// bounds.

import { choiceIndex, levelInOf, levelOutOf } from '../problem/choice.ts';
import type { PlanningInstance, StageDecision, StageInstance } from '../problem/instance.ts';

/** Number of levels that all inner cuts share; undefined where levels may change or there is only one. */
export function commonLevels({ stages }: PlanningInstance): number | undefined {
  const levels = stages[0]?.levelsOut ?? 1;
  if (stages.length < 2 || levels < 2 || stages[0]?.levelsIn !== 1 || stages.at(-1)?.levelsOut !== 1)
    return undefined;
  const tied = stages.every((stage, l) => {
    const first = l === 0;
    const last = l === stages.length - 1;
    if (stage.levelsIn !== (first ? 1 : levels) || stage.levelsOut !== (last ? 1 : levels)) return false;
    if (first || last) return true;
    return stage.allowed.every((allowed, choice) => {
      return allowed === 0 || levelInOf(stage, choice) === levelOutOf(stage, choice);
    });
  });
  return tied ? levels : undefined;
}

/** The instance reduced to one of its common levels. */
export function atLevel(instance: PlanningInstance, level: number): PlanningInstance {
  const last = instance.stages.length - 1;
  const picks = instance.stages.map((stage, l) =>
    Int32Array.from({ length: stage.inner }, (_, inner) =>
      choiceIndex(stage, l === 0 ? 0 : level, inner, l === last ? 0 : level),
    ),
  );
  const stages = instance.stages.map((stage, l): StageInstance => {
    const choices = picks[l] ?? new Int32Array(0);
    const pick = (values: Float64Array) => Float64Array.from(choices, (c) => values[c] ?? 0);
    return {
      ...stage,
      levelsIn: 1,
      levelsOut: 1,
      allowed: Uint8Array.from(choices, (c) => stage.allowed[c] ?? 0),
      macs: pick(stage.macs),
      weightBytes: pick(stage.weightBytes),
      activationBytes: pick(stage.activationBytes),
      loss: pick(stage.loss),
      outputBytes: Float64Array.of(stage.outputBytes[l === last ? 0 : level] ?? 0),
    };
  });
  const devices = instance.devices.map((device) => ({
    ...device,
    seconds: device.seconds?.map(
      (times, l) =>
        times &&
        Float64Array.from(
          picks[l] ?? [],
          (c) => times[c] ?? (instance.stages[l]?.macs[c] ?? 0) / device.speed,
        ),
    ),
  }));
  return { ...instance, stages, devices };
}

/** Decisions of `atLevel` as decisions of the whole instance. */
export function withLevel(decisions: readonly StageDecision[], level: number): StageDecision[] {
  return decisions.map((decision, l) => (l === decisions.length - 1 ? decision : { ...decision, level }));
}
