// What samples are drawn by: their class; with several labels, the labels that they have together; masks and values
// have no classes.
import { BedsideError } from '../../util/index.ts';
import type { Targets } from '../dataset.ts';
import { type Selection, selectIndices } from './sampling.ts';

/** Samples of which some are chosen. */
interface Choices {
  readonly size: number;
  readonly labels: Int32Array | undefined;
  /** Of masks and values only the kind counts. */
  readonly targets?:
    | Pick<Targets, 'kind' | 'shape' | 'data'>
    | { readonly kind: 'mask' | 'values' }
    | undefined;
}

/**
 * The group of each sample that limits for each class are about: its class, or a number for the labels that it has
 * together (counted in the order in which they come up). Undefined without classes: masks, values, no labels.
 */
export function strataOf({ size, labels, targets }: Choices): Int32Array | undefined {
  if (labels || targets?.kind !== 'labels') return labels;
  const stride = targets.data.length / Math.max(size, 1);
  const numbers = new Map<string, number>();
  return Int32Array.from({ length: size }, (_, i) => {
    const pattern = targets.data.subarray(i * stride, (i + 1) * stride).join('');
    const known = numbers.get(pattern) ?? numbers.size;
    numbers.set(pattern, known);
    return known;
  });
}

/**
 * Indices of the chosen samples, ascending, for any task. With several labels `perClass` counts samples that have the
 * same labels, and a class filter keeps samples that have one of them. Masks and values have no classes: a limit for
 * each is one for all, times their number.
 * @param classes of the network
 * @throws BedsideError as `selectIndices`; E_USAGE for a class filter where there are no classes
 */
export function selectSamples(
  choices: Choices,
  selection: Selection,
  classes: number,
  name: string,
): Int32Array {
  const { size, labels, targets } = choices;
  if (!targets) return selectIndices(size, labels, selection, name);
  const { classFilter, perClass, limit = Number.POSITIVE_INFINITY, seed } = selection;
  if (targets.kind !== 'labels') {
    if (classFilter) {
      throw new BedsideError('E_USAGE', `${name} has ${targets.kind}, and no classes to choose samples by`, {
        hint: 'leave out --classes',
      });
    }
    if (perClass === undefined) return selectIndices(size, undefined, selection, name);
    return selectIndices(size, undefined, { limit: Math.min(limit, perClass * classes), seed }, name);
  }
  const strata = strataOf(choices);
  if (!classFilter) return selectIndices(size, strata, selection, name);
  const { data } = targets;
  const stride = data.length / Math.max(size, 1);
  // Strata of which a sample has one of the classes.
  const wanted = new Set<number>();
  strata?.forEach((stratum, i) => {
    if (classFilter.some((label) => (data[i * stride + label] ?? 0) > 0)) wanted.add(stratum);
  });
  return selectIndices(size, strata, { ...selection, classFilter: [...wanted] }, name);
}
