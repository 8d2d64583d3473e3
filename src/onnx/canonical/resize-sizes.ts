// Sizes of a Resize that are computed as it runs only because they name the batch are written as constants.
import { floatConstant, type Graph, int, intConstant, ints, type Model, type Node } from '../graph.ts';
import type { NameAllocator } from '../names.ts';
import { opOf, stringAttribute } from '../ops.ts';
import type { Inferred } from '../shapes/context.ts';
import { resizeMaps } from '../shapes/resize.ts';

/** An axis whose size changes, the same at every batch size. */
interface Change {
  readonly axis: number;
  readonly from: number;
  readonly to: number;
}

/**
 * Writes computed sizes of every Resize as constants: as sizes of the axes that change from operator set 18 on, before
 * as scales. The nearest positions, which a rounded scale could move, are then picked by a Gather for each axis.
 */
export function fixResizes(model: Model, runs: readonly Inferred[], names: NameAllocator): void {
  const { graph } = model;
  const opset = model.opsets.get('') ?? model.opsets.get('ai.onnx') ?? 1;
  graph.nodes = graph.nodes.flatMap((node) => {
    const sizes = node.inputs[3];
    if (opOf(node) !== 'Resize' || !sizes || graph.constants.has(sizes) || node.attributes.has('axes'))
      return [node];
    const changes = changesOf(node, runs);
    const rank = runs[0]?.shapes.get(node.inputs[0] ?? '')?.length ?? 0;
    if (!changes || changes.length === 0) return [node];
    if (opset >= 18) return [bySizes(graph, node, changes, names)];
    const scales = scalesOf(changes, rank);
    const isExact = changes.every(({ axis, from, to }) => (scales[axis] as number) * from === to);
    if (isExact || stringAttribute(node, 'mode', 'nearest') !== 'nearest') {
      return [byScales(graph, node, scales, names)];
    }
    return picked(graph, node, { changes, rank }, names) ?? [node];
  });
}

/** The axes that change; undefined where one depends on the batch, or is not known. */
function changesOf(node: Node, runs: readonly Inferred[]): Change[] | undefined {
  const shapes = runs.map((run) => run.shapes.get(node.inputs[0] ?? ''));
  const targets = runs.map((run) => run.known.get(node.inputs[3] ?? '')?.data);
  const [shape, first] = [shapes[0], targets[0]];
  if (!shape || !first || shape.length !== first.length) return undefined;
  const changes: Change[] = [];
  for (const [axis, from] of shape.entries()) {
    const to = first[axis] as number;
    if (shapes.every((one, run) => targets[run]?.[axis] === one?.[axis])) continue;
    if (!shapes.every((one, run) => targets[run]?.[axis] === to && one?.[axis] === from)) return undefined;
    changes.push({ axis, from, to });
  }
  return changes;
}

function bySizes(graph: Graph, node: Node, changes: readonly Change[], names: NameAllocator): Node {
  const name = names.fresh(`${node.outputs[0]}_sizes`);
  graph.constants.set(name, intConstant(changes.map(({ to }) => to)));
  const attributes = new Map(node.attributes).set('axes', ints(changes.map(({ axis }) => axis)));
  return { ...node, inputs: [node.inputs[0] ?? '', '', '', name], attributes };
}

/** The smallest float32 factors that give the sizes, in single and in double precision. */
function scalesOf(changes: readonly Change[], rank: number): Float32Array {
  const scales = new Float32Array(rank).fill(1);
  for (const { axis, from, to } of changes) {
    let scale = Math.fround(to / from);
    if (scale * from < to) scale = Math.fround(scale * (1 + 2 ** -23));
    scales[axis] = scale;
  }
  return scales;
}

function byScales(graph: Graph, node: Node, scales: Float32Array, names: NameAllocator): Node {
  const name = names.fresh(`${node.outputs[0]}_scales`);
  graph.constants.set(name, floatConstant(scales));
  return { ...node, inputs: [node.inputs[0] ?? '', '', name] };
}

/** The nearest positions of each axis that changes, one axis after the other. */
function picked(
  graph: Graph,
  node: Node,
  { changes, rank }: { readonly changes: readonly Change[]; readonly rank: number },
  names: NameAllocator,
): Node[] | undefined {
  const shape = new Array<number>(rank).fill(1);
  const sizes = new Array<number>(rank).fill(1);
  for (const { axis, from, to } of changes) [shape[axis], sizes[axis]] = [from, to];
  const probe = new Map(graph.constants).set('sizes', intConstant(sizes));
  const maps = resizeMaps({ ...graph, constants: probe }, { ...node, inputs: ['', '', '', 'sizes'] }, shape);
  if (!maps) return undefined;
  let input = node.inputs[0] ?? '';
  return changes.map(({ axis }, n): Node => {
    const indices = names.fresh(`${node.outputs[0]}_places`);
    graph.constants.set(indices, intConstant((maps[axis] ?? []).map((terms) => terms[0]?.from ?? 0)));
    const output =
      n === changes.length - 1 ? (node.outputs[0] ?? '') : names.fresh(`${node.outputs[0]}_part`);
    const inputs = [input, indices];
    input = output;
    return {
      name: '',
      op: 'Gather',
      domain: '',
      inputs,
      outputs: [output],
      attributes: new Map([['axis', int(axis)]]),
    };
  });
}
