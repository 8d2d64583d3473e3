// Graphs of weighted layers: `applyLayer` adds a layer's linear map with any weights, `applyTransposedLayer` its
// transpose (the gradient with respect to the input).
import { must } from '../../util/index.ts';
import type { GraphBuilder } from '../builder.ts';
import { floatConstant, int, ints, sizeOf } from '../graph.ts';
import type { ConvParameters } from '../shapes/window.ts';
import { stridedTranspose } from './strided-transpose.ts';
import { transpose, type WeightedLayer } from './weighted-layer.ts';

/** Weights and bias to apply in place of a layer's own, laid out like them. */
export interface LayerWeights {
  readonly weight: Float32Array;
  readonly bias: Float32Array | undefined;
}

/** Adds the layer's map of `x`, with the given weights, to the graph; returns the name of the result. */
export function applyLayer(
  builder: GraphBuilder,
  layer: WeightedLayer,
  x: string,
  weights: LayerWeights,
  hint: string,
): string {
  const weight = builder.weights(weights.weight, layer.weightDims, `${hint}_w`);
  const bias = weights.bias && builder.constant(floatConstant(weights.bias), `${hint}_b`);
  if (layer.kind === 'dense') {
    if (layer.inputShape.length === 2)
      return builder.node('Gemm', bias ? [x, weight, bias] : [x, weight], {}, hint);
    const product = builder.node('MatMul', [x, weight], {}, hint);
    return bias ? builder.node('Add', [product, bias], {}, hint) : product;
  }
  const inputs = bias ? [x, weight, bias] : [x, weight];
  return builder.node(layer.kind === 'conv' ? 'Conv' : 'ConvTranspose', inputs, convAttributes(layer), hint);
}

/**
 * Adds the transposed map to the graph: `s`, shaped like the layer's output, becomes a value shaped like its input.
 * Several terms, each with its own weights, are summed.
 */
export function applyTransposedLayer(
  builder: GraphBuilder,
  layer: WeightedLayer,
  terms: readonly { readonly s: string; readonly weight: Float32Array }[],
  hint: string,
): string {
  const strided = layer.kind === 'conv' ? stridedTranspose(builder, layer, terms, hint) : undefined;
  if (strided !== undefined) return strided;
  const parts = terms.map(({ s, weight }) => transposed(builder, layer, s, weight, hint));
  return parts.reduce((sum, part) => builder.node('Add', [sum, part], {}, hint));
}

function transposed(
  builder: GraphBuilder,
  layer: WeightedLayer,
  s: string,
  weight: Float32Array,
  hint: string,
): string {
  if (layer.kind === 'dense') {
    const [rows, columns] = layer.weightDims as [number, number];
    if (layer.inputShape.length === 2) {
      const w = builder.weights(weight, layer.weightDims, `${hint}_w`);
      return builder.node('Gemm', [s, w], { transB: int(1) }, hint);
    }
    const w = builder.constant(floatConstant(transpose(weight, rows, columns), [columns, rows]), `${hint}_w`);
    return builder.node('MatMul', [s, w], {}, hint);
  }
  const conv = must(layer.conv, `${layer.name} has no convolution parameters`);
  if (layer.kind === 'conv-transpose') {
    const w = builder.weights(weight, layer.weightDims, `${hint}_w`);
    return builder.node('Conv', [s, w], { ...windowAttributes(conv), group: int(conv.groups) }, hint);
  }
  // The transpose of a stride-1 convolution is a convolution with flipped, transposed weights: faster than
  // ConvTranspose.
  const fullPad = conv.kernel.map((k, i) => (k - 1) * (conv.dilations[i] ?? 1));
  const begin = fullPad.map((full, i) => full - (conv.padsBegin[i] ?? 0));
  const end = fullPad.map((full, i) => full - (conv.padsEnd[i] ?? 0));
  if (conv.strides.every((stride) => stride === 1) && [...begin, ...end].every((pad) => pad >= 0)) {
    const dims = [layer.inputShape[1] as number, layer.channels / conv.groups, ...conv.kernel];
    const w = builder.constant(
      floatConstant(flipped(weight, layer.weightDims, conv.groups), dims),
      `${hint}_w`,
    );
    return builder.node(
      'Conv',
      [s, w],
      {
        kernel_shape: ints(conv.kernel),
        dilations: ints(conv.dilations),
        pads: ints([...begin, ...end]),
        group: int(conv.groups),
      },
      hint,
    );
  }
  const w = builder.weights(weight, layer.weightDims, `${hint}_w`);
  // Input rows behind the last window are not covered by any window: they become output padding.
  const padding = conv.kernel.map((kernel, i) => {
    const reach =
      ((layer.outputShape[2 + i] as number) - 1) * (conv.strides[i] ?? 1) +
      (kernel - 1) * (conv.dilations[i] ?? 1) +
      1 -
      (conv.padsBegin[i] ?? 0) -
      (conv.padsEnd[i] ?? 0);
    return (layer.inputShape[2 + i] as number) - reach;
  });
  return builder.node(
    'ConvTranspose',
    [s, w],
    { ...windowAttributes(conv), group: int(conv.groups), output_padding: ints(padding) },
    hint,
  );
}

function convAttributes(layer: WeightedLayer) {
  const conv = must(layer.conv, `${layer.name} has no convolution parameters`);
  const extra = layer.node.attributes.get('output_padding');
  return { ...windowAttributes(conv), group: int(conv.groups), ...(extra ? { output_padding: extra } : {}) };
}

function windowAttributes(conv: ConvParameters) {
  return {
    kernel_shape: ints(conv.kernel),
    strides: ints(conv.strides),
    dilations: ints(conv.dilations),
    pads: ints([...conv.padsBegin, ...conv.padsEnd]),
  };
}

/** `[out, in/g, ...k]` to `[in, out/g, ...k]` with every kernel axis reversed. */
function flipped(weight: Float32Array, dims: readonly number[], groups: number): Float32Array {
  const [out, inPerGroup] = dims as [number, number];
  const kernel = sizeOf(dims.slice(2));
  const outPerGroup = out / groups;
  const result = new Float32Array(weight.length);
  for (let g = 0; g < groups; g++) {
    for (let o = 0; o < outPerGroup; o++) {
      for (let i = 0; i < inPerGroup; i++) {
        const from = ((g * outPerGroup + o) * inPerGroup + i) * kernel;
        const to = ((g * inPerGroup + i) * outPerGroup + o) * kernel;
        for (let k = 0; k < kernel; k++) result[to + kernel - 1 - k] = weight[from + k] as number;
      }
    }
  }
  return result;
}
