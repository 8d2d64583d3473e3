// Partial plans: seconds, steps of loss, and bytes and joules of each device, exactly as plan/problem/cost.ts counts
// them.
import {
  type DeviceInstance,
  MAX_SET_SIZE,
  type PlanningInstance,
  SLACK_FACTOR,
} from '../../plan/internal.ts';
import { type CandidateProgram, grown } from './candidate-program.ts';

/** One more stage. Made once and filled again for every step, so that a search allocates nothing. */
export interface StageStep {
  l: number;
  /** The candidate set and the position of the choice. */
  k: number;
  position: number;
  /** Seconds as `stageSeconds` gives them. */
  seconds: number;
}

/** A step to be filled. */
export function emptyStep(): StageStep {
  return { l: 0, k: 0, position: 0, seconds: Number.NaN };
}

/** Rows of partial plans in one set of arrays; a beam has two, which swap. */
export class PartialPlans {
  /** Seconds, steps, and the objective without accuracy. */
  seconds = new Float64Array(0);
  steps = new Int32Array(0);
  cost = new Float64Array(0);
  /** `[row * devices + device]`: bytes of weights, largest activations, joules. */
  weights = new Float64Array(0);
  activations = new Float64Array(0);
  joules = new Float64Array(0);
  /** By row: the last stage's candidate and level. */
  set = new Int32Array(0);
  level = new Int32Array(0);
  readonly #arrivals = new Float64Array(MAX_SET_SIZE);

  reserve(rows: number, devices: number): void {
    this.seconds = grown(this.seconds, rows);
    this.steps = grown(this.steps, rows);
    this.cost = grown(this.cost, rows);
    this.set = grown(this.set, rows);
    this.level = grown(this.level, rows);
    this.weights = grown(this.weights, rows * devices);
    this.activations = grown(this.activations, rows * devices);
    this.joules = grown(this.joules, rows * devices);
  }

  /** An empty plan in a row. */
  clear(row: number, devices: number): void {
    this.seconds[row] = 0;
    this.steps[row] = 0;
    this.cost[row] = 0;
    this.set[row] = 0;
    this.level[row] = 0;
    this.weights.fill(0, row * devices, (row + 1) * devices);
    this.activations.fill(0, row * devices, (row + 1) * devices);
    this.joules.fill(0, row * devices, (row + 1) * devices);
  }

  /** Copies row 0 of another into row 0. */
  copyRow(other: PartialPlans, devices: number): void {
    this.seconds[0] = other.seconds[0] as number;
    this.steps[0] = other.steps[0] as number;
    this.cost[0] = other.cost[0] as number;
    this.set[0] = other.set[0] as number;
    this.level[0] = other.level[0] as number;
    for (let d = 0; d < devices; d++) {
      this.weights[d] = other.weights[d] as number;
      this.activations[d] = other.activations[d] as number;
      this.joules[d] = other.joules[d] as number;
    }
  }

  /** Seconds until stage l on candidate k is done, counted from the end of the stage before; exact. */
  stageSeconds(program: CandidateProgram, row: number, l: number, k: number, position: number): number {
    const { width, levels } = program;
    const at = l * width + k;
    const size = program.size[at] as number;
    const before = this.set[row] as number;
    const level = this.level[row] as number;
    if (size === 1) {
      const hop = l === 0 ? 0 : this.arrival(program, row, l, k);
      const timeRow =
        (program.timeBase[l] as number) + k * program.choices(l) - (program.choiceBase[l] as number);
      return hop + (program.latest[timeRow + position] as number);
    }
    const set = program.sets[at] as readonly number[];
    // Stage 0 runs on the source alone, so a set of several has a stage before it.
    const from = program.sets[(l - 1) * width + before] as readonly number[];
    const bytes = program.sent[((l - 1) * width + before) * levels + level] as number;
    program.links.transfer(from, set, bytes, this.#arrivals);
    return this.membersSeconds(program, l, set, position);
  }

  /** Seconds until every member has its input: what the hop alone takes. */
  arrival(program: CandidateProgram, row: number, l: number, k: number): number {
    const from = (this.set[row] as number) * (program.levelsIn[l] as number) + (this.level[row] as number);
    return program.arrive[(program.hopBase[l] as number) + from * (program.count[l] as number) + k] as number;
  }

  /** Arrivals of a hop, for `membersSeconds`. */
  receive(program: CandidateProgram, row: number, l: number, k: number): void {
    const { width, levels } = program;
    const before = (l - 1) * width + (this.set[row] as number);
    const bytes = program.sent[before * levels + (this.level[row] as number)] as number;
    program.links.transfer(
      program.sets[before] as readonly number[],
      program.sets[l * width + k] as readonly number[],
      bytes,
      this.#arrivals,
    );
  }

  /** The last member's end after `receive`. */
  membersSeconds(program: CandidateProgram, l: number, set: readonly number[], position: number): number {
    const { devices } = program.instance as PlanningInstance;
    let latest = 0;
    for (let m = 0; m < set.length; m++) {
      const device = devices[set[m] as number] as DeviceInstance;
      const end = (this.#arrivals[m] as number) + program.secondsOf(l, device, position, set.length);
      if (end > latest) latest = end;
    }
    return latest;
  }

  /** Writes into row `to` of `target` the plan of `row` with one more stage; false when it breaks a device's limit. */
  extend(program: CandidateProgram, row: number, step: StageStep, target: PartialPlans, to: number): boolean {
    const { l, k, position, seconds } = step;
    const instance = program.instance as PlanningInstance;
    const D = program.devices;
    const [from, at] = [row * D, to * D];
    const { weights, activations, joules } = target;
    for (let d = 0; d < D; d++) {
      weights[at + d] = this.weights[from + d] as number;
      activations[at + d] = this.activations[from + d] as number;
      joules[at + d] = this.joules[from + d] as number;
    }
    const set = program.sets[l * program.width + k] as readonly number[];
    let spent = 0;
    if (l > 0) {
      const { width, levels } = program;
      const before = (l - 1) * width + (this.set[row] as number);
      const bytes = program.sent[before * levels + (this.level[row] as number)] as number;
      spent = target.hop(instance, at, program.sets[before] as readonly number[], set, bytes);
      if (spent < 0) return false;
    }
    const size = set.length;
    const work = (program.macs[position] as number) / size;
    const bytes = (program.weight[position] as number) / size;
    const held = program.activation[position] as number;
    for (let m = 0; m < size; m++) {
      const d = set[m] as number;
      const device = instance.devices[d] as DeviceInstance;
      const more = work * device.joulesPerMac;
      spent += more;
      const total = (joules[at + d] as number) + more;
      joules[at + d] = total;
      weights[at + d] = (weights[at + d] as number) + bytes;
      if (held > (activations[at + d] as number)) activations[at + d] = held;
      if (total > device.energy * SLACK_FACTOR) return false;
      if ((weights[at + d] as number) + (activations[at + d] as number) > device.memory * SLACK_FACTOR)
        return false;
    }
    const { time, energy } = instance.weights;
    target.seconds[to] = (this.seconds[row] as number) + seconds;
    target.steps[to] = (this.steps[row] as number) + (program.steps[position] as number);
    target.cost[to] = (this.cost[row] as number) + time * seconds + energy * spent;
    target.set[to] = k;
    target.level[to] = program.out[position] as number;
    return true;
  }

  /** Adds a stage to row 0, whether limits hold or not. */
  charge(program: CandidateProgram, l: number, k: number, position: number, seconds: number): void {
    const instance = program.instance as PlanningInstance;
    const { width, levels } = program;
    const set = program.sets[l * width + k] as readonly number[];
    if (l > 0) {
      const before = (l - 1) * width + (this.set[0] as number);
      const bytes = program.sent[before * levels + (this.level[0] as number)] as number;
      this.hop(instance, 0, program.sets[before] as readonly number[], set, bytes);
    }
    const size = set.length;
    const held = program.activation[position] as number;
    for (const d of set) {
      const { joulesPerMac } = instance.devices[d] as DeviceInstance;
      this.joules[d] =
        (this.joules[d] as number) + ((program.macs[position] as number) / size) * joulesPerMac;
      this.weights[d] = (this.weights[d] as number) + (program.weight[position] as number) / size;
      if (held > (this.activations[d] as number)) this.activations[d] = held;
    }
    this.seconds[0] = (this.seconds[0] as number) + seconds;
    this.steps[0] = (this.steps[0] as number) + (program.steps[position] as number);
    this.set[0] = k;
    this.level[0] = program.out[position] as number;
  }

  /** Adds a hop's joules to everybody; returns their sum, or -1 when somebody's limit breaks. */
  hop(
    { devices }: PlanningInstance,
    at: number,
    from: readonly number[],
    to: readonly number[],
    bytes: number,
  ): number {
    let spent = 0;
    let fits = true;
    const { joules } = this;
    for (const d of from) {
      const sender = devices[d] as DeviceInstance;
      for (const e of to) {
        if (d === e) continue;
        const receiver = devices[e] as DeviceInstance;
        const out = bytes * sender.joulesPerByteSent;
        const into = bytes * receiver.joulesPerByteReceived;
        joules[at + d] = (joules[at + d] as number) + out;
        joules[at + e] = (joules[at + e] as number) + into;
        spent += out + into;
        if ((joules[at + d] as number) > sender.energy * SLACK_FACTOR) fits = false;
        if ((joules[at + e] as number) > receiver.energy * SLACK_FACTOR) fits = false;
      }
    }
    return fits ? spent : -1;
  }
}
