// The Lagrangian pass: dynamic programming for the cheapest way from every state to the end, where seconds, bytes of
// memory, joules of each device and steps of loss have prices. learn/policy/candidate-pass.ts does the same on few
// candidates and without members that end apart; the two share what is the same in both (`bytePrice`,
// `leastAccuracyTerm`).

import { MAX_SET_SIZE } from '../../problem/instance.ts';
import { type Constraints, energyRow, memoryRow, TIME_ROW } from '../graph/constraints.ts';
import type { GraphLayer, GraphPath, LayeredGraph } from '../graph/graph.ts';
import { bytePrice } from './byte-price.ts';

/** Prices: of the whole limit of every constraint, by its row, and of one step of accuracy loss. */
export interface RowPrices {
  readonly rows: Float64Array;
  readonly step: number;
}

/** The tables of one graph. `run` fills them for one set of prices; they are used again for the next. */
export class LagrangianPass {
  readonly graph: LayeredGraph;
  readonly constraints: Constraints;
  /** Price of a second. */
  time = 0;
  /** By layer and state: price of the cheapest way to the end, the result's way home included. */
  readonly toGo: readonly Float64Array[];
  /**
   * By layer: cheapest from a node on when this member ends last: `[(levelIn * sets + set) * MAX_SET_SIZE + member]`.
   */
  readonly after: readonly Float64Array[];
  /**
   * Price of a byte that each member of a set sends to each of another: `[from * sets + to]`, by the graph's numbers.
   */
  readonly byte: Float64Array;
  /** By layer and set before and set: numbers of the pair in `byte`. */
  readonly pair: readonly Int32Array[];
  /** By layer: price of a choice on a set, time apart: `[set * choices + choice]`. */
  readonly work: readonly Float64Array[];
  readonly #members: readonly Uint8Array[];
  /** Prices of a byte from one set to those of a layer. */
  readonly #bytePrices: Float64Array;

  constructor(graph: LayeredGraph, constraints: Constraints) {
    this.graph = graph;
    this.constraints = constraints;
    const { layers } = graph;
    this.toGo = layers.map(({ states }) => new Float64Array(states));
    this.after = layers.map(({ sets, levelsIn }) => new Float64Array(levelsIn * sets.length * MAX_SET_SIZE));
    this.byte = new Float64Array(graph.sets.length ** 2);
    this.pair = layers.map(({ number, sets }, l) => {
      const before = layers[l - 1]?.number ?? new Int32Array(1);
      const count = sets.length;
      return Int32Array.from(
        { length: before.length * count },
        (_, at) =>
          (before[Math.floor(at / count)] as number) * graph.sets.length + (number[at % count] as number),
      );
    });
    this.work = layers.map(({ sets, choice }) => new Float64Array(sets.length * choice.length));
    this.#bytePrices = new Float64Array(layers.reduce((most, { sets }) => Math.max(most, sets.length), 0));
    this.#members = layers.map(({ sets }) => Uint8Array.from(sets, ({ length }) => length));
  }

  /**
   * Fills the tables; returns the cheapest path's price. With `offsetOf` (root.ts) it bounds the objective from below.
   */
  run(prices: RowPrices): number {
    this.#price(prices);
    const { layers, returnSeconds } = this.graph;
    const last = layers.length - 1;
    const end = this.toGo[last] as Float64Array;
    const home = this.#home;
    for (let i = 0; i < end.length; i++)
      end[i] = (home[i] as number) + this.time * (returnSeconds[i] as number);
    for (let l = last; l >= 1; l--) {
      this.#nodes(l);
      this.#hops(l);
    }
    this.#nodes(0);
    return (this.after[0] as Float64Array)[0] as number;
  }

  #home = new Float64Array(0);

  #price({ rows: price, step }: RowPrices): void {
    const { graph, constraints } = this;
    const { devices, weights } = graph.instance;
    const D = devices.length;
    const per = (row: number): number =>
      constraints.active[row] ? (price[row] as number) / (constraints.scale[row] as number) : 0;
    this.time = weights.time + per(TIME_ROW);
    const joule = devices.map((_, d) => weights.energy + per(energyRow(d, D)));
    const held = devices.map((_, d) => per(memoryRow(d)));
    const sent = Float64Array.from(devices, (device, d) => device.joulesPerByteSent * (joule[d] as number));
    const received = Float64Array.from(
      devices,
      (device, d) => device.joulesPerByteReceived * (joule[d] as number),
    );
    const sum = (set: readonly number[], of: readonly number[]): number => {
      let total = 0;
      for (const d of set) total += of[d] as number;
      return total;
    };
    const work = devices.map((device, d) => device.joulesPerMac * (joule[d] as number));
    graph.layers.forEach((layer, l) => {
      const { sets, choice } = layer;
      const table = this.work[l] as Float64Array;
      sets.forEach((set, s) => {
        const perMac = sum(set, work) / set.length;
        const perByte = sum(set, held) / set.length;
        for (let c = 0; c < choice.length; c++) {
          table[s * choice.length + c] =
            (layer.macs[c] as number) * perMac +
            (layer.weightBytes[c] as number) * perByte +
            (layer.steps[c] as number) * step;
        }
      });
    });
    this.#priceBytes(sent, received);
    const last = graph.layers[graph.layers.length - 1] as GraphLayer;
    const source = graph.instance.source;
    this.#home = Float64Array.from({ length: last.states }, (_, state) => {
      const bytes = graph.returnSent[state] as number;
      let price = 0;
      for (const d of last.sets[Math.floor(state / last.levels)] as readonly number[]) {
        if (d !== source) price += bytes * ((sent[d] as number) + (received[source] as number));
      }
      return price;
    });
  }

  #priceBytes(sent: Float64Array, received: Float64Array): void {
    const { sets } = this.graph;
    const count = sets.length;
    for (let s = 0; s < count; s++) {
      const from = sets[s] as readonly number[];
      for (let t = 0; t < count; t++) {
        this.byte[s * count + t] = bytePrice(from, sets[t] as readonly number[], sent, received);
      }
    }
  }

  /** Cheapest from every node (set, level in) of a layer, by the member that ends last. */
  #nodes(l: number): void {
    const layer = this.graph.layers[l] as GraphLayer;
    const { sets, levelsIn, levels, start, out, seconds } = layer;
    const choices = layer.choice.length;
    const after = this.after[l] as Float64Array;
    const toGo = this.toGo[l] as Float64Array;
    const work = this.work[l] as Float64Array;
    const members = this.#members[l] as Uint8Array;
    const { time } = this;
    for (let p = 0; p < levelsIn; p++) {
      const [low, high] = [start[p] as number, start[p + 1] as number];
      for (let t = 0; t < sets.length; t++) {
        for (let m = 0; m < (members[t] as number); m++) {
          const row = (t * MAX_SET_SIZE + m) * choices;
          let best = Number.POSITIVE_INFINITY;
          for (let c = low; c < high; c++) {
            const value =
              time * (seconds[row + c] as number) +
              (work[t * choices + c] as number) +
              (toGo[t * levels + (out[c] as number)] as number);
            if (value < best) best = value;
          }
          after[(p * sets.length + t) * MAX_SET_SIZE + m] = best;
        }
      }
    }
  }

  /** Cheapest from every state of the layer before `l`. */
  #hops(l: number): void {
    const layer = this.graph.layers[l] as GraphLayer;
    const { levelsIn, before, arrival, critical, sent } = layer;
    const count = layer.sets.length;
    const after = this.after[l] as Float64Array;
    const { byte } = this;
    const pair = this.pair[l] as Int32Array;
    const toGo = this.toGo[l - 1] as Float64Array;
    const { time } = this;
    const prices = this.#bytePrices;
    for (let state = 0; state < before; state++) {
      const from = Math.floor(state / levelsIn);
      const p = state - from * levelsIn;
      if (p === 0) {
        for (let t = 0; t < count; t++) prices[t] = byte[pair[from * count + t] as number] as number;
      }
      const bytes = sent[state] as number;
      const row = state * count;
      let node = p * count * MAX_SET_SIZE;
      let best = Number.POSITIVE_INFINITY;
      for (let t = 0; t < count; t++, node += MAX_SET_SIZE) {
        const last = critical[row + t] as number;
        const carried = bytes * (prices[t] as number);
        if (last >= 0) {
          const value = carried + time * (arrival[row + t] as number) + (after[node + last] as number);
          if (value < best) best = value;
        } else if (carried + this.atLeast(l, t, last, node) < best) {
          const value = carried + this.#apart(l, t, last, p);
          if (value < best) best = value;
        }
      }
      toGo[state] = best;
    }
  }

  /** Price of a byte from a set of the layer before to a set. */
  bytePrice(l: number, from: number, to: number): number {
    const pair = this.pair[l] as Int32Array;
    const count = (this.#members[l] as Uint8Array).length;
    return this.byte[pair[from * count + to] as number] as number;
  }

  /** A lower bound of the price of a computation and the rest; exact where one member ends last whatever is chosen. */
  nodePrice(l: number, set: number, critical: number, arrival: number, levelIn: number): number {
    const node = (levelIn * (this.#members[l] as Uint8Array).length + set) * MAX_SET_SIZE;
    if (critical < 0) return this.atLeast(l, set, critical, node);
    return this.time * arrival + ((this.after[l] as Float64Array)[node + critical] as number);
  }

  /** A lower bound of `#apart`: the largest price of any member alone. */
  atLeast(l: number, set: number, critical: number, node: number): number {
    const { arrivals } = this.graph.layers[l] as GraphLayer;
    const after = this.after[l] as Float64Array;
    const members = (this.#members[l] as Uint8Array)[set] as number;
    let bound = Number.NEGATIVE_INFINITY;
    for (let m = 0; m < members; m++) {
      const value = this.time * (arrivals[-1 - critical + m] as number) + (after[node + m] as number);
      if (value > bound) bound = value;
    }
    return bound;
  }

  /** Cheapest from a node on where the choice decides which member ends last. */
  #apart(l: number, set: number, critical: number, levelIn: number): number {
    const layer = this.graph.layers[l] as GraphLayer;
    let best = Number.POSITIVE_INFINITY;
    const end = layer.start[levelIn + 1] as number;
    for (let c = layer.start[levelIn] as number; c < end; c++) {
      const value = this.choicePrice(l, set, critical, 0, c);
      if (value < best) best = value;
    }
    return best;
  }

  /**
   * Price from a node on by one choice: time until the set is done, counted from the start of the hop, and the rest.
   */
  choicePrice(l: number, set: number, critical: number, arrival: number, c: number): number {
    const layer = this.graph.layers[l] as GraphLayer;
    const choices = layer.choice.length;
    let latest: number;
    const row = set * MAX_SET_SIZE * choices + c;
    if (critical >= 0) latest = arrival + (layer.seconds[row + critical * choices] as number);
    else {
      latest = 0;
      const members = (this.#members[l] as Uint8Array)[set] as number;
      for (let m = 0; m < members; m++) {
        const value =
          (layer.arrivals[-1 - critical + m] as number) + (layer.seconds[row + m * choices] as number);
        if (value > latest) latest = value;
      }
    }
    return (
      this.time * latest +
      ((this.work[l] as Float64Array)[set * choices + c] as number) +
      ((this.toGo[l] as Float64Array)[set * layer.levels + (layer.out[c] as number)] as number)
    );
  }

  /** Writes the cheapest path of the last run into `path`; false when there is none. */
  path(path: GraphPath): boolean {
    const { layers } = this.graph;
    let state = 0;
    for (let l = 0; l < layers.length; l++) {
      const layer = layers[l] as GraphLayer;
      const count = layer.sets.length;
      const from = Math.floor(state / layer.levelsIn);
      const p = state - from * layer.levelsIn;
      let best = Number.POSITIVE_INFINITY;
      let [bestSet, bestChoice] = [-1, -1];
      for (let t = 0; t < count; t++) {
        const last = layer.critical[state * count + t] as number;
        const arrival = layer.arrival[state * count + t] as number;
        const carried = (layer.sent[state] as number) * this.bytePrice(l, from, t);
        if (!(carried + this.nodePrice(l, t, last, arrival, p) < best)) continue;
        for (let c = layer.start[p] as number; c < (layer.start[p + 1] as number); c++) {
          const value = carried + this.choicePrice(l, t, last, arrival, c);
          if (value < best) {
            best = value;
            [bestSet, bestChoice] = [t, c];
          }
        }
      }
      if (bestSet < 0) return false;
      path.set[l] = bestSet;
      path.choice[l] = bestChoice;
      state = bestSet * layer.levels + (layer.out[bestChoice] as number);
    }
    return true;
  }
}
