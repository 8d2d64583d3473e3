// Dividing samples in two: parts of a whole, and draws that share no sample.
import { BedsideError } from '../../util/index.ts';
import { Random } from '../../util/internal.ts';
import type { Dataset } from '../dataset.ts';
import { dividePatients } from './patients.ts';
import { checkCount, draw, indicesByClass, subset } from './sampling.ts';
import { strataOf } from './strata.ts';

/**
 * Two parts that share no sample: about `fraction` of each class (of all, without labels) in the first, drawn by the
 * seed. A class of two samples or more is in both. Data split by patient is divided by patients instead.
 * @throws BedsideError E_USAGE when the fraction is not between 0 and 1
 * @throws BedsideError E_DATA when there are too few samples for two parts
 */
export function splitInTwo(dataset: Dataset, fraction: number, seed: number): [Dataset, Dataset] {
  if (!(fraction > 0 && fraction < 1)) {
    throw new BedsideError('E_USAGE', `a split needs a fraction between 0 and 1, got ${fraction}`);
  }
  const inFirst = isByPatient(dataset)
    ? dividePatients(dataset.patients, strataOf(dataset), fraction, dataset.name)
    : drawnPart(dataset, fraction, seed);
  const all = Int32Array.from(inFirst, (_, i) => i);
  const first = all.filter((i) => inFirst[i] === 1);
  const second = all.filter((i) => inFirst[i] === 0);
  if (first.length === 0 || second.length === 0) {
    throw new BedsideError(
      'E_DATA',
      `${dataset.name} has too few samples (${dataset.size}) to split in two`,
      {
        hint: 'take more samples: raise --per-class or --limit',
      },
    );
  }
  return [subset(dataset, first), subset(dataset, second)];
}

/** 1 for about `fraction` of each stratum's samples, drawn by the seed. */
function drawnPart(dataset: Dataset, fraction: number, seed: number): Uint8Array {
  const random = new Random(seed);
  const inFirst = new Uint8Array(dataset.size);
  for (const members of membersOf(dataset)) {
    const wanted = Math.round(members.length * fraction);
    const count = members.length < 2 ? wanted : Math.min(Math.max(wanted, 1), members.length - 1);
    for (const i of draw(members, count, random.fork())) inFirst[i] = 1;
  }
  return inFirst;
}

/** The indices of each stratum; all as one where there is none. */
function membersOf(dataset: Dataset): Int32Array[] {
  const strata = strataOf(dataset);
  return strata ? indicesByClass(strata) : [Int32Array.from({ length: dataset.size }, (_, i) => i)];
}

function isByPatient(dataset: Dataset): dataset is Dataset & { readonly patients: readonly string[] } {
  return dataset.splitBy === 'patient' && dataset.patients !== undefined;
}

/**
 * Two draws that share no sample, by the seed: up to `first` of each class, and of the others of that class up to
 * `second`. Of a class that is too small for both, the first draw takes no more than half (an odd one is its). Without
 * labels all samples are one class, for which the limits are those of `classes` of them.
 * @throws BedsideError E_DATA when there are too few samples for two draws; E_USAGE for a limit below 1
 */
export function disjointDraws(
  dataset: Dataset,
  limits: { readonly first: number; readonly second: number; readonly classes: number },
  seed: number,
): [Dataset, Dataset] {
  checkCount(limits.first, 'per-class limit');
  checkCount(limits.second, 'per-class limit of the second draw');
  const random = new Random(seed);
  const { size } = dataset;
  const times = strataOf(dataset) ? 1 : limits.classes;
  const drawn: [number[], number[]] = [[], []];
  // Of whole patients, in the proportion of what both draws want.
  const share = limits.first / (limits.first + limits.second);
  const inFirst = isByPatient(dataset)
    ? dividePatients(dataset.patients, strataOf(dataset), share, dataset.name)
    : undefined;
  for (const members of membersOf(dataset)) {
    const shuffled = random.fork().shuffle(Int32Array.from(members));
    const [first, second] = [times * limits.first, times * limits.second];
    if (inFirst) {
      for (const i of shuffled.filter((i) => inFirst[i] === 1).subarray(0, first)) drawn[0].push(i);
      for (const i of shuffled.filter((i) => inFirst[i] === 0).subarray(0, second)) drawn[1].push(i);
      continue;
    }
    // No sample is in both, since each is taken from its own part of one order.
    const { length } = members;
    const border = Math.min(first, Math.max(Math.ceil(length / 2), length - second));
    for (const i of shuffled.subarray(0, border)) drawn[0].push(i);
    for (const i of shuffled.subarray(border, border + second)) drawn[1].push(i);
  }
  if (drawn[0].length === 0 || drawn[1].length === 0) {
    throw new BedsideError(
      'E_DATA',
      `${dataset.name} has too few samples (${size}) for two draws without a common one`,
      {
        hint: 'take more samples: raise the limits, or leave out --limit, --classes and --records',
      },
    );
  }
  const ascending = (indices: number[]): number[] => indices.sort((a, b) => a - b);
  return [subset(dataset, ascending(drawn[0])), subset(dataset, ascending(drawn[1]))];
}
