// Criteria that run a backward pass over the calibration samples: relevance, gradients, DeepLIFT, paths.
import { BedsideError } from '../../util/index.ts';
import { type Aggregation, Aggregator } from '../aggregate.ts';
import { type AttributionSpec, attribute } from '../attribution/attribute.ts';
import { noisyCopies, straightPath } from '../attribution/sampling-path.ts';
import type { Criterion, CriterionContext, LayerScores } from '../criterion.ts';
import { convolutional, parseComposite, parseRule } from '../lrp/composite.ts';

/** A criterion that can explain single samples too. */
export interface AttributionCriterion extends Criterion {
  readonly spec: AttributionSpec;
  readonly aggregation: Aggregation;
}

/** Whether a criterion can explain single samples. */
export function isAttribution(criterion: Criterion): criterion is AttributionCriterion {
  return 'spec' in criterion;
}

/** A family of criteria under one name, with an optional parameter: `name` or `name=parameter`. */
export interface CriterionFamily {
  readonly name: string;
  /** The meaning of the parameter, for help; undefined when there is none. */
  readonly parameter: string | undefined;
  /**
   * Makes the criterion.
   * @throws BedsideError E_CRITERION for a parameter out of range
   */
  make(parameter: string | undefined): Criterion;
}

function attributionCriterion(
  name: string,
  summary: string,
  source: string,
  spec: AttributionSpec,
  extra: { readonly family?: 'xai' | 'reference'; readonly aggregation?: Aggregation } = {},
): AttributionCriterion {
  const aggregation = extra.aggregation ?? 'mean-absolute';
  return {
    name,
    family: extra.family ?? 'xai',
    summary,
    source,
    needsSamples: true,
    spec,
    aggregation,
    score: (context) => aggregated(context, spec, context.aggregation ?? aggregation),
  };
}

/** The samples' attributions combined, for each channel. */
async function aggregated(
  context: CriterionContext,
  spec: AttributionSpec,
  aggregation: Aggregation,
): Promise<LayerScores[]> {
  const { weights } = context.calibration;
  let layers: { layer: string; sums: Aggregator }[] | undefined;
  await attribute(context, spec, (batch) => {
    layers ??= batch.layers.map(({ name, channels }) => ({
      layer: name,
      sums: new Aggregator(aggregation, channels),
    }));
    batch.layers.forEach(({ values, channels }, l) => {
      for (let i = 0; i < batch.count; i++) {
        const row = values.subarray(i * channels, (i + 1) * channels);
        layers?.[l]?.sums.add(row, weights?.[batch.first + i] ?? 1);
      }
    });
  });
  return (layers ?? []).map(({ layer, sums }) => ({ layer, scores: sums.finish() }));
}

const BACH = 'Bach et al., PLoS ONE 10(7), 2015';
const gradient = { kind: 'gradient' } as const;

const relevance = (rule: string): AttributionSpec => ({
  attribution: { kind: 'relevance', ruleOf: convolutional(parseRule(rule)) },
  readout: 'sum',
});

/** A number that is given as a parameter. */
function numberIn(
  name: string,
  text: string | undefined,
  fallback: number,
  least: number,
  whole = false,
): number {
  if (text === undefined) return fallback;
  const value = Number(text);
  if (text.trim() !== '' && Number.isFinite(value) && value >= least && (!whole || Number.isInteger(value))) {
    return value;
  }
  throw new BedsideError(
    'E_CRITERION',
    `criterion '${name}=${text}': expected ${whole ? 'a whole' : 'a'} number`,
    {
      hint: `write ${name}=N with N of at least ${least}, or ${name} alone for ${fallback}`,
    },
  );
}

/** The name as typed. */
const named = (name: string, parameter: string | undefined): string =>
  parameter === undefined ? name : `${name}=${parameter}`;

/** A family without a parameter. */
function fixed(criterion: Criterion): CriterionFamily {
  return { name: criterion.name, parameter: undefined, make: () => criterion };
}

/** Every family, explainable-AI ones first. */
export const ATTRIBUTION_FAMILIES: readonly CriterionFamily[] = [
  {
    name: 'lrp-gamma',
    parameter: 'gamma, default 0.25',
    make: (parameter) =>
      attributionCriterion(
        named('lrp-gamma', parameter),
        'layer-wise relevance propagation, gamma rule in convolutions',
        'Montavon et al., LNCS 11700, 2019; generalised as in Anders et al., arXiv:2106.13200, 2021',
        relevance(`gamma=${numberIn('lrp-gamma', parameter, 0.25, 0)}`),
      ),
  },
  fixed(
    attributionCriterion(
      'lrp-zplus',
      'layer-wise relevance propagation, z+ rule in convolutions',
      'Montavon et al., Pattern Recognition 65, 2017',
      relevance('zplus'),
    ),
  ),
  {
    name: 'lrp-epsilon',
    parameter: 'epsilon, default 1e-6',
    make: (parameter) =>
      attributionCriterion(
        named('lrp-epsilon', parameter),
        'layer-wise relevance propagation, epsilon rule everywhere',
        BACH,
        relevance(`epsilon=${numberIn('lrp-epsilon', parameter, 1e-6, 1e-12)}`),
      ),
  },
  fixed(
    attributionCriterion(
      'lrp-alpha2beta1',
      'layer-wise relevance propagation, alpha-beta rule (2, 1) in convolutions',
      BACH,
      relevance('alpha2beta1'),
    ),
  ),
  {
    name: 'lrp-alpha-beta',
    parameter: 'alpha (beta is alpha - 1), default 2',
    make: (parameter) =>
      attributionCriterion(
        named('lrp-alpha-beta', parameter),
        'layer-wise relevance propagation, alpha-beta rule in convolutions',
        BACH,
        relevance(`alpha-beta=${numberIn('lrp-alpha-beta', parameter, 2, 1)}`),
      ),
  },
  {
    name: 'lrp-composite',
    parameter: 'rules by layer, such as dense:epsilon+conv@0..0.5:zplus+conv:gamma=0.5..0.05',
    make: (parameter) =>
      attributionCriterion(
        named('lrp-composite', parameter),
        'layer-wise relevance propagation, a rule for each kind and depth of layer',
        'Montavon et al., LNCS 11700, 2019',
        {
          attribution: {
            kind: 'relevance',
            ruleOf: parseComposite(parameter ?? 'dense:epsilon+conv:gamma=0.5..0.05'),
          },
          readout: 'sum',
        },
      ),
  },
  {
    name: 'deeplift-rescale',
    parameter: 'reference: zero, mean or sample; default zero',
    make: (parameter) =>
      attributionCriterion(
        named('deeplift-rescale', parameter),
        'DeepLIFT contributions, rescale rule, against a reference input',
        'Shrikumar et al., ICML 2017',
        {
          attribution: { kind: 'deeplift' },
          readout: 'times-difference',
          reference: referenceIn('deeplift-rescale', parameter),
          input: 'times-difference',
        },
      ),
  },
  {
    name: 'integrated-gradients',
    parameter: 'steps, default 8',
    make: (parameter) =>
      pathCriterion(
        named('integrated-gradients', parameter),
        'conductance: gradients integrated along the line from zero',
        'Sundararajan et al., ICML 2017; per layer as in Dhamdhere et al., ICLR 2019',
        numberIn('integrated-gradients', parameter, 8, 1, true),
        'zero',
      ),
  },
  {
    name: 'expected-gradients',
    parameter: 'steps, default 4',
    make: (parameter) =>
      pathCriterion(
        named('expected-gradients', parameter),
        'integrated gradients from other calibration samples, drawn at random',
        'Erion et al., Nature Machine Intelligence 3, 2021',
        numberIn('expected-gradients', parameter, 4, 1, true),
        'sample',
      ),
  },
  fixed(
    attributionCriterion(
      'taylor',
      'gradient x input of the channel: absolute sum over space of gradient x activation',
      'Molchanov et al., ICLR 2017; Shrikumar et al., arXiv:1605.01713, 2016',
      { attribution: gradient, readout: 'times-activation', input: 'times-input' },
    ),
  ),
  fixed(
    attributionCriterion(
      'taylor-signed',
      'gradient x input with its sign: what raises the explained score stays',
      'Shrikumar et al., arXiv:1605.01713, 2016',
      { attribution: gradient, readout: 'times-activation', input: 'times-input' },
      { aggregation: 'mean' },
    ),
  ),
  fixed(
    attributionCriterion(
      'gradient',
      'size of the gradient at the channel, summed over space',
      'Simonyan et al., ICLR workshop 2014',
      { attribution: gradient, readout: 'absolute-sum' },
    ),
  ),
  {
    name: 'smoothgrad',
    parameter: 'noisy copies, default 8',
    make: (parameter) => {
      const points = noisyCopies(numberIn('smoothgrad', parameter, 8, 1, true));
      return attributionCriterion(
        named('smoothgrad', parameter),
        'size of the gradient averaged over noisy copies of the sample',
        'Smilkov et al., arXiv:1706.03825, 2017',
        { attribution: gradient, readout: { kind: 'smooth', points: points.count }, points },
      );
    },
  },
  fixed(
    attributionCriterion(
      'grad-cam',
      "Grad-CAM's channel weights: the gradient averaged over space",
      'Selvaraju et al., ICCV 2017',
      { attribution: gradient, readout: 'sum' },
    ),
  ),
  fixed(
    attributionCriterion(
      'taylor-squared',
      "square of the channel's first-order effect on the mean loss",
      'Molchanov et al., CVPR 2019',
      { attribution: gradient, readout: 'times-activation', start: 'loss' },
      { family: 'reference', aggregation: 'square-mean' },
    ),
  ),
  fixed(
    attributionCriterion(
      'fisher',
      "diagonal of the Fisher information of a mask on the channel: mean square of its effect on each sample's loss",
      'Theis et al., arXiv:1801.05787, 2018',
      { attribution: gradient, readout: 'times-activation', start: 'loss' },
      { family: 'reference', aggregation: 'mean-square' },
    ),
  ),
];

function pathCriterion(
  name: string,
  summary: string,
  source: string,
  steps: number,
  reference: 'zero' | 'sample',
): AttributionCriterion {
  const points = straightPath(steps);
  return attributionCriterion(name, summary, source, {
    attribution: gradient,
    readout: { kind: 'conductance', points: points.count },
    points,
    reference,
  });
}

function referenceIn(name: string, text: string | undefined): 'zero' | 'mean' | 'sample' {
  if (text === undefined || text === 'zero') return 'zero';
  if (text === 'mean' || text === 'sample') return text;
  throw new BedsideError('E_CRITERION', `criterion '${name}=${text}': unknown reference`, {
    hint: `write ${name}=zero, ${name}=mean or ${name}=sample`,
  });
}
