// Checks the shapes of what arrives for a stage, before anything is merged or computed: the sender is known by then, and is
// named.
import { BedsideError, must } from '../../util/index.ts';
import type { RunPlan } from '../protocol/plan.ts';
import type { Arrived } from '../protocol/rounded-tensor.ts';
import type { StageModels } from './stage-model.ts';

/** What arrived: the outputs of all segments of a stage, or the request's input (stage -1). */
export interface ArrivedParts {
  readonly plan: RunPlan;
  readonly stage: number;
  /** Number of samples in the batch. */
  readonly samples: number;
  readonly parts: readonly Arrived[];
}

/**
 * Refuses parts of another shape than the plan and the bundle say.
 * @throws BedsideError E_DEVICE naming the device that sent one; E_REQUEST for the input of the request
 */
export function assertPartShapes(stages: StageModels, { plan, stage, samples, parts }: ArrivedParts): void {
  const whole = stages.inputShape(stage + 1, plan.levels);
  if (stage < 0) {
    const [input] = parts;
    if (input && !isBatchOf(input.dims, whole, samples)) {
      throw new BedsideError(
        'E_REQUEST',
        `the input is [${shown(input.dims)}], not ${samples} samples of [${shown(whole)}]`,
        { hint: 'send samples as the bundle takes them (bedside inspect)' },
      );
    }
    return;
  }
  const { segments } = must(plan.stages[stage], `stage ${stage}`);
  const rule = stages.mergeRule(stage);
  const channels = Math.max(...segments.map(({ to }) => to));
  for (const [at, part] of parts.entries()) {
    const { device, from, to } = must(segments[at], 'a segment');
    // A channel may be several columns, where the stage ends in a Flatten.
    const share = rule.kind === 'sum' || segments.length === 1 ? 1 : (to - from) / channels;
    const expected =
      share === 1 || rule.kind === 'sum'
        ? whole
        : whole.map((dim, axis) => (axis === rule.axis ? Math.round(dim * share) : dim));
    if (isBatchOf(part.dims, expected, samples)) continue;
    throw new BedsideError(
      'E_DEVICE',
      `device '${device}' sent [${shown(part.dims)}] for stage ${stage}, not ${samples} samples of [${shown(expected)}]`,
      { hint: 'plan without it: it does not compute what the plan says' },
    );
  }
}

/** Whether a shape is that of so many samples: one axis, wherever the batch lies, is so many times as long. */
function isBatchOf(dims: readonly number[], one: readonly number[], samples: number): boolean {
  if (dims.length !== one.length) return false;
  let longer = -1;
  for (const [at, dim] of dims.entries()) {
    if (dim === one[at]) continue;
    if (longer >= 0) return false;
    longer = at;
  }
  return longer < 0 ? samples === 1 : dims[longer] === samples * (one[longer] ?? 0);
}

/** Others may send any number of dimensions. */
function shown(dims: readonly number[]): string {
  return dims.slice(0, 8).join(', ');
}
