// The bundle of a planning problem.
import type { BundleManifest, Variant } from '../../bundle/index.ts';

/** A bundle to plan for. */
export interface PlannedBundle extends BundleManifest {
  /** All measured variants, where `variants` are only those that planning may choose from. */
  readonly allVariants?: readonly Variant[] | undefined;
}
