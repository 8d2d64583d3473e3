// Instances whose inner cuts all keep one level of channels: certified variants, or one residual trunk through the
// whole network. Each level is an instance of its own, in which devices (and precisions, where there are some) are
// chosen. They are solved in the order of their roots' bounds.
import { must } from '../../util/index.ts';
import { choiceIndex, innerOf, levelInOf, levelOutOf } from '../problem/choice.ts';
import type { PlanningInstance, StageDecision, StageInstance } from '../problem/instance.ts';
import { channelLevelsIn, channelLevelsOut, wiresIn, wiresOut } from '../problem/precision.ts';

/** Number of levels that all inner cuts share; undefined where levels may change or there is only one. */
export function commonLevels({ stages }: PlanningInstance): number | undefined {
  const [head, tail] = [stages[0], stages.at(-1)];
  const levels = head ? channelLevelsOut(head) : 1;
  if (stages.length < 2 || levels < 2 || head?.levelsIn !== 1 || tail?.levelsOut !== 1) return undefined;
  const tied = stages.every((stage, l) => {
    const first = l === 0;
    const last = l === stages.length - 1;
    if (channelLevelsIn(stage) !== (first ? 1 : levels)) return false;
    if (channelLevelsOut(stage) !== (last ? 1 : levels)) return false;
    if (first || last) return true;
    return stage.allowed.every((allowed, choice) => {
      return allowed === 0 || levelInOf(stage, choice) % levels === levelOutOf(stage, choice) % levels;
    });
  });
  return tied ? levels : undefined;
}

/** The instance reduced to one of its common levels. */
export function atLevel(instance: PlanningInstance, level: number): PlanningInstance {
  const last = instance.stages.length - 1;
  const picks = instance.stages.map((stage, l) => {
    const sizes = { levelsIn: wiresIn(stage), inner: stage.inner, levelsOut: wiresOut(stage) };
    return Int32Array.from({ length: sizes.levelsIn * sizes.inner * sizes.levelsOut }, (_, at) =>
      choiceIndex(
        stage,
        (l === 0 ? 0 : level) + levelInOf(sizes, at) * channelLevelsIn(stage),
        innerOf(sizes, at),
        (l === last ? 0 : level) + levelOutOf(sizes, at) * channelLevelsOut(stage),
      ),
    );
  });
  const stages = instance.stages.map((stage, l): StageInstance => {
    const choices = must(picks[l], 'choices');
    const pick = (values: Float64Array) => Float64Array.from(choices, (c) => values[c] ?? 0);
    const own = l === last ? 0 : level;
    return {
      ...stage,
      levelsIn: wiresIn(stage),
      levelsOut: wiresOut(stage),
      allowed: Uint8Array.from(choices, (c) => stage.allowed[c] ?? 0),
      alone: stage.alone && Uint8Array.from(choices, (c) => stage.alone?.[c] ?? 0),
      macs: pick(stage.macs),
      weightBytes: pick(stage.weightBytes),
      activationBytes: pick(stage.activationBytes),
      loss: pick(stage.loss),
      outputBytes: Float64Array.from(
        { length: wiresOut(stage) },
        (_, wire) => stage.outputBytes[own + wire * channelLevelsOut(stage)] ?? 0,
      ),
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
export function withLevel(
  { stages }: PlanningInstance,
  decisions: readonly StageDecision[],
  level: number,
): StageDecision[] {
  return decisions.map((decision, l) => {
    const stage = must(stages[l], 'a stage');
    if (l === decisions.length - 1) return decision;
    return { ...decision, level: level + decision.level * channelLevelsOut(stage) };
  });
}

/** Decisions of the whole instance as those of `atLevel`; undefined where they are of another level. */
export function onLevel(
  { stages }: PlanningInstance,
  decisions: readonly StageDecision[],
  level: number,
): StageDecision[] | undefined {
  const own: StageDecision[] = [];
  for (const [l, decision] of decisions.entries()) {
    const levels = channelLevelsOut(must(stages[l], 'a stage'));
    const last = l === decisions.length - 1;
    if (!last && decision.level % levels !== level) return undefined;
    own.push(last ? decision : { ...decision, level: Math.floor(decision.level / levels) });
  }
  return own;
}
