// Reference criteria that read the weights alone.

import { scoredLayers, type WeightedLayer } from '../../onnx/internal.ts';
import type { Criterion } from '../criterion.ts';

/** Calls `visit` with every weight of each output channel. */
export function eachWeight(layer: WeightedLayer, visit: (channel: number, weight: number) => void): void {
  const { weight, weightDims, kind, groups, kernelSize: kernel } = layer;
  if (kind === 'dense' || kind === 'recurrent') {
    const columns = weightDims[1] as number;
    for (let i = 0; i < weight.length; i++) visit(i % columns, weight[i] as number);
    return;
  }
  if (kind === 'conv') {
    const perChannel = (weightDims[1] as number) * kernel;
    for (let i = 0; i < weight.length; i++) visit(Math.floor(i / perChannel), weight[i] as number);
    return;
  }
  // ConvTranspose holds [in, out / groups, ...kernel]; the group of an output channel is that of its inputs.
  const [inputs, perGroup] = weightDims as [number, number];
  for (let i = 0; i < weight.length; i++) {
    const row = Math.floor(i / (perGroup * kernel));
    const group = Math.floor(row / (inputs / groups));
    visit(group * perGroup + (Math.floor(i / kernel) % perGroup), weight[i] as number);
  }
}

/** A reference criterion computed from each layer's weights. */
function layerCriterion(
  name: string,
  summary: string,
  source: string,
  score: (layer: WeightedLayer) => Float64Array,
): Criterion {
  return {
    name,
    family: 'reference',
    summary,
    source,
    needsSamples: false,
    score: (context) =>
      Promise.resolve(
        scoredLayers(context.model).map((layer) => ({ layer: layer.name, scores: score(layer) })),
      ),
  };
}

/** One sum over the weights of each output channel. */
function channelSums(layer: WeightedLayer, term: (weight: number) => number): Float64Array {
  const sums = new Float64Array(layer.channels);
  eachWeight(layer, (channel, weight) => {
    sums[channel] = (sums[channel] as number) + term(weight);
  });
  return sums;
}

const squared = (weight: number): number => weight * weight;

export const L1 = layerCriterion(
  'l1',
  'sum of the absolute weights of the channel',
  'Li et al., ICLR 2017',
  (layer) => channelSums(layer, Math.abs),
);
export const L2 = layerCriterion(
  'l2',
  'Euclidean norm of the weights of the channel',
  'He et al., IJCAI 2018',
  (layer) => channelSums(layer, squared).map(Math.sqrt),
);

/** The weights of each output channel as one vector. */
function channelVectors(layer: WeightedLayer): Float64Array[] {
  const size = layer.weight.length / layer.channels;
  const vectors = Array.from({ length: layer.channels }, () => new Float64Array(size));
  const next = new Int32Array(layer.channels);
  eachWeight(layer, (channel, weight) => {
    const at = next[channel] as number;
    (vectors[channel] as Float64Array)[at] = weight;
    next[channel] = at + 1;
  });
  return vectors;
}

export const FPGM = layerCriterion(
  'fpgm',
  "distance of the channel's weights to all others: those near the geometric median can be replaced",
  'He et al., CVPR 2019',
  (layer) => {
    const vectors = channelVectors(layer);
    const scores = new Float64Array(layer.channels);
    for (let a = 0; a < vectors.length; a++) {
      for (let b = a + 1; b < vectors.length; b++) {
        let sum = 0;
        const [u, v] = [vectors[a] as Float64Array, vectors[b] as Float64Array];
        for (let i = 0; i < u.length; i++) sum += ((u[i] as number) - (v[i] as number)) ** 2;
        const distance = Math.sqrt(sum);
        scores[a] = (scores[a] as number) + distance;
        scores[b] = (scores[b] as number) + distance;
      }
    }
    return scores;
  },
);

export const LAMP = layerCriterion(
  'lamp',
  'squared norm of the channel over that of all channels at least as large',
  'Lee et al., ICLR 2021, per channel',
  (layer) => {
    const norms = channelSums(layer, squared);
    const order = Array.from(norms.keys()).sort((a, b) => (norms[b] as number) - (norms[a] as number));
    const scores = new Float64Array(layer.channels);
    let atLeast = 0;
    for (const channel of order) {
      atLeast += norms[channel] as number;
      scores[channel] = atLeast === 0 ? 0 : (norms[channel] as number) / atLeast;
    }
    return scores;
  },
);

export const RANDOM: Criterion = {
  name: 'random',
  family: 'reference',
  summary: 'uniform random scores: the floor any criterion must beat',
  source: 'Mittal et al., WACV 2018',
  needsSamples: false,
  score: (context) =>
    Promise.resolve(
      scoredLayers(context.model).map((layer) => ({
        layer: layer.name,
        scores: Float64Array.from({ length: layer.channels }, () => context.random.uniform()),
      })),
    ),
};
