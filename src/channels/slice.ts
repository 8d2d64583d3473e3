// Cuts a model: removed channels disappear from the tensors, and from the operators' parameters.
import type { Model } from '../onnx/index.ts';
import { cloneModel, forgetShapes, type OpTable, opOf } from '../onnx/internal.ts';
import { Cut } from './cut.ts';
import { cutRecurrent } from './cut-recurrent.ts';
import {
  type CutRule,
  cutBatchNormalization,
  cutElementwise,
  cutExpand,
  cutGather,
  cutLayer,
  cutPad,
  cutReshape,
  cutSlice,
  cutSplit,
} from './cut-rules.ts';
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

/** For nodes that do not depend on the number of channels. */
const unchanged: CutRule = () => {};

/** How each operator changes when channels of its inputs or outputs are removed. */
const CUTS: OpTable<CutRule> = {
  Add: cutElementwise,
  AveragePool: unchanged,
  BatchNormalization: cutBatchNormalization,
  Cast: unchanged,
  Clip: unchanged,
  Concat: unchanged,
  Constant: unchanged,
  ConstantOfShape: unchanged,
  Conv: cutLayer,
  ConvTranspose: cutLayer,
  DepthToSpace: unchanged,
  Div: cutElementwise,
  Dropout: unchanged,
  Einsum: unchanged,
  Elu: unchanged,
  Erf: unchanged,
  Exp: unchanged,
  Expand: cutExpand,
  Flatten: unchanged,
  GRU: cutRecurrent,
  Gather: cutGather,
  Gelu: unchanged,
  Gemm: cutLayer,
  GlobalAveragePool: unchanged,
  GlobalMaxPool: unchanged,
  HardSigmoid: unchanged,
  HardSwish: unchanged,
  Identity: unchanged,
  LRN: unchanged,
  LSTM: cutRecurrent,
  LayerNormalization: unchanged,
  LeakyRelu: unchanged,
  LogSoftmax: unchanged,
  MatMul: cutLayer,
  MaxPool: unchanged,
  Mul: cutElementwise,
  PRelu: cutElementwise,
  Pad: cutPad,
  RNN: cutRecurrent,
  ReduceMean: unchanged,
  Relu: unchanged,
  Reshape: cutReshape,
  Shape: unchanged,
  Sigmoid: unchanged,
  Slice: cutSlice,
  Softmax: unchanged,
  Split: cutSplit,
  Sqrt: unchanged,
  Squeeze: unchanged,
  Sub: cutElementwise,
  Tanh: unchanged,
  Transpose: unchanged,
  Unsqueeze: unchanged,
};
