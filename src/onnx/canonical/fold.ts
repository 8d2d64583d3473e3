// A model in canonical form: constants folded, sizes resolved, windows explicit, nothing superfluous. Same outputs.
import { BedsideError } from '../../util/index.ts';
import { inferOpen } from '../batch-axis/open-batch.ts';
import { type Constant, cloneModel, type Graph, intConstant, ints, type Model, type Node } from '../graph.ts';
import { NameAllocator } from '../names.ts';
import { intAttribute, opOf } from '../ops.ts';
import type { Inferred } from '../shapes/context.ts';
import { constantOfKnown, constantOfNode, type Known } from '../shapes/known.ts';
import { evaluateConstant, inferValues } from '../shapes/shapes.ts';
import { convParameters, poolParameters } from '../shapes/window.ts';
import { forgetShapes, pinnedValues, removeDead } from '../surgery.ts';
import { FoldBudget } from './fold-budget.ts';
import { fixResizes } from './resize-sizes.ts';
import { withSqueezeAxes } from './squeeze-axes.ts';
import { assertInference } from './training.ts';

/**
 * Batch sizes at which values are compared; what is equal at all of them does not depend on the batch. Besides small
 * ones a large prime, since a batch divided by a constant (and rounded) looks constant below it.
 */
const BATCHES = [2, 3, 7] as const;
/** Others, at which a model need not work: a batch of one may squeeze an axis away, a large one be too large. */
const MORE_BATCHES = [1, 1009, 1_048_583] as const;

/**
 * The same computation with: Constant nodes and constant subgraphs folded, within the bounds of `FoldBudget`; sizes
 * computed from shapes written as constants (an entry that follows the batch becomes 0 or -1); axes of every Squeeze
 * named; Identity and inference Dropout gone, except where they make a graph output; auto_pad resolved; every node
 * named, uniquely; dead nodes and unread constants gone.
 * @throws BedsideError as `inferShapes`; E_UNSUPPORTED for batch normalisation or Dropout in training mode
 */
export function canonicalGraph(model: Model): Model {
  const result = cloneModel(withSqueezeAxes(model));
  const { graph } = result;
  const budget = FoldBudget.of(graph);
  foldConstantNodes(graph);
  foldConstants(result, budget);
  assertInference(result);
  dropPassThrough(graph);
  foldShapes(result);
  foldConstants(result, budget);
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

/** Nodes are in execution order, so what each reads is renamed before it is looked at. */
function dropPassThrough(graph: Graph): void {
  const pinned = pinnedValues(graph);
  const read = new Set(pinned);
  for (const node of graph.nodes) for (const name of node.inputs) read.add(name);
  const renamed = new Map<string, string>();
  graph.nodes = graph.nodes.filter((node) => {
    node.inputs = node.inputs.map((name) => renamed.get(name) ?? name);
    const [output] = node.outputs;
    const [input] = node.inputs;
    if (!input || !output || !isPassThrough(node, read)) return true;
    if (pinned.has(output)) {
      if (opOf(node) === 'Dropout') {
        node.op = 'Identity';
        node.inputs = [input];
        node.outputs = [output];
        node.attributes = new Map();
      }
      return true;
    }
    renamed.set(output, input);
    return false;
  });
}

/**
 * Whether a node gives its first input as it is; Dropout does so (training mode is refused before) unless its mask is
 * read.
 */
function isPassThrough(node: Node, read: ReadonlySet<string>): boolean {
  const op = opOf(node);
  return op === 'Identity' || (op === 'Dropout' && !read.has(node.outputs[1] || '-'));
}

/** Evaluates nodes all of whose inputs are constants. */
function foldConstants(model: Model, budget: FoldBudget): void {
  const { graph } = model;
  const pinned = new Set(graph.outputs.map((value) => value.name));
  graph.nodes = graph.nodes.filter((node) => {
    const op = opOf(node);
    const [output] = node.outputs;
    if (!op || !output || node.outputs.length !== 1 || pinned.has(output) || node.inputs.length === 0)
      return true;
    if (node.inputs.some((name) => name && !graph.constants.has(name))) return true;
    const limit = budget.limitFor(graph, node);
    const known = limit > 0 ? evaluateConstant(model, node, limit) : undefined;
    const folded = known && constantOfKnown(known);
    if (!folded) return true;
    budget.spend(known.data.length);
    graph.constants.set(output, folded);
    return false;
  });
}

/** Writes values that follow from shapes as constants, and shape inputs of Reshape in terms of 0 and -1. */
function foldShapes(model: Model): void {
  const { graph } = model;
  const runs = runsOf(model);
  const pinned = new Set(graph.outputs.map((value) => value.name));
  for (const node of graph.nodes) {
    const [output] = node.outputs;
    if (!output || node.outputs.length !== 1 || pinned.has(output)) continue;
    const constant = constantAcross(runs.map((run) => run.known.get(output)));
    if (constant) graph.constants.set(output, constant);
  }
  graph.nodes = graph.nodes.filter((node) => !node.outputs.some((name) => graph.constants.has(name)));
  const names = NameAllocator.of(graph);
  fixResizes(model, runs, names);
  for (const node of graph.nodes) {
    if (opOf(node) !== 'Reshape') continue;
    const shape = reshapeTarget(node, runs);
    const old = node.inputs[1];
    if (!shape || !old || graph.constants.has(old)) continue;
    const name = names.fresh(`${node.outputs[0]}_shape`);
    graph.constants.set(name, intConstant(shape));
    node.inputs = [node.inputs[0] ?? '', name];
  }
}

/** Inferred shapes at several batch sizes; at one size where the model fixes its batch. */
function runsOf(model: Model): Inferred[] {
  const isFixed = model.graph.inputs.every(({ dims }) => dims?.every((dim) => typeof dim === 'number'));
  if (isFixed) return [inferValues(model, 1)];
  // Only a Shape makes a value of the batch: without one, one walk finds what contradicts itself, and all that is
  // known.
  const { nodes, constants } = model.graph;
  const isOpen = nodes.some(
    (node) => opOf(node) === 'Shape' || (opOf(node) === 'Reshape' && !constants.has(node.inputs[1] ?? '')),
  );
  if (!isOpen) return [inferOpen(model, BATCHES[0])];
  const runs = BATCHES.map((batch) => inferOpen(model, batch));
  for (const batch of MORE_BATCHES) {
    try {
      runs.push(inferValues(model, batch));
    } catch (error) {
      if (!BedsideError.is(error)) throw error;
    }
  }
  return runs;
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

/**
 * A Reshape's target that holds at any batch size, or undefined when there is none. Where the target leaves another
 * size open than that of the batch, the sizes of the result say it.
 */
function reshapeTarget(node: Node, runs: readonly Inferred[]): number[] | undefined {
  if (intAttribute(node, 'allowzero', 0) !== 0) return undefined;
  const inputs = runs.map((run) => run.shapes.get(node.inputs[0] ?? ''));
  const given = runs.map((run) => run.known.get(node.inputs[1] ?? '')?.data);
  if (!given[0]) return undefined;
  const results = runs.map((run) => run.shapes.get(node.outputs[0] ?? ''));
  return targetOf(given, inputs) ?? targetOf(results, inputs);
}

type Sizes = ArrayLike<number> | undefined;

/** Sizes that are the same in all runs, 0 where one follows the input, and -1 for at most one other. */
function targetOf(targets: readonly Sizes[], inputs: readonly Sizes[]): number[] | undefined {
  const first = Array.from(targets[0] ?? []);
  const follows = (index: number): boolean =>
    inputs.every((input, run) => targets[run]?.[index] === input?.[index] && input?.[index] !== undefined);
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
  return result.length > 0 ? result : undefined;
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
    if ('outputPadding' in window && window.outputPadding.some((size) => size > 0)) {
      node.attributes.set('output_padding', ints(window.outputPadding));
    }
    node.attributes.delete('auto_pad');
    node.attributes.delete('output_shape');
    node.attributes.set('pads', ints([...window.padsBegin, ...window.padsEnd]));
  }
}

/** A node may bear the name of a value (the one it makes), so only names of nodes are looked at. */
function nameNodes(graph: Graph): void {
  const names = new NameAllocator(new Set());
  for (const node of graph.nodes) {
    if (node.name && !names.has(node.name)) names.take(node.name);
    else node.name = '';
  }
  for (const node of graph.nodes) node.name ||= names.fresh(node.outputs.find(Boolean) ?? node.op);
}

function forgetGone(graph: Graph): void {
  const made = new Set<string>();
  for (const node of graph.nodes) for (const name of node.outputs) made.add(name);
  forgetShapes(graph, made);
}
