// Which samples a use case reads, and how its computations run.
import type { DatasetSplit } from '../data/index.ts';

/** Samples of each class that criteria read unless said otherwise. */
export const DEFAULT_PER_CLASS = 20;

/** How computations run. */
export interface EngineOptions {
  readonly threads: number;
  readonly batch: number;
}

/** Which samples. */
export interface DataOptions {
  readonly data: string;
  readonly split?: DatasetSplit;
  readonly perClass?: number;
  readonly limit?: number;
  readonly classes?: readonly number[];
  readonly records?: readonly string[];
  readonly skipBad?: boolean;
  readonly samplingRate?: number;
  readonly maxPixels?: number;
}
