// The limits of an instance as rows, each in shares of its limit: row 0 is the deadline, then come memory and energy of
// every device. Rows that no plan can break are left out of the search.

import { MAX_SET_SIZE } from '../../problem/instance.ts';
import type { GraphLayer, GraphPath, LayeredGraph } from './graph.ts';

/** All constraints by row, active or not. */
export interface Constraints {
  readonly count: number;
  /** The limit itself, a share of 1: seconds, bytes or joules. */
  readonly scale: Float64Array;
  /**
   * The share left for what adds up along a path. For memory, the least activations of any stage that the device may
   * run are taken off; a plan that does not use the device keeps this too.
   */
  readonly capacity: Float64Array;
  /** 1 where some path could break it. */
  readonly active: Uint8Array;
}

export const TIME_ROW = 0;
export const memoryRow = (device: number): number => 1 + device;
export const energyRow = (device: number, devices: number): number => 1 + devices + device;

/** The constraints of a graph. */
export function constraintsOf(graph: LayeredGraph): Constraints {
  const { instance, layers } = graph;
  const { devices, source } = instance;
  const D = devices.length;
  const count = 1 + 2 * D;
  const scale = new Float64Array(count);
  const capacity = new Float64Array(count).fill(1);
  const { use, least, most } = extremes(graph, layers);
  // Every plan runs stage 0 on the source.
  least[source] = extremes(graph, layers.slice(0, 1)).least[source] as number;
  scale[TIME_ROW] = instance.deadline;
  devices.forEach((device, d) => {
    scale[memoryRow(d)] = device.memory;
    scale[energyRow(d, D)] = device.energy;
    const share = (least[d] as number) / device.memory;
    if (share > 0 && Number.isFinite(share)) capacity[memoryRow(d)] = Math.max(0, 1 - share);
    // The largest activations may come with little weight.
    use[memoryRow(d)] = (use[memoryRow(d)] as number) + (most[d] as number);
  });
  // A limit of 0 leaves only arcs that use nothing of it; the search looks at each arc alone too.
  const active = Uint8Array.from(scale, (limit, r) => Number(limit > 0 && (use[r] as number) > limit));
  return { count, scale, capacity, active };
}

interface Extremes {
  /** An upper bound of what a path can use of every row. */
  readonly use: Float64Array;
  /** By device: the least and the largest activations of anything it may run. */
  readonly least: Float64Array;
  readonly most: Float64Array;
}

function extremes(
  { instance, returnSeconds, returnSent }: LayeredGraph,
  layers: readonly GraphLayer[],
): Extremes {
  const { devices } = instance;
  const D = devices.length;
  const use = new Float64Array(1 + 2 * D);
  const least = new Float64Array(D).fill(Number.POSITIVE_INFINITY);
  const most = new Float64Array(D);
  const weights = new Float64Array(D);
  const macs = new Float64Array(D);
  const carry = (bytes: number): void =>
    devices.forEach((device, d) => {
      const joules = MAX_SET_SIZE * bytes * (device.joulesPerByteSent + device.joulesPerByteReceived);
      add(use, energyRow(d, D), joules);
    });
  for (const layer of layers) {
    weights.fill(0);
    macs.fill(0);
    let slowest = 0;
    const choices = layer.choice.length;
    for (let s = 0; s < layer.sets.length; s++) {
      const set = layer.sets[s] as readonly number[];
      const share = 1 / set.length;
      for (let c = 0; c < choices; c++) {
        const bytes = (layer.weightBytes[c] as number) * share;
        const work = (layer.macs[c] as number) * share;
        const held = layer.activationBytes[c] as number;
        for (let m = 0; m < set.length; m++) {
          const seconds = layer.seconds[(s * MAX_SET_SIZE + m) * choices + c] as number;
          if (seconds === Number.POSITIVE_INFINITY) break;
          const d = set[m] as number;
          if (seconds > slowest) slowest = seconds;
          if (bytes > (weights[d] as number)) weights[d] = bytes;
          if (work > (macs[d] as number)) macs[d] = work;
          if (held < (least[d] as number)) least[d] = held;
          if (held > (most[d] as number)) most[d] = held;
        }
      }
    }
    add(use, TIME_ROW, slowest + Math.max(largest(layer.arrival), largest(layer.arrivals)));
    devices.forEach((device, d) => {
      add(use, memoryRow(d), weights[d] as number);
      add(use, energyRow(d, D), (macs[d] as number) * device.joulesPerMac);
    });
    carry(largest(layer.sent));
  }
  add(use, TIME_ROW, largest(returnSeconds));
  carry(largest(returnSent));
  return { use, least, most };
}

function largest(values: Float64Array): number {
  let most = 0;
  for (const value of values) if (value > most && value < Number.POSITIVE_INFINITY) most = value;
  return most;
}

function add(values: Float64Array, at: number, more: number): void {
  values[at] = (values[at] as number) + more;
}

/**
 * Adds what one arc uses of every row, in seconds, bytes and joules; returns its share of the objective without
 * accuracy.
 * @param l the arc's layer; the number of layers for the result's way home, when `to` and `choice` are ignored
 * @param from state of the layer before
 */
export function addUse(
  graph: LayeredGraph,
  l: number,
  from: number,
  to: number,
  choice: number,
  use: Float64Array,
): number {
  const { instance, layers } = graph;
  const { devices, weights } = instance;
  const D = devices.length;
  const layer = layers[l];
  const before = layers[l - 1];
  let joules = 0;
  let seconds = 0;
  const size = layer?.sets[to]?.length ?? 1;
  if (before) {
    const senders = before.sets[Math.floor(from / before.levels)] as readonly number[];
    const bytes = (layer ? layer.sent[from] : graph.returnSent[from]) as number;
    const receivers = layer ? (layer.sets[to] as readonly number[]) : [instance.source];
    for (const d of senders) {
      for (const e of receivers) {
        if (d === e) continue;
        const sent = bytes * (devices[d]?.joulesPerByteSent ?? 0);
        const received = bytes * (devices[e]?.joulesPerByteReceived ?? 0);
        add(use, energyRow(d, D), sent);
        add(use, energyRow(e, D), received);
        joules += sent + received;
      }
    }
  }
  if (layer) {
    seconds = arcSeconds(layer, from, to, choice);
    for (const d of layer.sets[to] as readonly number[]) {
      const work = ((layer.macs[choice] as number) / size) * (devices[d]?.joulesPerMac ?? 0);
      add(use, energyRow(d, D), work);
      add(use, memoryRow(d), (layer.weightBytes[choice] as number) / size);
      joules += work;
    }
  } else seconds = graph.returnSeconds[from] as number;
  add(use, TIME_ROW, seconds);
  return weights.time * seconds + weights.energy * joules;
}

/** Seconds of a hop and of the computation that follows. */
export function arcSeconds(layer: GraphLayer, from: number, to: number, choice: number): number {
  const at = from * layer.sets.length + to;
  const critical = layer.critical[at] as number;
  const row = to * MAX_SET_SIZE * layer.choice.length + choice;
  if (critical >= 0) {
    return (layer.arrival[at] as number) + (layer.seconds[row + critical * layer.choice.length] as number);
  }
  const members = (layer.sets[to] as readonly number[]).length;
  let latest = 0;
  for (let m = 0; m < members; m++) {
    const arrival = layer.arrivals[-1 - critical + m] as number;
    const end = arrival + (layer.seconds[row + m * layer.choice.length] as number);
    if (end > latest) latest = end;
  }
  return latest;
}

/** Adds what a path uses of every row; returns its steps of loss and its cost without accuracy. */
export function pathUse(
  graph: LayeredGraph,
  path: GraphPath,
  use: Float64Array,
): { steps: number; cost: number } {
  let steps = 0;
  let cost = 0;
  let state = 0;
  graph.layers.forEach((layer, l) => {
    const [set, choice] = [path.set[l] as number, path.choice[l] as number];
    cost += addUse(graph, l, state, set, choice, use);
    steps += layer.steps[choice] as number;
    state = set * layer.levels + (layer.out[choice] as number);
  });
  cost += addUse(graph, graph.layers.length, state, 0, 0, use);
  return { steps, cost };
}
