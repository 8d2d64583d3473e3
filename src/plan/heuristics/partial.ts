// A plan built stage by stage: what it has used so far, and whether it still keeps within every limit.
import { must } from '../../util/index.ts';
import type { PlanningInstance, StageDecision, StageInstance } from '../instance.ts';

/** The first stages of a plan. Seconds, bytes, joules. */
export interface Partial {
  readonly decisions: readonly StageDecision[];
  readonly seconds: number;
  /** Steps of the accuracy grid. */
  readonly steps: number;
  /** By device. */
  readonly weights: Float64Array;
  readonly activations: Float64Array;
  readonly joules: Float64Array;
  /** The objective so far. */
  readonly cost: number;
}

const SLACK = 1e-9;

/** A plan of no stage. */
export function begin({ devices }: PlanningInstance): Partial {
  const zeros = () => new Float64Array(devices.length);
  return {
    decisions: [],
    seconds: 0,
    steps: 0,
    weights: zeros(),
    activations: zeros(),
    joules: zeros(),
    cost: 0,
  };
}

/** The plan with one more stage, or undefined when that breaks a limit. */
export function extend(
  instance: PlanningInstance,
  partial: Partial,
  decision: StageDecision,
): Partial | undefined {
  const l = partial.decisions.length;
  const stage = must(instance.stages[l], `stage ${l}`);
  const choice = choiceOf(stage, partial.decisions[l - 1]?.level ?? 0, decision);
  if (stage.allowed[choice] !== 1) return undefined;
  const set = setOf(stage, decision);
  if (!mayRun(instance, l, set)) return undefined;
  const next = copied(partial, decision);
  const arrivals = l === 0 ? undefined : hop(instance, partial.decisions, set, next.joules);
  let seconds = 0;
  set.forEach((d, at) => {
    const device = must(instance.devices[d], `device ${d}`);
    const macs = must(stage.macs[choice], 'macs') / set.length;
    const measured = device.seconds?.[l]?.[choice];
    const compute = measured === undefined ? macs / device.speed : measured / set.length;
    seconds = Math.max(seconds, (arrivals?.[at] ?? 0) + device.wait + compute);
    add(next.joules, d, macs * device.joulesPerMac);
    add(next.weights, d, must(stage.weightBytes[choice], 'weights') / set.length);
    next.activations[d] = Math.max(next.activations[d] ?? 0, stage.activationBytes[choice] ?? 0);
  });
  next.seconds = partial.seconds + seconds;
  next.steps = partial.steps + Math.ceil(must(stage.loss[choice], 'loss') / instance.lossUnit - SLACK);
  next.cost = costOf(instance, next);
  return within(instance, next) ? next : undefined;
}

/** The plan with the result brought home, or undefined when that breaks a limit. */
export function complete(instance: PlanningInstance, partial: Partial): Partial | undefined {
  const next = copied(partial);
  const [home = 0] = hop(instance, partial.decisions, [instance.source], next.joules);
  next.seconds = partial.seconds + home;
  next.cost = costOf(instance, next);
  return within(instance, next) ? next : undefined;
}

/** The objective of a whole plan; Infinity when it breaks a limit. */
export function objectiveOf(instance: PlanningInstance, plan: readonly StageDecision[]): number {
  let partial = begin(instance);
  for (const decision of plan) {
    const next = extend(instance, partial, decision);
    if (!next) return Number.POSITIVE_INFINITY;
    partial = next;
  }
  return complete(instance, partial)?.cost ?? Number.POSITIVE_INFINITY;
}

/** Of deadline, accuracy, memory and energy of every device: the share that is used. */
export function usedShares(instance: PlanningInstance, partial: Partial): number[] {
  const most = mostSteps(instance);
  return [
    partial.seconds / instance.deadline,
    most > 0 ? partial.steps / most : 0,
    ...instance.devices.flatMap((device, d) => [
      device.memory > 0 ? memoryOf(partial, d) / device.memory : 0,
      device.energy > 0 ? must(partial.joules[d], 'joules') / device.energy : 0,
    ]),
  ];
}

/** Whether these devices may see what stage l reads and what they make of it. */
function mayRun({ stages, devices, source }: PlanningInstance, l: number, set: readonly number[]): boolean {
  const { split, maxSeen } = must(stages[l], `stage ${l}`);
  if (l === 0) return set.length === 1 && set[0] === source;
  if (split === 'none' && set.length > 1) return false;
  const made = split === 'partial-sums' ? 1 : 1 / set.length;
  const inputSeen = must(stages[l - 1], `stage ${l - 1}`).maxSeen;
  return set.every((d) => devices[d]?.trusted || (inputSeen >= 1 && made <= maxSeen + SLACK));
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };

function copied(partial: Partial, decision?: StageDecision): Writable<Partial> {
  return {
    ...partial,
    decisions: decision ? [...partial.decisions, decision] : partial.decisions,
    weights: partial.weights.slice(),
    activations: partial.activations.slice(),
    joules: partial.joules.slice(),
  };
}

/** Seconds until each of `next` has the whole output of the last stage; joules are added for everybody. */
function hop(
  instance: PlanningInstance,
  decisions: readonly StageDecision[],
  next: readonly number[],
  joules: Float64Array,
): number[] {
  const l = decisions.length - 1;
  const stage = must(instance.stages[l], `stage ${l}`);
  const decision = must(decisions[l], `decision of stage ${l}`);
  const set = setOf(stage, decision);
  const whole = must(stage.outputBytes[decision.level], 'output bytes');
  const bytes = stage.split === 'partial-sums' ? whole : whole / set.length;
  let busy = 0;
  let slowest = 0;
  const arrivals = next.map((to) => {
    let last = 0;
    for (const from of set) {
      if (from === to) continue;
      const seconds = bytes / must(instance.bandwidth[from]?.[to], 'bandwidth');
      const latency = must(instance.latency[from]?.[to], 'latency');
      busy += seconds;
      slowest = Math.max(slowest, latency);
      last = Math.max(last, latency + seconds);
      add(joules, from, bytes * must(instance.devices[from], 'sender').joulesPerByteSent);
      add(joules, to, bytes * must(instance.devices[to], 'receiver').joulesPerByteReceived);
    }
    return last;
  });
  return instance.sharedChannel ? arrivals.map(() => busy + slowest) : arrivals;
}

function within(instance: PlanningInstance, partial: Partial): boolean {
  if (!(partial.seconds <= instance.deadline) || partial.steps > mostSteps(instance)) return false;
  return instance.devices.every(
    (device, d) => memoryOf(partial, d) <= device.memory && (partial.joules[d] ?? 0) <= device.energy,
  );
}

function costOf({ weights, unprunedAccuracy, lossUnit }: PlanningInstance, partial: Partial): number {
  const energy = partial.joules.reduce((sum, joules) => sum + joules, 0);
  const accuracy = unprunedAccuracy * Math.exp(-partial.steps * lossUnit);
  return weights.time * partial.seconds + weights.energy * energy + weights.accuracy * (1 - accuracy);
}

function mostSteps({ unprunedAccuracy, accuracyFloor, lossUnit }: PlanningInstance): number {
  return Math.floor(Math.log(unprunedAccuracy / accuracyFloor) / lossUnit + SLACK);
}

function memoryOf({ weights, activations }: Partial, d: number): number {
  return (weights[d] ?? 0) + (activations[d] ?? 0);
}

function choiceOf(stage: StageInstance, before: number, { inner, level }: StageDecision): number {
  return (before * stage.inner + inner) * stage.levelsOut + level;
}

function setOf(stage: StageInstance, decision: StageDecision): readonly number[] {
  return must(stage.sets[decision.set], `set ${decision.set}`);
}

function add(values: Float64Array, at: number, more: number): void {
  values[at] = (values[at] ?? 0) + more;
}
