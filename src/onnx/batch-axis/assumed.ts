// Operators without a batch rule (If, Loop, other domains): where their outputs hold samples, judged by their shapes.
import type { Model, Node } from '../graph.ts';
import { describeNode } from '../ops.ts';
import { readsOf } from '../order.ts';
import type { SizedRun } from './context.ts';
import { along, type BatchPlace, isAlone } from './place.ts';

/**
 * The places of a node's outputs where all that it reads holds its samples alone on an axis: on the one axis that has
 * as many positions as there are samples, at each batch size. An assumption: whoever reads samples there has to try it
 * (`assumedValues`), since nothing tells what the node does.
 */
export function assumedPlaces(
  node: Node,
  places: ReadonlyMap<string, BatchPlace>,
  runs: readonly SizedRun[],
): BatchPlace[] {
  const reason = 'is an operator that is not followed';
  const unknown: BatchPlace = { kind: 'unknown', node: describeNode(node), reason, mixes: false };
  const read = readsOf(node).flatMap((name) => places.get(name) ?? []);
  const lost = read.find((place) => place.kind === 'unknown');
  if (lost) return node.outputs.map(() => lost);
  if (!read.every((place) => place.kind === 'none' || isAlone(place))) return node.outputs.map(() => unknown);
  return node.outputs.map((name) => {
    const shapes = runs.map(({ inferred }) => inferred.shapes.get(name));
    const axes = [...(shapes[0] ?? []).keys()].filter((axis) =>
      shapes.every((shape, run) => shape?.[axis] === runs[run]?.samples),
    );
    return axes.length === 1 ? along(axes[0] as number) : unknown;
  });
}

/** Values that nodes without a rule give, with a place that is assumed. */
export function assumedValues(
  model: Model,
  places: ReadonlyMap<string, BatchPlace>,
  followed: (node: Node) => boolean,
): string[] {
  return model.graph.nodes
    .filter((node) => !followed(node))
    .flatMap(({ outputs }) => outputs.filter((name) => places.get(name)?.kind === 'axis'));
}
