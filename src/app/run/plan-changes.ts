// Reasons to change the plan between requests: devices that come back, stage times that drift, and fallbacks for uncertain answers.
import type { PlanView } from '../../plan/index.ts';
import type { Coordinator, FallbackResult, RunPlan } from '../../run/index.ts';
import { type Fallback, LatencyDrift } from '../../run/internal.ts';
import { BedsideError, formatSeconds } from '../../util/index.ts';
import type { Journal } from '../reporter.ts';
import { readReports } from './measure-devices.ts';
import type { ReadyPlans } from './ready-plans.ts';
import type { Replanner } from './replanner.ts';

/** Makes another plan; undefined where the plan stays. */
export type PlanChange = (answers: readonly FallbackResult[]) => Promise<RunPlan | undefined>;

/** Where plans are made and prepared. */
export interface PlanningParts {
  readonly planner: Replanner;
  readonly plans: ReadyPlans;
  readonly coordinator: Coordinator;
}

/**
 * Keeps a plan of the unpruned network ready, on the devices that are left.
 * @param bundle names the bundle in errors
 * @param margin answers with a smaller margin fall back; undefined: none does
 * @throws BedsideError E_REQUEST when the unpruned network fits nowhere
 */
export async function unprunedFallback(
  { planner, plans, coordinator }: PlanningParts,
  bundle: string,
  margin: number | undefined,
): Promise<() => Fallback | undefined> {
  if (margin === undefined) return () => undefined;
  let plan: PlanView | undefined = await plans.ready(
    () => planner.unpruned(),
    async () =>
      new BedsideError(
        'E_REQUEST',
        `there is no plan for the unpruned network of ${bundle} to fall back to`,
        { hint: 'give devices more memory, or leave out --fallback-margin' },
      ),
  );
  let known = '';
  return () => {
    const lost = new Set([...coordinator.lost.keys()].sort());
    const now = JSON.stringify([...lost]);
    if (now !== known) {
      known = now;
      // Until the new plan is there, the old one may fail: then the first answer stands.
      planner.unpruned(lost).then(
        (other) => {
          if (known === now) plan = other;
        },
        () => {
          // Without another plan no answer falls back, which each says of itself.
          if (known === now) plan = undefined;
        },
      );
    }
    return plan && { margin, plan, seconds: plan.latency };
  };
}

/** Plans again by the measured times once requests take much longer or shorter than the first ones did. */
export function planOnDrift(
  planner: Replanner,
  coordinator: Coordinator,
  journal: Pick<Journal, 'note'>,
): PlanChange {
  const drift = new LatencyDrift();
  return async (answers) => {
    const drifted = answers.map(({ seconds }) => drift.record(seconds)).includes(true);
    if (!drifted) return undefined;
    drift.reset();
    planner.learn(await readReports(coordinator, planner.fleet));
    const view = await planner.plan(new Set(coordinator.lost.keys()));
    if (!view) return undefined;
    const [unready] = await coordinator.prepare(view);
    if (unready !== undefined) {
      // The plan stays; if one of its devices is gone, the next request makes another one.
      journal.note(
        `times have changed, but '${unready[0]}' is not ready for another plan: ${unready[1].message}`,
      );
      return undefined;
    }
    journal.note(`times have changed: planned again, ${formatSeconds(view.latency)} a request`);
    return view;
  };
}

/** Plans again when a lost device is back. */
export function planOnReturn(
  planner: Pick<Replanner, 'plan'>,
  coordinator: Pick<Coordinator, 'lost' | 'warm'>,
  journal: Pick<Journal, 'note'>,
): () => Promise<RunPlan | undefined> {
  let known: ReadonlySet<string> = new Set();
  return async () => {
    if (known.size === 0 && coordinator.lost.size === 0) return undefined;
    const now = new Set(coordinator.lost.keys());
    const back = [...known].filter((name) => !now.has(name));
    known = now;
    if (back.length === 0) return undefined;
    try {
      const view = await planner.plan(now);
      if (!view) return undefined;
      await coordinator.warm(view);
      journal.note(`there again: ${back.join(', ')}; planned again`);
      return view;
    } catch (error) {
      // Gone once more, or not ready: the plan stays.
      if (!BedsideError.is(error)) throw error;
      if (error.code !== 'E_LOST') {
        journal.note(`there again: ${back.join(', ')}; not planned again: ${error.message}`);
      }
      return undefined;
    }
  };
}
