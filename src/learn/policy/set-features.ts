// Features of candidate sets: what their members take, and how far the cheapest rough way through them is from the best.
import {
  type DeviceInstance,
  MAX_SET_SIZE,
  mayRun,
  type PlanningInstance,
  type StageInstance,
} from '../../plan/internal.ts';
import { FEATURES } from './feature-names.ts';
import type { ChainRelaxation } from './relaxation.ts';
import { log, regret } from './scales.ts';

/** Longest hop that is told apart, in deadlines. */
const FAR = 4;
const ARRIVALS = new Float64Array(MAX_SET_SIZE);

/** Where they go, and what has been looked at before. */
export interface SetTables {
  /** Sets a stage, at most. */
  readonly sets: number;
  readonly unit: number;
  readonly relaxation: ChainRelaxation;
  readonly set: Float32Array;
  readonly members: Float32Array;
  readonly setLegal: Uint8Array;
}

/** Fills `set`, `members` and `setLegal`. */
export function setFeatures(instance: PlanningInstance, f: SetTables): void {
  const { stages, devices, weights, deadline, source } = instance;
  const L = stages.length;
  const D = devices.length;
  const S = f.sets;
  const r = f.relaxation;
  const x = f.set;
  const members = f.members;
  const arrivals = ARRIVALS;
  const one = [0];
  const other = [0];
  const far = FAR * deadline;
  for (let l = 0; l < L; l++) {
    const stage = stages[l] as StageInstance;
    const c = r.choice[l] as number;
    const macs = stage.macs[c] as number;
    const bytes = stage.weightBytes[c] as number;
    const activation = stage.activationBytes[c] as number;
    // The cheapest device before and behind stand for all of them.
    const before = l === 0 ? -1 : cheapest(r.costTo, (l - 1) * D, D);
    const after = l === L - 1 ? source : cheapest(r.costFrom, (l + 1) * D, D, r.cost, r.legal);
    one[0] = before;
    other[0] = after;
    const out = r.bytes[l + 1] as number;
    const into = l === 0 ? 0 : (r.bytes[l] as number);
    const behind = (l + 1) * D + after;
    const costBehind = l === L - 1 ? 0 : (r.costFrom[behind] as number) + (r.cost[behind] as number);
    const secondsBehind = l === L - 1 ? 0 : (r.secondsFrom[behind] as number) + (r.seconds[behind] as number);
    const ahead = (l - 1) * D;
    for (let s = 0; s < stage.sets.length; s++) {
      const set = stage.sets[s] as readonly number[];
      const at = l * S + s;
      if (!mayRun(instance, l, set)) continue;
      f.setLegal[at] = 1;
      const k = set.length;
      let slowest = 0;
      let joules = 0;
      let tightest = 0;
      let drain = 0;
      let untrusted = 0;
      let own = 0;
      let priceTo = 0;
      let priceFrom = 0;
      for (let m = 0; m < k; m++) {
        const d = set[m] as number;
        const device = devices[d] as DeviceInstance;
        members[at * D + d] = 1 / k;
        const seconds = device.wait + ((r.seconds[l * D + d] as number) - device.wait) / k;
        if (seconds > slowest) slowest = seconds;
        const spent = (macs / k) * device.joulesPerMac;
        joules += spent;
        const held = (bytes / k + activation) / device.memory;
        if (held > tightest) tightest = held;
        const share = spent / device.energy;
        if (share > drain) drain = share;
        if (!device.trusted) untrusted++;
        if (d === source) own = 1;
        if (before >= 0) priceTo += r.carried[before * D + d] as number;
        priceFrom += r.carried[d * D + after] as number;
      }
      let costTo = 0;
      let secondsTo = 0;
      if (before >= 0) {
        r.links.transfer(one, set, into, arrivals);
        let hop = 0;
        for (let m = 0; m < k; m++) if ((arrivals[m] as number) > hop) hop = arrivals[m] as number;
        if (hop > far) hop = far;
        secondsTo = (r.secondsTo[ahead + before] as number) + hop;
        costTo = (r.costTo[ahead + before] as number) + weights.time * hop + into * priceTo;
        // Staying costs nothing: it may have the input already.
        const d = set[0] as number;
        if (k === 1 && (r.costTo[ahead + d] as number) < costTo) {
          costTo = r.costTo[ahead + d] as number;
          secondsTo = r.secondsTo[ahead + d] as number;
        }
      }
      const sent = stage.split === 'partial-sums' ? out : out / k;
      r.links.transfer(set, other, sent, arrivals);
      const hop = Math.min(arrivals[0] as number, far);
      const costFrom = weights.time * hop + sent * priceFrom + costBehind;
      const cost = weights.time * slowest + weights.energy * joules;
      const row = at * FEATURES.set;
      x[row] = k === 1 ? 1 : 0;
      x[row + 1] = k === 2 ? 1 : 0;
      x[row + 2] = own;
      x[row + 3] = untrusted / k;
      x[row + 4] = log((slowest / deadline) * L);
      x[row + 5] = log((cost / f.unit) * L);
      x[row + 6] = log(tightest);
      x[row + 7] = log(drain);
      x[row + 8] = regret(costTo + cost + costFrom, r.leastCost);
      x[row + 9] = regret(secondsTo + slowest + hop + secondsBehind, r.leastSeconds);
      x[row + 10] = log((hop / deadline) * L);
      x[row + 11] = tightest > 1 || drain > 1 ? 1 : 0;
    }
  }
}

/** The device with the least of a row. */
function cheapest(
  values: Float64Array,
  from: number,
  D: number,
  more?: Float64Array,
  legal?: Uint8Array,
): number {
  let best = 0;
  let least = Number.POSITIVE_INFINITY;
  for (let d = 0; d < D; d++) {
    if (legal && legal[from + d] !== 1) continue;
    const value = (values[from + d] as number) + (more ? (more[from + d] as number) : 0);
    if (value < least) {
      least = value;
      best = d;
    }
  }
  return best;
}
