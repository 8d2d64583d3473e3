// Which samples a use case reads, and how its computations run.
import type { Dataset } from '../data/index.ts';
import type { DatasetSplit, SeriesChoice } from '../data/internal.ts';
import type { EngineOptions } from '../engine/index.ts';
import type { ContractOptions } from './network/contract.ts';

export type { EngineOptions };

/** Samples of each class that criteria read, unless options say otherwise. */
export const DEFAULT_PER_CLASS = 20;

/** How computations run, and the seed, with their defaults. */
export function runSettings(options: EngineOptions & { readonly seed?: number | undefined }) {
  const { threads = 1, batch = 32, seed = 1 } = options;
  return { threads, batch, seed };
}

/** Which samples, and what is said of the network that reads them. */
export interface DataOptions extends ContractOptions {
  /**
   * A path to data (docs/data.md), or samples in memory. Of samples in memory, `classes`, `perClass` and `limit` choose; the
   * other options are for files.
   */
  readonly data: string | Dataset;
  readonly split?: DatasetSplit | undefined;
  /** Draw local and test anew, so that they share no patient; the data must say whose its samples are. */
  readonly splitBy?: 'patient' | undefined;
  /** At most this many samples of each class, drawn by the seed. */
  readonly perClass?: number | undefined;
  /** At most this many samples overall, drawn by the seed after `perClass`. */
  readonly limit?: number | undefined;
  /** Only samples of these classes. */
  readonly classes?: readonly number[] | undefined;
  /** Only objects of DICOM of such a series. */
  readonly series?: SeriesChoice | undefined;
  /** Only these records of a folder of recordings. */
  readonly records?: readonly string[] | undefined;
  /** Leave out images that cannot be read, and name them in the result, instead of failing at the first. */
  readonly skipBad?: boolean | undefined;
  /** The most pixels that an image may have; default 2^28. */
  readonly maxPixels?: number | undefined;
}

export { PRECISIONS, type Precision, roundsAnything } from '../plan/internal.ts';
