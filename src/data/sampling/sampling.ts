// Choosing samples: class filters, seeded limits, and weights for a class prior. Order is always the original's.
import { BedsideError, must } from '../../util/index.ts';
import { Random, rowsAt } from '../../util/internal.ts';
import type { Dataset, Targets } from '../dataset.ts';
import { hashSamples } from '../hash.ts';

/** Which samples to take. The three limits are applied in this order. */
export interface Selection {
  /** Only samples of these classes. */
  readonly classFilter?: readonly number[] | undefined;
  /** At most this many of each class, drawn by the seed. */
  readonly perClass?: number | undefined;
  /** At most this many overall, drawn by the seed. */
  readonly limit?: number | undefined;
  readonly seed: number;
}

/**
 * Indices of the chosen samples, ascending. What is drawn of one class does not depend on the filter.
 * @throws BedsideError E_DATA when classes are asked for and there are no labels, or nothing is left
 * @throws BedsideError E_USAGE for a limit below 1
 */
export function selectIndices(
  size: number,
  labels: Int32Array | undefined,
  selection: Selection,
  name: string,
): Int32Array {
  checkCount(selection.perClass, 'per-class limit');
  checkCount(selection.limit, 'limit');
  if (!labels && (selection.classFilter || selection.perClass !== undefined)) {
    throw new BedsideError('E_DATA', `${name} has no labels to choose samples by`, {
      hint: 'leave out --per-class and --classes, or use --limit',
    });
  }
  const random = new Random(selection.seed);
  // A label below 0 leaves its sample out.
  let chosen = Int32Array.from({ length: size }, (_, i) => i).filter((i) => (labels?.[i] ?? 0) >= 0);
  if (labels && selection.perClass !== undefined) {
    const kept: number[] = [];
    for (const members of indicesByClass(labels))
      for (const i of draw(members, selection.perClass, random.fork())) kept.push(i);
    chosen = Int32Array.from(kept).sort();
  }
  const wanted = selection.classFilter && new Set(selection.classFilter);
  if (labels && wanted) chosen = chosen.filter((i) => wanted.has(labels[i] ?? -1));
  if (selection.limit !== undefined) chosen = draw(chosen, selection.limit, random.fork());
  if (chosen.length === 0) {
    throw new BedsideError('E_DATA', `${name} has no sample of what was asked for`, {
      hint: 'check the split, the classes and the records asked for',
    });
  }
  return chosen;
}

/** The samples at `indices`, in that order, as a dataset of their own. */
export function subset(dataset: Dataset, indices: ArrayLike<number>): Dataset {
  const labels = dataset.labels && new Int32Array(indices.length);
  const origins: string[] | undefined = dataset.origins && [];
  const patients: string[] | undefined = dataset.patients && [];
  const positions = dataset.positions && new Float64Array(indices.length);
  for (let to = 0; to < indices.length; to++) {
    const from = indices[to] ?? -1;
    if (from < 0 || from >= dataset.size) {
      throw new BedsideError('E_INTERNAL', `internal: subset: index ${from} of ${dataset.size} samples`);
    }
    if (labels && dataset.labels) labels[to] = dataset.labels[from] ?? 0;
    if (positions && dataset.positions) positions[to] = dataset.positions[from] ?? 0;
    if (origins && dataset.origins) origins.push(must(dataset.origins[from], 'an origin for each sample'));
    if (patients && dataset.patients)
      patients.push(must(dataset.patients[from], 'a patient for each sample'));
  }
  const samples = rowsAt(dataset.samples, dataset.size, indices);
  const targets = dataset.targets && targetsAt(dataset.targets, dataset.size, indices);
  const hash = hashSamples(samples, labels, targets);
  const size = indices.length;
  return { ...dataset, size, samples, labels, targets, origins, patients, positions, hash };
}

/** The targets of the samples at `indices`, in that order. */
export function targetsAt(targets: Targets, size: number, indices: ArrayLike<number>): Targets {
  const stride = targets.data.length / Math.max(size, 1);
  const length = indices.length * stride;
  const data = targets.data instanceof Uint8Array ? new Uint8Array(length) : new Float32Array(length);
  for (let to = 0; to < indices.length; to++) {
    const from = indices[to] ?? 0;
    data.set(targets.data.subarray(from * stride, (from + 1) * stride), to * stride);
  }
  return { ...targets, data };
}

/** The share of each class among the labels; sums to 1. */
export function classPrior(labels: Int32Array, classes: number): Float64Array {
  const counts = new Float64Array(classes);
  for (const label of labels) counts[label] = (counts[label] ?? 0) + 1;
  return counts.map((count) => count / Math.max(labels.length, 1));
}

/**
 * One weight for each class that makes samples with these labels stand for another class prior: the share of the class
 * in `prior`, divided by its share among the labels. The weights of all samples have mean 1.
 * @param prior any non-negative numbers, normalised here
 * @throws BedsideError E_DATA when the prior has a class that no sample has
 * @throws BedsideError E_USAGE when the prior is empty, negative or not finite
 */
export function classWeights(labels: Int32Array, prior: ArrayLike<number>): Float64Array {
  const wanted = Float64Array.from(prior);
  const total = wanted.reduce((sum, share) => sum + share, 0);
  if (!(total > 0) || !Number.isFinite(total) || wanted.some((share) => share < 0)) {
    throw new BedsideError('E_USAGE', 'a class prior needs non-negative shares with a positive sum');
  }
  const present = classPrior(labels, wanted.length);
  return wanted.map((share, label) => {
    if (share === 0) return 0;
    const there = present[label] ?? 0;
    if (there === 0) {
      throw new BedsideError('E_DATA', `the class prior asks for class ${label}, but no sample has it`, {
        hint: 'add samples of this class or set its share to 0',
      });
    }
    return share / total / there;
  });
}

/** The indices of each class's samples, ascending, by class. */
export function indicesByClass(labels: Int32Array): Int32Array[] {
  const members: number[][] = [];
  labels.forEach((label, i) => {
    if (label < 0) return;
    while (members.length <= label) members.push([]);
    members[label]?.push(i);
  });
  return members.map((list) => Int32Array.from(list));
}

/** `count` of the items (all, if there are no more), in their own order. */
export function draw(items: Int32Array, count: number, random: Random): Int32Array<ArrayBuffer> {
  const shuffled = random.shuffle(Int32Array.from(items));
  return items.length <= count ? Int32Array.from(items) : shuffled.slice(0, count).sort();
}

/** @throws BedsideError E_USAGE for a count below 1 */
export function checkCount(count: number | undefined, what: string): void {
  if (count !== undefined && !(Number.isInteger(count) && count >= 1)) {
    throw new BedsideError('E_USAGE', `the ${what} must be a whole number from 1, got ${count}`);
  }
}
