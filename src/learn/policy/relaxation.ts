// A relaxation of a request for the network's features: every stage at one middle choice, on single devices only.
// Dynamic programming gives the cheapest way through each device, in time and in the objective. It takes microseconds.
import {
  choiceIndex,
  type DeviceInstance,
  Links,
  levelOutOf,
  mayRun,
  type PlanningInstance,
  type StageInstance,
  sentBytes,
} from '../../plan/internal.ts';
import { grown } from './candidate-program.ts';

/** Seconds without a link, in multiples of the deadline: far, but finite. */
const FAR = 4;

/** Tables of the relaxation; every `load` overwrites them. */
export class ChainRelaxation {
  /** By stage: the choice that stands for it. */
  choice = new Int32Array(0);
  /** `[stage * devices + device]`: seconds of the stage there alone, and its part of the objective. */
  seconds = new Float64Array(0);
  cost = new Float64Array(0);
  legal = new Uint8Array(0);
  /** Cheapest way to the end of the stage there and from there on: in seconds, and in the objective. */
  secondsTo = new Float64Array(0);
  secondsFrom = new Float64Array(0);
  costTo = new Float64Array(0);
  costFrom = new Float64Array(0);
  /** Of the whole: least seconds, least objective without accuracy. */
  leastSeconds = 0;
  leastCost = 0;
  /** `[from * devices + to]`: seconds a byte, seconds of latency, joules' part of the objective a byte. */
  perByte = new Float64Array(0);
  delay = new Float64Array(0);
  carried = new Float64Array(0);
  /** By stage: bytes of its output, and one more before the first: the input. */
  bytes = new Float64Array(0);
  links = new Links({ bandwidth: [], latency: [], sharedChannel: false });

  load(instance: PlanningInstance): void {
    const { stages, devices, weights, deadline } = instance;
    const [L, D] = [stages.length, devices.length];
    this.#reserve(L, D);
    this.links = new Links(instance);
    const far = FAR * deadline;
    for (let d = 0; d < D; d++) {
      for (let e = 0; e < D; e++) {
        const speed = (instance.bandwidth[d] as Float64Array)[e] as number;
        const at = d * D + e;
        if (d === e) {
          this.perByte[at] = 0;
          this.delay[at] = 0;
          this.carried[at] = 0;
          continue;
        }
        this.perByte[at] = speed > 0 ? 1 / speed : 0;
        this.delay[at] = speed > 0 ? ((instance.latency[d] as Float64Array)[e] as number) : far;
        const sender = devices[d] as DeviceInstance;
        const receiver = devices[e] as DeviceInstance;
        this.carried[at] = weights.energy * (sender.joulesPerByteSent + receiver.joulesPerByteReceived);
      }
    }
    this.bytes[0] = instance.inputBytes;
    for (let l = 0; l < L; l++) {
      const stage = stages[l] as StageInstance;
      const choice = middling(stage);
      this.choice[l] = choice;
      this.bytes[l + 1] = sentBytes(stage, levelOutOf(stage, choice), 1);
      const macs = stage.macs[choice] as number;
      for (let d = 0; d < D; d++) {
        const device = devices[d] as DeviceInstance;
        const at = l * D + d;
        const work = device.seconds?.[l]?.[choice] ?? macs / device.speed;
        const seconds = stage.isInput ? 0 : device.wait + work;
        this.seconds[at] = seconds;
        this.cost[at] = weights.time * seconds + weights.energy * macs * device.joulesPerMac;
        this.legal[at] = mayRun(instance, l, [d]) ? 1 : 0;
      }
    }
    this.#forward(instance);
    this.#backward(instance);
    this.leastSeconds = this.#least(this.secondsTo, this.secondsFrom, L, D, deadline);
    this.leastCost = this.#least(this.costTo, this.costFrom, L, D, deadline * weights.time + 1e-12);
  }

  #reserve(L: number, D: number): void {
    for (const name of ['seconds', 'cost', 'secondsTo', 'secondsFrom', 'costTo', 'costFrom'] as const)
      this[name] = grown(this[name], L * D);
    this.choice = grown(this.choice, L);
    if (this.legal.length < L * D) this.legal = new Uint8Array(L * D);
    for (const name of ['perByte', 'delay', 'carried'] as const) this[name] = grown(this[name], D * D);
    this.bytes = grown(this.bytes, L + 1);
  }

  #forward({ stages, devices, weights, source }: PlanningInstance): void {
    const D = devices.length;
    for (let l = 0; l < stages.length; l++) {
      const bytes = this.bytes[l] as number;
      for (let e = 0; e < D; e++) {
        const at = l * D + e;
        let seconds = l === 0 && e === source ? 0 : Number.POSITIVE_INFINITY;
        let cost = seconds;
        if (l > 0) {
          for (let d = 0; d < D; d++) {
            const before = (l - 1) * D + d;
            const hop = (this.delay[d * D + e] as number) + bytes * (this.perByte[d * D + e] as number);
            const s = (this.secondsTo[before] as number) + hop;
            if (s < seconds) seconds = s;
            const c =
              (this.costTo[before] as number) +
              weights.time * hop +
              bytes * (this.carried[d * D + e] as number);
            if (c < cost) cost = c;
          }
        }
        const legal = this.legal[at] === 1;
        this.secondsTo[at] = legal ? seconds + (this.seconds[at] as number) : Number.POSITIVE_INFINITY;
        this.costTo[at] = legal ? cost + (this.cost[at] as number) : Number.POSITIVE_INFINITY;
      }
    }
  }

  #backward({ stages, devices, weights, source }: PlanningInstance): void {
    const D = devices.length;
    const last = stages.length - 1;
    for (let l = last; l >= 0; l--) {
      const bytes = this.bytes[l + 1] as number;
      for (let d = 0; d < D; d++) {
        let seconds = Number.POSITIVE_INFINITY;
        let cost = Number.POSITIVE_INFINITY;
        for (let e = 0; e < D; e++) {
          if (l === last && e !== source) continue;
          const at = (l + 1) * D + e;
          const hop = (this.delay[d * D + e] as number) + bytes * (this.perByte[d * D + e] as number);
          const legal = l === last || this.legal[at] === 1;
          if (!legal) continue;
          const s = hop + (l === last ? 0 : (this.secondsFrom[at] as number) + (this.seconds[at] as number));
          if (s < seconds) seconds = s;
          const own = l === last ? 0 : (this.costFrom[at] as number) + (this.cost[at] as number);
          const c = weights.time * hop + bytes * (this.carried[d * D + e] as number) + own;
          if (c < cost) cost = c;
        }
        this.secondsFrom[l * D + d] = seconds;
        this.costFrom[l * D + d] = cost;
      }
    }
  }

  /** Of the whole, over any device of the middle of the chain; `otherwise` when no single devices carry it. */
  #least(to: Float64Array, from: Float64Array, L: number, D: number, otherwise: number): number {
    let least = Number.POSITIVE_INFINITY;
    const l = L >> 1;
    for (let d = 0; d < D; d++) {
      const value = (to[l * D + d] as number) + (from[l * D + d] as number);
      if (value < least) least = value;
    }
    return least > 0 && least < Number.POSITIVE_INFINITY ? least : otherwise;
  }
}

/** An allowed choice about the middle of the levels. */
function middling(stage: StageInstance): number {
  const { levelsIn, levelsOut, inner, allowed } = stage;
  const [p, r, q] = [levelsIn >> 1, levelsOut >> 1, inner >> 1];
  const wanted = choiceIndex(stage, p, q, r);
  if (allowed[wanted] === 1) return wanted;
  const first = allowed.indexOf(1, choiceIndex(stage, p, 0, 0));
  return first >= 0 ? first : Math.max(0, allowed.indexOf(1));
}
