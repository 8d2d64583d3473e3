// Features of candidate sets: what their members take, and how far the cheapest rough way through them is from the
// best.
import {
  type DeviceInstance,
  MAX_SET_SIZE,
  mayRun,
  type PlanningInstance,
  type StageInstance,
} from '../../plan/internal.ts';
import { FEATURE_AT, FEATURES } from './feature-names.ts';
import type { ChainRelaxation } from './relaxation.ts';
import { log, regret } from './scales.ts';

/** Longest hop that is told apart, in deadlines. */
const FAR = 4;
const AT = FEATURE_AT.set;
const ARRIVALS = new Float64Array(MAX_SET_SIZE);
/** The one device before, and the one behind. */
const BEFORE = [0];
const BEHIND = [0];

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

/** What the sets of one stage have in common. Filled anew for every stage. */
const NEIGHBOURS = {
  /** The cheapest devices before and behind stand for all of them; -1 before the first stage. */
  before: -1,
  after: 0,
  /** Bytes that come in and go out. */
  into: 0,
  out: 0,
  /** What follows the hop to the device behind. */
  costBehind: 0,
  secondsBehind: 0,
};

/** What the members of one set take together. Filled anew for every set. */
const TAKEN = {
  slowest: 0,
  joules: 0,
  /** Largest shares of memory and of energy. */
  memory: 0,
  energy: 0,
  untrusted: 0,
  hasSource: 0,
  /** Price of a byte from the device before, and to the one behind. */
  priceTo: 0,
  priceFrom: 0,
};

/** The cheapest way to a set, its hop counted. Filled anew for every set. */
const WAY = { seconds: 0, cost: 0 };

/** Fills `set`, `members` and `setLegal`. */
export function setFeatures(instance: PlanningInstance, f: SetTables): void {
  for (let l = 0; l < instance.stages.length; l++) {
    const { sets } = instance.stages[l] as StageInstance;
    findNeighbours(instance, f.relaxation, l);
    for (let s = 0; s < sets.length; s++) {
      const set = sets[s] as readonly number[];
      if (!mayRun(instance, l, set)) continue;
      f.setLegal[l * f.sets + s] = 1;
      sumMembers(instance, f, l, s);
      wayTo(instance, f.relaxation, l, set);
      fillSet(instance, f, l, s);
    }
  }
}

function findNeighbours({ stages, devices, source }: PlanningInstance, r: ChainRelaxation, l: number): void {
  const [L, D] = [stages.length, devices.length];
  const before = l === 0 ? -1 : cheapest(r.costTo, (l - 1) * D, D);
  const after = l === L - 1 ? source : cheapest(r.costFrom, (l + 1) * D, D, r.cost, r.legal);
  const behind = (l + 1) * D + after;
  const last = l === L - 1;
  BEFORE[0] = before;
  BEHIND[0] = after;
  NEIGHBOURS.before = before;
  NEIGHBOURS.after = after;
  NEIGHBOURS.out = r.bytes[l + 1] as number;
  NEIGHBOURS.into = l === 0 ? 0 : (r.bytes[l] as number);
  NEIGHBOURS.costBehind = last ? 0 : (r.costFrom[behind] as number) + (r.cost[behind] as number);
  NEIGHBOURS.secondsBehind = last ? 0 : (r.secondsFrom[behind] as number) + (r.seconds[behind] as number);
}

/** Fills `TAKEN`, and the set's row of `members`. */
function sumMembers({ stages, devices, source }: PlanningInstance, f: SetTables, l: number, s: number): void {
  const D = devices.length;
  const r = f.relaxation;
  const stage = stages[l] as StageInstance;
  const set = stage.sets[s] as readonly number[];
  const c = r.choice[l] as number;
  const macs = stage.macs[c] as number;
  const bytes = stage.weightBytes[c] as number;
  const activation = stage.activationBytes[c] as number;
  const { before, after } = NEIGHBOURS;
  const k = set.length;
  let [slowest, joules, memory, energy] = [0, 0, 0, 0];
  let [untrusted, hasSource, priceTo, priceFrom] = [0, 0, 0, 0];
  for (let m = 0; m < k; m++) {
    const d = set[m] as number;
    const device = devices[d] as DeviceInstance;
    f.members[(l * f.sets + s) * D + d] = 1 / k;
    const seconds = device.wait + ((r.seconds[l * D + d] as number) - device.wait) / k;
    if (seconds > slowest) slowest = seconds;
    const spent = (macs / k) * device.joulesPerMac;
    joules += spent;
    const held = (bytes / k + activation) / device.memory;
    if (held > memory) memory = held;
    const share = spent / device.energy;
    if (share > energy) energy = share;
    if (!device.trusted) untrusted++;
    if (d === source) hasSource = 1;
    if (before >= 0) priceTo += r.carried[before * D + d] as number;
    priceFrom += r.carried[d * D + after] as number;
  }
  TAKEN.slowest = slowest;
  TAKEN.joules = joules;
  TAKEN.memory = memory;
  TAKEN.energy = energy;
  TAKEN.untrusted = untrusted;
  TAKEN.hasSource = hasSource;
  TAKEN.priceTo = priceTo;
  TAKEN.priceFrom = priceFrom;
}

/** Fills `WAY`. */
function wayTo(instance: PlanningInstance, r: ChainRelaxation, l: number, set: readonly number[]): void {
  const { devices, weights, deadline } = instance;
  const { before, into } = NEIGHBOURS;
  const ahead = (l - 1) * devices.length;
  WAY.seconds = 0;
  WAY.cost = 0;
  if (before < 0) return;
  r.links.transfer(BEFORE, set, into, ARRIVALS);
  let hop = 0;
  for (let m = 0; m < set.length; m++) if ((ARRIVALS[m] as number) > hop) hop = ARRIVALS[m] as number;
  const far = FAR * deadline;
  if (hop > far) hop = far;
  WAY.seconds = (r.secondsTo[ahead + before] as number) + hop;
  WAY.cost = (r.costTo[ahead + before] as number) + weights.time * hop + into * TAKEN.priceTo;
  // Staying costs nothing: it may have the input already.
  const d = set[0] as number;
  if (set.length === 1 && (r.costTo[ahead + d] as number) < WAY.cost) {
    WAY.cost = r.costTo[ahead + d] as number;
    WAY.seconds = r.secondsTo[ahead + d] as number;
  }
}

/** The set's features from what was found. */
function fillSet({ stages, weights, deadline }: PlanningInstance, f: SetTables, l: number, s: number): void {
  const L = stages.length;
  const stage = stages[l] as StageInstance;
  const set = stage.sets[s] as readonly number[];
  const r = f.relaxation;
  const x = f.set;
  const { out, costBehind, secondsBehind } = NEIGHBOURS;
  const { slowest, joules, memory, energy, priceFrom } = TAKEN;
  const k = set.length;
  const sent = stage.split === 'partial-sums' ? out : out / k;
  r.links.transfer(set, BEHIND, sent, ARRIVALS);
  const hop = Math.min(ARRIVALS[0] as number, FAR * deadline);
  const costFrom = weights.time * hop + sent * priceFrom + costBehind;
  const cost = weights.time * slowest + weights.energy * joules;
  const row = (l * f.sets + s) * FEATURES.set;
  x[row + AT.single] = k === 1 ? 1 : 0;
  x[row + AT.pair] = k === 2 ? 1 : 0;
  x[row + AT.hasSource] = TAKEN.hasSource;
  x[row + AT.untrusted] = TAKEN.untrusted / k;
  x[row + AT.time] = log((slowest / deadline) * L);
  x[row + AT.workCost] = log((cost / f.unit) * L);
  x[row + AT.memory] = log(memory);
  x[row + AT.energy] = log(energy);
  x[row + AT.costRegret] = regret(WAY.cost + cost + costFrom, r.leastCost);
  x[row + AT.timeRegret] = regret(WAY.seconds + slowest + hop + secondsBehind, r.leastSeconds);
  x[row + AT.sendTime] = log((hop / deadline) * L);
  x[row + AT.tooLarge] = memory > 1 || energy > 1 ? 1 : 0;
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
