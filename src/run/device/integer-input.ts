// What a stage in eight bits is given: integers that came over a link, as they are.
import type { Feed } from '../../engine/internal.ts';
import { isEightBit, type RunPlan, takesIntegers } from '../protocol/plan.ts';
import { type Arrived, floatsOf, roundTensor } from '../protocol/rounded-tensor.ts';
import type { StageModels } from './stage-model.ts';

/** What a session of a stage computes in and takes, as a part of its key; empty for float32. */
export function formOf(plan: RunPlan, stage: number): '' | '|int8' | '|int8 of integers' {
  if (!isEightBit(plan, stage)) return '';
  return takesIntegers(plan, stage) ? '|int8 of integers' : '|int8';
}

/** The input of a session: integers if its stage takes them, numbers otherwise. */
export function feedOf(stages: StageModels, plan: RunPlan, stage: number, input: Arrived): Feed {
  if (!takesIntegers(plan, stage)) return floatsOf(input);
  const scale = stages.inputScale(stage, plan.levels);
  const isKnown = input.type === 'uint8' && input.scale === scale.scale && input.zero === scale.zero;
  const { data, dims } = isKnown ? input : roundTensor(floatsOf(input), scale);
  return { type: 'uint8', data, dims };
}
