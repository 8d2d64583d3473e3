// What the study covers and in which order: the most telling cells first, so that it can be cut anywhere.
import type { Criterion } from '../../src/explain/index.ts';
import { findPlainCriterion, PLAIN_CRITERIA } from '../../src/explain/internal.ts';
import { SHARED_MODELS } from '../lib/shared.ts';

/** Fractions of channels removed. */
export const RATIOS = [0.1, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8] as const;

/** The ratios that the goals speak of. */
export const GOAL_RATIOS: readonly number[] = RATIOS.filter((ratio) => ratio >= 0.25 && ratio <= 0.6);

/** Calibration samples a class. */
export const SIZES = [1, 2, 5, 10, 20] as const;

/** The size of the main tables. */
export const MAIN_SIZE = 20;

export const SEEDS = [1, 2, 3, 4, 5] as const;

/** Criteria that are not studied, and why. */
export const LEFT_OUT: readonly { readonly name: string; readonly reason: string }[] = [
  { name: 'bn-scale', reason: 'the three models were exported with batch normalisation merged' },
  { name: 'lrp-alpha-beta', reason: 'with its default alpha of 2 it is lrp-alpha2beta1' },
];

/** Parameters beside the defaults. */
const VARIANTS = ['lrp-gamma=0.1', 'lrp-gamma=1', 'deeplift-rescale=mean', 'deeplift-rescale=sample'];

/** Every criterion of the study. */
export const STUDIED: readonly Criterion[] = [
  ...PLAIN_CRITERIA.filter(({ name }) => !LEFT_OUT.some((left) => left.name === name)),
  ...VARIANTS.map(findPlainCriterion),
];

/** Stands where a criterion is expected: the model before anything is cut. */
export const UNPRUNED = 'unpruned';

/** Stands where a criterion is expected: the one that `auto` chooses at each ratio. */
export const AUTO = 'auto';

/** Stands for "no samples were read" where a size is expected. */
export const NO_SAMPLES = 0;

/** The same ratio in every group, or one ranking over all of them. */
export type Mode = 'uniform' | 'global';

export const MODES: readonly Mode[] = ['uniform', 'global'];

/** One scoring of a model; all ratios are measured with it. */
export interface Job {
  readonly model: string;
  readonly criterion: string;
  /** Calibration samples a class, or `NO_SAMPLES`. */
  readonly size: number;
  readonly seed: number;
  readonly mode: Mode;
}

/** A job's name, the same for the cell that it fills. */
export const keyOf = ({ model, criterion, size, seed, mode }: Job): string =>
  [model, criterion, size, seed, mode].join('|');

/** What is done together. */
interface Block {
  readonly size: number;
  readonly seed: number;
  readonly mode: Mode;
  readonly models?: readonly string[];
  readonly criteria?: readonly string[];
}

const NAMES: readonly string[] = STUDIED.map(({ name }) => name);
const MODELS: readonly string[] = SHARED_MODELS.map(({ name }) => name);
/** A tenth of the others' work, so its columns are filled early. */
const CHEAP = ['ecg-resnet1d'];

/** The most telling first; the last ones hold everything, what was done before is not done again. */
const BLOCKS: readonly Block[] = [
  { size: 20, seed: 1, mode: 'uniform' },
  { size: 20, seed: 1, mode: 'uniform', criteria: [AUTO] },
  ...[20, 5, 1, 2, 10].map((size): Block => ({ size, seed: 1, mode: 'uniform', models: CHEAP })),
  ...[2, 3].map((seed): Block => ({ size: 20, seed, mode: 'uniform', models: CHEAP })),
  { size: 20, seed: 1, mode: 'global', models: CHEAP },
  { size: 20, seed: 2, mode: 'uniform' },
  { size: 5, seed: 1, mode: 'uniform' },
  { size: 20, seed: 1, mode: 'global' },
  { size: 20, seed: 3, mode: 'uniform' },
  ...[1, 10, 2].map((size): Block => ({ size, seed: 1, mode: 'uniform' })),
  ...MODES.flatMap((mode) =>
    SEEDS.flatMap((seed) =>
      SIZES.toReversed().map(
        (size): Block => ({ size, seed, mode, criteria: mode === 'uniform' ? [...NAMES, AUTO] : NAMES }),
      ),
    ),
  ),
];

/** Every job, in the order of work. Criteria that read no samples stand once, random ones once a seed. */
export function planJobs(): Job[] {
  const unpruned = MODELS.map(
    (model): Job => ({ model, criterion: UNPRUNED, size: NO_SAMPLES, seed: 1, mode: 'uniform' }),
  );
  const jobs = BLOCKS.flatMap(({ size, seed, mode, models = MODELS, criteria = NAMES }) =>
    criteria.flatMap((criterion) =>
      models.map((model): Job => ({ model, criterion, ...sampled(criterion, size, seed), mode })),
    ),
  );
  return [...new Map([...unpruned, ...jobs].map((job) => [keyOf(job), job])).values()];
}

/** The size and seed under which a criterion's cell is kept. */
export function sampled(criterion: string, size: number, seed: number): { size: number; seed: number } {
  const needsSamples = STUDIED.find(({ name }) => name === criterion)?.needsSamples ?? true;
  return needsSamples ? { size, seed } : { size: NO_SAMPLES, seed: criterion === 'random' ? seed : 1 };
}
