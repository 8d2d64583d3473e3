// Counts multiply-accumulates of a pruned model without cutting it.
import { type Model, modelCosts } from '../onnx/index.ts';
import { isDepthwise, layerLayout, type Node, opOf, recurrentLayer } from '../onnx/internal.ts';
import type { Grouping } from './groups.ts';
import { type KeptUnits, keptPositions } from './keep.ts';
import { unitsOf } from './recurrent.ts';

/**
 * A function from kept units to the multiply-accumulates of the cut model, for one sample. The result equals
 * `modelCosts` of the result of `sliceModel`, since the count of a layer is proportional to its input and output
 * channels.
 * @throws BedsideError as `modelCosts`; the function, as `sliceModel`
 */
export function macsCounter(model: Model, grouping: Grouping): (keep: KeptUnits) => number {
  const { graph } = model;
  const costs = modelCosts(model);
  const layers = graph.nodes.flatMap((node, index) => {
    const layout = layerLayout(graph, node, (name) => grouping.shapes.get(name));
    return layout ? [{ node, layout, macs: costs.nodes[index]?.macs ?? 0 }] : [];
  });
  const recurrent = graph.nodes.flatMap((node, index) => {
    const layer = recurrentLayer(graph, node);
    return layer ? [{ layer, units: unitsOf(node), macs: costs.nodes[index]?.macs ?? 0 }] : [];
  });
  const products = graph.nodes.flatMap((node, index) =>
    opOf(node) === 'MatMul' && !node.inputs.some((name) => graph.constants.has(name))
      ? [{ values: productChannels(node, grouping), macs: costs.nodes[index]?.macs ?? 0 }]
      : [],
  );
  return (keep) => {
    const positions = keptPositions(grouping, keep);
    let total = costs.macs;
    for (const { layer, units, macs } of recurrent) {
      const inputs = positions(layer.node.inputs[0] ?? '')?.length ?? layer.inputs;
      const hidden = positions(units)?.length ?? layer.hidden;
      total -= macs * (1 - (hidden * (inputs + hidden)) / (layer.hidden * (layer.inputs + layer.hidden)));
    }
    for (const { node, layout, macs } of layers) {
      const input = positions(node.inputs[layout.data] ?? '')?.length ?? layout.inChannels;
      const output = positions(node.outputs[0] ?? '')?.length ?? layout.outChannels;
      const inputs = isDepthwise(layout) ? 1 : input / layout.inChannels;
      total -= macs * (1 - (output / layout.outChannels) * inputs);
    }
    for (const { values, macs } of products) {
      const share = values.reduce(
        (product, [name, size]) => product * ((positions(name)?.length ?? size) / size),
        1,
      );
      total -= macs * (1 - share);
    }
    return Math.round(total);
  };
}

/** Values whose channels a product of two computed values is proportional to, with their number. */
function productChannels(node: Node, grouping: Grouping): [string, number][] {
  const channels = (name: string | undefined): number => grouping.values.get(name ?? '')?.group.length ?? 0;
  const [a = ''] = node.inputs;
  const [output = ''] = node.outputs;
  const rank = grouping.shapes.get(a)?.length ?? 0;
  const found: [string, number][] = [];
  if (channels(output) > 0) found.push([output, channels(output)]);
  if (channels(a) > 0 && grouping.values.get(a)?.axis === rank - 1) found.push([a, channels(a)]);
  return found;
}

/**
 * The multiply-accumulates that removing each single unit saves, by group id; zero for units that are removed already.
 * @param keep units that an earlier pruning left; default all
 */
export function unitMacs(
  model: Model,
  grouping: Grouping,
  keep: KeptUnits = new Map(),
): Map<number, Float64Array<ArrayBuffer>> {
  const count = macsCounter(model, grouping);
  const full = count(keep);
  return new Map(
    grouping.groups.map((group) => {
      const alive = keep.get(group.id) ?? Array.from({ length: group.channels }, (_, unit) => unit);
      const saved = new Float64Array(group.channels);
      // Counts are proportional to channels, so units with the same numbers of channels save the same.
      const known = new Map<string, number>();
      for (const unit of alive) {
        const widths = group.members.map(({ units }) => units[unit]?.length ?? 0).join();
        let value = known.get(widths);
        if (value === undefined) {
          const rest = alive.filter((other) => other !== unit);
          value = rest.length === 0 ? 0 : full - count(new Map([...keep, [group.id, rest]]));
          known.set(widths, value);
        }
        saved[unit] = value;
      }
      return [group.id, saved];
    }),
  );
}
