// Reorders the channels of every group, so that keeping the best units is keeping a prefix. The group and unit of each
// position of each value stay the same; only which channel is called unit u changes. Joins, splits, slices and shapes
// are thus unchanged, and the groups found in the result are the same.
import type { Model } from '../onnx/index.ts';
import { cloneModel, type Node, opOf } from '../onnx/internal.ts';
import { BedsideError, must } from '../util/index.ts';
import { Cut } from './cut.ts';
import { BY_NUMBER, CUTS } from './cut-table.ts';
import type { Grouping, ValueChannels } from './groups.ts';
import { Propagation, ReadIndex } from './propagation.ts';
import { RULES } from './rules.ts';

/** A model with reordered channels. */
export interface Reordered {
  readonly model: Model;
  /** Groups that keep their old order because a node of the model relies on it, with the reason. */
  readonly fixed: ReadonlyMap<number, string>;
}

/**
 * Puts the units of each group in the given order (old unit numbers, first one first). Groups that `order` does not
 * list keep theirs. Unit u of `findGroups` on the result is the u-th of the order, and the result computes the same as
 * `model`, up to the order of summation. `grouping` must be that of `model`, which is not changed.
 * @throws BedsideError E_INTERNAL for an unknown group or an order that is not a permutation of its units
 */
export function reorderChannels(
  model: Model,
  grouping: Grouping,
  order: ReadonlyMap<number, readonly number[]>,
): Reordered {
  for (const [id, units] of order) assertPermutation(grouping, id, units);
  const fixed = new Map<number, string>();
  const moved = safePlaces(model, grouping, order, fixed);
  const result = cloneModel(model);
  const opset = model.opsets.get('') ?? model.opsets.get('ai.onnx') ?? 1;
  const cut = new Cut(result.graph, opset, grouping, (value) => moved.get(value));
  for (const node of result.graph.nodes) {
    const op = opOf(node);
    // Other operators pass channels on in the order that they get.
    if (op !== undefined && !BY_NUMBER.has(CUTS[op])) CUTS[op](cut, node);
  }
  return { model: result, fixed };
}

/** For each value that changes: the old position whose channel comes to each position. */
type Places = Map<string, number[]>;

/** The moves on which all nodes agree. Groups on which they disagree are added to `fixed` and left out. */
function safePlaces(
  model: Model,
  grouping: Grouping,
  order: ReadonlyMap<number, readonly number[]>,
  fixed: Map<number, string>,
): Places {
  const index = new ReadIndex(model.graph);
  const free = new Map([...order].filter(([, units]) => units.some((unit, u) => unit !== u)));
  for (;;) {
    const before = free.size;
    const places: Places = new Map();
    for (const [name, channels] of grouping.values) {
      for (const id of unevenGroups(channels, grouping)) {
        if (free.delete(id)) fixed.set(id, `'${name}' holds some of its units more often than others`);
      }
    }
    for (const [name, channels] of grouping.values) {
      const moved = placesOf(channels, free);
      if (moved) places.set(name, moved);
    }
    for (const node of model.graph.nodes) {
      for (const id of broken(node, model, grouping, places, index)) {
        if (free.delete(id)) fixed.set(id, `${node.op} '${node.name}' relies on the order of its units`);
      }
    }
    if (free.size === before) return places;
  }
}

/** Groups whose units have different numbers of positions; such units cannot be exchanged. */
function unevenGroups({ group, unit }: ValueChannels, grouping: Grouping): number[] {
  const counts = new Map<number, Int32Array>();
  group.forEach((id, position) => {
    if (id < 0) return;
    let of = counts.get(id);
    if (!of) {
      of = new Int32Array(must(grouping.groups[id], `group ${id}`).channels);
      counts.set(id, of);
    }
    of[unit[position] as number] = (of[unit[position] as number] as number) + 1;
  });
  return [...counts].filter(([, of]) => of.some((count) => count !== of[0])).map(([id]) => id);
}

/** The k-th position of unit u gets the channel at the k-th position of the unit that becomes u. */
function placesOf(
  { group, unit }: ValueChannels,
  order: ReadonlyMap<number, readonly number[]>,
): number[] | undefined {
  const positions = new Map<string, number[]>();
  const rank = Array.from(group, (id, position) => {
    if (!order.has(id)) return 0;
    const key = `${id}:${unit[position]}`;
    const list = positions.get(key);
    if (list) return list.push(position) - 1;
    positions.set(key, [position]);
    return 0;
  });
  if (positions.size === 0) return undefined;
  return Array.from(group, (id, position) => {
    const from = order.get(id)?.[unit[position] as number];
    if (from === undefined) return position;
    return must(positions.get(`${id}:${from}`)?.[rank[position] as number], 'a position to come from');
  });
}

/**
 * Groups whose order a node relies on. The node's channel rule is given channels that are all different; exchanging
 * channels before the node must then equal exchanging them after it.
 */
function broken(node: Node, model: Model, grouping: Grouping, places: Places, index: ReadIndex): Set<number> {
  const found = new Set<number>();
  const op = opOf(node);
  const names = [...new Set([...node.inputs, ...node.outputs])].filter((name) => grouping.values.has(name));
  // A Gather's indices are rewritten, so it works with any order.
  if (op === undefined || op === 'Gather' || !names.some((name) => places.has(name))) return found;
  const walk = new Propagation(model, grouping.shapes, index);
  const inputs = [...new Set(node.inputs)].filter((name) => grouping.values.has(name));
  /** For each variable: the one that takes its place, and its group. */
  const next: number[] = [];
  const groupOf: number[] = [];
  for (const name of inputs) {
    const channels = must(grouping.values.get(name), name);
    const ids = walk.variables.create(channels.group.length);
    walk.labels.set(name, { axis: channels.axis, ids });
    ids.forEach((id, position) => {
      next[id] = ids[places.get(name)?.[position] ?? position] as number;
      groupOf[id] = channels.group[position] as number;
    });
  }
  const given = next.length;
  RULES[op](walk, node);
  for (const name of node.outputs) {
    const [ids, channels] = [walk.label(name)?.ids, grouping.values.get(name)];
    if (!ids || !channels) continue;
    const place = (position: number): number => places.get(name)?.[position] ?? position;
    const rank = ranks(ids);
    ids.forEach((id, position) => {
      const to = ids[place(position)] as number;
      if (id >= given) {
        next[id] = to;
        groupOf[id] = channels.group[position] as number;
      }
      if (to !== next[id] || rank[position] !== rank[place(position)]) {
        found.add(channels.group[position] as number);
      }
    });
  }
  // Channels that the node ties together must move together, each with the one at the same place in the tie.
  const roots = next.map((_, id) => walk.variables.find(id));
  const rank = ranks(roots);
  const first = new Map<number, number>();
  next.forEach((to, id) => {
    const root = roots[id] as number;
    const wanted = first.get(root);
    if (wanted === undefined) first.set(root, roots[to] as number);
    if ((wanted !== undefined && wanted !== roots[to]) || rank[to] !== rank[id]) {
      found.add(groupOf[id] as number);
    }
  });
  return found;
}

/** For each entry, the number of equal entries before it. */
function ranks(ids: ArrayLike<number>): number[] {
  const seen = new Map<number, number>();
  return Array.from(ids, (id) => {
    const count = seen.get(id) ?? 0;
    seen.set(id, count + 1);
    return count;
  });
}

function assertPermutation(grouping: Grouping, id: number, units: readonly number[]): void {
  const size = grouping.groups[id]?.channels;
  const wrong = (what: string): BedsideError =>
    new BedsideError('E_INTERNAL', `internal: order of units: ${what}`);
  if (size === undefined) throw wrong(`unknown group ${id}`);
  const all = new Set(units);
  const inside = units.every((unit) => Number.isInteger(unit) && unit >= 0 && unit < size);
  if (units.length !== size || all.size !== size || !inside) {
    throw wrong(`group ${id} has ${size} units; [${units.join()}] does not list each once`);
  }
}
