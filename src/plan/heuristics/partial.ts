// A plan that is built stage by stage: its use of every limit so far, and whether it keeps all of them.
import { must } from '../../util/index.ts';
import { choiceIndex } from '../problem/choice.ts';
import {
  accuracyCost,
  computeSeconds,
  Links,
  lossSteps,
  mayRun,
  mostSteps,
  planCosts,
  sentBytes,
  transferJoules,
} from '../problem/cost.ts';
import type { PlanningInstance, StageDecision, StageInstance } from '../problem/instance.ts';
import { SLACK_FACTOR } from '../problem/tolerances.ts';

/** The first stages of a plan. Seconds, bytes, joules. */
export interface PartialPlan {
  readonly links: Links;
  readonly decisions: readonly StageDecision[];
  readonly seconds: number;
  /** Steps of the accuracy grid: lost so far, and at most. */
  readonly steps: number;
  readonly most: number;
  /** By device. */
  readonly weights: Float64Array;
  readonly activations: Float64Array;
  readonly joules: Float64Array;
  /** The objective so far. */
  readonly cost: number;
}

/** The plan without any stage. */
export function begin(instance: PlanningInstance): PartialPlan {
  const zeros = () => new Float64Array(instance.devices.length);
  const most = mostSteps(instance);
  const cost = accuracyCost(instance, 0);
  return {
    links: new Links(instance),
    decisions: [],
    seconds: 0,
    steps: 0,
    most,
    weights: zeros(),
    activations: zeros(),
    joules: zeros(),
    cost,
  };
}

/** The plan with one more stage, or undefined when that breaks a limit. */
export function extend(
  instance: PlanningInstance,
  partial: PartialPlan,
  decision: StageDecision,
): PartialPlan | undefined {
  const l = partial.decisions.length;
  const stage = must(instance.stages[l], `stage ${l}`);
  const choice = choiceIndex(stage, partial.decisions[l - 1]?.level ?? 0, decision.inner, decision.level);
  const set = setOf(stage, decision);
  if (stage.allowed[choice] !== 1 || !mayRun(instance, l, set)) return undefined;
  const steps = partial.steps + lossSteps(instance, must(stage.loss[choice], 'loss'));
  if (steps > partial.most) return undefined;
  const next = copied(partial, decision);
  const arrivals = hop(instance, partial, set, next.joules);
  let seconds = 0;
  set.forEach((d, at) => {
    const device = must(instance.devices[d], `device ${d}`);
    const compute = computeSeconds(device, stage, l, choice, set.length);
    seconds = Math.max(seconds, (arrivals[at] ?? 0) + compute);
    add(next.joules, d, (must(stage.macs[choice], 'macs') / set.length) * device.joulesPerMac);
    add(next.weights, d, must(stage.weightBytes[choice], 'weights') / set.length);
    next.activations[d] = Math.max(next.activations[d] ?? 0, stage.activationBytes[choice] ?? 0);
  });
  next.seconds = partial.seconds + seconds;
  next.steps = steps;
  next.cost = costOf(instance, next);
  return within(instance, next) ? next : undefined;
}

/** The objective of a whole plan; Infinity when it breaks a limit. */
export function objectiveOf(instance: PlanningInstance, plan: readonly StageDecision[]): number {
  const { feasible, objective } = planCosts(instance, plan);
  return feasible ? objective : Number.POSITIVE_INFINITY;
}

/** Sum over all limits of the share that is used beyond `passed`, the share of stages that are planned. */
export function overPace(instance: PlanningInstance, partial: PartialPlan, passed: number): number {
  const over = (used: number, limit: number): number => (limit > 0 ? Math.max(0, used / limit - passed) : 0);
  let sum = over(partial.seconds, instance.deadline) + over(partial.steps, partial.most);
  instance.devices.forEach(({ memory, energy }, d) => {
    sum += over(memoryOf(partial, d), memory) + over(partial.joules[d] ?? 0, energy);
  });
  return sum;
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };

function copied(partial: PartialPlan, decision: StageDecision): Writable<PartialPlan> {
  return {
    ...partial,
    decisions: [...partial.decisions, decision],
    weights: partial.weights.slice(),
    activations: partial.activations.slice(),
    joules: partial.joules.slice(),
  };
}

/** Seconds until each of `next` has the whole output of the last stage. Adds the joules of all devices. */
function hop(
  instance: PlanningInstance,
  { links, decisions }: PartialPlan,
  next: readonly number[],
  joules: Float64Array,
): Float64Array {
  const arrivals = new Float64Array(next.length);
  const l = decisions.length - 1;
  if (l < 0) return arrivals;
  const stage = must(instance.stages[l], `stage ${l}`);
  const decision = must(decisions[l], `decision of stage ${l}`);
  const set = setOf(stage, decision);
  const bytes = sentBytes(stage, decision.level, set.length);
  links.transfer(set, next, bytes, arrivals);
  for (const from of set) {
    for (const to of next) {
      if (from === to) continue;
      const { devices } = instance;
      const { sent, received } = transferJoules(
        bytes,
        must(devices[from], 'sender'),
        must(devices[to], 'receiver'),
      );
      add(joules, from, sent);
      add(joules, to, received);
    }
  }
  return arrivals;
}

function within(instance: PlanningInstance, partial: PartialPlan): boolean {
  const allowed = SLACK_FACTOR;
  if (!(partial.seconds <= instance.deadline * allowed)) return false;
  return instance.devices.every(
    (device, d) =>
      memoryOf(partial, d) <= device.memory * allowed && (partial.joules[d] ?? 0) <= device.energy * allowed,
  );
}

function costOf(instance: PlanningInstance, partial: PartialPlan): number {
  const { time, energy } = instance.weights;
  const joules = partial.joules.reduce((sum, value) => sum + value, 0);
  return time * partial.seconds + energy * joules + accuracyCost(instance, partial.steps);
}

function memoryOf({ weights, activations }: PartialPlan, d: number): number {
  return (weights[d] ?? 0) + (activations[d] ?? 0);
}

function setOf(stage: StageInstance, decision: StageDecision): readonly number[] {
  return must(stage.sets[decision.set], `set ${decision.set}`);
}

function add(values: Float64Array, at: number, more: number): void {
  values[at] = (values[at] ?? 0) + more;
}
