// What a deployment refuses while its plan is frozen, or where its levels were given.
import type { PlanView } from '../../plan/index.ts';
import type { RunPlan } from '../../run/index.ts';
import { BedsideError } from '../../util/index.ts';
import type { Pin } from './replanner.ts';

/** A plan with its figures: plans of planners have them. */
export function viewOf(plan: RunPlan): PlanView {
  if ('objective' in plan) return plan as PlanView;
  throw new BedsideError('E_INTERNAL', 'a plan without figures');
}

/** Refuses a floor that the frozen levels do not reach. @throws BedsideError E_REQUEST */
export function assertFrozenFloor({ plan }: Pin, floor: number | undefined): void {
  if (floor === undefined || plan.accuracy >= floor) return;
  throw new BedsideError(
    'E_REQUEST',
    `levels are frozen at ${plan.levels.join(',')}, whose accuracy ${plan.accuracy.toFixed(4)} is below the floor of ${floor}`,
    { hint: 'ask for levels or a variant, for a lower floor, or have an admin unfreeze' },
  );
}

/** Refuses a floor where nothing chooses levels by it. @throws BedsideError E_REQUEST */
export function assertChooses(frozen: Pin | undefined, hasLevels: boolean): void {
  if (!frozen && !hasLevels) return;
  throw new BedsideError(
    'E_REQUEST',
    `a floor has no meaning: levels are ${frozen ? 'frozen' : 'those that the gateway was started with'}`,
    { hint: frozen ? 'unfreeze first' : 'start it without --levels' },
  );
}

/** A frozen plan of which a device is lost. */
export function frozenLost(): BedsideError {
  return new BedsideError('E_LOST', 'a device of the frozen plan is lost', {
    hint: 'have an admin unfreeze, or freeze levels instead of the plan',
  });
}
