// The batch size that a model fixes, if it fixes one.
import type { Graph } from '../graph.ts';

/** The size of the first axis of the first input that is no constant; undefined when the model takes any batch. */
export function fixedBatchOf({ graph }: { readonly graph: Graph }): number | undefined {
  const input = graph.inputs.find(({ name }) => !graph.constants.has(name));
  const batch = input?.dims?.[0];
  return typeof batch === 'number' ? batch : undefined;
}

/**
 * How many samples the shapes of a graph stand for: the first axis of its input, if that of an output is equal;
 * otherwise 1.
 * @param shapes inferred for a batch of one where the batch is free
 */
export function samplesOfShapes(graph: Graph, shapes: ReadonlyMap<string, readonly number[]>): number {
  const first = (name: string | undefined): number | undefined => shapes.get(name ?? '')?.[0];
  const batch = first(graph.inputs.find(({ name }) => !graph.constants.has(name))?.name);
  if (batch === undefined || batch < 1) return 1;
  return graph.outputs.some((value) => first(value.name) === batch) ? batch : 1;
}
