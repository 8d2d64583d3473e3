// Cuts a model: removed channels disappear from the tensors, and from the operators' parameters.
import type { Model } from '../onnx/index.ts';
import { cloneModel, forgetShapes, opOf } from '../onnx/internal.ts';
import { Cut } from './cut.ts';
import { CUTS } from './cut-table.ts';
import type { Grouping } from './groups.ts';
import { type KeptUnits, keptPositions } from './keep.ts';

/**
 * A smaller model with only the kept units, and the same inputs and outputs. `grouping` must be that of `model`; groups
 * that `keep` does not list stay whole. The model is not changed; tensors without a cut are shared.
 * @throws BedsideError E_INTERNAL for an unknown group, one that would be emptied, or units out of range or order
 */
export function sliceModel(model: Model, grouping: Grouping, keep: KeptUnits): Model {
  const result = cloneModel(model);
  const { graph } = result;
  const opset = model.opsets.get('') ?? model.opsets.get('ai.onnx') ?? 1;
  const cut = new Cut(graph, opset, grouping, keptPositions(grouping, keep));
  for (const node of graph.nodes) {
    const op = opOf(node);
    if (op !== undefined) CUTS[op](cut, node);
  }
  // Declared shapes of cut values would be wrong, and no pass needs them.
  const declared = graph.carried?.valueInfo.map((value) => value.name ?? '') ?? [];
  forgetShapes(graph, new Set(declared.filter((name) => cut.positions(name) === undefined)));
  return result;
}
