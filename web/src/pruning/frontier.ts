// The frontier of accuracy against cost.
import type { PrunedVariant } from '../../../src/gateway/dashboard/wire-pruning.ts';

/** What a variant costs. */
export type CostName = 'macs' | 'seconds' | 'weightBytes';

/** The cost of a variant; NaN where it was not measured. */
export function costOf(variant: PrunedVariant, cost: CostName): number {
  return variant[cost] ?? Number.NaN;
}

/** The variants that no other beats in accuracy and cost, the cheapest first. */
export function frontierOf(variants: readonly PrunedVariant[], cost: CostName): PrunedVariant[] {
  return frontierBy(variants, (variant) => costOf(variant, cost));
}

/** As `frontierOf`, by any cost; those without one are left out. */
export function frontierBy<T extends { readonly accuracy: number }>(
  variants: readonly T[],
  cost: (variant: T) => number,
): T[] {
  const sorted = variants
    .filter((variant) => Number.isFinite(cost(variant)))
    .toSorted((a, b) => cost(a) - cost(b) || b.accuracy - a.accuracy);
  let best = Number.NEGATIVE_INFINITY;
  return sorted.filter(({ accuracy }) => {
    if (accuracy <= best) return false;
    best = accuracy;
    return true;
  });
}
