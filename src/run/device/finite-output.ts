// Outputs of stages that are not finite.
import type { FloatTensor } from '../../engine/index.ts';
import { BedsideError } from '../../util/index.ts';
import { firstNonFinite } from '../../util/internal.ts';
import type { ActiveRequest } from './request-registry.ts';

/** Refuses non-finite values at the stage that gave them: a ReLU behind it may turn them into finite numbers again. */
export function assertFiniteOutput(
  { plan }: ActiveRequest,
  stage: number,
  segment: number,
  { data }: FloatTensor,
): void {
  if (firstNonFinite(data) < 0) return;
  const { device } = plan.stages[stage]?.segments[segment] ?? { device: 'the requester' };
  throw new BedsideError('E_NOT_FINITE', `the output of stage ${stage} on '${device}' is not finite`, {
    hint: 'the network overflows float32 there, or the memory of that device is damaged; plan without it',
  });
}
