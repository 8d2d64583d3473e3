// The trained network as an ONNX graph, opset 17, sizes open: one run answers a whole request.
import type { Model } from '../../onnx/index.ts';
import { floatConstant, GraphBuilder, int, ints } from '../../onnx/internal.ts';
import { must } from '../../util/index.ts';
import { FEATURES } from './feature-names.ts';
import {
  type Arithmetic,
  forward,
  INPUT_NAMES,
  type NetworkInputs,
  type PolicyShape,
  type PolicyWeights,
} from './network.ts';

/** Dimensions of the inputs, with names for what is open. */
const DIMS = {
  request: [1, 1, 1, FEATURES.request],
  stage: [1, 'stages', 1, FEATURES.stage],
  device: [1, 1, 'devices', FEATURES.device],
  pair: [1, 'stages', 'devices', FEATURES.pair],
  link: [1, 'devices', 'devices', FEATURES.link],
  set: [1, 'stages', 'sets', FEATURES.set],
  members: [1, 'stages', 'sets', 'devices'],
  level: [1, 'stages', 'levels', FEATURES.level],
} as const;

/** Names of the outputs, in the order of the graph. */
export const OUTPUT_NAMES = ['sets', 'levels', 'devices', 'prices'] as const;

/** Writes the network with its weights. */
export function exportPolicy(shape: PolicyShape, weights: PolicyWeights): Model {
  const builder = new GraphBuilder({
    name: 'bedside-policy',
    inputs: [],
    outputs: [],
    nodes: [],
    constants: new Map(),
  });
  const ops = onnxArithmetic(builder, weights);
  const inputs = Object.fromEntries(INPUT_NAMES.map((name) => [name, builder.input(name, DIMS[name])]));
  const { sets, levels, devices, request } = forward(ops, shape, inputs as unknown as NetworkInputs<string>);
  const named = (value: string, name: string, dims: readonly (string | number)[]): void => {
    builder.output(builder.node('Identity', [value], {}, name), dims);
  };
  named(sets, 'sets', [1, 'stages', 'sets', 1]);
  named(levels, 'levels', [1, 'stages', 'levels', 1]);
  named(devices, 'devices', [1, 1, 'devices', 2]);
  named(request, 'prices', [1, 1, 1, 2]);
  return builder.model();
}

function onnxArithmetic(builder: GraphBuilder, weights: PolicyWeights): Arithmetic<string> {
  const constant = (name: string): string | undefined => {
    const weight = weights.get(name);
    return weight && builder.constant(floatConstant(weight.data, [...weight.dims]), name);
  };
  const node = (op: string, inputs: readonly string[], attributes = {}): string =>
    builder.node(op, inputs, attributes);
  return {
    linear(x, name) {
      const product = node('MatMul', [x, must(constant(`${name}.weight`), `weights of ${name}`)]);
      const bias = constant(`${name}.bias`);
      return bias === undefined ? product : node('Add', [product, bias]);
    },
    add: (a, b) => node('Add', [a, b]),
    relu: (x) => node('Relu', [x]),
    softplus: (x) => node('Softplus', [x]),
    softmax: (x) => node('Softmax', [x], { axis: int(-1) }),
    matmul: (a, b) => node('MatMul', [a, b]),
    matmulTransposed: (a, b) => node('MatMul', [a, transposed(builder, b)]),
    mean: (x, axis) => node('ReduceMean', [x], { axes: ints([axis]), keepdims: int(1) }),
    // One request at a time: nothing is padded.
    present: (x) => x,
    absent: (x) => node('Unsqueeze', [x, builder.ints([1])]),
    squeeze: (x, axis) => node('Squeeze', [x, builder.ints([axis])]),
    // Padding by one on one side and by less than nothing on the other.
    shift: (x, by) => {
      const pads = by === 1 ? [0, 1, 0, 0, 0, -1, 0, 0] : [0, -1, 0, 0, 0, 1, 0, 0];
      return node('Pad', [x, builder.ints(pads), builder.scalar(0)]);
    },
  };
}

/** The last two axes swapped; of four. */
function transposed(builder: GraphBuilder, x: string): string {
  return builder.node('Transpose', [x], { perm: ints([0, 1, 3, 2]) });
}
