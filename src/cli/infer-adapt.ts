// What changes a plan between requests: devices that are there again, other times, and what unsure answers fall back to.

import type { PlanView } from '../plan/index.ts';
import {
  type Coordinator,
  type Fallback,
  type FallbackResult,
  LatencyDrift,
  type RunPlan,
} from '../run/index.ts';
import { BedsideError, formatSeconds } from '../util/index.ts';
import { reportsOf } from './local-fleet.ts';
import type { Output } from './output.ts';
import type { ReadyPlans } from './ready-plan.ts';
import type { RoomPlanner } from './room-planner.ts';

/**
 * What becomes of unsure answers, on the devices that are left.
 * @throws BedsideError E_REQUEST when the unpruned network fits nowhere
 */
export async function fallbackOf(
  planner: RoomPlanner,
  plans: ReadyPlans,
  requester: Coordinator,
  path: string,
  margin: number | undefined,
): Promise<() => Fallback | undefined> {
  if (margin === undefined) return () => undefined;
  let plan: PlanView | undefined = await plans.ready(
    () => planner.unpruned(),
    async () =>
      new BedsideError('E_REQUEST', `there is no plan for the unpruned network of ${path} to fall back to`, {
        hint: 'give devices more memory, or leave out --fallback-margin',
      }),
  );
  let known = '';
  return () => {
    const lost = new Set([...requester.lost.keys()].sort());
    const now = JSON.stringify([...lost]);
    if (now !== known) {
      known = now;
      // Until it is there, the old one ends with the answer that there is.
      void planner.unpruned(lost).then((other) => {
        if (known === now) plan = other;
      });
    }
    return plan && { margin, plan, seconds: plan.latency };
  };
}

/** Plans anew by what devices have measured, once requests take longer or shorter than at first. */
export function adaptation(planner: RoomPlanner, requester: Coordinator, output: Output) {
  const drift = new LatencyDrift();
  return async (answers: readonly FallbackResult[]): Promise<RunPlan | undefined> => {
    const drifted = answers.map(({ seconds }) => drift.record(seconds)).includes(true);
    if (!drifted) return undefined;
    drift.reset();
    planner.learn(await reportsOf(requester, planner.fleet));
    const view = await planner.plan(new Set(requester.lost.keys()));
    if (!view) return undefined;
    const [unready] = await requester.prepare(view);
    if (unready !== undefined) {
      // The plan stays; should a device of it be gone, it is made anew for the next request.
      output.note(
        `times have changed, but '${unready[0]}' is not ready for another plan: ${unready[1].message}`,
      );
      return undefined;
    }
    output.note(`times have changed: planned anew, ${formatSeconds(view.latency)} a request`);
    return view;
  };
}

/** Plans anew when a device that was lost is there again. */
export function returning(
  planner: Pick<RoomPlanner, 'plan'>,
  requester: Pick<Coordinator, 'lost' | 'warm'>,
  output: Pick<Output, 'note'>,
): () => Promise<RunPlan | undefined> {
  let known: ReadonlySet<string> = new Set();
  return async () => {
    const now = new Set(requester.lost.keys());
    const back = [...known].filter((name) => !now.has(name));
    known = now;
    if (back.length === 0) return undefined;
    try {
      const view = await planner.plan(now);
      if (!view) return undefined;
      await requester.warm(view);
      output.note(`there again: ${back.join(', ')}; planned anew`);
      return view;
    } catch (error) {
      // Gone again already, or not ready: the plan stays.
      if (!BedsideError.is(error)) throw error;
      if (error.code !== 'E_LOST')
        output.note(`there again: ${back.join(', ')}; not planned anew: ${error.message}`);
      return undefined;
    }
  };
}
