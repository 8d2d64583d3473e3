// Cuts a model into stages: runs of nodes between points where a single value crosses.

import { batchAxes } from './batch-axis/batch-axes.ts';
import { samplesOfShapes } from './batch-axis/fixed-batch.ts';
import { isBatchFirst } from './batch-axis/place.ts';
import { rawBytes } from './codec/proto.ts';
import { bytesOf, floatElements, modelCosts } from './costs/costs.ts';
import type { Graph, Model, Node } from './graph.ts';
import { isWeighted } from './layers/layer-layout.ts';
import { givenNames, readsOf } from './order.ts';
import { inferValues } from './shapes/shapes.ts';

/** A run of nodes between two single-tensor cut points, where the batch is alone on the first axis. */
export interface Stage {
  readonly index: number;
  /** Names of its nodes, in execution order. */
  readonly nodes: readonly string[];
  /** Multiply-accumulates for one sample. */
  readonly macs: number;
  /** Bytes of the float constants its nodes read. */
  readonly weightBytes: number;
  /** Bytes of its output for one sample. */
  readonly outputBytes: number;
  /** The value that crosses to the next stage; for the last stage the first graph output. */
  readonly output: string;
}

/**
 * The stages of a model, each with at least one weighted layer (unless the model has none); what follows a weighted
 * layer without being one belongs to its stage. Expects a canonical model, whose nodes are named.
 * @throws BedsideError as `inferShapes`
 */
export function findStages(model: Model): Stage[] {
  const { graph } = model;
  const inferred = inferValues(model, 1);
  const samples = samplesOfShapes(graph, inferred.shapes);
  const costs = modelCosts(model);
  const stages: Stage[] = [];
  let from = 0;
  for (const { end, output } of stageEnds(model)) {
    const nodes = graph.nodes.slice(from, end);
    stages.push({
      index: stages.length,
      nodes: nodes.map((node) => node.name),
      macs: costs.nodes.slice(from, end).reduce((sum, node) => sum + node.macs, 0),
      weightBytes: weightBytes(graph, nodes),
      outputBytes: (bytesOf(inferred, output) ?? 0) / samples,
      output,
    });
    from = end;
  }
  return stages;
}

interface Cut {
  /** Index of the first node after the cut. */
  readonly end: number;
  readonly output: string;
}

/**
 * The chosen cuts: the last one before each run that holds a weighted layer, and the end of the graph. Only where the
 * value that crosses is `[batch, ...]`: what runs stages counts samples by its first axis, and joins them along it.
 */
function stageEnds(model: Model): Cut[] {
  const { graph } = model;
  const places = batchAxes(model);
  const ends: Cut[] = [];
  let weighted = false;
  let from = 0;
  let previous: Cut | undefined;
  const last: Cut = { end: graph.nodes.length, output: graph.outputs[0]?.name ?? '' };
  const cuts = cutPoints(graph).filter(({ output }) => isBatchFirst(places.get(output)));
  for (const cut of [...cuts, last]) {
    if (graph.nodes.slice(from, cut.end).some((node) => isWeighted(graph, node))) {
      if (weighted && previous) ends.push(previous);
      weighted = true;
    }
    previous = cut;
    from = cut.end;
  }
  ends.push(last);
  return ends;
}

/** Every position inside the graph where exactly one value, a computed one, crosses. */
function cutPoints(graph: Graph): Cut[] {
  const constant = givenNames(graph);
  for (const input of graph.inputs) constant.delete(input.name);
  const end = graph.nodes.length;
  const lastRead = new Map<string, number>();
  graph.nodes.forEach((node, index) => {
    for (const name of readsOf(node)) if (!constant.has(name)) lastRead.set(name, index);
  });
  for (const value of graph.outputs) lastRead.set(value.name, end);
  const crossing = new Set(graph.inputs.map((value) => value.name).filter((name) => lastRead.has(name)));
  const inputs = new Set(crossing);
  const cuts: Cut[] = [];
  graph.nodes.forEach((node, index) => {
    for (const name of node.outputs) if (lastRead.has(name)) crossing.add(name);
    for (const name of readsOf(node)) if (lastRead.get(name) === index) crossing.delete(name);
    const [only] = crossing;
    if (crossing.size === 1 && only !== undefined && !inputs.has(only) && index + 1 < end) {
      cuts.push({ end: index + 1, output: only });
    }
  });
  return cuts;
}

function weightBytes(graph: Graph, nodes: readonly Node[]): number {
  let bytes = 0;
  for (const name of new Set(nodes.flatMap(readsOf))) {
    const constant = graph.constants.get(name);
    const elements = floatElements(constant);
    if (constant)
      bytes += constant.type === 'other' ? (rawBytes(constant.elemType, elements) ?? 0) : 4 * elements;
  }
  return bytes;
}
