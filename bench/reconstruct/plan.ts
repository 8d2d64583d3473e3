// What the study of repair covers and in which order: the most telling jobs first, so that it can be cut anywhere.
import { SHARED_MODELS } from '../lib/shared.ts';

/** Shares of the multiply-accumulates that are left. */
export const FRACTIONS = [0.5, 0.25, 0.1, 0.05] as const;
export const SIZES = [20, 5, 1, 60] as const;
export const CRITERIA = ['auto', 'obs=none', 'lrp-gamma', 'taylor', 'l1', 'random'] as const;
export const SEEDS = [1, 2, 3] as const;
export const MIXES = ['uniform', 'adjacent', 'random', 'extreme'] as const;
/** Mixes drawn of each kind, near each fraction. */
export const DRAWS = 3;

/** One calibration draw: everything of it is measured together. */
export interface Job {
  readonly model: string;
  readonly criterion: string;
  /** Calibration samples a class. */
  readonly size: number;
  readonly seed: number;
}

/** One figure. */
export interface Figure {
  /** `none` and `sequential` are of one network cut for itself; the others are put together of levels. */
  readonly method: 'none' | 'sequential' | 'tables' | 'corrected' | 'low-rank';
  readonly mix: (typeof MIXES)[number];
  /** Share of MACs asked for, and mean share of the networks measured. */
  readonly fraction: number;
  readonly reached: number;
  /** Mean balanced accuracy over so many networks, and the lowest. */
  readonly accuracy: number;
  readonly lowest: number;
  readonly networks: number;
}

/** A job with what came of it. */
export interface Cell extends Job {
  readonly unpruned: number;
  readonly figures: readonly Figure[];
  /** Criterion that `auto` took, by fraction and for the tables. */
  readonly picks?: readonly string[];
  /** Seconds of one sequential repair (mean), of all tables, and of one correction (mean). */
  readonly sequentialSeconds: number;
  readonly tableSeconds: number;
  readonly correctionSeconds: number;
  /** Of what changes of low rank take beyond that (mean); cells from before there were any have none. */
  readonly lowRankSeconds?: number;
  readonly seconds: number;
}

/** Whether a cell has all that is measured now. */
export const isWhole = ({ lowRankSeconds }: Cell): boolean => lowRankSeconds !== undefined;

/** The newest cell of each job. */
export const newest = (cells: readonly Cell[]): Cell[] => [
  ...new Map(cells.map((cell) => [keyOf(cell), cell])).values(),
];

/** A job's name, the same for its cell. */
export const keyOf = ({ model, criterion, size, seed }: Job): string =>
  [model, criterion, size, seed].join('|');

const MODELS = SHARED_MODELS.map(({ name }) => name);
const ECG = 'ecg-resnet1d';

/** Every job, in the order of work. */
export function planJobs(): Job[] {
  const jobs: Job[] = [];
  const add = (
    models: readonly string[],
    sizes: readonly number[],
    criteria: readonly string[],
    seeds: readonly number[],
  ) => {
    for (const seed of seeds)
      for (const size of sizes)
        for (const criterion of criteria)
          for (const model of models) jobs.push({ model, criterion, size, seed });
  };
  add([ECG], [20], ['auto'], SEEDS);
  add(MODELS, [20], ['auto'], [1]);
  add([ECG], SIZES, ['auto'], [1]);
  add([ECG], [20], CRITERIA, SEEDS);
  add([ECG], SIZES, ['auto', 'random'], [1]);
  add(MODELS, [20], ['random'], [1]);
  add(MODELS, [1, 5], ['auto', 'random'], [1]);
  add(MODELS, [20], CRITERIA, [1]);
  add(MODELS, SIZES, CRITERIA, SEEDS);
  return [...new Map(jobs.map((job) => [keyOf(job), job])).values()];
}
