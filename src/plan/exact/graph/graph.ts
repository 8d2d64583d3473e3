// An instance as a layered graph in typed arrays. A state of layer l is (set of stage l, level of its output). An arc
// is a hop (S, p) -> (T, p) followed by a computation (T, p) -> (T, p') with one of the stage's choices. The two meet
// in nodes (T, p), so a pass costs K K P + K P P instead of K K P P. This is exact for one device. For several it is
// exact wherever the same member ends last whatever is chosen (its position is `critical`); otherwise arrivals are kept
// by member.
import { must } from '../../../util/index.ts';
import { choiceIndex, innerOf, levelOutOf } from '../../problem/choice.ts';
import {
  accuracyCost,
  computeSeconds,
  Links,
  lossSteps,
  mayReturn,
  mayRun,
  mostSteps,
  sentBytes,
} from '../../problem/cost.ts';
import { MAX_SET_SIZE, type PlanningInstance, type StageDecision } from '../../problem/instance.ts';
import { SLACK_FACTOR } from '../../problem/tolerances.ts';

/** One stage: its states, its computations, and the hops into it. */
export interface GraphLayer {
  /** Legal sets: their devices, and their positions in the stage's list. */
  readonly sets: readonly (readonly number[])[];
  readonly setAt: Int32Array;
  readonly levelsIn: number;
  readonly levels: number;
  /** Number of states: sets times levels. */
  readonly states: number;
  /** Allowed choices, ordered by level in: `start[p]` to `start[p + 1]`. */
  readonly start: Int32Array;
  readonly choice: Int32Array;
  readonly out: Int32Array;
  readonly steps: Int32Array;
  /** By position of a choice. */
  readonly macs: Float64Array;
  readonly weightBytes: Float64Array;
  readonly activationBytes: Float64Array;
  /**
   * Seconds to wait and compute: `[(set * MAX_SET_SIZE + member) * choices + position]`; Infinity where no plan has it.
   */
  readonly seconds: Float64Array;
  /** States of the layer before; 1 for the first, which starts from nothing. */
  readonly before: number;
  /** Bytes that a member of a state before sends to one receiver. */
  readonly sent: Float64Array;
  /** Arrival at the critical member: `[stateBefore * sets + set]`. */
  readonly arrival: Float64Array;
  /** The critical member, or `-1 - offset` into `arrivals` where none is. */
  readonly critical: Int32Array;
  readonly arrivals: Float64Array;
  /** By set: its number among the graph's sets. */
  readonly number: Int32Array;
}

/** The whole graph. */
export interface LayeredGraph {
  readonly instance: PlanningInstance;
  /** Every set that some layer has, once. */
  readonly sets: readonly (readonly number[])[];
  readonly layers: readonly GraphLayer[];
  /** Seconds and bytes of the result's way home, by state of the last layer; Infinity where it cannot. */
  readonly returnSeconds: Float64Array;
  readonly returnSent: Float64Array;
  /** Most steps of loss, and the objective's part for accuracy by steps. */
  readonly mostSteps: number;
  readonly accuracy: Float64Array;
  /** Number of arcs, choices counted. */
  readonly arcs: number;
}

/** A path: for every layer the set's position in the layer and the choice's. */
export interface GraphPath {
  readonly set: Int32Array;
  readonly choice: Int32Array;
}

/** Builds the graph; undefined when some layer has no state, or the floor is above the unpruned network's accuracy. */
export function buildLayeredGraph(instance: PlanningInstance): LayeredGraph | undefined {
  const steps = mostSteps(instance);
  if (steps < 0 || !mayReturn(instance)) return undefined;
  const layers: GraphLayer[] = [];
  const registry = new Registry();
  const links = new Links(instance);
  for (let l = 0; l < instance.stages.length; l++) {
    const layer = buildLayer(instance, l, layers[l - 1], registry, links);
    if (layer.sets.length === 0 || layer.choice.length === 0) return undefined;
    layers.push(layer);
  }
  const last = must(layers.at(-1), 'a layer');
  const returnSeconds = new Float64Array(last.states);
  const returnSent = new Float64Array(last.states);
  const arrivals = new Float64Array(MAX_SET_SIZE);
  last.sets.forEach((set, s) => {
    for (let p = 0; p < last.levels; p++) {
      const bytes = sentBytes(must(instance.stages.at(-1), 'a stage'), p, set.length);
      links.transfer(set, [instance.source], bytes, arrivals);
      returnSent[s * last.levels + p] = bytes;
      returnSeconds[s * last.levels + p] = arrivals[0] ?? 0;
    }
  });
  return {
    instance,
    sets: registry.sets,
    layers,
    returnSeconds,
    returnSent,
    mostSteps: steps,
    accuracy: Float64Array.from({ length: steps + 1 }, (_, r) => accuracyCost(instance, r)),
    arcs: layers.reduce((sum, layer) => {
      const sets = layer.sets.length;
      return sum + (layer.before / layer.levelsIn) * sets * layer.choice.length;
    }, 0),
  };
}

/** Gives every device set a number, in the order in which they come. */
class Registry {
  readonly sets: (readonly number[])[] = [];
  readonly #numbers = new Map<string, number>();

  numberOf(set: readonly number[]): number {
    const key = set.join();
    const known = this.#numbers.get(key);
    if (known !== undefined) return known;
    this.#numbers.set(key, this.sets.length);
    this.sets.push(set);
    return this.sets.length - 1;
  }
}

function buildLayer(
  instance: PlanningInstance,
  l: number,
  before: GraphLayer | undefined,
  registry: Registry,
  links: Links,
): GraphLayer {
  const stage = must(instance.stages[l], `stage ${l}`);
  const legal = stage.sets.flatMap((set, at) => (mayRun(instance, l, set) ? [at] : []));
  const sets = legal.map((at) => must(stage.sets[at], 'a set'));
  const start = new Int32Array(stage.levelsIn + 1);
  const positions: number[] = [];
  const outs: number[] = [];
  for (let p = 0; p < stage.levelsIn; p++) {
    start[p] = positions.length;
    const from = choiceIndex(stage, p, 0, 0);
    const to = choiceIndex(stage, p + 1, 0, 0);
    for (let choice = from; choice < to; choice++) {
      if (!stage.allowed[choice]) continue;
      positions.push(choice);
      outs.push(levelOutOf(stage, choice));
    }
  }
  start[stage.levelsIn] = positions.length;
  const choice = Int32Array.from(positions);
  const pick = (values: ArrayLike<number>) => Float64Array.from(choice, (c) => values[c] ?? 0);
  const seconds = computeTable(instance, l, sets, choice);
  const common = {
    sets,
    number: Int32Array.from(sets, (set) => registry.numberOf(set)),
    setAt: Int32Array.from(legal),
    levelsIn: stage.levelsIn,
    levels: stage.levelsOut,
    states: sets.length * stage.levelsOut,
    start,
    choice,
    out: Int32Array.from(outs),
    steps: Int32Array.from(choice, (c) => lossSteps(instance, stage.loss[c] ?? 0)),
    macs: pick(stage.macs),
    weightBytes: pick(stage.weightBytes),
    activationBytes: pick(stage.activationBytes),
    seconds,
  };
  return { ...common, ...(before ? hopsInto(common, instance, l, before, links) : noHops(sets.length)) };
}

/** Seconds by set, member and choice; Infinity where a member alone has too little memory, energy or time for it. */
function computeTable(
  instance: PlanningInstance,
  l: number,
  sets: readonly (readonly number[])[],
  choice: Int32Array,
): Float64Array {
  const stage = must(instance.stages[l], `stage ${l}`);
  const allowed = SLACK_FACTOR;
  const table = new Float64Array(sets.length * MAX_SET_SIZE * choice.length);
  sets.forEach((set, s) => {
    const k = set.length;
    choice.forEach((c, at) => {
      let possible = true;
      set.forEach((d, m) => {
        const device = must(instance.devices[d], `device ${d}`);
        const value = computeSeconds(device, stage, l, c, k);
        table[(s * MAX_SET_SIZE + m) * choice.length + at] = value;
        const bytes = (stage.weightBytes[c] ?? 0) / k + (stage.activationBytes[c] ?? 0);
        const joules = ((stage.macs[c] ?? 0) / k) * device.joulesPerMac;
        possible &&= bytes <= device.memory * allowed && joules <= device.energy * allowed;
        possible &&= value <= instance.deadline * allowed;
      });
      if (possible) return;
      for (let m = 0; m < k; m++)
        table[(s * MAX_SET_SIZE + m) * choice.length + at] = Number.POSITIVE_INFINITY;
    });
  });
  return table;
}

type Hops = Pick<GraphLayer, 'before' | 'sent' | 'arrival' | 'critical' | 'arrivals'>;
type Computations = Omit<GraphLayer, keyof Hops>;

/** The first layer starts from nothing. */
function noHops(count: number): Hops {
  return {
    arrivals: new Float64Array(0),
    before: 1,
    sent: new Float64Array(1),
    arrival: new Float64Array(count),
    critical: new Int32Array(count),
  };
}

/** Hops from the states of the layer before. */
function hopsInto(
  layer: Computations,
  instance: PlanningInstance,
  l: number,
  before: GraphLayer,
  links: Links,
): Hops {
  const { sets } = layer;
  const count = sets.length;
  const { levels } = before;
  const stage = must(instance.stages[l - 1], `stage ${l - 1}`);
  const sent = new Float64Array(before.states);
  const arrival = new Float64Array(before.states * count);
  const critical = new Int32Array(before.states * count);
  const apart: number[] = [];
  const arrivals = new Float64Array(MAX_SET_SIZE);
  const behind = lags(layer, levels);
  before.sets.forEach((from, s) => {
    sets.forEach((to, t) => {
      for (let p = 0; p < levels; p++) {
        const state = s * levels + p;
        const bytes = sentBytes(stage, p, from.length);
        sent[state] = bytes;
        links.transfer(from, to, bytes, arrivals);
        const last = lastMember(arrivals, to.length, behind, (t * levels + p) * MAX_SET_SIZE * MAX_SET_SIZE);
        const at = state * count + t;
        critical[at] = last;
        if (last >= 0) arrival[at] = arrivals[last] ?? 0;
        else {
          critical[at] = -1 - apart.length;
          for (let m = 0; m < to.length; m++) apart.push(arrivals[m] ?? 0);
        }
      }
    });
  });
  return {
    before: before.states,
    sent,
    arrival,
    critical,
    arrivals: Float64Array.from(apart),
  };
}

/**
 * How much longer a member takes than another, at most, over the choices that begin with a level:
 * `[((set * levels + level) * MAX_SET_SIZE + member) * MAX_SET_SIZE + other]`.
 */
function lags({ sets, start, seconds, choice }: Computations, levels: number): Float64Array {
  const choices = choice.length;
  const table = new Float64Array(sets.length * levels * MAX_SET_SIZE * MAX_SET_SIZE).fill(
    Number.NEGATIVE_INFINITY,
  );
  sets.forEach(({ length }, t) => {
    if (length === 1) return;
    const row = t * MAX_SET_SIZE * choices;
    for (let p = 0; p < levels; p++) {
      const at = (t * levels + p) * MAX_SET_SIZE * MAX_SET_SIZE;
      for (let c = start[p] as number; c < (start[p + 1] as number); c++) {
        if (seconds[row + c] === Number.POSITIVE_INFINITY) continue;
        for (let m = 0; m < length; m++) {
          for (let n = 0; n < length; n++) {
            const more =
              (seconds[row + m * choices + c] as number) - (seconds[row + n * choices + c] as number);
            if (more > (table[at + m * MAX_SET_SIZE + n] as number)) table[at + m * MAX_SET_SIZE + n] = more;
          }
        }
      }
    }
  });
  return table;
}

/** The member that ends last whatever is chosen, or -1 when that depends on the choice. */
function lastMember(arrivals: Float64Array, members: number, behind: Float64Array, at: number): number {
  if (members === 1) return 0;
  for (let m = 0; m < members; m++) {
    let last = true;
    for (let n = 0; n < members && last; n++) {
      const head = (arrivals[m] as number) - (arrivals[n] as number);
      // Not a number where both wait for a link that is missing: either is as late as the other.
      last = n === m || !(head < (behind[at + n * MAX_SET_SIZE + m] as number));
    }
    if (last) return m;
  }
  return -1;
}

/** A path as decisions. */
export function decisionsOf(graph: LayeredGraph, path: GraphPath): StageDecision[] {
  return graph.layers.map((layer, l) => {
    const stage = must(graph.instance.stages[l], `stage ${l}`);
    const choice = layer.choice[path.choice[l] ?? 0] ?? 0;
    return {
      set: layer.setAt[path.set[l] ?? 0] ?? 0,
      inner: innerOf(stage, choice),
      level: levelOutOf(stage, choice),
    };
  });
}
