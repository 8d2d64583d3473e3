// Relevance rules of weighted layers, as data. A rule splits the layer into branches; each branch weighs contributions
// x * w (and biases) by their sign, makes a denominator of them, and hands relevance back in proportion:
//   s = coefficient * R / stabilised(z_branch),   R_in = x+ * (W_pos^T s) + x- * (W_neg^T s).
// Bach et al., PLoS ONE 10(7), 2015 (epsilon, alpha-beta, z+); Montavon et al., LNCS 11700, 2019 (gamma);
// Anders et al., arXiv:2106.13200, 2021 (gamma generalised to inputs and outputs of either sign).

/** One term of a rule. */
export interface Branch {
  /** The outputs that it explains, by the sign of the layer's own output. */
  readonly outputs: 'all' | 'positive' | 'negative';
  readonly coefficient: number;
  /** Factors of the contributions (and biases) that raise the output, and of those that lower it. */
  readonly raising: number;
  readonly lowering: number;
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

/** Default stabiliser of every rule. */
export const DEFAULT_EPSILON = 1e-6;

/** LRP-epsilon. */
export function epsilonRule(epsilon = DEFAULT_EPSILON): LrpRule {
  const branch: Branch = {
    outputs: 'all',
    coefficient: 1,
    raising: 1,
    lowering: 1,
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
  return { name: 'zplus', branches: [raisingAlone(1)], epsilon };
}

/** LRP-alpha-beta with beta = alpha - 1, so that relevance is conserved. */
export function alphaBetaRule(alpha: number, epsilon = DEFAULT_EPSILON): LrpRule {
  const beta = alpha - 1;
  const lowering: Branch = { outputs: 'all', coefficient: -beta, raising: 0, lowering: 1, sign: -1 };
  const branches = beta === 0 ? [raisingAlone(alpha)] : [raisingAlone(alpha), lowering];
  return { name: `alpha-beta=${alpha}`, branches, epsilon };
}

/** LRP-gamma, generalised: `gamma` favours contributions with the sign of the output. */
export function gammaRule(gamma: number, epsilon = DEFAULT_EPSILON): LrpRule {
  return {
    name: `gamma=${gamma}`,
    epsilon,
    branches: [
      { outputs: 'positive', coefficient: 1, raising: 1 + gamma, lowering: 1, sign: 1 },
      { outputs: 'negative', coefficient: 1, raising: 1, lowering: 1 + gamma, sign: -1 },
    ],
  };
}

function raisingAlone(coefficient: number): Branch {
  return { outputs: 'all', coefficient, raising: 1, lowering: 0, sign: 1 };
}
