// Which arrays of an archive are samples, what they should give, and whose they are: names as MedMNIST, Keras and
// scikit-learn have them, by split or for all.
import { BedsideError, firstOf, type TaskKind } from '../../util/index.ts';
import type { DatasetSplit } from '../dataset.ts';

/** Names of each split's part, the first that is there; in the order in which `all` has them. */
const SPLIT_NAMES = {
  train: ['train', 'training', 'local'],
  val: ['val', 'valid', 'validation', 'dev'],
  test: ['test', 'testing'],
} as const;

/** The parts that a split reads. */
const PARTS: { readonly [S in DatasetSplit]: readonly (keyof typeof SPLIT_NAMES)[] } = {
  local: ['train'],
  test: ['test'],
  all: ['train', 'val', 'test'],
};

/** Far more than an array has rows, so that part and row make one number. */
const PART_STRIDE = 2 ** 40;

/** What an array is, in the order in which names are looked for: before or behind the split's name, or alone. */
export const SAMPLES: readonly string[] = ['images', 'x', 'X', 'data', 'samples', 'signals'];
const LABELS = ['labels', 'y', 'Y', 'label', 'targets'];
const MASKS = ['masks', 'mask'];
const VALUES = ['values', 'value'];
const TARGETS = [...LABELS, ...MASKS, ...VALUES];
const PATIENTS = ['patients', 'patient', 'patient_ids', 'patient_id', 'groups', 'subjects'];

/** The arrays of one split, or those of an archive without splits. */
export interface PartNames {
  /** The first input's array. */
  readonly images: string;
  /** Its labels, values or masks; undefined where there are none. */
  readonly labels: string | undefined;
  /** Other arrays that could be meant by the same. */
  readonly others: readonly string[];
  readonly patients: string | undefined;
  /** Position of its first row in the data. */
  readonly position: number;
}

/** Names of arrays. */
export type Names = { has(name: string): boolean; keys(): Iterable<string> };

/** What to look for. */
interface Wanted {
  /** Names of samples; several inputs have their own. */
  readonly samples?: readonly string[] | undefined;
  readonly task?: TaskKind | undefined;
}

/**
 * The arrays that a split reads.
 * @throws BedsideError E_DATA when there are none, with the names that are there
 */
export function partsOf(entries: Names, split: DatasetSplit, name: string, wanted: Wanted = {}): PartNames[] {
  const parts = PARTS[split].flatMap((part) => partOf(entries, part, wanted));
  if (parts.length > 0) return parts;
  if (isUnsplit(entries, wanted)) {
    const position = PARTS.all.length * PART_STRIDE;
    return namesBy(entries, (array) => [array], wanted).map((names) => ({ ...names, position }));
  }
  const looked = PARTS[split].map((part) => `${part}_images`).join(', ');
  const there = firstOf([...entries.keys()], 20) || 'none';
  throw new BedsideError('E_DATA', `${name} has neither ${looked} nor x`, {
    hint: `its arrays are ${there}; choose another --split or rename them (docs/data.md lists the names)`,
  });
}

/** Whether no part of a split is there, but arrays that every split reads in full. */
export function isUnsplit(entries: Names, wanted: Wanted = {}): boolean {
  if (PARTS.all.some((part) => partOf(entries, part, wanted).length > 0)) return false;
  return (wanted.samples ?? SAMPLES).some((array) => entries.has(array));
}

/** Whether no array bears the name of a split, such as the arrays of several inputs for all samples. */
export function hasNoSplitNames(entries: Names): boolean {
  const splits = Object.values(SPLIT_NAMES).flat();
  const isOf = (array: string) =>
    splits.some((one) => array.startsWith(`${one}_`) || array.endsWith(`_${one}`));
  return ![...entries.keys()].some(isOf);
}

/** An array of labels, values or masks, of whatever split: what they look like. */
export function anyTargets(entries: Names): string | undefined {
  const parts = (['train', 'test', 'val'] as const).flatMap((part) => partOf(entries, part, {}));
  const found = [...parts, ...namesBy(entries, (array) => [array], {})];
  return found.find(({ labels }) => labels !== undefined)?.labels;
}

function partOf(entries: Names, part: keyof typeof SPLIT_NAMES, wanted: Wanted): PartNames[] {
  const position = PARTS.all.indexOf(part) * PART_STRIDE;
  for (const split of SPLIT_NAMES[part]) {
    const found = namesBy(entries, (array) => [`${split}_${array}`, `${array}_${split}`], wanted);
    if (found.length > 0) return found.map((names) => ({ ...names, position }));
  }
  return [];
}

/** Samples, and what belongs to them, by one way of naming; nothing without samples. */
function namesBy(
  entries: Names,
  named: (array: string) => readonly string[],
  { samples = SAMPLES, task }: Wanted,
): Omit<PartNames, 'position'>[] {
  const those = (names: readonly string[]): string[] =>
    names.flatMap(named).filter((array) => entries.has(array));
  const [images] = those(samples);
  if (images === undefined) return [];
  const first = task === 'segmentation' ? MASKS : task === 'regression' ? VALUES : [];
  const [labels, ...others] = [...new Set(those([...first, ...TARGETS]))];
  return [{ images, labels, others, patients: those(PATIENTS)[0] }];
}
