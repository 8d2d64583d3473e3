// Masking reductions over channels: what stays is reduced alone, as after a cut.
import { type Graph, GraphBuilder, intsParameter, type Node } from '../onnx/internal.ts';
import type { Grouping } from './groups.ts';
import { normalAxis } from './parameters.ts';
import { removedCountsAs } from './reduced-over.ts';

/** What masking knows. */
interface Masking {
  readonly graph: Graph;
  readonly grouping: Grouping;
  /** Positions of a value that stay; undefined where all do. */
  readonly kept: (value: string) => readonly number[] | undefined;
  /** Name of a constant of 1 where a channel of the value stays, 0 elsewhere. */
  readonly flagsOf: (value: string) => string;
}

/** Writes a reduction over the channels that stay; false, and nothing written, for any other node. */
export function maskedReduction({ graph, grouping, kept, flagsOf }: Masking, node: Node): boolean {
  const input = node.inputs[0] ?? '';
  const [positions, channels, removed] = [kept(input), grouping.values.get(input), removedCountsAs(node)];
  if (!positions || !channels || removed === undefined) return false;
  const rank = grouping.shapes.get(input)?.length ?? 0;
  const axes = intsParameter(graph, node, 1, 'axes')?.map((axis) => normalAxis(axis, rank));
  if (!axes?.includes(channels.axis)) return false;
  const builder = new GraphBuilder(graph);
  const stays = builder.node('Greater', [flagsOf(input), builder.scalar(0.5)], {}, 'stays');
  const value = builder.node('Where', [stays, input, builder.scalar(removed)], {}, 'kept');
  const inputs = [value, ...node.inputs.slice(1)];
  if (node.op !== 'ReduceMean') {
    graph.nodes.push({ ...node, inputs });
    return true;
  }
  const whole = builder.fresh('mean');
  graph.nodes.push({ ...node, inputs, outputs: [whole] });
  // The engine divides by the number of all channels.
  const scale = builder.scalar(channels.group.length / positions.length);
  graph.nodes.push({ ...node, name: '', op: 'Mul', inputs: [whole, scale], attributes: new Map() });
  return true;
}
