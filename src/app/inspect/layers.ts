// The layers of a model, as `inspect` lists them: whatever has weights or multiply-accumulates.
import type { Grouping } from '../../channels/index.ts';
import {
  constantInput,
  type Graph,
  isWeighted,
  type ModelCosts,
  type Node,
  opOf,
  outputChannels,
} from '../../onnx/internal.ts';

/** One layer. */
export interface LayerRow {
  readonly name: string;
  readonly op: string;
  readonly channels: number;
  readonly macs: number;
  /** Id of the first group its channels belong to; null when all of them are frozen. */
  readonly group: number | null;
  /** Only for a layer whose channels belong to several groups. */
  readonly groups?: readonly number[];
  /** Why channels must stay, if any. */
  readonly reason?: string;
}

/** In execution order; products of computed values and recurrent layers too, whose channels stay. */
export function layerRows(graph: Graph, costs: ModelCosts, grouping: Grouping): LayerRow[] {
  const groupsOf = new Map<string, number[]>();
  for (const { id, layers } of grouping.groups) for (const layer of layers) listAt(groupsOf, layer).push(id);
  const frozenOf = new Map<string, Grouping['frozen'][number][]>();
  for (const row of grouping.frozen) listAt(frozenOf, row.layer).push(row);
  return graph.nodes.flatMap((node, index) => {
    const macs = costs.nodes[index]?.macs ?? 0;
    const weighted = isWeighted(graph, node);
    if (!weighted && macs === 0) return [];
    // A product of two computed values has no weights, but keeps heads apart or sums over channels that are cut.
    const groups = groupsOf.get(node.name) ?? (weighted ? [] : groupsAlong(node, grouping));
    const frozen = frozenOf.get(node.name) ?? [];
    const reasons = frozen.map(({ reason }) => reason);
    if (!weighted && groups.length === 0)
      reasons.push(opOf(node) ? 'it has no constant weights' : 'its operator has no rule for channels');
    return [
      {
        name: node.name,
        op: node.op,
        channels: channelsOf(graph, node, grouping) || (frozen[0]?.channels ?? 0),
        macs,
        group: groups[0] ?? null,
        ...(groups.length > 1 ? { groups } : {}),
        ...(reasons.length > 0 ? { reason: reasons.join('; ') } : {}),
      },
    ];
  });
}

/** The groups of the channels that a node without weights gives, or else reads. */
function groupsAlong(node: Node, grouping: Grouping): number[] {
  const [output, input] = [node.outputs[0], node.inputs[0]].map((name) => grouping.values.get(name ?? ''));
  const found = new Set((output ?? input)?.group);
  found.delete(-1);
  return opOf(node) === 'MatMul' ? [...found] : [];
}

function listAt<T>(map: Map<string, T[]>, key: string): T[] {
  const known = map.get(key);
  if (known) return known;
  const list: T[] = [];
  map.set(key, list);
  return list;
}

/** Output channels: from the value's own channels, else from the weights, else the last axis of what comes out. */
function channelsOf(graph: Graph, node: Node, grouping: Grouping): number {
  const labelled = grouping.values.get(node.outputs[0] ?? '');
  if (labelled) return labelled.group.length;
  const weight = constantInput(graph, node, 1)?.dims;
  if ((node.op === 'Conv' || node.op === 'ConvTranspose') && weight) return outputChannels(node, weight);
  if (RECURRENT.has(node.op)) {
    const [directions = 0, , state = 0] = grouping.shapes.get(node.inputs[2] ?? '') ?? [];
    return directions * state;
  }
  const shape = grouping.shapes.get(node.outputs[0] ?? '');
  if (shape) return shape.at(ON_AXIS_1.has(node.op) ? 1 : -1) ?? 0;
  if (node.op === 'Gemm' && weight) return outputChannels(node, weight);
  return (weight ?? constantInput(graph, node, 0)?.dims)?.at(-1) ?? 0;
}

const RECURRENT = new Set(['LSTM', 'GRU', 'RNN']);
/** Convolutions whose weights are computed or quantised. */
const ON_AXIS_1 = new Set(['Conv', 'ConvTranspose', 'ConvInteger', 'QLinearConv', 'FusedConv', 'DeformConv']);
