// A model that fixes its batch, with the batch left open: declared sizes and the sizes written into reshapes follow it.
// Whether what comes out still gives each sample what it gave is for the caller to try: see `pack/runnable.ts`.

import {
  type Constant,
  cloneModel,
  type Dim,
  type Graph,
  intConstant,
  type Model,
  type Node,
} from '../graph.ts';
import { opOf } from '../ops.ts';
import { inferShapes } from '../shapes/shapes.ts';
import { addConstant, forgetShapes } from '../surgery.ts';
import { fixedBatchOf } from './fixed-batch.ts';
import { openAtPlaces } from './reshape-places.ts';

/**
 * The model with its batch open, of a canonical model with one input; the same model when nothing is fixed.
 * @param by how the batch is found in reshapes: by its size, or by following where samples lie, which takes longer and
 *   is right where other axes have the same size, as all have beside a batch of 1
 */
export function freeBatch(model: Model, by: 'sizes' | 'places' = 'sizes'): Model {
  const batch = fixedBatchOf(model);
  if (batch === undefined) return model;
  const shapes = inferShapes(model, batch);
  const result = cloneModel(model);
  const { graph } = result;
  const open = (dims: readonly Dim[] | undefined): readonly Dim[] | undefined =>
    dims?.map((dim, axis) => (axis === 0 && dim === batch ? 'batch' : dim));
  for (const value of [...graph.inputs, ...graph.outputs]) value.dims = open(value.dims);
  for (const node of graph.nodes) {
    if (opOf(node) === 'Reshape' && by === 'sizes') openReshape(graph, node, shapes, batch);
    if (opOf(node) === 'Expand') openExpand(graph, node, batch);
    if (RECURRENT.has(node.op)) openRecurrent(graph, node);
  }
  forgetShapes(graph);
  if (by === 'places') openAtPlaces(result, shapes, batch);
  return result;
}

/** The first size that the batch is a part of becomes what is left over, the others what they are. */
function openReshape(
  graph: Graph,
  node: Node,
  shapes: ReadonlyMap<string, readonly number[]>,
  batch: number,
): void {
  const target = graph.constants.get(node.inputs[1] ?? '');
  const output = shapes.get(node.outputs[0] ?? '') ?? wholeSizes(target);
  const input = shapes.get(node.inputs[0] ?? '') ?? [];
  if (target?.type !== 'int64' || !output || Number(target.data[0]) === 0) return;
  // The axis on which the batch lay, alone or merged with others; otherwise the axis that is split from them.
  const kept = input.findIndex((size, i) => size === batch && (output[i] ?? 1) % batch === 0 && output[i]);
  const axis = output[0] === batch ? 0 : kept >= 0 ? kept : output.indexOf(batch);
  if (axis < 0) return;
  const sizes = output.map((size, i) => (i === axis ? -1 : size));
  node.inputs[1] = addConstant(graph, `${node.inputs[1]}_open`, intConstant(sizes));
}

const RECURRENT: ReadonlySet<string> = new Set(['LSTM', 'GRU', 'RNN']);

/** First states of zeros, one row for each sample, are what a recurrent layer starts from by itself. */
function openRecurrent(graph: Graph, node: Node): void {
  node.inputs = node.inputs.map((name, at) => {
    const state = at >= 5 && at <= 6 ? graph.constants.get(name) : undefined;
    return state?.type === 'float32' && state.data.every((value) => value === 0) ? '' : name;
  });
  while (node.inputs.at(-1) === '') node.inputs.pop();
}

/** A target that says every size itself. */
function wholeSizes(target: Constant | undefined): readonly number[] | undefined {
  const sizes = target?.type === 'int64' ? Array.from(target.data, Number) : [];
  return sizes.length > 0 && sizes.every((size) => size > 0) ? sizes : undefined;
}

/** A size of 1 keeps what the value has. */
function openExpand(graph: Graph, node: Node, batch: number): void {
  const target = graph.constants.get(node.inputs[1] ?? '');
  if (target?.type !== 'int64' || Number(target.data[0]) !== batch) return;
  const sizes = Array.from(target.data, (size, i) => (i === 0 ? 1 : Number(size)));
  node.inputs[1] = addConstant(graph, `${node.inputs[1]}_open`, intConstant(sizes));
}
