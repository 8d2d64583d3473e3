// Which values a walk through a network must hold between its steps: those at the cut between layers that are done and
// layers that may still change.
import type { Graph } from '../onnx/index.ts';
import { ELEM, givenNames, type Node, opOf, producers, readsOf } from '../onnx/internal.ts';
import { must } from '../util/index.ts';

/** A step of a walk: the values that it shows, and the nodes whose weights change right after it. */
export interface WalkStep {
  readonly values: readonly string[];
  /** Names of nodes. Only these and what follows them is computed again by later steps. */
  readonly changes: readonly string[];
}

/** Operators that take so long that their results are held rather than computed again. */
const SLOW: ReadonlySet<string> = new Set([
  'Conv',
  'ConvTranspose',
  'Einsum',
  'GRU',
  'Gemm',
  'LSTM',
  'MatMul',
  'RNN',
]);

/** Element types that can be held between two runs of the engine. */
const HELD_TYPES: readonly number[] = [ELEM.float32, ELEM.float64, ELEM.int64];

/**
 * The values to hold after each step: all that later steps need and that follows from no node which may still change.
 * Graph inputs may be among them.
 * @param types element types of values; one that is not known is not held
 */
export function frontiers(
  graph: Graph,
  steps: readonly WalkStep[],
  types: ReadonlyMap<string, number>,
): string[][] {
  const makers = producers(graph);
  const place = new Map(graph.nodes.map((node, at) => [node, at]));
  const given = givenNames(graph);
  const inputs = new Set(graph.inputs.map(({ name }) => name));
  const changing = new Set<string>();
  const later = new Set<string>();
  const found: string[][] = [];
  // From the last step to the first, since a step must hold whatever any later one needs.
  for (const step of steps.toReversed()) {
    for (const name of step.changes) changing.add(name);
    const cut = cutOf(graph, changing, later).filter((name) => !given.has(name) || inputs.has(name));
    const held = storable(cut, makers, given, inputs, types);
    found.unshift(smallest(held, makers, place, given));
    for (const value of step.values) later.add(value);
  }
  return found;
}

/** What is read, to make some values, by nodes that may change or follow one that may. */
function cutOf(graph: Graph, changing: ReadonlySet<string>, wanted: ReadonlySet<string>): string[] {
  const stale = new Set<string>();
  const redone: Node[] = [];
  for (const node of graph.nodes) {
    if (!changing.has(node.name) && !readsOf(node).some((name) => stale.has(name))) continue;
    redone.push(node);
    for (const name of node.outputs) if (name) stale.add(name);
  }
  const needed = new Set(wanted);
  for (const node of redone.toReversed()) {
    if (node.outputs.some((name) => needed.has(name))) for (const name of readsOf(node)) needed.add(name);
  }
  return [...needed].filter((name) => !stale.has(name));
}

/** In place of a value that cannot be held, what its node reads. */
function storable(
  cut: readonly string[],
  makers: ReadonlyMap<string, Node>,
  given: ReadonlySet<string>,
  inputs: ReadonlySet<string>,
  types: ReadonlyMap<string, number>,
): Set<string> {
  const held = new Set(cut);
  for (const name of held) {
    if (given.has(name) || HELD_TYPES.includes(types.get(name) ?? 0)) continue;
    const node = must(makers.get(name), `no node makes '${name}'`);
    // A node cannot be run for one of its outputs while another one is given.
    for (const output of node.outputs) held.delete(output);
    for (const read of readsOf(node)) if (!given.has(read) || inputs.has(read)) held.add(read);
  }
  return held;
}

/** Without the values that follow from the other ones by quick operators, such as an activation or a concatenation. */
function smallest(
  held: Set<string>,
  makers: ReadonlyMap<string, Node>,
  place: ReadonlyMap<Node, number>,
  given: ReadonlySet<string>,
): string[] {
  const placeOf = (name: string): number => {
    const node = makers.get(name);
    return node ? (place.get(node) ?? 0) : -1;
  };
  for (const name of [...held].sort((a, b) => placeOf(b) - placeOf(a))) {
    const known = new Map<string, boolean>();
    const follows = (value: string, itself: boolean): boolean => {
      if (given.has(value) || (!itself && held.has(value))) return true;
      const found = known.get(value);
      if (found !== undefined) return found;
      const node = makers.get(value);
      const op = node && opOf(node);
      const quick = node !== undefined && op !== undefined && !SLOW.has(op);
      const result = quick && readsOf(node).every((read) => follows(read, false));
      known.set(value, result);
      return result;
    };
    if (makers.has(name) && follows(name, true)) held.delete(name);
  }
  return [...held];
}
