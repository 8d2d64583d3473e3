// The Lagrangian pass of plan/exact/bounds on a few candidates: the cheapest way from every state to the end under
// prices of the limits. It guides decoding. Each hop counts until its last member has its input, so it needs no tables
// by member.
import {
  accuracyCost,
  bytePrice,
  type DeviceInstance,
  leastAccuracyTerm,
  type Multipliers,
  type PlanningInstance,
} from '../../plan/internal.ts';
import { type CandidateProgram, grown } from './candidate-program.ts';

/** Prices of whole limits (deadline, memory and energy of every device) and of one step of accuracy loss. */
export class LimitPrices {
  time = 0;
  step = 0;
  memory = new Float64Array(0);
  energy = new Float64Array(0);

  reset(devices: number): void {
    this.time = 0;
    this.step = 0;
    this.memory = grown(this.memory, devices).fill(0);
    this.energy = grown(this.energy, devices).fill(0);
  }

  copy(other: LimitPrices, devices: number): void {
    this.reset(devices);
    this.time = other.time;
    this.step = other.step;
    for (let d = 0; d < devices; d++) {
      this.memory[d] = other.memory[d] as number;
      this.energy[d] = other.energy[d] as number;
    }
  }

  /** Takes the multipliers of a planner. */
  take({ time, step, memory, energy }: Multipliers): void {
    this.reset(memory.length);
    this.time = time;
    this.step = step;
    memory.forEach((value, d) => {
      this.memory[d] = value;
      this.energy[d] = energy[d] as number;
    });
  }
}

/** The tables of one pass. */
export class CandidatePass {
  /** Price of a second. */
  time = 0;
  step = 0;
  /** `[(stage * width + k) * levels + p]`: from the state to the end, the result's way home counted. */
  toGo = new Float64Array(0);
  /** `[(stage * width + k) * levels + p]`: from having the input at level p on. */
  node = new Float64Array(0);
  /** `[stage * width + k]`: of a multiply-accumulate and of a byte of weights. */
  perMac = new Float64Array(0);
  perByte = new Float64Array(0);
  /** By device: of a multiply-accumulate, of a byte held. */
  #work = new Float64Array(0);
  #held = new Float64Array(0);
  /** By device: of a byte sent, and received. */
  sent = new Float64Array(0);
  received = new Float64Array(0);
  /** `[(stage * width + before) * width + k]`: of a byte that each member sends to each. */
  hop = new Float64Array(0);
  /** The cheapest path: by stage, the candidate and the position of its choice. */
  pathSet = new Int32Array(0);
  pathChoice = new Int32Array(0);

  /** Fills the tables; returns the cheapest path's price, Infinity when there is none. */
  run(program: CandidateProgram, prices: LimitPrices): number {
    const instance = program.instance as PlanningInstance;
    this.#price(program, instance, prices);
    const { stages: L } = program;
    for (let l = L - 1; l >= 0; l--) {
      if (l === L - 1) this.#home(program, instance);
      else this.#hops(program, l);
      this.#nodes(program, l);
    }
    return this.node[0] as number;
  }

  #price(
    program: CandidateProgram,
    { devices, weights, deadline }: PlanningInstance,
    prices: LimitPrices,
  ): void {
    const { stages: L, width, levels } = program;
    this.toGo = grown(this.toGo, L * width * levels);
    this.node = grown(this.node, L * width * levels);
    this.perMac = grown(this.perMac, L * width);
    this.perByte = grown(this.perByte, L * width);
    this.hop = grown(this.hop, L * width * width);
    this.sent = grown(this.sent, devices.length);
    this.received = grown(this.received, devices.length);
    this.pathSet = grown(this.pathSet, L);
    this.pathChoice = grown(this.pathChoice, L);
    this.time = weights.time + prices.time / deadline;
    this.step = prices.step;
    this.#work = grown(this.#work, devices.length);
    this.#held = grown(this.#held, devices.length);
    for (let d = 0; d < devices.length; d++) {
      const device = devices[d] as DeviceInstance;
      const joule = weights.energy + share(prices.energy[d] as number, device.energy);
      this.#work[d] = device.joulesPerMac * joule;
      this.#held[d] = share(prices.memory[d] as number, device.memory);
      this.sent[d] = device.joulesPerByteSent * joule;
      this.received[d] = device.joulesPerByteReceived * joule;
    }
    for (let l = 0; l < L; l++) {
      for (let k = 0; k < (program.count[l] as number); k++) {
        const set = program.sets[l * width + k] as readonly number[];
        let work = 0;
        let held = 0;
        for (let m = 0; m < set.length; m++) {
          const d = set[m] as number;
          work += this.#work[d] as number;
          held += this.#held[d] as number;
        }
        this.perMac[l * width + k] = work / set.length;
        this.perByte[l * width + k] = held / set.length;
        if (l === 0) continue;
        for (let b = 0; b < (program.count[l - 1] as number); b++) {
          const from = program.sets[(l - 1) * width + b] as readonly number[];
          this.hop[(l * width + b) * width + k] = bytePrice(from, set, this.sent, this.received);
        }
      }
    }
  }

  #home(program: CandidateProgram, { source }: PlanningInstance): void {
    const { width, levels } = program;
    const l = program.stages - 1;
    const to = [source];
    for (let k = 0; k < (program.count[l] as number); k++) {
      const set = program.sets[l * width + k] as readonly number[];
      const byte = bytePrice(set, to, this.sent, this.received);
      for (let p = 0; p < (program.levelsOut[l] as number); p++) {
        const state = (l * width + k) * levels + p;
        this.toGo[state] =
          this.time * (program.home[k * levels + p] as number) + byte * (program.sent[state] as number);
      }
    }
  }

  /** Cheapest from every state of stage l into the next. */
  #hops(program: CandidateProgram, l: number): void {
    const { width, levels } = program;
    const [K, P] = [program.count[l] as number, program.levelsOut[l] as number];
    const next = program.count[l + 1] as number;
    const { toGo, node, hop, time } = this;
    const { arrive, sent } = program;
    for (let k = 0; k < K; k++) {
      for (let p = 0; p < P; p++) {
        const state = (l * width + k) * levels + p;
        const row = (program.hopBase[l + 1] as number) + (k * P + p) * next;
        const bytes = sent[state] as number;
        let best = Number.POSITIVE_INFINITY;
        for (let t = 0; t < next; t++) {
          const value =
            time * (arrive[row + t] as number) +
            bytes * (hop[((l + 1) * width + k) * width + t] as number) +
            (node[((l + 1) * width + t) * levels + p] as number);
          if (value < best) best = value;
        }
        toGo[state] = best;
      }
    }
  }

  /** Cheapest from having the input of stage l. */
  #nodes(program: CandidateProgram, l: number): void {
    const { width, levels, latest, macs, weight, steps, out } = program;
    const { toGo, node, time, step } = this;
    const [first, C] = [program.choiceBase[l] as number, program.choices(l)];
    for (let k = 0; k < (program.count[l] as number); k++) {
      const row = (program.timeBase[l] as number) + k * C - first;
      const go = (l * width + k) * levels;
      const mac = this.perMac[l * width + k] as number;
      const byte = this.perByte[l * width + k] as number;
      for (let p = 0; p < (program.levelsIn[l] as number); p++) {
        const from = program.start[l * (levels + 1) + p] as number;
        const to = program.start[l * (levels + 1) + p + 1] as number;
        let best = Number.POSITIVE_INFINITY;
        for (let c = from; c < to; c++) {
          const value =
            time * (latest[row + c] as number) +
            mac * (macs[c] as number) +
            byte * (weight[c] as number) +
            step * (steps[c] as number) +
            (toGo[go + (out[c] as number)] as number);
          if (value < best) best = value;
        }
        node[go + p] = best;
      }
    }
  }

  /** Traces the cheapest path of the last run; false when there is none. */
  path(program: CandidateProgram): boolean {
    const { width, levels } = program;
    let [set, level] = [0, 0];
    for (let l = 0; l < program.stages; l++) {
      let best = Number.POSITIVE_INFINITY;
      let next = -1;
      if (l === 0) next = 0;
      else {
        const count = program.count[l] as number;
        const row = (program.hopBase[l] as number) + (set * (program.levelsIn[l] as number) + level) * count;
        const bytes = program.sent[((l - 1) * width + set) * levels + level] as number;
        for (let t = 0; t < count; t++) {
          const value =
            this.time * (program.arrive[row + t] as number) +
            bytes * (this.hop[(l * width + set) * width + t] as number) +
            (this.node[(l * width + t) * levels + level] as number);
          if (value < best) {
            best = value;
            next = t;
          }
        }
      }
      if (next < 0) return false;
      const [first, C] = [program.choiceBase[l] as number, program.choices(l)];
      const go = (l * width + next) * levels;
      const timeRow = (program.timeBase[l] as number) + next * C - first;
      best = Number.POSITIVE_INFINITY;
      let chosen = -1;
      for (
        let c = program.start[l * (levels + 1) + level] as number;
        c < (program.start[l * (levels + 1) + level + 1] as number);
        c++
      ) {
        const value =
          this.time * (program.latest[timeRow + c] as number) +
          (this.perMac[l * width + next] as number) * (program.macs[c] as number) +
          (this.perByte[l * width + next] as number) * (program.weight[c] as number) +
          this.step * (program.steps[c] as number) +
          (this.toGo[go + (program.out[c] as number)] as number);
        if (value < best) {
          best = value;
          chosen = c;
        }
      }
      if (chosen < 0) return false;
      this.pathSet[l] = next;
      this.pathChoice[l] = chosen;
      set = next;
      level = program.out[chosen] as number;
    }
    return true;
  }
}

/** What a path's price must be corrected by to bound the objective; see plan/exact/bounds/root.ts. */
export function offsetOf(instance: PlanningInstance, most: number, prices: LimitPrices): number {
  const term = leastAccuracyTerm(accuracyCost(instance, 0), accuracyCost(instance, most), most, prices.step);
  let capacity = prices.time;
  for (let d = 0; d < instance.devices.length; d++)
    capacity += (prices.memory[d] as number) + (prices.energy[d] as number);
  return term - capacity;
}

function share(price: number, limit: number): number {
  return limit > 0 && limit < Number.POSITIVE_INFINITY ? price / limit : 0;
}
