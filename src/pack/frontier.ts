// Measures level vectors along the frontier of accuracy against cost, and fits the accuracy model to them.
import { type AccuracyModel, levelsKey, totalCosts, type Variant } from '../bundle/internal.ts';
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
const ERRORS = 8;
/** One in four level vectors checks: at least so many. */
const FEWEST_CHECKS = 2;
const COSTS: readonly CostName[] = ['macs', 'weightBytes', 'crossingBytes', 'seconds'];

/** Level vectors are measured until about so many multiply-accumulates of the unpruned network would be spent. */
const MACS = 3e12;
const FEWEST = 32;
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
  const random = new Random(seed);
  const measured = new Map<string, MeasuredVariant>();
  // Level vectors with equal unit counts are the same network, so one of them is enough.
  const shapes = new Set<string>();
  const shapeOf = (levels: readonly number[]): string =>
    levels.map((level, group) => draft.manifest.groups[group]?.counts[level]).join();
  const checked = Math.min(CHECKS, Math.max(FEWEST_CHECKS, Math.floor(variants / 4)));
  const total = Math.max(variants, space.levels + checked);
  const form = describeClassifier(draft.model, options.name);
  const judged = judgedBy(form, validation, options.measure);
  const evaluators = await Evaluators.create(draft, options, total);
  let done = 0;
  const measure = async (vectors: readonly (readonly number[])[]): Promise<MeasuredVariant[]> => {
    const wanted = vectors.filter((levels) => {
      const shape = shapeOf(levels);
      if (shapes.has(shape) && !measured.has(levelsKey(levels))) return false;
      shapes.add(shape);
      return true;
    });
    // The name of this step is a key of `seconds` under --json.
    const results = await evaluators.measureAll(wanted, () =>
      onStep?.('measuring level vectors', Math.min(++done, total), total),
    );
    for (const result of results) measured.set(levelsKey(result.variant.levels), result);
    return results;
  };
  try {
    const checks = await measure(randomLevelVectors(space, checked, random));
    measured.clear();
    shapes.clear();
    await measure(uniformLevels(space));
    const room = (): number => Math.max(0, variants - checks.length - measured.size);
    const singles = singleGroupLevels(space);
    const errors: Observation[] = [];
    if (singles.length <= room() / 3) {
      await measure(singles);
    } else {
      // Nearly whole networks take longest to measure and are seldom planned: their errors guide as well.
      const few = evenlySpaced(singles, Math.min(ERRORS, space.groups));
      const found = await evaluators.errorsOf(few);
      errors.push(...few.map((levels, at) => ({ levels, value: must(found[at], 'an error') })));
    }
    await measure(randomLevelVectors(space, Math.min(RANDOM, Math.floor(room() / 2)), random));
    const costs = COSTS.filter(
      (cost) => cost !== 'seconds' || space.costs(new Array(space.groups).fill(0)).seconds,
    );
    // The second round is guided by the measurements of the first.
    for (const round of [1, 2]) {
      const seen = [...measured.values()].map(({ variant, error: value }) => ({
        levels: variant.levels,
        value,
      }));
      const error = fitAdditiveModel([...seen, ...errors], space.groups, space.levels);
      const scale = (error.flat().reduce((a, b) => a + b, 0) || 1) / (space.groups * space.levels);
      const share = Math.floor(room() / (costs.length * (3 - round)));
      for (const cost of costs) {
        await measure(evenlySpaced(greedyPath(space, error, cost, round === 1 ? scale : scale / 10), share));
      }
    }
    const all = [...measured.values()];
    const others = checks.filter(({ variant }) => !measured.has(levelsKey(variant.levels)));
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
