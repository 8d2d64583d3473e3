// The bundle of a planning problem.
import type { BundleManifest } from '../../bundle/index.ts';
import type { Variant } from '../../bundle/internal.ts';

/** A bundle to plan for. */
export interface PlannedBundle extends BundleManifest {
  /** All measured variants, where `variants` are only those that planning may choose from. */
  readonly allVariants?: readonly Variant[] | undefined;
}
