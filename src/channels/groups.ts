// Groups of channels that can only be removed together, found on a canonical model.
// As in DepGraph (Fang et al., "DepGraph: Towards Any Structural Pruning", CVPR 2023) coupling is the transitive
// closure of local dependencies; here it is kept for single channels (union-find) instead of whole layers, so that
// offsets of concatenations and splits, and partly frozen layers, need no special case.
import { inferShapes, type Model } from '../onnx/index.ts';
import { opOf } from '../onnx/internal.ts';
import { BedsideError } from '../util/index.ts';
import { Propagation } from './propagation.ts';
import { freezeUnknown, RULES } from './rules.ts';

/** The channels of a group's units in one of the layers that produce them. */
export interface GroupMember {
  /** The weighted layer's node name. */
  readonly layer: string;
  /** For each unit of the group: the layer's output channels that belong to it, ascending. */
  readonly units: readonly Int32Array[];
}

/** Channels that are ranked and counted together. A unit is the smallest part that can be removed. */
export interface Group {
  /** Index into `Grouping.groups`. */
  readonly id: number;
  /** Number of units; at least 2. */
  readonly channels: number;
  /** Weighted layers that produce the units, in execution order. */
  readonly layers: readonly string[];
  /** One entry for each of `layers`, in the same order. */
  readonly members: readonly GroupMember[];
  /** Weighted layers that sum over the units, in execution order. */
  readonly readers: readonly string[];
  /** Whether recurrent layers alone produce the units; absent otherwise. */
  readonly isRecurrent?: true;
}

/** Output channels of a layer that must stay, with the reason. */
export interface FrozenChannels {
  readonly layer: string;
  readonly channels: number;
  readonly reason: string;
}

/** The channels of one value: their axis, and the group and unit of each position. */
export interface ValueChannels {
  readonly axis: number;
  /** Group id for each position, or -1 where the channel must stay. */
  readonly group: Int32Array;
  /** Unit in that group for each position, or -1. */
  readonly unit: Int32Array;
}

/** All facts about a model's channels that pruning needs. */
export interface Grouping {
  /** In execution order of their first layer. */
  readonly groups: readonly Group[];
  /** In execution order; a layer is listed once for each different reason. */
  readonly frozen: readonly FrozenChannels[];
  /** The channels of every value that has some. */
  readonly values: ReadonlyMap<string, ValueChannels>;
  /** Shapes of the values for one sample. */
  readonly shapes: ReadonlyMap<string, readonly number[]>;
}

/**
 * Finds the groups of a canonical model (constants folded, every weighted node named).
 *
 * Two channels are in one unit when no layer can lose one without the other: the operands of a residual sum, a gate
 * and what it gates, a depthwise layer's input and output. Two units are in one group when exactly the same values
 * carry them, hence also the same layers; as a group is never emptied, no value and no layer ever is.
 * Channels that reach an output of the model, or a node whose result depends on all of them at once, are frozen.
 * @throws BedsideError E_MODEL, E_UNSUPPORTED from shape inference; E_INTERNAL for two weighted nodes of one name
 */
export function findGroups(model: Model): Grouping {
  const shapes = inferShapes(model, 1);
  const walk = new Propagation(model, shapes);
  for (const node of model.graph.nodes) {
    const op = opOf(node);
    if (op === undefined) freezeUnknown(walk, node);
    else RULES[op](walk, node);
  }
  for (const output of model.graph.outputs) {
    const label = walk.label(output.name);
    if (label) walk.variables.freeze(label.ids, `they reach the model's output '${output.name}'`);
  }
  return assemble(walk, shapes);
}

/**
 * The error for a model without any channel to prune.
 * @throws BedsideError E_NO_CHANNELS with the reasons
 */
export function assertPrunable(grouping: Grouping, name: string): void {
  if (grouping.groups.length > 0) return;
  const shown = grouping.frozen
    .slice(0, 5)
    .map((row) => `${row.layer} (${row.channels} channels): ${row.reason}`);
  const more = grouping.frozen.length - shown.length;
  const reasons =
    shown.length === 0
      ? 'it has no layer with constant weights'
      : shown.join('; ') + (more > 0 ? `; ${more} more` : '');
  throw new BedsideError('E_NO_CHANNELS', `no channel of ${name} can be pruned: ${reasons}`, {
    hint: 'a model needs a convolution or linear layer whose channels do not reach its output directly',
  });
}

interface Draft {
  readonly roots: number[];
  readonly unitOf: Map<number, number>;
  /** Whether a layer that criteria can score produces the units. */
  isScored: boolean;
}

function assemble(walk: Propagation, shapes: ReadonlyMap<string, readonly number[]>): Grouping {
  const { variables } = walk;
  const signature = signatures(walk);
  const drafts = new Map<number, Draft>();
  for (const layer of walk.layers) {
    for (const id of layer.ids) {
      const root = variables.find(id);
      if (variables.reason(root) !== undefined) continue;
      const key = signature[root] as number;
      let draft = drafts.get(key);
      if (!draft) {
        draft = { roots: [], unitOf: new Map(), isScored: false };
        drafts.set(key, draft);
      }
      if (!layer.isLeft) draft.isScored = true;
      if (!draft.unitOf.has(root)) draft.unitOf.set(root, draft.roots.push(root) - 1);
    }
  }
  for (const [key, draft] of drafts) {
    if (draft.roots.length > 1 && draft.isScored) continue;
    variables.freeze(
      Int32Array.from(draft.roots),
      draft.isScored
        ? 'they can only go all at once, which would empty the layer'
        : 'only layers with weights on the left of a product make them, which criteria cannot score',
    );
    drafts.delete(key);
  }

  const groupOf = new Int32Array(variables.count).fill(-1);
  const unitOf = new Int32Array(variables.count).fill(-1);
  [...drafts.values()].forEach((draft, group) => {
    for (const [root, unit] of draft.unitOf) {
      groupOf[root] = group;
      unitOf[root] = unit;
    }
  });
  const values = new Map<string, ValueChannels>();
  for (const [name, { axis, ids }] of walk.labels) {
    const roots = ids.map((id) => variables.find(id));
    values.set(name, {
      axis,
      group: roots.map((r) => groupOf[r] as number),
      unit: roots.map((r) => unitOf[r] as number),
    });
  }
  const groups = makeGroups([...drafts.values()], walk, groupOf, unitOf);
  return { groups, frozen: frozenRows(walk), values, shapes };
}

/**
 * One number for each class of variables; numbers are equal exactly when the same values carry both classes (partition
 * refinement).
 */
function signatures(walk: Propagation): Int32Array {
  const { variables } = walk;
  const signature = new Int32Array(variables.count);
  const interned = new Map<string, number>();
  let value = 0;
  for (const { ids } of walk.labels.values()) {
    value++;
    for (const root of new Set(Array.from(ids, (id) => variables.find(id)))) {
      const key = `${signature[root]}:${value}`;
      let next = interned.get(key);
      if (next === undefined) {
        next = interned.size + 1;
        interned.set(key, next);
      }
      signature[root] = next;
    }
  }
  return signature;
}

/** Goes over the layers once, whatever the number of groups. */
function makeGroups(
  drafts: readonly Draft[],
  walk: Propagation,
  groupOf: Int32Array,
  unitOf: Int32Array,
): Group[] {
  const { variables } = walk;
  const members = drafts.map((): GroupMember[] => []);
  for (const { name, ids } of walk.layers) {
    const units = new Map<number, number[][]>();
    ids.forEach((v, channel) => {
      const root = variables.find(v);
      const group = groupOf[root] as number;
      const draft = drafts[group];
      if (!draft) return;
      const known = units.get(group) ?? draft.roots.map((): number[] => []);
      units.set(group, known);
      known[unitOf[root] as number]?.push(channel);
    });
    for (const [group, channels] of units) {
      members[group]?.push({ layer: name, units: channels.map((list) => Int32Array.from(list)) });
    }
  }
  const readers = drafts.map((): string[] => []);
  for (const { name, ids } of walk.readers) {
    const read = new Set<number>();
    for (const id of ids) read.add(groupOf[variables.find(id)] as number);
    for (const group of read) readers[group]?.push(name);
  }
  const recurrent = new Set(walk.layers.flatMap(({ name, isRecurrent }) => (isRecurrent ? [name] : [])));
  return drafts.map((draft, id) => ({
    id,
    channels: draft.roots.length,
    layers: members[id]?.map((member) => member.layer) ?? [],
    members: members[id] ?? [],
    readers: readers[id] ?? [],
    ...(members[id]?.every(({ layer }) => recurrent.has(layer)) ? { isRecurrent: true as const } : {}),
  }));
}

function frozenRows(walk: Propagation): FrozenChannels[] {
  const rows: FrozenChannels[] = [];
  for (const { name, ids, fixed } of walk.layers) {
    if (fixed) rows.push({ layer: name, ...fixed });
    const counts = new Map<string, number>();
    for (const id of ids) {
      const reason = walk.variables.reason(id);
      if (reason !== undefined) counts.set(reason, (counts.get(reason) ?? 0) + 1);
    }
    for (const [reason, channels] of counts) rows.push({ layer: name, channels, reason });
  }
  return rows;
}
