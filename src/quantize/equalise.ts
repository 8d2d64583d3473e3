// Cross-layer equalisation: channels between two convolutions are scaled so that one scale suits all of them (Nagel et al.,
// ICCV 2019). Weights have a scale for each output channel anyway, so it is the activations whose ranges are made alike.
import type { Model } from '../onnx/index.ts';
import {
  consumers,
  hasOneOutputPerGroup,
  producers,
  type WeightedLayer,
  weightedLayer,
} from '../onnx/internal.ts';
import { type Matrix, setWeights, takesBias } from '../repair/internal.ts';
import { must } from '../util/index.ts';
import type { QuantizedLayer } from './integers.ts';
import type { IntegerPlaces } from './places.ts';
import type { ChannelValues, ValueStatistics } from './statistics.ts';

/** How far ranges are made alike: 1 wholly, which costs nothing if what reads them is depthwise; 0.5 half of the way. */
export const EQUALISING_POWERS = [1, 0.5] as const;

/** No channel is scaled by more: one that samples hardly reach may be larger on others. */
const LEAST_FACTOR = 2 ** -8;

/**
 * Values whose channels may be scaled, with the convolution that gives each: another convolution alone reads it, one of the
 * two is depthwise, and what stands between, a Relu or a Clip from 0, keeps its form when numbers are scaled.
 */
export function equalisableValues(
  model: Model,
  { values, folded, layers }: IntegerPlaces,
  weighted: readonly WeightedLayer[],
): ReadonlyMap<string, WeightedLayer> {
  const quantized = new Set(layers);
  const convs = weighted.filter(({ kind, name }) => kind === 'conv' && quantized.has(name));
  const givenBy = new Map(convs.map((layer) => [layer.output, layer]));
  const readers = consumers(model.graph);
  const makers = producers(model.graph);
  const outputs = new Set(model.graph.outputs.map(({ name }) => name));
  const found = new Map<string, WeightedLayer>();
  for (const reader of convs) {
    const value = values.get(reader.input);
    if (!value?.born || value.source !== value.name || (value.bounds?.low ?? 0) !== 0) continue;
    const maker = makers.get(value.name);
    const clamped = folded.get(maker?.inputs[0] ?? '') === maker ? maker?.inputs[0] : undefined;
    const giver = givenBy.get(clamped ?? value.name);
    const isRead = readers.get(value.name)?.length === 1 && !outputs.has(value.name);
    if (giver && isRead && (hasOneOutputPerGroup(giver) || hasOneOutputPerGroup(reader)))
      found.set(value.name, giver);
  }
  return found;
}

/**
 * What each channel is divided by: its largest magnitude over that of all, to a power. The largest is 1, so that a Clip
 * between the layers cuts no channel below its largest value.
 */
export function equalisingFactors({ lows, highs }: ChannelValues, power: number): Float64Array | undefined {
  const peaks = highs.map((high, c) => Math.max(high, -(lows[c] as number)));
  const most = peaks.reduce((a, b) => Math.max(a, b), 0);
  if (!(most > 0)) return undefined;
  return peaks.map((peak) => Math.max(peak / most, LEAST_FACTOR) ** power);
}

/** Statistics of a value whose channels are divided. */
export function dividedStatistics(
  given: ValueStatistics,
  factors: Float64Array | undefined,
): ValueStatistics {
  const { channels } = given;
  if (!channels || !factors) return given;
  const factor = (channel: number): number => factors[channel] as number;
  const [low, high] = [
    channels.lows.reduce((least, value, c) => Math.min(least, value / factor(c)), Number.POSITIVE_INFINITY),
    channels.highs.reduce((most, value, c) => Math.max(most, value / factor(c)), Number.NEGATIVE_INFINITY),
  ];
  return { low, high, values: given.values.map((value, i) => value / factor(channels.of[i] as number)) };
}

/** What a layer reads when channels are divided, or its weights when they are multiplied; a bias stays. */
export function scaledUnknowns(
  layer: WeightedLayer,
  matrices: readonly Matrix[],
  along: 'columns' | 'rows',
  factorOf: (channel: number) => number,
): Matrix[] {
  const taps = layer.kernelSize;
  return matrices.map((matrix, g) => {
    const unknowns = matrix[along] - (takesBias(layer) ? 1 : 0);
    const perGroup = unknowns / taps;
    const factors = Float64Array.from({ length: matrix[along] }, (_, i) =>
      i < unknowns ? factorOf(g * perGroup + Math.floor(i / taps)) : 1,
    );
    const { columns } = matrix;
    const data = new Float64Array(matrix.data.length);
    for (let i = 0; i < data.length; i++) {
      const at = along === 'columns' ? i % columns : Math.floor(i / columns);
      data[i] = (matrix.data[i] as number) * (factors[at] as number);
    }
    return { ...matrix, data };
  });
}

/** The integers of a layer whose output channels are divided: the same ones, with other scales. */
export function dividedTable({ integers, scales, bias }: QuantizedLayer, by: Float64Array): QuantizedLayer {
  const divided = (given: Float32Array): Float32Array => given.map((value, c) => value / (by[c] as number));
  return { integers, scales: divided(scales), bias: bias && divided(bias) };
}

/** The model with a convolution's output channels divided. */
export function withDividedOutputs(model: Model, name: string, by: Float64Array): Model {
  const node = model.graph.nodes.find((one) => one.name === name);
  const layer = must(node && weightedLayer(model.graph, node, new Map()), `no layer '${name}'`);
  const each = layer.weight.length / by.length;
  const weight = layer.weight.map((value, i) => value / (by[Math.floor(i / each)] as number));
  const bias = layer.bias?.map((value, c) => value / (by[c] as number));
  return setWeights(model, layer, weight, bias);
}
