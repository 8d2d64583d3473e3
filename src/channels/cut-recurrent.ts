// Cuts the weights of a recurrent layer.
import { constantInput, gateRows, int, RECURRENT_INPUTS, recurrentLayer } from '../onnx/internal.ts';
import type { CutRule } from './cut-rules.ts';
import { unitsOf } from './recurrent.ts';

/** Rows of all gates of the units that stay, columns of the inputs and units that stay, and the number of units. */
export const cutRecurrent: CutRule = (cut, node) => {
  const layer = recurrentLayer(cut.graph, node);
  if (!layer) return;
  const at = RECURRENT_INPUTS;
  const inputs = cut.positions(node.inputs[at.data] ?? '');
  const units = cut.positions(unitsOf(node));
  const rows = units && gateRows(units, layer.hidden, layer.gates);
  cut.slice(node, at.weight, { 1: rows, 2: inputs });
  cut.slice(node, at.recurrence, { 1: rows, 2: units });
  if (!units) return;
  if (layer.bias) cut.slice(node, at.bias, { 1: gateRows(units, layer.hidden, 2 * layer.gates) });
  if (layer.peephole) cut.slice(node, at.peephole, { 1: gateRows(units, layer.hidden, 3) });
  for (const index of [at.state, at.cell]) {
    if (constantInput(cut.graph, node, index)) cut.slice(node, index, { 2: units });
  }
  node.attributes.set('hidden_size', int(units.length));
};
