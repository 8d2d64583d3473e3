// Planning as a mixed-integer linear program without big constants: the split arc flow of
// docs/formulation.md. `run` (y), `send` (f) and `work` (g) are flows of one unit from the first stage to the last.
// `run` and `lost` are integer; `work` follows from `run` unless a stage has inner choices, which could be mixed
// otherwise.
import { must } from '../../util/index.ts';
import type { GraphLayer, GraphPath, LayeredGraph } from '../exact/graph/graph.ts';
import { Links, sentBytes, transferJoules } from '../problem/cost.ts';
import { MAX_SET_SIZE } from '../problem/instance.ts';
import { LinearProgram, Terms } from './linear-program.ts';
import { safeNames } from './names.ts';

/** A program, and where the columns of a plan stand in it. */
export interface PlanningModel {
  readonly program: LinearProgram;
  /** By layer and state: columns of `run`; -1 where a state cannot be. */
  readonly run: readonly Int32Array[];
  /** By layer: columns of `work`, `[set * choices + choice]`; -1 where a choice cannot be. */
  readonly work: readonly Int32Array[];
}

/** Builds the program. Limits are scaled to 1. */
export function buildModel(graph: LayeredGraph): PlanningModel {
  return new ModelBuilder(graph).build();
}

class ModelBuilder {
  readonly #graph: LayeredGraph;
  readonly #program = new LinearProgram();
  readonly #stages: readonly string[];
  readonly #devices: readonly string[];
  readonly #deadline = new Terms();
  readonly #memory: readonly Terms[];
  readonly #energy: readonly Terms[];
  readonly #steps = new Terms();
  readonly #links: Links;

  constructor(graph: LayeredGraph) {
    const { stages, devices } = graph.instance;
    this.#graph = graph;
    this.#links = new Links(graph.instance);
    this.#stages = safeNames(stages.map(({ name }) => name));
    this.#devices = safeNames(devices.map(({ name }) => name));
    this.#memory = devices.map(() => new Terms());
    this.#energy = devices.map(() => new Terms());
  }

  build(): PlanningModel {
    const program = this.#program;
    const { layers, instance, accuracy } = this.#graph;
    const run = layers.map((layer, l) => this.#runs(layer, l));
    const work = layers.map((layer, l) => this.#works(layer, l));
    layers.forEach((layer, l) => {
      this.#hop(layer, l, run[l - 1], work[l] as Int32Array);
      this.#outflow(layer, l, run[l] as Int32Array, work[l] as Int32Array);
    });
    this.#home(run[layers.length - 1] as Int32Array);
    program.row('deadline', this.#deadline, Number.NEGATIVE_INFINITY, 1);
    instance.devices.forEach((device, d) => {
      const name = this.#devices[d];
      if (Number.isFinite(device.memory)) this.#limitMemory(d, work);
      const energy = this.#energy[d] as Terms;
      if (Number.isFinite(device.energy)) {
        program.row(`energy.${name}`, energy, Number.NEGATIVE_INFINITY, device.energy > 0 ? 1 : 0);
      }
    });
    const one = new Terms();
    accuracy.forEach((cost, steps) => {
      const column = program.column(`lost.${steps}`, 1, true, cost);
      one.add(column, 1);
      this.#steps.add(column, -steps);
    });
    program.row('accuracy.one', one, 1, 1);
    program.row('accuracy.floor', this.#steps, Number.NEGATIVE_INFINITY, 0);
    return { program, run, work };
  }

  #set(set: readonly number[]): string {
    return set.map((d) => this.#devices[d]).join('_and_');
  }

  #runs(layer: GraphLayer, l: number): Int32Array {
    return Int32Array.from({ length: layer.states }, (_, state) => {
      const set = must(layer.sets[Math.floor(state / layer.levels)], 'a set');
      const name = `run.${this.#stages[l]}.on.${this.#set(set)}.level${state % layer.levels}`;
      return this.#program.column(name, 1, true);
    });
  }

  /** Columns of computations, with weights, joules and loss, but without time. */
  #works(layer: GraphLayer, l: number): Int32Array {
    const choices = layer.choice.length;
    const columns = new Int32Array(layer.sets.length * choices).fill(-1);
    const { devices, weights, stages } = this.#graph.instance;
    const { inner } = must(stages[l], 'a stage');
    layer.sets.forEach((set, s) => {
      for (let c = 0; c < choices; c++) {
        if (!Number.isFinite(layer.seconds[s * MAX_SET_SIZE * choices + c])) continue;
        const name = `work.${this.#stages[l]}.on.${this.#set(set)}.choice${layer.choice[c]}`;
        const column = this.#program.column(name, 1, inner > 1);
        columns[s * choices + c] = column;
        this.#steps.add(column, layer.steps[c] as number);
        for (const d of set) {
          const device = must(devices[d], 'a device');
          const joules = ((layer.macs[c] as number) / set.length) * device.joulesPerMac;
          this.#useEnergy(d, column, joules);
          this.#program.addCost(column, weights.energy * joules);
          const bytes = (layer.weightBytes[c] as number) / set.length;
          (this.#memory[d] as Terms).add(column, bytes / (device.memory || 1));
        }
      }
    });
    return columns;
  }

  /** Transfers into a layer, the flow between them and its computations, and the time of both. */
  #hop(layer: GraphLayer, l: number, before: Int32Array | undefined, work: Int32Array): void {
    const program = this.#program;
    const choices = layer.choice.length;
    const leaving = Array.from({ length: layer.before }, () => new Terms());
    const begin = new Terms();
    layer.sets.forEach((set, t) => {
      for (let p = 0; p < layer.levelsIn; p++) {
        const flow = new Terms();
        // By member: seconds until it is done.
        const ends = set.map(() => new Terms());
        for (let c = layer.start[p] as number; c < (layer.start[p + 1] as number); c++) {
          const column = work[t * choices + c] as number;
          if (column < 0) continue;
          flow.add(column, -1);
          begin.add(column, 1);
          ends.forEach((terms, m) => {
            terms.add(column, layer.seconds[(t * MAX_SET_SIZE + m) * choices + c] as number);
          });
        }
        for (let state = p; before && state < layer.before; state += layer.levelsIn) {
          const send = this.#send(l, state, set);
          if (!send) continue;
          flow.add(send.column, 1);
          (leaving[state] as Terms).add(send.column, 1);
          ends.forEach((terms, m) => {
            terms.add(send.column, send.arrivals[m] as number);
          });
        }
        const node = `${this.#stages[l]}.on.${this.#set(set)}.from_level${p}`;
        if (before) program.row(`pass.${node}`, flow, 0, 0);
        this.#takeTime(node, ends);
      }
    });
    if (!before) program.row('begin', begin, 1, 1);
    else {
      leaving.forEach((terms, state) => {
        terms.add(before[state] as number, -1);
        program.row(`leave.${this.#stages[l - 1]}.${state}`, terms, 0, 0);
      });
    }
  }

  /** One transfer with its joules; undefined where a link is missing. */
  #send(
    l: number,
    state: number,
    to: readonly number[],
  ): { column: number; arrivals: Float64Array } | undefined {
    const { instance, layers } = this.#graph;
    const layer = must(layers[l - 1], 'a layer before');
    const level = state % layer.levels;
    const from = must(layer.sets[Math.floor(state / layer.levels)], 'a set');
    const bytes = sentBytes(must(instance.stages[l - 1], 'a stage before'), level, from.length);
    const arrivals = new Float64Array(to.length);
    this.#links.transfer(from, to, bytes, arrivals);
    if (!arrivals.every(Number.isFinite)) return undefined;
    const name = `send.${this.#stages[l - 1]}.from.${this.#set(from)}.level${level}.to.${this.#set(to)}`;
    const column = this.#program.column(name, 1, false);
    this.#carry(column, from, to, bytes);
    return { column, arrivals };
  }

  /** Joules of a transfer. */
  #carry(column: number, from: readonly number[], to: readonly number[], bytes: number): void {
    const { devices, weights } = this.#graph.instance;
    for (const d of from) {
      for (const e of to) {
        if (d === e) continue;
        const { sent, received } = transferJoules(
          bytes,
          must(devices[d], 'a sender'),
          must(devices[e], 'a receiver'),
        );
        this.#useEnergy(d, column, sent);
        this.#useEnergy(e, column, received);
        this.#program.addCost(column, weights.energy * (sent + received));
      }
    }
  }

  /** The largest of the members' ends: a linear function for one member, a column above all of them for several. */
  #takeTime(node: string, ends: readonly Terms[]): void {
    const { weights, deadline } = this.#graph.instance;
    const [only] = ends;
    if (only && ends.length === 1) {
      for (const [column, seconds] of only.byColumn) {
        this.#program.addCost(column, weights.time * seconds);
        this.#deadline.add(column, seconds / deadline);
      }
      return;
    }
    const column = this.#program.column(`time.${node}`, Number.POSITIVE_INFINITY, false, weights.time);
    this.#deadline.add(column, 1 / deadline);
    ends.forEach((terms, m) => {
      const row = new Terms().add(column, 1);
      for (const [other, seconds] of terms.byColumn) row.add(other, -seconds);
      this.#program.row(`time.${node}.member${m}`, row, 0, Number.POSITIVE_INFINITY);
    });
  }

  /** Output leaves a stage with the level that it was computed at. */
  #outflow(layer: GraphLayer, l: number, run: Int32Array, work: Int32Array): void {
    const choices = layer.choice.length;
    const into = Array.from({ length: layer.states }, () => new Terms());
    layer.sets.forEach((_, s) => {
      for (let c = 0; c < choices; c++) {
        const column = work[s * choices + c] as number;
        if (column >= 0) (into[s * layer.levels + (layer.out[c] as number)] as Terms).add(column, 1);
      }
    });
    into.forEach((terms, state) => {
      this.#program.row(`arrive.${this.#stages[l]}.${state}`, terms.add(run[state] as number, -1), 0, 0);
    });
  }

  /** The result's way to the source. */
  #home(run: Int32Array): void {
    const { instance, layers, returnSeconds, returnSent } = this.#graph;
    const last = must(layers.at(-1), 'a layer');
    const never = new Terms();
    run.forEach((column, state) => {
      const seconds = returnSeconds[state] as number;
      if (!Number.isFinite(seconds)) {
        never.add(column, 1);
        return;
      }
      this.#program.addCost(column, instance.weights.time * seconds);
      this.#deadline.add(column, seconds / instance.deadline);
      const set = must(last.sets[Math.floor(state / last.levels)], 'a set');
      this.#carry(column, set, [instance.source], returnSent[state] as number);
    });
    if (never.byColumn.size > 0) this.#program.row('no_way_home', never, 0, 0);
  }

  /** Weights of all stages, and the largest activations of any: one column above each stage's. */
  #limitMemory(d: number, work: readonly Int32Array[]): void {
    const program = this.#program;
    const { memory } = must(this.#graph.instance.devices[d], 'a device');
    const name = this.#devices[d];
    const terms = this.#memory[d] as Terms;
    const held = program.column(`held.${name}`, Number.POSITIVE_INFINITY, false);
    this.#graph.layers.forEach((layer, l) => {
      const choices = layer.choice.length;
      const row = new Terms();
      layer.sets.forEach((set, s) => {
        for (let c = 0; set.includes(d) && c < choices; c++) {
          const column = (work[l] as Int32Array)[s * choices + c] as number;
          if (column >= 0) row.add(column, -(layer.activationBytes[c] as number) / (memory || 1));
        }
      });
      if (row.byColumn.size === 0) return;
      program.row(`held.${name}.${this.#stages[l]}`, row.add(held, 1), 0, Number.POSITIVE_INFINITY);
    });
    program.row(`memory.${name}`, terms.add(held, 1), Number.NEGATIVE_INFINITY, memory > 0 ? 1 : 0);
  }

  #useEnergy(d: number, column: number, joules: number): void {
    const { energy } = must(this.#graph.instance.devices[d], 'a device');
    if (Number.isFinite(energy)) (this.#energy[d] as Terms).add(column, joules / (energy || 1));
  }
}

/** The path that a solution's values stand for: the largest `run` of each layer, then the largest fitting `work`. */
export function pathOfValues(
  graph: LayeredGraph,
  { run, work }: PlanningModel,
  values: ArrayLike<number>,
): GraphPath {
  const path: GraphPath = {
    set: new Int32Array(graph.layers.length),
    choice: new Int32Array(graph.layers.length),
  };
  let level = 0;
  graph.layers.forEach((layer, l) => {
    const columns = run[l] as Int32Array;
    let state = 0;
    columns.forEach((column, at) => {
      if ((values[column] as number) > (values[columns[state] as number] as number)) state = at;
    });
    const set = Math.floor(state / layer.levels);
    const out = state % layer.levels;
    let most = Number.NEGATIVE_INFINITY;
    for (let c = layer.start[level] as number; c < (layer.start[level + 1] as number); c++) {
      const column = (work[l] as Int32Array)[set * layer.choice.length + c] as number;
      if (column < 0 || layer.out[c] !== out || (values[column] as number) <= most) continue;
      most = values[column] as number;
      path.choice[l] = c;
    }
    path.set[l] = set;
    level = out;
  });
  return path;
}
