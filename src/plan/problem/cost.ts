// The cost model: what a stage and a transition cost. Planners, the ward and the runtime's predictions all use it.
//
// Stage l runs on a set S of k devices, k = 1, 2 or 4. B is what one member sends to one next holder.
//   outputs        each member computes 1/k of the MACs from the whole input, holds 1/k of the weights and makes one of
//                  k equal blocks of the output: B = O/k.
//   partial-sums   each member computes 1/k of the MACs and holds 1/k of the weights; its result is as large as the
//                  whole output and is added up by the next holder: B = O.
//   none           k = 1.
// A hop S -> T at the level of the cut between: every e in T needs the whole tensor, so B from every d in S but itself.
// Over independent links, e has it after max over d of latency + B / bandwidth. On one shared channel all transfers of
// the hop go one after another: every e has it after their sum plus the largest latency. The result returns likewise.
// Member e then waits `wait` seconds and computes for measured seconds / k, or for MACs / k / speed without measurement.
// A device waits again at every stage that it runs, so that a stage's time depends on its own arc only. A stage ends
// when its last member ends; the stages' times add up.
// Memory of a device: 1/k of the weights of each of its stages, plus the largest activations of any of them. Activations
// are not divided, because every member holds the whole input. Energy: joules by MACs computed and bytes sent and
// received. Losses are rounded up to steps of `lossUnit`, so rounding never breaks the floor.
// Privacy: an untrusted device sees the whole output of stage l when it runs stage l+1 or gets the result. As one of k
// that run stage l it sees 1/k of it, or all of it for partial sums, which tell about every channel. The raw input stays
// on the source: stage 0 runs there alone. Where the input may travel, it is a stage before the network's first
// (input-stage.ts), which takes no time.
import { must } from '../../util/index.ts';
import { choiceIndex } from './choice.ts';
import {
  type DeviceInstance,
  MAX_SET_SIZE,
  type PlanningInstance,
  type StageDecision,
  type StageInstance,
} from './instance.ts';
import { channelLevelsOut } from './precision.ts';
import { SLACK, SLACK_FACTOR } from './tolerances.ts';

/** Whether these devices may run stage l: the source rule, the split, and what untrusted ones may see. */
export function mayRun(instance: PlanningInstance, l: number, set: readonly number[]): boolean {
  const { stages, devices, source } = instance;
  const { split, maxSeen } = must(stages[l], `stage ${l}`);
  if (l === 0 && (set.length !== 1 || set[0] !== source)) return false;
  if (split === 'none' && set.length > 1) return false;
  const made = split === 'partial-sums' ? 1 : 1 / set.length;
  const received = l === 0 ? 0 : must(stages[l - 1], `stage ${l - 1}`).maxSeen;
  return set.every((d) => devices[d]?.trusted || (1 <= received + SLACK && made <= maxSeen + SLACK));
}

/** Whether the result may return: an untrusted source must be allowed to see it. */
export function mayReturn({ stages, devices, source }: PlanningInstance): boolean {
  return Boolean(devices[source]?.trusted) || 1 <= must(stages.at(-1), 'a stage').maxSeen + SLACK;
}

/**
 * Bytes that one of `size` members sends to one next holder. Several partial sums travel as float32 whatever the wire:
 * they are added first and rounded then.
 */
export function sentBytes(stage: StageInstance, level: number, size: number): number {
  if (stage.split === 'partial-sums' && size > 1) {
    const float32 = level % channelLevelsOut(stage);
    return must(stage.outputBytes[float32], `level ${float32} of ${stage.name}`);
  }
  const whole = must(stage.outputBytes[level], `level ${level} of ${stage.name}`);
  return whole / size;
}

/** The links of an instance, ready to be asked often. */
export class Links {
  readonly #devices: number;
  readonly #shared: boolean;
  /** `[from * devices + to]`. */
  readonly #perByte: Float64Array;
  readonly #latency: Float64Array;

  constructor({
    bandwidth,
    latency,
    sharedChannel,
  }: Pick<PlanningInstance, 'bandwidth' | 'latency' | 'sharedChannel'>) {
    const D = bandwidth.length;
    this.#devices = D;
    this.#shared = sharedChannel;
    this.#perByte = new Float64Array(D * D);
    this.#latency = new Float64Array(D * D);
    for (let d = 0; d < D; d++) {
      for (let e = 0; e < D; e++) {
        const speed = bandwidth[d]?.[e] ?? 0;
        // Without a link nothing arrives, not even no bytes.
        this.#perByte[d * D + e] = speed > 0 ? 1 / speed : 0;
        this.#latency[d * D + e] = speed > 0 ? (latency[d]?.[e] ?? 0) : Number.POSITIVE_INFINITY;
      }
    }
  }

  /**
   * Seconds until each of `to` has `bytes` from every one of `from` but itself; Infinity where a link is missing.
   * @param arrivals filled, by position in `to`
   */
  transfer(from: readonly number[], to: readonly number[], bytes: number, arrivals: Float64Array): void {
    const D = this.#devices;
    let busy = 0;
    let slowest = 0;
    for (let at = 0; at < to.length; at++) {
      const e = to[at] as number;
      let last = 0;
      for (let i = 0; i < from.length; i++) {
        const d = from[i] as number;
        if (d === e) continue;
        const seconds = bytes * (this.#perByte[d * D + e] as number);
        const delay = this.#latency[d * D + e] as number;
        busy += seconds;
        if (delay > slowest) slowest = delay;
        if (delay + seconds > last) last = delay + seconds;
      }
      arrivals[at] = last;
    }
    if (this.#shared) for (let at = 0; at < to.length; at++) arrivals[at] = busy + slowest;
  }
}

/** One transfer, as `Links` has it. */
export function transferSeconds(
  instance: Pick<PlanningInstance, 'bandwidth' | 'latency' | 'sharedChannel'>,
  from: readonly number[],
  to: readonly number[],
  bytes: number,
  arrivals: Float64Array,
): void {
  new Links(instance).transfer(from, to, bytes, arrivals);
}

/**
 * Seconds from having the input to having computed one of `size` parts of stage l: the device's wait and its work.
 * Infinity for a choice that one device makes alone.
 */
export function computeSeconds(
  device: DeviceInstance,
  stage: StageInstance,
  l: number,
  choice: number,
  size: number,
): number {
  if (stage.isInput) return 0;
  if (size > 1 && stage.alone?.[choice] === 1) return Number.POSITIVE_INFINITY;
  const measured = device.seconds?.[l]?.[choice];
  const whole = measured ?? must(stage.macs[choice], `choice ${choice} of ${stage.name}`) / device.speed;
  return device.wait + whole / size;
}

/** Joules that a hop takes of one sender for each receiver, and of one receiver for each sender. */
export function transferJoules(
  bytes: number,
  from: DeviceInstance,
  to: DeviceInstance,
): { readonly sent: number; readonly received: number } {
  return { sent: bytes * from.joulesPerByteSent, received: bytes * to.joulesPerByteReceived };
}

/** Log loss in steps of the accuracy grid, rounded up. */
export function lossSteps(instance: Pick<PlanningInstance, 'lossUnit'>, loss: number): number {
  return Math.max(0, Math.ceil(loss / instance.lossUnit - SLACK));
}

/**
 * Most steps a plan may lose: what the floor leaves, or all that the stages could lose when that is less. Negative when
 * even the unpruned network is below the floor.
 */
export function mostSteps(instance: PlanningInstance): number {
  let most = mostOf.get(instance);
  if (most === undefined) {
    most = countMostSteps(instance);
    mostOf.set(instance, most);
  }
  return most;
}

/** Local search asks this for thousands of plans of an instance. */
const mostOf = new WeakMap<PlanningInstance, number>();

function countMostSteps(instance: PlanningInstance): number {
  const { unprunedAccuracy, accuracyFloor, lossUnit, stages } = instance;
  let all = 0;
  for (const stage of stages) {
    let most = 0;
    stage.loss.forEach((loss, choice) => {
      if (stage.allowed[choice]) most = Math.max(most, lossSteps(instance, loss));
    });
    all += most;
  }
  if (accuracyFloor <= 0) return all;
  return Math.min(all, Math.floor(Math.log(unprunedAccuracy / accuracyFloor) / lossUnit + SLACK));
}

/** The objective's part for accuracy after `steps` of loss. */
export function accuracyCost(instance: PlanningInstance, steps: number): number {
  const { weights, unprunedAccuracy, lossUnit } = instance;
  return weights.accuracy * (1 - unprunedAccuracy * Math.exp(-steps * lossUnit));
}

/** What a plan costs: seconds, joules, bytes. */
export interface PlanCosts {
  readonly seconds: number;
  readonly joules: number;
  readonly steps: number;
  readonly accuracy: number;
  readonly objective: number;
  /** Whether every limit holds, `SLACK` allowed. */
  readonly feasible: boolean;
  /** By device. */
  readonly weightBytes: Float64Array;
  readonly activationBytes: Float64Array;
  readonly energy: Float64Array;
  /** Seconds of each stage with the transfer into it, and of the result's way home. */
  readonly stageSeconds: Float64Array;
  readonly returnSeconds: number;
}

/** Evaluates decisions, one for each stage. */
export function planCosts(instance: PlanningInstance, decisions: readonly StageDecision[]): PlanCosts {
  const { stages, devices, source, weights } = instance;
  const weightBytes = new Float64Array(devices.length);
  const activationBytes = new Float64Array(devices.length);
  const energy = new Float64Array(devices.length);
  const stageSeconds = new Float64Array(stages.length);
  const arrivals = new Float64Array(MAX_SET_SIZE);
  const links = new Links(instance);
  let feasible = mayReturn(instance);
  let steps = 0;
  let before: { readonly set: readonly number[]; readonly bytes: number } | undefined;
  let level = 0;
  stages.forEach((stage, l) => {
    const decision = must(decisions[l], `decision of stage ${l}`);
    const set = must(stage.sets[decision.set], `set ${decision.set} of ${stage.name}`);
    const choice = choiceIndex(stage, level, decision.inner, decision.level);
    if (!stage.allowed[choice] || !mayRun(instance, l, set)) feasible = false;
    arrivals.fill(0);
    if (before) {
      links.transfer(before.set, set, before.bytes, arrivals);
      addJoules(instance, before.set, set, before.bytes, energy);
    }
    let seconds = 0;
    set.forEach((d, at) => {
      const device = must(devices[d], `device ${d}`);
      const end = (arrivals[at] ?? 0) + computeSeconds(device, stage, l, choice, set.length);
      seconds = Math.max(seconds, end);
      energy[d] = (energy[d] ?? 0) + (device.joulesPerMac * (stage.macs[choice] ?? 0)) / set.length;
      weightBytes[d] = (weightBytes[d] ?? 0) + (stage.weightBytes[choice] ?? 0) / set.length;
      activationBytes[d] = Math.max(activationBytes[d] ?? 0, stage.activationBytes[choice] ?? 0);
    });
    stageSeconds[l] = seconds;
    steps += lossSteps(instance, stage.loss[choice] ?? 0);
    before = { set, bytes: sentBytes(stage, decision.level, set.length) };
    level = decision.level;
  });
  const last = must(before, 'a stage');
  links.transfer(last.set, [source], last.bytes, arrivals);
  addJoules(instance, last.set, [source], last.bytes, energy);
  const returnSeconds = arrivals[0] ?? 0;
  const seconds = stageSeconds.reduce((sum, value) => sum + value, 0) + returnSeconds;
  const joules = energy.reduce((sum, value) => sum + value, 0);
  const allowed = SLACK_FACTOR;
  feasible &&= seconds <= instance.deadline * allowed && steps <= mostSteps(instance);
  devices.forEach((device, d) => {
    const bytes = (weightBytes[d] ?? 0) + (activationBytes[d] ?? 0);
    feasible &&= bytes <= device.memory * allowed && (energy[d] ?? 0) <= device.energy * allowed;
  });
  return {
    seconds,
    joules,
    steps,
    accuracy: instance.unprunedAccuracy * Math.exp(-steps * instance.lossUnit),
    objective: weights.time * seconds + weights.energy * joules + accuracyCost(instance, steps),
    feasible,
    weightBytes,
    activationBytes,
    energy,
    stageSeconds,
    returnSeconds,
  };
}

/** Adds the joules of one hop to those of every device. */
function addJoules(
  instance: PlanningInstance,
  from: readonly number[],
  to: readonly number[],
  bytes: number,
  energy: Float64Array,
): void {
  for (const d of from) {
    for (const e of to) {
      if (d === e) continue;
      const [sender, receiver] = [must(instance.devices[d], 'sender'), must(instance.devices[e], 'receiver')];
      const { sent, received } = transferJoules(bytes, sender, receiver);
      energy[d] = (energy[d] ?? 0) + sent;
      energy[e] = (energy[e] ?? 0) + received;
    }
  }
}
