// A model in canonical form: constants folded, sizes resolved, windows explicit, nothing superfluous. Same outputs.
import { type Constant, cloneModel, type Graph, intConstant, ints, type Model, type Node } from './graph.ts';
import { constantOfKnown, constantOfNode, type Known } from './known.ts';
import { constantInput, intAttribute, intsAttribute, opOf } from './ops.ts';
import type { Inferred } from './shape-context.ts';
import { evaluateConstant, inferValues } from './shapes.ts';
import { forgetShapes, pinnedValues, removeDead, replaceUses } from './surgery.ts';
import { convParameters, poolParameters, transposedOutput } from './window.ts';

/** Constants of more elements than this (512 MiB as doubles) are not computed here. */
const FOLD_LIMIT = 2 ** 26;
/** Batch sizes at which values are compared; three, so that rounding in a division does not look constant. */
const BATCHES = [2, 3, 7] as const;

/**
 * The same computation with: Constant nodes and constant subgraphs folded; sizes computed from shapes written as
 * constants (an entry that follows the batch becomes 0 or -1); Identity and inference Dropout gone, except where
 * they make a graph output; auto_pad resolved; every node named, uniquely; dead nodes and unread constants gone.
 * @throws BedsideError as `inferShapes`
 */
export function canonicalGraph(model: Model): Model {
  const result = cloneModel(model);
  const { graph } = result;
  foldConstantNodes(graph);
  foldConstants(result);
  dropPassThrough(graph);
  foldShapes(result);
  foldConstants(result);
  resolveWindows(result);
  removeDead(graph);
  nameNodes(graph);
  forgetGone(graph);
  return result;
}

function foldConstantNodes(graph: Graph): void {
  const outputs = new Set(graph.outputs.map((value) => value.name));
  graph.nodes = graph.nodes.filter((node) => {
    const [output] = node.outputs;
    const constant = opOf(node) === 'Constant' ? constantOfNode(node) : undefined;
    if (!constant || !output || outputs.has(output)) return true;
    graph.constants.set(output, constant);
    return false;
  });
}

function dropPassThrough(graph: Graph): void {
  const pinned = pinnedValues(graph);
  graph.nodes = graph.nodes.filter((node) => {
    const [output] = node.outputs;
    const [input] = node.inputs;
    if (!input || !output || !isPassThrough(graph, node)) return true;
    if (pinned.has(output)) {
      if (opOf(node) === 'Dropout') {
        node.op = 'Identity';
        node.inputs = [input];
        node.outputs = [output];
        node.attributes = new Map();
      }
      return true;
    }
    replaceUses(graph, output, input);
    return false;
  });
}

function isPassThrough(graph: Graph, node: Node): boolean {
  const op = opOf(node);
  if (op === 'Identity') return true;
  if (op !== 'Dropout') return false;
  const mask = node.outputs[1];
  const maskRead =
    Boolean(mask) &&
    (graph.nodes.some((other) => other.inputs.includes(mask ?? '')) || pinnedValues(graph).has(mask ?? ''));
  // A training flag that is a constant true, or computed, may switch dropping on.
  const flag = constantInput(graph, node, 2);
  const off = !node.inputs[2] || (flag?.type === 'other' && isZero(flag));
  return off && !maskRead;
}

function isZero(flag: Extract<Constant, { type: 'other' }>): boolean {
  const { rawData, int32Data } = flag.carried;
  return (rawData ? [...rawData] : int32Data).every((value) => value === 0);
}

/** Evaluates nodes all of whose inputs are constants. */
function foldConstants(model: Model): void {
  const { graph } = model;
  const pinned = new Set(graph.outputs.map((value) => value.name));
  graph.nodes = graph.nodes.filter((node) => {
    const op = opOf(node);
    const [output] = node.outputs;
    if (!op || !output || node.outputs.length !== 1 || pinned.has(output) || node.inputs.length === 0)
      return true;
    if (node.inputs.some((name) => name && !graph.constants.has(name))) return true;
    const known = evaluateConstant(model, node, FOLD_LIMIT);
    const folded = known && constantOfKnown(known);
    if (!folded) return true;
    graph.constants.set(output, folded);
    return false;
  });
}

/** Writes values that follow from shapes as constants, and shape inputs of Reshape in terms of 0 and -1. */
function foldShapes(model: Model): void {
  const { graph } = model;
  const runs = BATCHES.map((batch) => inferValues(model, batch));
  const pinned = new Set(graph.outputs.map((value) => value.name));
  for (const node of graph.nodes) {
    const [output] = node.outputs;
    if (!output || node.outputs.length !== 1 || pinned.has(output)) continue;
    const constant = constantAcross(runs.map((run) => run.known.get(output)));
    if (constant) graph.constants.set(output, constant);
  }
  graph.nodes = graph.nodes.filter((node) => !node.outputs.some((name) => graph.constants.has(name)));
  const taken = new Set(graph.constants.keys());
  for (const node of graph.nodes) {
    if (opOf(node) !== 'Reshape') continue;
    const shape = reshapeTarget(node, runs);
    const old = node.inputs[1];
    if (!shape || !old || graph.constants.has(old)) continue;
    const name = freshName(`${node.outputs[0]}_shape`, taken);
    graph.constants.set(name, intConstant(shape));
    node.inputs = [node.inputs[0] ?? '', name];
  }
}

function constantAcross(values: readonly (Known | undefined)[]): Constant | undefined {
  const [first] = values;
  if (!first) return undefined;
  const equal = values.every(
    (value) =>
      value?.dims.join() === first.dims.join() && value.data.every((x, i) => Object.is(x, first.data[i])),
  );
  return equal ? constantOfKnown(first) : undefined;
}

/** A Reshape's target that holds at any batch size, or undefined when there is none. */
function reshapeTarget(node: Node, runs: readonly Inferred[]): number[] | undefined {
  const targets = runs.map((run) => run.known.get(node.inputs[1] ?? '')?.data);
  const inputs = runs.map((run) => run.shapes.get(node.inputs[0] ?? ''));
  const [first] = targets;
  if (!first || intAttribute(node, 'allowzero', 0) !== 0) return undefined;
  const follows = (index: number): boolean =>
    runs.every(
      (_, run) => targets[run]?.[index] === inputs[run]?.[index] && inputs[run]?.[index] !== undefined,
    );
  let free = first.includes(-1);
  const result: number[] = [];
  for (const [index, entry] of first.entries()) {
    if (targets.every((target) => target?.[index] === entry)) result.push(entry);
    else if (follows(index)) result.push(0);
    else if (!free) {
      free = true;
      result.push(-1);
    } else return undefined;
  }
  return result;
}

/** Writes the windows of convolutions and pools out in full. */
function resolveWindows(model: Model): void {
  const { graph } = model;
  const needy = graph.nodes.filter(
    (node) => node.attributes.has('auto_pad') || node.attributes.has('output_shape'),
  );
  if (needy.length === 0) return;
  const { shapes } = inferValues(model, BATCHES[0]);
  for (const node of needy) {
    const op = opOf(node);
    const shape = shapes.get(node.inputs[0] ?? '');
    if (!shape || (op !== 'Conv' && op !== 'ConvTranspose' && op !== 'MaxPool' && op !== 'AveragePool'))
      continue;
    const isPool = op === 'MaxPool' || op === 'AveragePool';
    const weight = shapes.get(node.inputs[1] ?? '');
    const window = isPool ? poolParameters(graph, node, shape) : convParameters(graph, node, shape, weight);
    const wanted = intsAttribute(node, 'output_shape')?.slice(2 - shape.length);
    // An output larger than the window can reach has no equivalent in pads.
    if (wanted && 'outputPadding' in window && transposedOutput(node, shape, window).join() !== wanted.join())
      continue;
    node.attributes.delete('auto_pad');
    node.attributes.delete('output_shape');
    node.attributes.set('pads', ints([...window.padsBegin, ...window.padsEnd]));
  }
}

function nameNodes(graph: Graph): void {
  const taken = new Set<string>();
  for (const node of graph.nodes) {
    if (node.name && !taken.has(node.name)) taken.add(node.name);
    else node.name = '';
  }
  for (const node of graph.nodes) node.name ||= freshName(node.outputs.find(Boolean) ?? node.op, taken);
}

function freshName(hint: string, taken: Set<string>): string {
  let name = hint;
  for (let i = 1; taken.has(name); i++) name = `${hint}_${i}`;
  taken.add(name);
  return name;
}

function forgetGone(graph: Graph): void {
  const made = new Set(graph.nodes.flatMap((node) => node.outputs));
  forgetShapes(graph, made);
}
