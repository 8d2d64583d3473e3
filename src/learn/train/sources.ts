// Sources of training requests, by number: random problems, and random fleets for given bundles.
import type { BundleManifest } from '../../bundle/index.ts';
import type { PlanningInstance } from '../../plan/internal.ts';
import { drawProblem } from './bundle-draws.ts';
import { drawInstance } from './draws.ts';

/** A request for every number, always the same. */
export interface RequestSource {
  /** Stands in the card and in the fingerprint. */
  readonly name: string;
  at(seed: number): PlanningInstance;
}

/** Random programs alone, or every other request of one of the bundles. */
export function requestSource(bundles: readonly BundleManifest[]): RequestSource {
  if (bundles.length === 0) return { name: 'random programs', at: (seed) => drawInstance(seed) };
  const names = bundles.map(({ name }) => name).join(', ');
  return {
    name: `random programs; random fleets for ${names}`,
    at(seed) {
      const manifest = bundles[(seed >> 1) % bundles.length];
      return seed % 2 === 0 && manifest ? drawProblem(manifest, seed).instance : drawInstance(seed);
    },
  };
}
