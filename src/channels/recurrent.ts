// Channels of recurrent layers: features of a step are channels that the layer reads; its hidden units are channels that
// it gives, tied between all its outputs, its initial states and its own recurrence.
import { constantInput, type Node, RECURRENT_INPUTS, recurrentLayer, UNIT_AXES } from '../onnx/internal.ts';
import { must } from '../util/index.ts';
import { unknownLayer } from './fixed-layers.ts';
import type { ChannelRule, Propagation } from './propagation.ts';

/** The first output that the layer has: its channel axis holds the hidden units. */
export function unitsOf(node: Node): string {
  return node.outputs.find(Boolean) ?? '';
}

/** LSTM, GRU and RNN. The two directions of one node keep the same units. */
export const recurrentRule: ChannelRule = (walk, node) => {
  const layer = recurrentLayer(walk.graph, node);
  if (!layer) {
    unknownLayer(walk, node);
    return walk.freezeInputs(node, 'has weights that are computed at run time, or not float32');
  }
  const { data, state, cell } = RECURRENT_INPUTS;
  const label = walk.label(node.inputs[data]);
  const reads = label?.axis === 2 && label.ids.length === layer.inputs;
  if (reads) walk.readers.push({ name: node.name, ids: label.ids });
  else walk.freeze(label, node, 'works along another axis than theirs');
  const ids = walk.variables.create(layer.hidden);
  walk.addLayer(node, ids, false, true);
  for (const index of [state, cell]) tieState(walk, node, index, ids);
  node.outputs.forEach((name, index) => {
    walk.set(name, { axis: UNIT_AXES[index] as number, ids });
  });
};

/** Units of an initial state go with the layer's own; a computed state without channels keeps them all. */
function tieState(walk: Propagation, node: Node, index: number, ids: Int32Array): void {
  const name = node.inputs[index];
  if (!name || constantInput(walk.graph, node, index)?.type === 'float32') return;
  const label = walk.label(name);
  if (label?.axis === 2 && label.ids.length === ids.length) {
    walk.variables.uniteAll(ids, label.ids);
    return;
  }
  walk.freeze(label, node, 'reads them as an initial state along another axis');
  walk.freeze({ axis: 2, ids }, node, `starts from '${name}', which cannot be cut`);
}

/**
 * Constants of a recurrent layer that reads nothing of some of its own units: zero columns of its recurrence, by the
 * unit's position; undefined where all units stay.
 */
export function withoutUnits(
  recurrence: { readonly data: Float32Array; readonly dims: readonly number[] },
  kept: readonly number[],
): Float32Array {
  const hidden = must(recurrence.dims[2], 'units of a recurrence');
  const stays = new Set(kept);
  return recurrence.data.map((weight, i) => (stays.has(i % hidden) ? weight : 0));
}
