// Relevance rules of weighted layers, as data. A rule splits the layer into branches; each branch has weights of its own
// for positive and for negative inputs, a denominator made with them, and hands relevance back in proportion:
//   s = coefficient * R / stabilised(z_branch),   R_in = x+ * (W_pos^T s) + x- * (W_neg^T s).
// Bach et al., PLoS ONE 10(7), 2015 (epsilon, alpha-beta, z+); Montavon et al., LNCS 11700, 2019 (gamma);
// Anders et al., arXiv:2106.13200, 2021 (gamma generalised to inputs and outputs of either sign).

/** Maps one weight (or bias) of the layer to that of the branch. */
export type WeightMap = (weight: number) => number;

/** One term of a rule. */
export interface Branch {
  /** The outputs that it explains, by the sign of the layer's own output. */
  readonly outputs: 'all' | 'positive' | 'negative';
  readonly coefficient: number;
  readonly positiveInputs: WeightMap;
  readonly negativeInputs: WeightMap;
  readonly bias: WeightMap;
  /** Sign of the denominator wherever the branch applies, if it is fixed in theory. */
  readonly sign: 1 | -1 | undefined;
}

/** A rule for weighted layers. */
export interface LrpRule {
  readonly name: string;
  readonly branches: readonly Branch[];
  /** Stabiliser of the denominator. */
  readonly epsilon: number;
}

/** Keeps a weight; a branch with this map alone reuses the layer's output as denominator. */
export const identity: WeightMap = (weight) => weight;
const positive: WeightMap = (weight) => Math.max(weight, 0);
const negative: WeightMap = (weight) => Math.min(weight, 0);

/** Default stabiliser of every rule. */
export const DEFAULT_EPSILON = 1e-6;

/** LRP-epsilon. */
export function epsilonRule(epsilon = DEFAULT_EPSILON): LrpRule {
  const branch: Branch = {
    outputs: 'all',
    coefficient: 1,
    positiveInputs: identity,
    negativeInputs: identity,
    bias: identity,
    sign: undefined,
  };
  return {
    name: epsilon === DEFAULT_EPSILON ? 'epsilon' : `epsilon=${epsilon}`,
    branches: [branch],
    epsilon,
  };
}

/** LRP-z+: only contributions that raise the output count. */
export function zplusRule(epsilon = DEFAULT_EPSILON): LrpRule {
  return { name: 'zplus', branches: [raising(1)], epsilon };
}

/** LRP-alpha-beta with beta = alpha - 1, so that relevance is conserved. */
export function alphaBetaRule(alpha: number, epsilon = DEFAULT_EPSILON): LrpRule {
  const beta = alpha - 1;
  const lowering: Branch = {
    outputs: 'all',
    coefficient: -beta,
    positiveInputs: negative,
    negativeInputs: positive,
    bias: negative,
    sign: -1,
  };
  const branches = beta === 0 ? [raising(alpha)] : [raising(alpha), lowering];
  return { name: `alpha-beta=${alpha}`, branches, epsilon };
}

/** LRP-gamma, generalised: `gamma` favours contributions with the sign of the output. */
export function gammaRule(gamma: number, epsilon = DEFAULT_EPSILON): LrpRule {
  const up: WeightMap = (weight) => weight + gamma * positive(weight);
  const down: WeightMap = (weight) => weight + gamma * negative(weight);
  return {
    name: `gamma=${gamma}`,
    epsilon,
    branches: [
      { outputs: 'positive', coefficient: 1, positiveInputs: up, negativeInputs: down, bias: up, sign: 1 },
      { outputs: 'negative', coefficient: 1, positiveInputs: down, negativeInputs: up, bias: down, sign: -1 },
    ],
  };
}

function raising(coefficient: number): Branch {
  return {
    outputs: 'all',
    coefficient,
    positiveInputs: positive,
    negativeInputs: negative,
    bias: positive,
    sign: 1,
  };
}
