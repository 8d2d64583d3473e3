// The same model with removed channels set to zero instead of cut. A cut must equal it. It needs no knowledge of
// weights: before every layer that sums over channels, the removed ones are multiplied by zero.
import type { Model } from '../onnx/index.ts';
import {
  cloneModel,
  floatConstant,
  GraphBuilder,
  intAttribute,
  type Node,
  opOf,
  RECURRENT_INPUTS,
  recurrentLayer,
} from '../onnx/internal.ts';
import { must } from '../util/index.ts';
import type { Grouping } from './groups.ts';
import { type KeptUnits, keptPositions } from './keep.ts';
import { maskedReduction } from './masked-reduction.ts';
import { isNormalization, maskedNormalization } from './normalization.ts';
import { normalAxis } from './parameters.ts';
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
    if (recurrent && units) {
      const { dims } = recurrent.recurrence;
      const rest = floatConstant(withoutUnits(recurrent.recurrence, units), dims);
      node.inputs[RECURRENT_INPUTS.recurrence] = builder.constant(rest, `${node.name}_masked`);
    }
    if (isNormalization(node)) {
      normalise(node);
      continue;
    }
    if (maskedReduction({ graph, grouping, kept, flagsOf }, node)) continue;
    if (readers.has(node.name) || isSummed(node))
      node.inputs = node.inputs.map((input) => masked.get(input) ?? mask(input));
    graph.nodes.push(node);
  }
  return result;

  /** Whether a product of two computed values sums over channels of which some are removed. */
  function isSummed(node: Node): boolean {
    if (opOf(node) !== 'MatMul' || node.inputs.some((name) => graph.constants.has(name))) return false;
    const rank = grouping.shapes.get(node.inputs[0] ?? '')?.length ?? 0;
    return (
      kept(node.inputs[0] ?? '') !== undefined && grouping.values.get(node.inputs[0] ?? '')?.axis === rank - 1
    );
  }

  /** A normalisation counts what stays alone, in what it gives and in its statistics. */
  function normalise(node: Node): void {
    const input = node.inputs[0] ?? '';
    const positions = kept(input);
    const axis = grouping.values.get(input)?.axis ?? -1;
    const shape = grouping.shapes.get(input) ?? [];
    const first = normalAxis(intAttribute(node, 'axis', -1), shape.length);
    if (!positions || axis < first) {
      graph.nodes.push(node);
      return;
    }
    const share = positions.length / (shape[axis] as number);
    const value = masked.get(input) ?? mask(input);
    const inner = new GraphBuilder(graph);
    maskedNormalization(inner, node, value, { flags: flagsOf(input), share, shape, first });
  }

  function mask(value: string): string {
    const positions = kept(value);
    if (!positions) return value;
    const output = builder.fresh(`${value}_masked`);
    const inputs = [value, flagsOf(value)];
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

  /** A constant of 1 where a channel stays and 0 where it is removed, along the value's channel axis. */
  function flagsOf(value: string): string {
    const { axis, group } = must(grouping.values.get(value), `'${value}' has no channels`);
    const rank = must(grouping.shapes.get(value), `shape of '${value}'`).length;
    const flags = new Float32Array(group.length);
    for (const position of kept(value) ?? []) flags[position] = 1;
    const dims = Array.from({ length: rank - axis }, (_, i) => (i === 0 ? group.length : 1));
    return builder.constant(floatConstant(flags, dims), `${value}_mask`);
  }
}
