// Criteria that run a backward pass over the calibration samples: relevance propagation and gradients.

import { inferShapes } from '../../onnx/index.ts';
import { must } from '../../util/index.ts';
import { soleInput } from '../backward.ts';
import { convolutional } from '../composite.ts';
import type { Criterion, CriterionContext, LayerScores } from '../criterion.ts';
import { type Attribution, AttributionPass, oneHot, type PassResult, type ReadoutKind } from '../pass.ts';
import { alphaBetaRule, epsilonRule, gammaRule, type LinearRule, zplusRule } from '../rules.ts';

/** How often one batch of a per-sample attribution arrives. */
export type BatchVisitor = (result: PassResult, first: number, count: number) => void;

/**
 * Runs an attribution over all calibration samples, batch by batch, so memory stays bounded.
 * With target `label` the pass starts from each sample's label, else from the predicted class.
 */
export async function attribute(
  context: CriterionContext,
  attribution: Attribution,
  readout: ReadoutKind,
  visit: BatchVisitor,
  extra: { readonly wantInput?: boolean } = {},
): Promise<void> {
  const { calibration, model } = context;
  const labels = context.target === 'label' ? calibration.labels : undefined;
  const classes = must(
    inferShapes(model, 1)
      .get(model.graph.outputs[0]?.name ?? '')
      ?.at(-1),
    'no logits shape',
  );
  soleInput(model);
  const pass = await AttributionPass.create(model, {
    attribution,
    readout,
    start: labels ? 'given' : 'predicted',
    threads: context.threads,
    modelName: context.modelName,
    ...extra,
  });
  try {
    const sampleSize = calibration.samples.length / Math.max(1, calibration.count);
    for (let first = 0; first < calibration.count; first += context.batch) {
      const count = Math.min(context.batch, calibration.count - first);
      const samples = calibration.samples.subarray(first * sampleSize, (first + count) * sampleSize);
      const start = labels && oneHot(labels.subarray(first, first + count), classes);
      visit(await pass.run(samples, [count, ...calibration.sampleShape], start), first, count);
      context.onProgress?.(first + count, calibration.count);
    }
  } finally {
    await pass.release();
  }
}

/** Mean over samples of the absolute per-channel sums. */
async function meanAbsolute(
  context: CriterionContext,
  attribution: Attribution,
  readout: ReadoutKind,
): Promise<LayerScores[]> {
  let totals: { layer: string; scores: Float64Array }[] | undefined;
  await attribute(context, attribution, readout, (result) => {
    totals ??= result.layers.map(({ name, channels }) => ({
      layer: name,
      scores: new Float64Array(channels),
    }));
    result.layers.forEach(({ values, channels }, i) => {
      const { scores } = must(totals?.[i], 'layers changed between batches');
      for (let k = 0; k < values.length; k++) {
        scores[k % channels] =
          (scores[k % channels] as number) + Math.abs(values[k] as number) / context.calibration.count;
      }
    });
  });
  return totals ?? [];
}

/** The pass behind a criterion, for those that explain single samples too. */
export interface AttributionCriterion extends Criterion {
  readonly attribution: Attribution;
  readonly readout: ReadoutKind;
}

/** Whether a criterion can explain one sample at a time. */
export function isAttribution(criterion: Criterion): criterion is AttributionCriterion {
  return 'attribution' in criterion;
}

function relevanceCriterion(
  name: string,
  rule: LinearRule,
  summary: string,
  source: string,
): AttributionCriterion {
  return attributionCriterion(
    name,
    { kind: 'relevance', ruleOf: convolutional(rule) },
    'sum',
    summary,
    source,
  );
}

function attributionCriterion(
  name: string,
  attribution: Attribution,
  readout: ReadoutKind,
  summary: string,
  source: string,
): AttributionCriterion {
  return {
    name,
    family: 'xai',
    summary,
    source,
    needsSamples: true,
    attribution,
    readout,
    score: (context) => meanAbsolute(context, attribution, readout),
  };
}

const BACH = 'Bach et al., PLoS ONE 10(7), 2015';

export const LRP_EPSILON = relevanceCriterion(
  'lrp-epsilon',
  epsilonRule(),
  'layer-wise relevance propagation, epsilon rule everywhere',
  BACH,
);
export const LRP_ZPLUS = relevanceCriterion(
  'lrp-zplus',
  zplusRule(),
  'layer-wise relevance propagation, z+ rule in convolutions',
  'Montavon et al., Pattern Recognition 65, 2017',
);
export const LRP_GAMMA = relevanceCriterion(
  'lrp-gamma',
  gammaRule(0.25),
  'layer-wise relevance propagation, gamma rule (0.25) in convolutions',
  'Montavon et al., LNCS 11700, 2019; generalised as in Anders et al., arXiv:2106.13200, 2021',
);
export const LRP_ALPHA2BETA1 = relevanceCriterion(
  'lrp-alpha2beta1',
  alphaBetaRule(2),
  'layer-wise relevance propagation, alpha-beta rule (2, 1) in convolutions',
  BACH,
);
export const TAYLOR = attributionCriterion(
  'taylor',
  { kind: 'gradient' },
  'times-activation',
  'absolute sum over space of gradient x activation',
  'Molchanov et al., ICLR 2017',
);
export const GRADIENT = attributionCriterion(
  'gradient',
  { kind: 'gradient' },
  'absolute-sum',
  'size of the gradient at the channel, summed over space',
  'Simonyan et al., ICLR workshop 2014',
);
