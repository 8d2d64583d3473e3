// Small steps that rewrite a graph in place, and the cut of a part out of a model.
import { BedsideError, must } from '../util/index.ts';
import {
  type Constant,
  type Dim,
  ELEM,
  type Graph,
  type Model,
  type Node,
  sizeOf,
  type Value,
} from './graph.ts';
import { NameAllocator } from './names.ts';
import { describeNode } from './ops.ts';
import { readsOf } from './order.ts';
import { inferValues, symbolicShapes } from './shapes/shapes.ts';

/**
 * Puts another tensor under an existing constant's name; every reader of the name sees it.
 * @throws BedsideError E_INTERNAL when there is no such constant
 */
export function replaceConstant(graph: Graph, name: string, constant: Constant): void {
  must(graph.constants.get(name), `no constant '${name}' to replace`);
  graph.constants.set(name, constant);
}

/** Makes every node that reads `from` read `to` instead. Graph outputs and subgraphs keep their names. */
export function replaceUses(graph: Graph, from: string, to: string): void {
  for (const node of graph.nodes) node.inputs = node.inputs.map((name) => (name === from ? to : name));
}

/**
 * Removes a node; whatever read its first output reads its first input instead.
 * @throws BedsideError E_INTERNAL when the output is a graph output or read inside a subgraph, which name it
 */
export function removeNode(graph: Graph, node: Node): void {
  const [output] = node.outputs;
  const [input] = node.inputs;
  if (!input || !output || pinnedValues(graph).has(output)) {
    throw new BedsideError(
      'E_INTERNAL',
      `internal: ${describeNode(node)} cannot be removed: its output has to stay`,
    );
  }
  replaceUses(graph, output, input);
  graph.nodes = graph.nodes.filter((other) => other !== node);
}

/**
 * Inserts `node`, which reads `value`, right after `value` is made; every other reader reads its first output.
 * @throws BedsideError E_INTERNAL when `node` does not read `value`
 */
export function insertAfter(graph: Graph, value: string, node: Node): void {
  const [output] = node.outputs;
  if (!output || !node.inputs.includes(value)) {
    throw new BedsideError('E_INTERNAL', `internal: ${describeNode(node)} does not read '${value}'`);
  }
  replaceUses(graph, value, output);
  const at = graph.nodes.findIndex((other) => other.outputs.includes(value)) + 1;
  graph.nodes.splice(at, 0, { ...node, inputs: [...node.inputs] });
}

/** Values whose names others rely on: graph outputs, and outer values read inside subgraphs. */
export function pinnedValues(graph: Graph): Set<string> {
  const pinned = new Set(graph.outputs.map((value) => value.name));
  for (const node of graph.nodes) for (const name of readsOf(node).slice(countInputs(node))) pinned.add(name);
  return pinned;
}

function countInputs(node: Node): number {
  return node.inputs.reduce((count, name) => count + (name ? 1 : 0), 0);
}

/** Removes nodes that no graph output depends on, and constants that nothing reads. */
export function removeDead(graph: Graph): void {
  const needed = new Set(graph.outputs.map((value) => value.name));
  const kept: Node[] = [];
  for (const node of graph.nodes.toReversed()) {
    if (!node.outputs.some((name) => needed.has(name))) continue;
    kept.push(node);
    for (const name of readsOf(node)) needed.add(name);
  }
  graph.nodes = kept.reverse();
  graph.constants = new Map([...graph.constants].filter(([name]) => needed.has(name)));
}

/**
 * Forgets the shapes declared for intermediate values, except for those in `keep`. For rewrites that change them:
 * a stale declaration makes other tools refuse the model.
 */
export function forgetShapes(graph: Graph, keep: ReadonlySet<string> = new Set()): void {
  const { carried } = graph;
  if (!carried || carried.valueInfo.length === 0) return;
  graph.carried = { ...carried, valueInfo: carried.valueInfo.filter((value) => keep.has(value.name ?? '')) };
}

/**
 * The entries of a float32 or int64 constant at `indices` along `axis`, in that order.
 * @throws BedsideError E_UNSUPPORTED for other element types, E_INTERNAL for an index or axis out of range
 */
export function sliceAxis(constant: Constant, axis: number, indices: readonly number[]): Constant {
  if (constant.type === 'other') {
    throw new BedsideError(
      'E_UNSUPPORTED',
      `a constant of element type ${constant.elemType} cannot be sliced`,
      {
        hint: 'convert the model to float32',
      },
    );
  }
  const { dims } = constant;
  const size = must(dims[axis], `axis ${axis} of a constant of shape [${dims}]`);
  const bad = indices.find((index) => !Number.isInteger(index) || index < 0 || index >= size);
  if (bad !== undefined) throw new BedsideError('E_INTERNAL', `internal: index ${bad} of an axis of ${size}`);
  const inner = sizeOf(dims.slice(axis + 1));
  const outer = sizeOf(dims.slice(0, axis));
  const newDims = dims.map((old, i) => (i === axis ? indices.length : old));
  if (constant.type === 'int64') {
    const data = new BigInt64Array(sizeOf(newDims));
    copyRows(outer, size, inner, indices, (to, from, length) =>
      data.set(constant.data.subarray(from, from + length), to),
    );
    return { ...constant, dims: newDims, data };
  }
  const data = new Float32Array(sizeOf(newDims));
  copyRows(outer, size, inner, indices, (to, from, length) =>
    data.set(constant.data.subarray(from, from + length), to),
  );
  return { ...constant, dims: newDims, data };
}

/** Neighbours are copied at once. */
function copyRows(
  outer: number,
  size: number,
  inner: number,
  indices: readonly number[],
  copy: (to: number, from: number, length: number) => void,
): void {
  const runs: { from: number; count: number }[] = [];
  for (const index of indices) {
    const last = runs.at(-1);
    if (last && last.from + last.count === index) last.count++;
    else runs.push({ from: index, count: 1 });
  }
  let to = 0;
  for (let row = 0; row < outer; row++) {
    for (const { from, count } of runs) {
      copy(to, (row * size + from) * inner, count * inner);
      to += count * inner;
    }
  }
}

/** Shapes and element types of a model's values, as parts of it declare them. */
export interface PartShapes {
  readonly shapes: ReadonlyMap<string, Dim[]>;
  readonly types: ReadonlyMap<string, number>;
}

/** For cutting many parts out of one model: the shapes are inferred once. */
export function partShapes(model: Model): PartShapes {
  return { shapes: symbolicShapes(model), types: inferValues(model, 2).types };
}

/**
 * The part of a model that computes `outputs` from `inputs` (value names), as a model of its own; tensor data is
 * shared. Sizes are those inferred, the batch axis stays open.
 * @param known of this model, or of one with other weights; default: they are inferred
 * @throws BedsideError E_MODEL when an output needs a graph input that is not among `inputs`, or does not exist
 */
export function extractSubgraph(
  model: Model,
  inputs: readonly string[],
  outputs: readonly string[],
  known?: PartShapes,
): Model {
  const { graph } = model;
  const given = new Set(inputs);
  const nodes: Node[] = [];
  const needed = new Set(outputs);
  for (const node of graph.nodes.toReversed()) {
    if (!node.outputs.some((name) => needed.has(name) && !given.has(name))) continue;
    nodes.push(node);
    for (const name of readsOf(node)) needed.add(name);
  }
  const made = new Set(nodes.flatMap((node) => node.outputs));
  const sparse = new Set(graph.carried?.sparseInitializer.map((tensor) => tensor.values?.name));
  for (const name of needed) {
    if (made.has(name) || given.has(name) || graph.constants.has(name) || sparse.has(name)) continue;
    throw new BedsideError(
      'E_MODEL',
      `'${outputs.join()}' cannot be computed from '${inputs.join()}': '${name}' is missing`,
      {
        hint: 'name the values of the model that the part starts from',
      },
    );
  }
  const { shapes, types } = known ?? partShapes(model);
  const value = (name: string): Value => declare(graph, name, shapes.get(name), types.get(name));
  const part: Graph = {
    ...graph,
    inputs: inputs.map(value),
    outputs: outputs.map(value),
    nodes: nodes.reverse().map((node) => ({ ...node, inputs: [...node.inputs], outputs: [...node.outputs] })),
    constants: new Map([...graph.constants].filter(([name]) => needed.has(name) && !given.has(name))),
  };
  const clash = part.nodes.find((node) => node.outputs.some((name) => given.has(name)));
  if (clash) {
    throw new BedsideError(
      'E_MODEL',
      `${describeNode(clash)} makes one of the part's inputs and is needed in it`,
      {
        hint: 'cut where all outputs of a node are inside or outside',
      },
    );
  }
  forgetShapes(part, made);
  return { ...model, opsets: new Map(model.opsets), graph: part };
}

function declare(graph: Graph, name: string, dims: Dim[] | undefined, elemType: number | undefined): Value {
  const known = [...graph.inputs, ...graph.outputs].find((value) => value.name === name);
  return known ? { ...known } : { name, elemType: elemType ?? ELEM.float32, dims };
}

/** A float32 constant's data, for rewrites that need numbers. */
export function floatData(
  graph: Graph,
  name: string | undefined,
): { dims: readonly number[]; data: Float32Array } | undefined {
  const constant = name ? graph.constants.get(name) : undefined;
  return constant?.type === 'float32' ? constant : undefined;
}

/**
 * Adds a constant under a name not yet used in the graph, and returns the name; many at once by one `NameAllocator`.
 */
export function addConstant(graph: Graph, hint: string, constant: Constant): string {
  const name = NameAllocator.of(graph).fresh(hint);
  graph.constants.set(name, constant);
  return name;
}
