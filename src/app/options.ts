// Which samples a use case reads, and how its computations run.
import type { Dataset, DatasetSplit } from '../data/index.ts';

/** Samples of each class that criteria read unless said otherwise. */
export const DEFAULT_PER_CLASS = 20;

/** How computations run. */
export interface EngineOptions {
  readonly threads: number;
  readonly batch: number;
}

/** How computations run, and the seed, with their defaults. */
export function runSettings(options: Partial<EngineOptions> & { readonly seed?: number | undefined }) {
  const { threads = 1, batch = 32, seed = 1 } = options;
  return { threads, batch, seed };
}

/** Which samples. */
export interface DataOptions {
  /** The path of a data set, or one that is read already: it counts as one without splits. */
  readonly data: string | Dataset;
  readonly split?: DatasetSplit;
  readonly perClass?: number;
  readonly limit?: number;
  readonly classes?: readonly number[];
  readonly records?: readonly string[];
  readonly skipBad?: boolean;
  readonly samplingRate?: number;
  readonly maxPixels?: number;
}
