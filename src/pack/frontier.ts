// Measures level vectors along the frontier of accuracy against cost, and fits the accuracy model to them.
import {
  type AccuracyModel,
  type BundleGroup,
  levelsKey,
  totalCosts,
  type Variant,
} from '../bundle/internal.ts';
import { describeClassifier } from '../evaluate/internal.ts';
import { must } from '../util/index.ts';
import { Random } from '../util/internal.ts';
import { fitAccuracyModel } from './accuracy-model.ts';
import { fitAdditiveModel, type Observation } from './additive-loss-model.ts';
import { judgedBy } from './judge.ts';
import {
  type CostName,
  evenlySpaced,
  greedyPath,
  type LevelVectorSpace,
  randomLevelVectors,
  singleGroupLevels,
  spacedInside,
  uniformLevels,
} from './level-search.ts';
import { Evaluators } from './threads/evaluators.ts';
import type { MeasurableBundle, MeasuredVariant, VariantEvaluatorOptions } from './variant-evaluator.ts';

/** The variants that no other variant beats in both accuracy and multiply-accumulates, largest first. */
export function frontierOf(variants: readonly Variant[]): Variant[] {
  const sorted = variants.toSorted((a, b) => a.macs - b.macs || b.accuracy - a.accuracy);
  let best = Number.NEGATIVE_INFINITY;
  return sorted
    .filter(({ accuracy }) => {
      if (accuracy <= best) return false;
      best = accuracy;
      return true;
    })
    .reverse();
}

/** Most random level vectors that check the accuracy model, and most of those that it is fitted to. */
const CHECKS = 16;
const RANDOM = 16;
/** Most single groups of which the error alone is computed. */
const ERRORS = 6;
/** One in four level vectors checks: at least so many. */
const FEWEST_CHECKS = 2;
const COSTS: readonly CostName[] = ['macs', 'weightBytes', 'crossingBytes', 'seconds'];

/** Level vectors are measured until about so many multiply-accumulates of the unpruned network would be spent. */
const MACS = 3e12;
const FEWEST = 30;
const MOST = 128;

/**
 * How many level vectors are measured unless that is said: it follows from the work, not from seconds, so that packing
 * again measures the same.
 * @param macs of the unpruned network on all validation samples
 */
export function defaultVariants(macs: number): number {
  return Math.round(Math.min(MOST, Math.max(FEWEST, MACS / Math.max(1, macs))));
}

/** How many level vectors are measured, and on which samples. */
export interface FrontierOptions extends VariantEvaluatorOptions {
  /** About how many to measure; default `defaultVariants`. */
  readonly variants?: number | undefined;
  readonly onStep?: ((step: string, done: number, total: number) => void) | undefined;
}

/** Measured level vectors. */
export interface MeasuredFrontier {
  readonly variants: readonly MeasuredVariant[];
  readonly accuracy: AccuracyModel;
  /** Scores of the unpruned network on the validation samples. */
  readonly whole: Float32Array;
}

/** Leaves out level vectors that cut the network as one before did: those with equal unit counts. */
class DistinctNetworks {
  readonly #groups: readonly BundleGroup[];
  readonly #seen = new Set<string>();

  constructor(groups: readonly BundleGroup[]) {
    this.#groups = groups;
  }

  of(vectors: readonly (readonly number[])[]): (readonly number[])[] {
    return vectors.filter((levels) => {
      const counts = levels.map((level, group) => this.#groups[group]?.counts[level]).join();
      return !this.#seen.has(counts) && this.#seen.add(counts);
    });
  }
}

/** Level vectors that need no measurement to be chosen. */
interface FirstVectors {
  /** Those that only check the accuracy model, and those that it is fitted to, the unpruned network first. */
  readonly checking: readonly (readonly number[])[];
  readonly fitting: readonly (readonly number[])[];
  /** Single groups of which the error alone is computed. */
  readonly singles: readonly (readonly number[])[];
  /** Knows those that it is fitted to. */
  readonly distinct: DistinctNetworks;
}

function firstVectors(
  space: LevelVectorSpace,
  groups: readonly BundleGroup[],
  variants: number,
  seed: number,
): FirstVectors {
  const random = new Random(seed);
  const checks = Math.min(CHECKS, Math.max(FEWEST_CHECKS, Math.floor(variants / 4)));
  const checking = new DistinctNetworks(groups).of(randomLevelVectors(space, checks, random));
  const distinct = new DistinctNetworks(groups);
  const fitting = distinct.of(uniformLevels(space));
  const room = (): number => Math.max(0, variants - checks - fitting.length);
  // Nearly whole networks take longest to measure and are seldom planned: where there is no room, their errors guide as well.
  const singles = singleGroupLevels(space);
  const fits = singles.length <= room() / 3;
  if (fits) fitting.push(...distinct.of(singles));
  fitting.push(...distinct.of(randomLevelVectors(space, Math.min(RANDOM, Math.floor(room() / 2)), random)));
  const guiding = fits ? [] : evenlySpaced(singles, Math.min(ERRORS, space.groups));
  return { checking, fitting, singles: guiding, distinct };
}

/**
 * Measures level vectors of a bundle in the making. Uniform vectors and single groups come first; paths guided by their
 * losses follow. Those that check the accuracy model are variants as the others are.
 */
export async function measureFrontier(
  draft: MeasurableBundle,
  options: FrontierOptions,
): Promise<MeasuredFrontier> {
  const { seed, validation, onStep } = options;
  const space: LevelVectorSpace = {
    groups: draft.manifest.groups.length,
    levels: draft.manifest.ratios.length,
    costs: (levels) => totalCosts(draft.manifest, levels),
  };
  const unprunedMacs = space.costs(new Array<number>(space.groups).fill(0)).macs;
  const { variants = defaultVariants(unprunedMacs * validation.size) } = options;
  const { groups } = draft.manifest;
  const { checking, fitting, singles, distinct } = firstVectors(space, groups, variants, seed);
  const room = (count: number): number => Math.max(0, variants - checking.length - count);
  const total = Math.max(variants, checking.length + fitting.length);
  const judged = judgedBy(describeClassifier(draft.model, options.name), validation, options.measure);
  const evaluators = await Evaluators.create(draft, options, total);
  let done = 0;
  const measure = async (vectors: readonly (readonly number[])[]): Promise<MeasuredVariant[]> => {
    // Long ones first, so that no thread is left with one at the end.
    const ordered = vectors.toSorted((a, b) => space.costs(b).macs - space.costs(a).macs);
    // The name of this step is a key of `seconds` under --json.
    const results = await evaluators.measureAll(ordered, () =>
      onStep?.('measuring level vectors', Math.min(++done, total), total),
    );
    const found = new Map(ordered.map((levels, at) => [levels, results[at]]));
    return vectors.map((levels) => must(found.get(levels), 'a measured vector'));
  };
  try {
    const first = await measure([...checking, ...fitting]);
    const checks = first.slice(0, checking.length);
    const all = first.slice(checking.length);
    const found = await evaluators.errorsOf(singles);
    const errors = singles.map((levels, at): Observation => ({ levels, value: must(found[at], 'an error') }));
    const costs = COSTS.filter(
      (cost) => cost !== 'seconds' || space.costs(new Array(space.groups).fill(0)).seconds,
    );
    // The second round is guided by the measurements of the first.
    for (const round of [1, 2]) {
      const seen = all.map(({ variant, error }): Observation => ({ levels: variant.levels, value: error }));
      const error = fitAdditiveModel([...seen, ...errors], space.groups, space.levels);
      const scale = (error.flat().reduce((a, b) => a + b, 0) || 1) / (space.groups * space.levels);
      const share = Math.floor(room(all.length) / (costs.length * (3 - round)));
      const paths = costs.flatMap((cost) =>
        spacedInside(greedyPath(space, error, cost, round === 1 ? scale : scale / 10), share),
      );
      all.push(...(await measure(distinct.of(paths))));
    }
    const keys = new Set(all.map(({ variant }) => levelsKey(variant.levels)));
    const others = checks.filter(({ variant }) => !keys.has(levelsKey(variant.levels)));
    const unpruned = must(all[0], 'the unpruned network').variant;
    return {
      variants: [...all, ...others],
      whole: evaluators.whole,
      accuracy: fitAccuracyModel(
        unpruned.accuracy,
        judged,
        all.map(({ variant }) => variant),
        others.map(({ variant }) => variant),
        space.levels,
      ),
    };
  } finally {
    await evaluators.release();
  }
}
