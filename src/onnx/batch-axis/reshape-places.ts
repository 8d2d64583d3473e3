// Where a fixed batch lies in the targets of reshapes, found by following the samples. Where a target could hold them on
// several axes, that one is right with which everything behind it still works for several samples.
import { BedsideError } from '../../util/index.ts';
import { ELEM, intConstant, type Model, type Node, sizeOf } from '../graph.ts';
import { opOf } from '../ops.ts';
import { addConstant } from '../surgery.ts';
import { batchAxes } from './batch-axes.ts';

/** Choices that are tried before a model is given up. */
const MOST_TRIES = 200;

/**
 * Opens the reshapes of a model whose inputs are open, in place; as far as that works, which is for the caller to try.
 * @param shapes of all values at the fixed batch
 */
export function openAtPlaces(
  model: Model,
  shapes: ReadonlyMap<string, readonly number[]>,
  batch: number,
): void {
  const { graph } = model;
  const reshapes = graph.nodes.filter((node) => {
    const target = graph.constants.get(node.inputs[1] ?? '');
    return opOf(node) === 'Reshape' && target?.type === 'int64' && shapes.has(node.outputs[0] ?? '');
  });
  let tries = 0;
  const openFrom = (at: number): boolean => {
    const node = reshapes[at];
    if (!node) return samplesAt(model, graph.nodes.length, graph.outputs[0]?.name ?? '') !== undefined;
    const given = node.inputs[0] ?? '';
    const ahead = samplesAt(model, graph.nodes.indexOf(node), given);
    if (ahead === undefined) return false;
    const output = shapes.get(node.outputs[0] ?? '') ?? [];
    const own = node.inputs[1] ?? '';
    // Nothing of a sample in it.
    if (ahead === 'none') return openFrom(at + 1);
    const entries = sizeOf((shapes.get(given) ?? []).slice(0, ahead.axis)) * ahead.before;
    for (const axis of candidates(output, entries, batch)) {
      if (++tries > MOST_TRIES) return false;
      const sizes = output.map((size, i) => (i === axis ? -1 : size));
      node.inputs[1] = addConstant(graph, `${own}_open`, intConstant(sizes));
      if (openFrom(at + 1)) return true;
      graph.constants.delete(node.inputs[1]);
      node.inputs[1] = own;
    }
    return false;
  };
  openFrom(0);
}

/** Where the samples of a value lie, which the first nodes make; undefined where they do not work with several. */
function samplesAt(
  model: Model,
  count: number,
  value: string,
): { readonly axis: number; readonly before: number } | 'none' | undefined {
  const nodes: Node[] = model.graph.nodes.slice(0, count);
  const outputs = [{ name: value, elemType: ELEM.float32, dims: undefined }];
  try {
    const place = batchAxes({ ...model, graph: { ...model.graph, nodes, outputs } }).get(value);
    if (place?.kind === 'none') return 'none';
    return place?.kind === 'axis' ? place : undefined;
  } catch (error) {
    if (!BedsideError.is(error)) throw error;
    return undefined;
  }
}

/** Axes behind as many entries as stand before the samples, the batch alone first; then the innermost. */
function candidates(output: readonly number[], entries: number, batch: number): number[] {
  const found = output.flatMap((size, axis) => {
    const before = sizeOf(output.slice(0, axis));
    const inside = entries / before;
    return Number.isInteger(inside) && size % (inside * batch) === 0 ? [{ axis, inside, size }] : [];
  });
  const alone = found.filter(({ inside, size }) => inside === 1 && size === batch);
  const others = found.filter((one) => !alone.includes(one)).reverse();
  return [...alone, ...others].map(({ axis }) => axis);
}
