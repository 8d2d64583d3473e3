// The local mix of classes: --class-mix as typed, as shares of the model's classes, and as weights of samples.
import { type Dataset, subset } from '../data/index.ts';
import { classPrior, classWeights } from '../data/internal.ts';
import type { Target } from '../explain/index.ts';
import { BedsideError, must, plainLine } from '../util/index.ts';
import type { TargetOption } from './ranking.ts';

/** Shares as typed: classes by name or number, any non-negative amounts. */
export type ClassPrior = ReadonlyMap<string, number>;

/** The share of each class where the network will run. */
export interface ClassPriorOptions {
  readonly classPrior?: ClassPrior;
}

/**
 * The share of each class, with a sum of 1.
 * @throws BedsideError E_USAGE for a class that is neither a name nor a number of the data's classes, or is there twice
 */
export function priorShares(typed: ClassPrior, classNames: readonly string[]): Float64Array {
  const shares = new Float64Array(classNames.length);
  const total = [...typed.values()].reduce((sum, share) => sum + share, 0);
  const seen = new Set<number>();
  for (const [name, share] of typed) {
    const label = labelOf(name, classNames);
    if (seen.has(label)) {
      throw new BedsideError('E_USAGE', `--class-mix: class '${classNames[label]}' is there twice`, {
        hint: 'give each class once, by name or by number',
      });
    }
    seen.add(label);
    shares[label] = share / total;
  }
  return shares;
}

function labelOf(name: string, classNames: readonly string[]): number {
  const exact = classNames.indexOf(name);
  if (exact >= 0) return exact;
  const loose = classNames.findIndex((other) => other.toLowerCase() === name.toLowerCase());
  if (loose >= 0) return loose;
  if (/^\d+$/.test(name) && Number(name) < classNames.length) return Number(name);
  throw new BedsideError('E_USAGE', `--class-mix: '${name}' is not one of the classes`, {
    hint: `classes: ${classNames.map((other, i) => (other === String(i) ? other : `${i} ${other}`)).join(', ')}`,
  });
}

/**
 * The samples of the classes in the mix.
 * @throws BedsideError E_DATA without labels, or when none is left
 */
export function samplesInPrior(dataset: Dataset, shares: Float64Array): Dataset {
  const labels = labelsOf(dataset);
  const chosen = Array.from(labels.keys()).filter((i) => (shares[labels[i] as number] ?? 0) > 0);
  if (chosen.length === 0) {
    throw new BedsideError('E_DATA', `${dataset.name} has no sample of a class of the mix`, {
      hint: 'check the split, the records and --class-mix',
    });
  }
  return chosen.length === dataset.size ? dataset : subset(dataset, chosen);
}

/**
 * One weight a sample, so that the samples of each class weigh its share together.
 * @throws BedsideError E_DATA when the mix asks for a class that no sample has
 */
export function sampleWeights(dataset: Dataset, shares: Float64Array): Float64Array {
  const labels = labelsOf(dataset);
  const weights = classWeights(labels, shares);
  return Float64Array.from(labels, (label) => weights[label] as number);
}

/**
 * What relevance starts from.
 * @param shares of --class-mix, if given; the mix is that of the samples otherwise
 * @throws BedsideError E_DATA when the mix is to be that of samples without labels
 */
export function explanationTarget(
  option: TargetOption | undefined,
  dataset: Dataset,
  shares: Float64Array | undefined,
): Target | undefined {
  if (option !== 'mix') return option;
  return Float32Array.from(shares ?? classPrior(labelsOf(dataset), dataset.classNames.length));
}

function labelsOf(dataset: Dataset): Int32Array {
  if (dataset.labels) return dataset.labels;
  throw new BedsideError('E_DATA', `${dataset.name} has no labels, so it has no mix of classes`, {
    hint: 'leave out --class-mix and --target mix, or use labelled data',
  });
}

/** The mix as it is said: `90 % N, 10 % V`. */
export function describePrior(shares: ArrayLike<number>, classNames: readonly string[]): string {
  return Array.from(shares)
    .flatMap((share, label) =>
      share > 0
        ? [`${+(share * 100).toFixed(1)} % ${plainLine(must(classNames[label], 'a class name'))}`]
        : [],
    )
    .join(', ');
}

/**
 * How samples for scoring stand for the mix: a weight each, and what relevance starts from. Without labels a mix can
 * only be what relevance starts from.
 * @throws BedsideError E_DATA as `sampleWeights` and `explanationTarget`
 */
export function priorWeighting(
  dataset: Dataset,
  shares: Float64Array | undefined,
  option: TargetOption | undefined,
): { readonly weights: Float64Array | undefined; readonly target: Target | undefined } {
  const unweighted = shares === undefined || (option === 'mix' && !dataset.labels);
  return {
    weights: unweighted ? undefined : sampleWeights(dataset, shares),
    target: explanationTarget(option, dataset, shares),
  };
}
