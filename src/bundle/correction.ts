// Corrections of variants: a scale and a bias for each channel, low-rank changes, refitted recurrent layers, a refitted
// classifier head.
import { floatAttribute, opOf } from '../onnx/internal.ts';
import { BedsideError, must } from '../util/index.ts';
import type { Assembly } from './bundle.ts';
import type { BundleGroup } from './manifest.ts';
import type { StoredTensor } from './safetensors.ts';
import { keptAt, keptChannels, keptDims, type WeightLayout, weightLayouts } from './weight-layout.ts';
import {
  variantDown,
  variantHeadBias,
  variantHeadWeight,
  variantRecurrent,
  variantScale,
  variantShift,
  variantUp,
} from './weight-names.ts';

/**
 * A low-rank change of a layer's weight: the product of a layer with few outputs (`down`) and a layer of kernel 1 that
 * reads them (`up`). Both have the convolution groups of the layer.
 */
export interface LowRank {
  /** Laid out as a convolution's weight, `[rank * groups, in / groups, ...kernel]`; `[rank, in]` for products. */
  readonly down: StoredTensor;
  /** `[out, rank]` */
  readonly up: StoredTensor;
}

/** Weights of a recurrent layer at the levels of a variant, laid out as the operator's inputs. */
export interface RecurrentWeights {
  /** `[1, gates * hidden, inputs]` */
  readonly weight: StoredTensor;
  /** `[1, gates * hidden, hidden]` */
  readonly recurrence: StoredTensor;
  /** `[1, 2 * gates * hidden]` */
  readonly bias: StoredTensor;
}

/** The tensors of a recurrent layer's weights, in the order of the operator's inputs. */
export const RECURRENT_PARTS = ['weight', 'recurrence', 'bias'] as const;

/** A scale and a bias for each kept output channel of each layer, one layer after the other. */
export interface Correction {
  readonly scale: Float32Array;
  readonly bias: Float32Array;
  /** By layer: the change that is added to its weight after the scales. */
  readonly lowRank?: ReadonlyMap<string, LowRank> | undefined;
  /** By recurrent layer: its weights at these levels, in place of the model's own, cut. */
  readonly recurrent?: ReadonlyMap<string, RecurrentWeights> | undefined;
  /** Weight and bias of the classifier head at these levels, in place of its table's; its scale and bias follow. */
  readonly head?: { readonly weight: StoredTensor; readonly bias?: StoredTensor | undefined } | undefined;
}

/** A correction that changes nothing at a level vector. */
export function noCorrection({ manifest, model, grouping }: Assembly, levels: readonly number[]): Correction {
  const length = keptChannels(weightLayouts(model, grouping), manifest.groups, levels);
  return { scale: new Float32Array(length).fill(1), bias: new Float32Array(length) };
}

/** The stored correction of a variant, with the low-rank changes and the recurrent weights of some layers. */
export function storedCorrection(
  tensors: ReadonlyMap<string, StoredTensor>,
  variant: number,
  layers: readonly { readonly name: string }[],
): Correction {
  const weight = tensors.get(variantHeadWeight(variant));
  const lowRank = new Map<string, LowRank>();
  const recurrent = new Map<string, RecurrentWeights>();
  for (const { name } of layers) {
    const [own, recurrence, bias] = RECURRENT_PARTS.map((part) =>
      tensors.get(variantRecurrent(variant, name, part)),
    );
    if (own && recurrence && bias) recurrent.set(name, { weight: own, recurrence, bias });
    const [down, up] = [tensors.get(variantDown(variant, name)), tensors.get(variantUp(variant, name))];
    if (down && up) lowRank.set(name, { down, up });
  }
  return {
    scale: must(tensors.get(variantScale(variant)), 'stored scale').data,
    bias: must(tensors.get(variantShift(variant)), 'stored shift').data,
    ...(lowRank.size > 0 ? { lowRank } : {}),
    ...(recurrent.size > 0 ? { recurrent } : {}),
    ...(weight ? { head: { weight, bias: tensors.get(variantHeadBias(variant)) } } : {}),
  };
}

/** The tensors in which a correction is stored. */
export function correctionTensors(
  { scale, bias, lowRank, recurrent, head }: Correction,
  variant: number,
): [string, StoredTensor][] {
  return [
    [variantScale(variant), { dims: [scale.length], data: scale }],
    [variantShift(variant), { dims: [bias.length], data: bias }],
    ...Array.from(lowRank ?? [], ([layer, { down, up }]): [string, StoredTensor][] => [
      [variantDown(variant, layer), down],
      [variantUp(variant, layer), up],
    ]).flat(),
    ...Array.from(recurrent ?? [], ([layer, weights]) =>
      RECURRENT_PARTS.map((part): [string, StoredTensor] => [
        variantRecurrent(variant, layer, part),
        weights[part],
      ]),
    ).flat(),
    ...(head ? [[variantHeadWeight(variant), head.weight] as [string, StoredTensor]] : []),
    ...(head?.bias ? [[variantHeadBias(variant), head.bias] as [string, StoredTensor]] : []),
  ];
}

/** A copy of the weight with each output channel multiplied by its scale. */
export function scaledWeight(view: WeightLayout, weight: StoredTensor, scale: Float32Array): StoredTensor {
  const { dims } = weight;
  const data = weight.data.slice();
  const [first, second] = [dims[0] as number, dims[1] as number];
  const inner = data.length / (first * second);
  const { weightOut } = view.layout;
  // The second axis of a transposed convolution's weight spans one convolution group; its first axis tells which.
  const perGroup = weightOut === 1 ? scale.length / second : 1;
  for (let i = 0; i < first; i++) {
    const base = weightOut === 1 ? Math.floor((i * perGroup) / first) * second : 0;
    for (let j = 0; j < second; j++) {
      const factor = scale[weightOut === 1 ? base + j : i] as number;
      const from = (i * second + j) * inner;
      for (let k = from; k < from + inner; k++) data[k] = (data[k] as number) * factor;
    }
  }
  return { dims, data };
}

/** The bias times the scales, plus the biases of the correction; undefined where the operator has no bias. */
export function correctedBias(
  view: WeightLayout,
  layer: string,
  bias: StoredTensor | undefined,
  scale: Float32Array,
  shift: Float32Array,
): StoredTensor | undefined {
  const beta = opOf(view.node) === 'Gemm' ? floatAttribute(view.node, 'beta', 1) : 1;
  if (!bias || beta === 0) {
    if (shift.every((value) => value === 0)) return undefined;
    throw new BedsideError('E_BUNDLE', `a correction shifts the outputs of '${layer}', which has no bias`, {
      hint: 'its entries for this layer must be 0',
    });
  }
  const data = Float32Array.from(
    scale,
    (factor, i) =>
      (bias.data[bias.data.length === 1 ? 0 : i] as number) * factor + (shift[i] as number) / beta,
  );
  return { dims: bias.data.length === data.length ? bias.dims : [data.length], data };
}

/**
 * Adds a low-rank change to a weight at a level vector, in place.
 * @throws BedsideError E_BUNDLE when it does not fit the weight
 */
export function addLowRank(
  view: WeightLayout,
  layer: string,
  weight: StoredTensor,
  groups: readonly BundleGroup[],
  levels: readonly number[],
  { down, up }: LowRank,
): void {
  const [outputs = 0, rank = 0] = up.dims;
  const expected = lowRankShape(view, groups, levels, rank);
  if (expected?.down.join() !== down.dims.join() || expected.up.join() !== up.dims.join()) {
    const shapes = `[${down.dims.join(', ')}] and [${up.dims.join(', ')}]`;
    throw new BedsideError(
      'E_BUNDLE',
      `a correction's change of low rank ${shapes} does not fit '${layer}'`,
      {
        hint: `its weight is [${weight.dims.join(', ')}] at these levels`,
      },
    );
  }
  const convolutions = (down.dims[0] as number) / rank;
  const length = down.data.length / (convolutions * rank);
  const rowsFirst = view.layout.weightOut === 0;
  for (let o = 0; o < outputs; o++) {
    const base = Math.floor((o * convolutions) / outputs) * rank;
    for (let r = 0; r < rank; r++) {
      const factor = up.data[o * rank + r] as number;
      const from = (base + r) * length;
      for (let i = 0; i < length; i++) {
        const at = rowsFirst ? o * length + i : i * outputs + o;
        weight.data[at] = (weight.data[at] as number) + factor * (down.data[from + i] as number);
      }
    }
  }
}

/**
 * Shapes of a low-rank change of a layer's weight at a level vector; undefined for transposed convolutions, which have
 * none.
 */
export function lowRankShape(
  view: WeightLayout,
  groups: readonly BundleGroup[],
  levels: readonly number[],
  rank: number,
): { down: number[]; up: number[] } | undefined {
  const { node, layout } = view;
  const op = opOf(node);
  if (op === 'ConvTranspose' || rank < 1) return undefined;
  const dims = keptDims(view, groups, levels);
  const inputs = keptAt(view.inputs, groups, (group) => levels[group] as number).length;
  const convolutions = op === 'Conv' ? inputs / (dims[layout.weightIn] as number) : 1;
  const rest = dims.filter((_, axis) => axis !== layout.weightOut);
  return { down: [rank * convolutions, ...rest], up: [dims[layout.weightOut] as number, rank] };
}
