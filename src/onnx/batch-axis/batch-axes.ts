// For every value of a graph: the axis on which its samples lie, and what else lies on that axis.

import type { Graph, Model, Node, Value } from '../graph.ts';
import { describeNode, opOf } from '../ops.ts';
import { readsOf } from '../order.ts';
import { NotKnown } from '../shapes/context.ts';
import { inferValues } from '../shapes/shapes.ts';
import { assumedPlaces, assumedValues } from './assumed.ts';
import { Lost, PlaceContext, type SizedRun } from './context.ts';
import { fixedBatchOf } from './fixed-batch.ts';
import { MORE_PLACE_RULES } from './more-rules.ts';
import { inferOpen } from './open-batch.ts';
import { along, type BatchAxis, type BatchPlace } from './place.ts';
import { PLACE_RULES, type PlaceRule } from './rules.ts';

/** Batch sizes whose shapes are compared where the model leaves the batch open. */
const SIZES = [2, 3] as const;

/**
 * Where every value holds its samples (inputs and constants too), followed from the inputs through all operators. It
 * follows from shapes and attributes alone. Where two batch sizes give different answers, or an operator has no rule or
 * computes across samples, the values behind it are `unknown`, with the reason.
 */
export function batchAxes(model: Model): Map<string, BatchPlace> {
  const { graph } = model;
  const fixed = fixedBatchOf(model);
  if (fixed === 1) return onlySample(model);
  const runs = (fixed === undefined ? SIZES : [fixed]).map(
    (samples): SizedRun => ({ samples, inferred: inferOpen(model, samples) }),
  );
  const places = new Map<string, BatchPlace>();
  for (const name of graph.constants.keys()) places.set(name, { kind: 'none' });
  for (const input of graph.inputs) places.set(input.name, placeOfInput(graph, input));
  for (const node of graph.nodes) {
    const found = placesOf(model, node, places, runs);
    node.outputs.forEach((name, index) => {
      if (name) places.set(name, found[index] ?? { kind: 'none' });
    });
  }
  return places;
}

/** Values whose place is assumed from shapes alone, of `batchAxes`: outputs of operators without a rule. */
export function assumedSamples(model: Model, places: ReadonlyMap<string, BatchPlace>): string[] {
  if (fixedBatchOf(model) === 1) return [];
  return assumedValues(model, places, (node) => ruleOf(node) !== undefined);
}

/** On the axis that bears the first input's name for the batch, or on the first if its size fits. */
function placeOfInput({ inputs }: Graph, { dims }: Value): BatchPlace {
  const batch = inputs[0]?.dims?.[0];
  const named = typeof batch === 'string' ? (dims?.indexOf(batch) ?? -1) : -1;
  if (named >= 0) return along(named);
  const [first] = dims ?? [];
  return typeof first === 'number' && first !== batch ? { kind: 'none' } : along(0);
}

/** With one sample in every run, all of a value is that sample's. */
function onlySample(model: Model): Map<string, BatchPlace> {
  const { shapes } = inferValues(model, 1);
  const places = new Map<string, BatchPlace>();
  for (const name of model.graph.constants.keys()) places.set(name, { kind: 'none' });
  const carrying = new Set(model.graph.inputs.map(({ name }) => name));
  for (const node of model.graph.nodes) {
    const carries = opOf(node) !== 'Shape' && readsOf(node).some((name) => carrying.has(name));
    for (const name of node.outputs) {
      if (!name) continue;
      if (carries) carrying.add(name);
      else places.set(name, { kind: 'none' });
    }
  }
  for (const name of carrying) {
    const [first = 1] = shapes.get(name) ?? [];
    places.set(name, { ...along(0), before: first } satisfies BatchAxis);
  }
  return places;
}

function placesOf(
  model: Model,
  node: Node,
  places: ReadonlyMap<string, BatchPlace>,
  runs: readonly SizedRun[],
): readonly (BatchPlace | undefined)[] {
  const carrying = readsOf(node).some((name) => {
    const place = places.get(name);
    return place !== undefined && place.kind !== 'none';
  });
  if (!carrying) return [];
  const rule = ruleOf(node);
  const all = (place: BatchPlace): BatchPlace[] => node.outputs.map(() => place);
  if (!rule) return assumedPlaces(node, places, runs);
  try {
    const found = rule(new PlaceContext(model, node, places, runs));
    if (found === undefined) return [];
    return 'kind' in found ? all(found) : found;
  } catch (error) {
    if (error instanceof Lost) return all(error.place);
    if (!(error instanceof NotKnown)) throw error;
    const reason = 'works with sizes that are computed as it runs';
    return all({ kind: 'unknown', node: describeNode(node), reason, mixes: false });
  }
}

function ruleOf(node: Node): PlaceRule | undefined {
  const op = opOf(node);
  if (op) return PLACE_RULES[op];
  return node.domain === '' || node.domain === 'ai.onnx' ? MORE_PLACE_RULES.get(node.op) : undefined;
}
