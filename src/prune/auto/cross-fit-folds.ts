// Two folds of a set of samples, so that a ranking on one can be measured on the other.
import type { Dataset } from '../../data/index.ts';
import { strataOf } from '../../data/internal.ts';
import { Random } from '../../util/internal.ts';

/**
 * Indices of two folds that share no sample, drawn by the seed: each holds half of every class, or of
 * every set of labels (of all samples, without them). The odd sample of a class goes to the smaller fold, so that the folds differ by one sample at most.
 */
export function crossFitFolds(dataset: Dataset, seed: number): readonly [Int32Array, Int32Array] {
  const random = new Random(seed);
  const members = new Map<number, number[]>();
  const strata = strataOf(dataset);
  for (let i = 0; i < dataset.size; i++) {
    const label = strata?.[i] ?? 0;
    const list = members.get(label);
    if (list) list.push(i);
    else members.set(label, [i]);
  }
  const parts: [number[], number[]] = [[], []];
  for (const [, list] of [...members].sort(([a], [b]) => a - b)) {
    const [first, second] = parts;
    const larger = first.length <= second.length ? first : second;
    const smaller = larger === first ? second : first;
    const shuffled = random.shuffle(list);
    const middle = Math.ceil(list.length / 2);
    for (const i of shuffled.slice(0, middle)) larger.push(i);
    for (const i of shuffled.slice(middle)) smaller.push(i);
  }
  const sorted = (list: readonly number[]): Int32Array => Int32Array.from(list).sort();
  return [sorted(parts[0]), sorted(parts[1])];
}
