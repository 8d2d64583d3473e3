// A planning problem with a few candidate sets a stage, in flat arrays that are filled again for every request.
// Decoding works on it. Times are those of plan/problem/cost.ts; a test compares whole plans.
import {
  choiceIndex,
  type DeviceInstance,
  Links,
  lossSteps,
  MAX_SET_SIZE,
  mayReturn,
  mayRun,
  mostSteps,
  type PlanningInstance,
  SLACK_FACTOR,
  type StageInstance,
  sentBytes,
} from '../../plan/internal.ts';
import { must } from '../../util/index.ts';

/** Inner choices between the same two levels, at most; of more, those on the way from least loss to least work. */
const MOST_INNER = 6;

/** Results that the caller has computed for the same instance already. */
export interface Known {
  readonly most: number;
  readonly links: Links;
}

/** The arrays. One object serves one request after another; `load` overwrites everything. */
export class CandidateProgram {
  instance: PlanningInstance | undefined;
  stages = 0;
  devices = 0;
  /** Candidate sets a stage, and levels a cut, at most: strides. */
  width = 0;
  levels = 0;
  /** Most steps of accuracy loss; negative when even the unpruned network is below the floor. */
  most = 0;
  links = new Links({ bandwidth: [], latency: [], sharedChannel: false });
  /** By stage: candidate sets, levels in and out. */
  count = new Int32Array(0);
  levelsIn = new Int32Array(0);
  levelsOut = new Int32Array(0);
  /** `[stage * width + k]`: position in the stage's list, number of devices, and the devices themselves. */
  setAt = new Int32Array(0);
  size = new Int32Array(0);
  readonly sets: (readonly number[])[] = [];
  /**
   * Positions of a stage's choices begin at `choiceBase[stage]`, those of a level in at
   * `start[stage * (levels + 1) + p]`.
   */
  choiceBase = new Int32Array(0);
  start = new Int32Array(0);
  /** By position of a choice. */
  choice = new Int32Array(0);
  out = new Int32Array(0);
  steps = new Int32Array(0);
  macs = new Float64Array(0);
  weight = new Float64Array(0);
  activation = new Float64Array(0);
  /**
   * `[timeBase[stage] + k * choices + position]`: wait and work of the slowest and of the quickest member; Infinity
   * where one alone cannot.
   */
  timeBase = new Int32Array(0);
  latest = new Float64Array(0);
  soonest = new Float64Array(0);
  /** `[hopBase[stage] + (before * levelsIn + p) * count + k]`: seconds until every member has its input. */
  hopBase = new Int32Array(0);
  arrive = new Float64Array(0);
  /** `[(stage * width + k) * levels + p]`: bytes that a member sends to one receiver. */
  sent = new Float64Array(0);
  /** `[k * levels + p]`: seconds of the result's way home. */
  home = new Float64Array(0);
  readonly #arrivals = new Float64Array(MAX_SET_SIZE);

  /**
   * Fills the arrays.
   * @param candidates for every stage, positions in its list of sets; those that may not run there are left out
   * @returns false when some stage has nothing left
   */
  load(instance: PlanningInstance, candidates: readonly (readonly number[])[], known?: Known): boolean {
    const { stages, devices } = instance;
    this.instance = instance;
    this.stages = stages.length;
    this.devices = devices.length;
    this.most = known?.most ?? mostSteps(instance);
    this.links = known?.links ?? new Links(instance);
    this.width = 1;
    this.levels = 1;
    for (let l = 0; l < this.stages; l++) {
      this.width = Math.max(this.width, (candidates[l] as readonly number[]).length);
      this.levels = Math.max(this.levels, (stages[l] as StageInstance).levelsOut);
    }
    this.#grow();
    if (this.most < 0 || !mayReturn(instance)) return false;
    if (!this.#sets(instance, candidates)) return false;
    if (!this.#choices(instance)) return false;
    this.#times(instance);
    this.#hops(instance);
    return true;
  }

  /** Number of choices of a stage. */
  choices(l: number): number {
    return (this.choiceBase[l + 1] as number) - (this.choiceBase[l] as number);
  }

  /** Seconds that a device waits and works at a choice, as one of `size`. */
  secondsOf(l: number, device: DeviceInstance, position: number, size: number): number {
    if (this.instance?.stages[l]?.isInput) return 0;
    const choice = this.choice[position] as number;
    if (size > 1 && this.#alone(l, choice)) return Number.POSITIVE_INFINITY;
    const measured = device.seconds?.[l]?.[choice];
    return device.wait + (measured ?? (this.macs[position] as number) / device.speed) / size;
  }

  #alone(l: number, choice: number): boolean {
    return this.instance?.stages[l]?.alone?.[choice] === 1;
  }

  #grow(): void {
    const { stages: L, width, levels } = this;
    this.count = grown(this.count, L);
    this.levelsIn = grown(this.levelsIn, L);
    this.levelsOut = grown(this.levelsOut, L);
    this.setAt = grown(this.setAt, L * width);
    this.size = grown(this.size, L * width);
    this.choiceBase = grown(this.choiceBase, L + 1);
    this.timeBase = grown(this.timeBase, L + 1);
    this.hopBase = grown(this.hopBase, L + 1);
    this.start = grown(this.start, L * (levels + 1) + 1);
    this.sent = grown(this.sent, L * width * levels);
    this.home = grown(this.home, width * levels);
  }

  #sets(instance: PlanningInstance, candidates: readonly (readonly number[])[]): boolean {
    for (let l = 0; l < this.stages; l++) {
      const stage = instance.stages[l] as StageInstance;
      let k = 0;
      for (const at of candidates[l] as readonly number[]) {
        const set = must(stage.sets[at], `set ${at} of ${stage.name}`);
        if (!mayRun(instance, l, set)) continue;
        const row = l * this.width + k++;
        this.setAt[row] = at;
        this.size[row] = set.length;
        this.sets[row] = set;
      }
      if (k === 0) return false;
      this.count[l] = k;
      this.levelsIn[l] = stage.levelsIn;
      this.levelsOut[l] = stage.levelsOut;
    }
    return true;
  }

  #choices(instance: PlanningInstance): boolean {
    let total = 0;
    for (const { allowed } of instance.stages) total += allowed.length;
    this.choice = grown(this.choice, total);
    this.out = grown(this.out, total);
    this.steps = grown(this.steps, total);
    this.macs = grown(this.macs, total);
    this.weight = grown(this.weight, total);
    this.activation = grown(this.activation, total);
    let at = 0;
    for (let l = 0; l < this.stages; l++) {
      const stage = instance.stages[l] as StageInstance;
      const { levelsIn, levelsOut, inner, allowed } = stage;
      const first = at;
      this.choiceBase[l] = at;
      for (let p = 0; p < levelsIn; p++) {
        this.start[l * (this.levels + 1) + p] = at;
        for (let r = 0; r < levelsOut; r++) {
          const from = at;
          for (let q = 0; q < inner; q++) {
            const c = choiceIndex(stage, p, q, r);
            if (allowed[c] !== 1) continue;
            this.choice[at] = c;
            this.out[at] = r;
            this.steps[at] = lossSteps(instance, stage.loss[c] as number);
            this.macs[at] = stage.macs[c] as number;
            this.weight[at] = stage.weightBytes[c] as number;
            this.activation[at] = stage.activationBytes[c] as number;
            at++;
          }
          if (at - from > MOST_INNER) at = from + this.#fewer(from, at);
        }
      }
      this.start[l * (this.levels + 1) + levelsIn] = at;
      if (at === first) return false;
    }
    this.choiceBase[this.stages] = at;
    return true;
  }

  /** Keeps, of inner choices between the same levels, some that trade loss for work; returns how many. */
  #fewer(from: number, to: number): number {
    const order = Array.from({ length: to - from }, (_, i) => from + i).sort(
      (a, b) =>
        (this.steps[a] as number) - (this.steps[b] as number) ||
        (this.macs[a] as number) - (this.macs[b] as number) ||
        a - b,
    );
    let least = Number.POSITIVE_INFINITY;
    const front = order.filter((at) => {
      const better = (this.macs[at] as number) < least;
      if (better) least = this.macs[at] as number;
      return better;
    });
    const kept = Math.min(MOST_INNER, front.length);
    const rows = Array.from({ length: kept }, (_, i) => {
      const at = front[kept === 1 ? 0 : Math.round((i * (front.length - 1)) / (kept - 1))] as number;
      return [this.choice[at], this.steps[at], this.macs[at], this.weight[at], this.activation[at]] as const;
    });
    rows.forEach(([choice, steps, macs, weight, activation], i) => {
      this.choice[from + i] = choice as number;
      this.steps[from + i] = steps as number;
      this.macs[from + i] = macs as number;
      this.weight[from + i] = weight as number;
      this.activation[from + i] = activation as number;
      this.out[from + i] = this.out[from] as number;
    });
    return kept;
  }

  #times(instance: PlanningInstance): void {
    let total = 0;
    for (let l = 0; l < this.stages; l++) {
      this.timeBase[l] = total;
      total += (this.count[l] as number) * this.choices(l);
    }
    this.timeBase[this.stages] = total;
    this.latest = grown(this.latest, total);
    this.soonest = grown(this.soonest, total);
    const { deadline } = instance;
    for (let l = 0; l < this.stages; l++) {
      const [first, C] = [this.choiceBase[l] as number, this.choices(l)];
      for (let k = 0; k < (this.count[l] as number); k++) {
        const set = this.sets[l * this.width + k] as readonly number[];
        const row = (this.timeBase[l] as number) + k * C;
        const size = set.length;
        const alone = size > 1 ? instance.stages[l]?.alone : undefined;
        for (let m = 0; m < size; m++) {
          const device = instance.devices[set[m] as number] as DeviceInstance;
          const measured = device.seconds?.[l];
          const { wait, memory, energy } = device;
          const [perMac, joules] = [1 / device.speed / size, device.joulesPerMac / size];
          for (let i = 0; i < C; i++) {
            const c = first + i;
            const work = this.macs[c] as number;
            const own = measured?.[this.choice[c] as number];
            let seconds = wait + (own === undefined ? work * perMac : own / size);
            const bytes = (this.weight[c] as number) / size + (this.activation[c] as number);
            // A whole row is out when one member alone breaks a limit.
            if (
              alone?.[this.choice[c] as number] === 1 ||
              bytes > memory * SLACK_FACTOR ||
              work * joules > energy * SLACK_FACTOR ||
              seconds > deadline * SLACK_FACTOR
            )
              seconds = Number.POSITIVE_INFINITY;
            if (m === 0) {
              this.latest[row + i] = seconds;
              this.soonest[row + i] = seconds;
            } else {
              if (seconds > (this.latest[row + i] as number)) this.latest[row + i] = seconds;
              if (seconds < (this.soonest[row + i] as number)) this.soonest[row + i] = seconds;
            }
          }
        }
        if (size > 1) {
          for (let i = 0; i < C; i++)
            if (this.latest[row + i] === Number.POSITIVE_INFINITY)
              this.soonest[row + i] = Number.POSITIVE_INFINITY;
        }
      }
    }
  }

  #hops(instance: PlanningInstance): void {
    const { width, levels } = this;
    let total = 0;
    for (let l = 1; l < this.stages; l++) {
      this.hopBase[l] = total;
      total += (this.count[l - 1] as number) * (this.levelsIn[l] as number) * (this.count[l] as number);
    }
    this.arrive = grown(this.arrive, total);
    const arrivals = this.#arrivals;
    const source = [instance.source];
    for (let l = 0; l < this.stages; l++) {
      const stage = instance.stages[l] as StageInstance;
      const last = l === this.stages - 1;
      const [K, P] = [this.count[l] as number, this.levelsOut[l] as number];
      const next = last ? 0 : (this.count[l + 1] as number);
      for (let k = 0; k < K; k++) {
        const from = this.sets[l * width + k] as readonly number[];
        for (let p = 0; p < P; p++) {
          const bytes = sentBytes(stage, p, from.length);
          this.sent[(l * width + k) * levels + p] = bytes;
          if (last) {
            this.links.transfer(from, source, bytes, arrivals);
            this.home[k * levels + p] = arrivals[0] as number;
            continue;
          }
          const row = (this.hopBase[l + 1] as number) + (k * P + p) * next;
          for (let t = 0; t < next; t++) {
            const to = this.sets[(l + 1) * width + t] as readonly number[];
            this.links.transfer(from, to, bytes, arrivals);
            let latest = arrivals[0] as number;
            for (let m = 1; m < to.length; m++)
              if ((arrivals[m] as number) > latest) latest = arrivals[m] as number;
            this.arrive[row + t] = latest;
          }
        }
      }
    }
  }
}

/** The array, or a longer one. Old contents are not kept. */
export function grown<T extends Int32Array | Float64Array | Float32Array>(array: T, length: number): T {
  if (array.length >= length) return array;
  const make = array.constructor as new (length: number) => T;
  return new make(Math.ceil(length * 1.25));
}
