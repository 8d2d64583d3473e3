// Planning strategies: a planner decides for every request, now and then, or once.
import type { Planner, PlannerResult } from '../plan/index.ts';
import type { PlanningInstance, StageDecision, WarmStart } from '../plan/internal.ts';
import { must } from '../util/index.ts';
import type { DecisionRequest, DecisionResponse } from './decision-request.ts';

/** Seconds that a plan took, as they count against the deadline. */
export type DecisionTime = (instance: PlanningInstance, result: PlannerResult) => number;

/** Responds to the decision requests of a ward. */
export interface PlanningStrategy {
  readonly name: string;
  decide(question: DecisionRequest): Promise<DecisionResponse>;
}

/** Plans every request on the fleet as it is. */
export function freshStrategy(planner: Planner, time: DecisionTime, name = planner.name): PlanningStrategy {
  const warm = new Map<string, WarmStart>();
  return {
    name,
    async decide({ instance, bundle, kind, devices }) {
      // Prices are by device: they hold for the same devices only.
      const key = `${bundle} ${kind} ${devices.join()}`;
      const result = await planner.plan(instance, { warm: warm.get(key) });
      if (result.multipliers) warm.set(key, { multipliers: result.multipliers });
      return { decisions: result.decisions, seconds: time(instance, result) };
    },
  };
}

/**
 * Uses a plan for `every` seconds (Infinity: for good) before it plans again, for each bundle and kind of request. The
 * first time requests wait for it; later plans are made beside the requests, on the fleet as it was at the one before.
 */
export function staleStrategy(
  planner: Planner,
  time: DecisionTime,
  every: number,
  name: string,
): PlanningStrategy {
  const plans = new Map<string, PlacedPlan>();
  return {
    name,
    async decide(question) {
      const key = `${question.bundle} ${question.kind}`;
      const found = plans.get(key);
      if (found && question.time - found.time < every) return placed(found, question);
      const { instance, leastDeadline } = question;
      // It shall do for the most urgent request of its kind.
      const strict = { ...instance, deadline: Math.min(instance.deadline, leastDeadline) };
      const result = await planner.plan(strict);
      const seconds = time(strict, result);
      // Without a new plan the old one stays.
      const plan = result.decisions
        ? placedPlan(question, result.decisions)
        : { time: question.time, stages: found?.stages };
      plans.set(key, plan);
      return found ? placed(found, question) : { ...placed(plan, question), seconds };
    },
  };
}

/** A plan by the ward's own devices, for any moment. */
interface PlacedPlan {
  readonly time: number;
  /** Undefined where there was none. */
  readonly stages:
    | readonly { readonly set: readonly number[]; readonly inner: number; readonly level: number }[]
    | undefined;
}

function placedPlan(
  { instance, devices, time }: DecisionRequest,
  decisions: readonly StageDecision[],
): PlacedPlan {
  const stages = decisions.map(({ set, inner, level }, l) => ({
    set: must(instance.stages[l]?.sets[set], `set of stage ${l}`).map((d) => must(devices[d], 'a device')),
    inner,
    level,
  }));
  return { time, stages };
}

/** The plan on the devices of this moment; none when one of them is away. */
function placed({ stages }: PlacedPlan, { instance, devices }: DecisionRequest): DecisionResponse {
  const sets = stages?.map(({ set }) => set.map((own) => devices.indexOf(own)));
  if (!stages || !sets || sets.flat().includes(-1)) return {};
  return {
    // A set of devices may be on no list of candidates now.
    instance: {
      ...instance,
      stages: instance.stages.map((stage, l) => ({ ...stage, sets: [must(sets[l], `set of stage ${l}`)] })),
    },
    decisions: stages.map(({ inner, level }) => ({ set: 0, inner, level })),
  };
}
