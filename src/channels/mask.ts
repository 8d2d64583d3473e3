// The same model with removed channels set to zero instead of cut. A cut must equal it. It needs no knowledge of
// weights: before every layer that sums over channels, the removed ones are multiplied by zero.
import type { Model } from '../onnx/index.ts';
import {
  cloneModel,
  floatConstant,
  GraphBuilder,
  type Node,
  RECURRENT_INPUTS,
  recurrentLayer,
} from '../onnx/internal.ts';
import { must } from '../util/index.ts';
import type { Grouping } from './groups.ts';
import { type KeptUnits, keptPositions } from './keep.ts';
import { unitsOf, withoutUnits } from './recurrent.ts';

/**
 * A model with unchanged shapes in which every reader of a removed channel sees zeros.
 * @throws BedsideError E_INTERNAL for an unknown group, one that would be emptied, or units out of range or order
 */
export function maskModel(model: Model, grouping: Grouping, keep: KeptUnits): Model {
  const result = cloneModel(model);
  const { graph } = result;
  const kept = keptPositions(grouping, keep);
  const readers = new Set(grouping.groups.flatMap((group) => group.readers));
  const masked = new Map<string, string>();
  const original = graph.nodes;
  graph.nodes = [];
  const builder = new GraphBuilder({ ...graph, nodes: original });
  for (const node of original) {
    const recurrent = recurrentLayer(graph, node);
    const units = recurrent && kept(unitsOf(node));
    if (readers.has(node.name)) node.inputs = node.inputs.map((input) => masked.get(input) ?? mask(input));
    if (recurrent && units) {
      const { dims } = recurrent.recurrence;
      const rest = floatConstant(withoutUnits(recurrent.recurrence, units), dims);
      node.inputs[RECURRENT_INPUTS.recurrence] = builder.constant(rest, `${node.name}_masked`);
    }
    graph.nodes.push(node);
  }
  return result;

  function mask(value: string): string {
    const positions = kept(value);
    if (!positions) return value;
    const { axis, group } = must(grouping.values.get(value), `'${value}' has no channels`);
    const rank = must(grouping.shapes.get(value), `shape of '${value}'`).length;
    const flags = new Float32Array(group.length);
    for (const position of positions) flags[position] = 1;
    const dims = Array.from({ length: rank - axis }, (_, i) => (i === 0 ? group.length : 1));
    const output = builder.fresh(`${value}_masked`);
    const inputs = [value, builder.constant(floatConstant(flags, dims), `${value}_mask`)];
    const node: Node = {
      name: output,
      op: 'Mul',
      domain: '',
      inputs,
      outputs: [output],
      attributes: new Map(),
    };
    graph.nodes.push(node);
    masked.set(value, output);
    return output;
  }
}
