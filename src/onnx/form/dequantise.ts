// A network of eight-bit numbers as one of float32: constants are dequantised, and a quantised value stands for the
// number that it means, rounded no longer but still within the range of its eight bits (that range is often a ReLU).
// Specification: https://onnx.ai/onnx/operators/onnx__QuantizeLinear.html and
// https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
import { cloneModel, type Model } from '../graph.ts';
import { Dequantiser, noForm } from './dequantiser.ts';
import { withForm } from './form.ts';
import { QUANTISED } from './quantised-operators.ts';

/**
 * The same network in float32, or the model itself where it has no quantised numbers.
 * @param name name of the model in messages
 * @throws BedsideError E_UNSUPPORTED, naming the operator, for what has no float32 form here
 */
export function dequantised(model: Model, name: string): Model {
  const { nodes } = model.graph;
  if (!nodes.some(({ op }) => QUANTISED.has(op))) return model;
  const unknown = nodes.find(
    ({ op }) => !QUANTISED.has(op) && /^Q(Linear|Attention|MoE|OrderedM)|Integer|DynamicQuantize/.test(op),
  );
  if (unknown) throw noForm(unknown, name, 'its operator has no form in float32 here');
  const result = cloneModel(model);
  new Dequantiser(result, name).run(QUANTISED);
  return withForm(result, { dequantised: true });
}
