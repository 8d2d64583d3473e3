// The class prior: how often each class occurs where the network will run, as shares of its classes and as weights of samples.
import { type Dataset, subset } from '../../data/index.ts';
import { classPrior, classWeights } from '../../data/internal.ts';
import type { Classifier } from '../../evaluate/internal.ts';
import type { Target } from '../../explain/index.ts';
import { BedsideError, must, plainLine } from '../../util/index.ts';
import type { TargetOption } from '../ranking.ts';

/** An amount for each class, by its name or number: `{ N: 9, V: 1 }`. Amounts are not negative; they need not sum to 1. */
export type ClassPrior = ReadonlyMap<string, number> | Readonly<Record<string, number>>;

/** The class prior of a use case. */
export interface ClassPriorOptions {
  /** How often each class occurs where the network will run. Samples of other classes are left out. */
  readonly classPrior?: ClassPrior | undefined;
}

/**
 * The share of each class, with a sum of 1.
 * @throws BedsideError E_USAGE for a class that is neither a name nor a number of the data's classes, or is given twice; for
 *   amounts that are negative, not finite, or all 0
 */
export function priorShares(prior: ClassPrior, classNames: readonly string[]): Float64Array {
  const shares = new Float64Array(classNames.length);
  const amounts = amountsOf(prior);
  const total = amounts.reduce((sum, [, amount]) => sum + amount, 0);
  if (!(total > 0 && total < Number.POSITIVE_INFINITY) || amounts.some(([, amount]) => amount < 0)) {
    throw new BedsideError('E_USAGE', '--class-prior: shares must not be negative, and not all 0', {
      hint: 'give each class a number from 0, such as N:0.9,V:0.1',
    });
  }
  const seen = new Set<number>();
  for (const [name, share] of amounts) {
    const label = labelOf(name, classNames);
    if (seen.has(label)) {
      throw new BedsideError('E_USAGE', `--class-prior: class '${classNames[label]}' is given twice`, {
        hint: 'give each class once, by name or by number',
      });
    }
    seen.add(label);
    shares[label] = share / total;
  }
  return shares;
}

/**
 * A class prior needs samples of one class each.
 * @throws BedsideError E_USAGE for any other task
 */
export function assertPriorApplies({ task }: Pick<Classifier, 'task'>, name: string): void {
  if (task === 'single-label') return;
  throw new BedsideError(
    'E_USAGE',
    `a class prior is for one of several classes, and ${name} is for ${task}`,
    {
      hint: 'leave out --class-prior and --target mix',
    },
  );
}

/** Names or numbers of classes, each with its amount. */
export function amountsOf(prior: ClassPrior): readonly (readonly [string, number])[] {
  return prior instanceof Map ? [...prior] : Object.entries(prior);
}

function labelOf(name: string, classNames: readonly string[]): number {
  const exact = classNames.indexOf(name);
  if (exact >= 0) return exact;
  const loose = classNames.findIndex((other) => other.toLowerCase() === name.toLowerCase());
  if (loose >= 0) return loose;
  if (/^\d+$/.test(name) && Number(name) < classNames.length) return Number(name);
  throw new BedsideError('E_USAGE', `--class-prior: '${name}' is not one of the classes`, {
    hint: `classes: ${classNames.map((other, i) => (other === String(i) ? other : `${i} ${other}`)).join(', ')}`,
  });
}

/**
 * The samples of classes that have a share.
 * @throws BedsideError E_DATA without labels, or when no sample is left
 */
export function samplesInPrior(dataset: Dataset, shares: Float64Array): Dataset {
  const labels = labelsOf(dataset);
  const chosen = Array.from(labels.keys()).filter((i) => (shares[labels[i] as number] ?? 0) > 0);
  if (chosen.length === 0) {
    throw new BedsideError('E_DATA', `${dataset.name} has no sample of a class of the class prior`, {
      hint: 'check the split, the records and --class-prior',
    });
  }
  return chosen.length === dataset.size ? dataset : subset(dataset, chosen);
}

/**
 * One weight for each sample, so that the samples of a class together weigh its share.
 * @throws BedsideError E_DATA when a class with a share has no sample
 */
export function sampleWeights(dataset: Dataset, shares: Float64Array): Float64Array {
  const labels = labelsOf(dataset);
  const weights = classWeights(labels, shares);
  return Float64Array.from(labels, (label) => weights[label] as number);
}

/**
 * The target of an explanation; for `mix`, the share of each class.
 * @param shares of the class prior, if one is given; otherwise the shares among the samples count
 * @throws BedsideError E_DATA when the shares are to be those of samples without labels
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
  throw new BedsideError(
    'E_DATA',
    `${dataset.name} has no labels, so the shares of its classes are not known`,
    {
      hint: 'leave out --class-prior and --target mix, or use labelled data',
    },
  );
}

/** The shares as text: `90 % N, 10 % V`. */
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
 * How samples that score represent the class prior: a weight for each sample, and the target of the explanation. Samples
 * without labels get no weights.
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
