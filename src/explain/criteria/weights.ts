// Reference criteria that read the weights alone.
import type { Criterion, CriterionContext, LayerScores } from '../criterion.ts';
import { type LinearLayer, linearLayers } from '../linear.ts';

/** Calls `visit` with every weight of each output channel. */
export function eachWeight(layer: LinearLayer, visit: (channel: number, weight: number) => void): void {
  const { weight, weightDims, kind } = layer;
  if (kind === 'dense') {
    const columns = weightDims[1] as number;
    for (let i = 0; i < weight.length; i++) visit(i % columns, weight[i] as number);
    return;
  }
  const kernel = weightDims.slice(2).reduce((a, b) => a * b, 1);
  if (kind === 'conv') {
    const perChannel = (weightDims[1] as number) * kernel;
    for (let i = 0; i < weight.length; i++) visit(Math.floor(i / perChannel), weight[i] as number);
    return;
  }
  // ConvTranspose holds [in, out / groups, ...kernel]; the group of an output channel is that of its inputs.
  const [inputs, perGroup] = weightDims as [number, number];
  const groups = layer.channels / perGroup;
  for (let i = 0; i < weight.length; i++) {
    const row = Math.floor(i / (perGroup * kernel));
    const group = Math.floor(row / (inputs / groups));
    visit(group * perGroup + (Math.floor(i / kernel) % perGroup), weight[i] as number);
  }
}

function weightCriterion(
  name: string,
  summary: string,
  source: string,
  term: (weight: number) => number,
  finish: (sum: number) => number,
): Criterion {
  return {
    name,
    family: 'reference',
    summary,
    source,
    needsSamples: false,
    score: (context: CriterionContext): Promise<LayerScores[]> =>
      Promise.resolve(
        linearLayers(context.model).map((layer) => {
          const scores = new Float64Array(layer.channels);
          eachWeight(layer, (channel, weight) => {
            scores[channel] = (scores[channel] as number) + term(weight);
          });
          return { layer: layer.name, scores: scores.map(finish) };
        }),
      ),
  };
}

export const L1 = weightCriterion(
  'l1',
  'sum of the absolute weights of the channel',
  'Li et al., ICLR 2017',
  Math.abs,
  (sum) => sum,
);
export const L2 = weightCriterion(
  'l2',
  'Euclidean norm of the weights of the channel',
  'He et al., IJCAI 2018',
  (weight) => weight * weight,
  Math.sqrt,
);

export const RANDOM: Criterion = {
  name: 'random',
  family: 'reference',
  summary: 'uniform random scores: the floor any criterion must beat',
  source: 'Mittal et al., WACV 2018',
  needsSamples: false,
  score: (context) =>
    Promise.resolve(
      linearLayers(context.model).map((layer) => ({
        layer: layer.name,
        scores: Float64Array.from({ length: layer.channels }, () => context.random.uniform()),
      })),
    ),
};
