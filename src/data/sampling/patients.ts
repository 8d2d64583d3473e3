// Splits by patient: no patient is in both parts.

import { BedsideError } from '../../util/index.ts';
import { sha256Of } from '../../util/internal.ts';
import type { Dataset, DatasetOptions } from '../dataset.ts';
import { selectSamples, strataOf } from './strata.ts';

/** The share of the samples that the local split aims at when patients are divided. */
const LOCAL_SHARE = 2 / 3;

/** A patient's samples by class. */
interface Group {
  readonly name: string;
  readonly order: string;
  readonly counts: Map<number, number>;
  size: number;
}

/**
 * Divides patients in two, so that about `fraction` of the samples of each class are in the first part. It depends on
 * the names and the counts alone, not on a seed or the order of the samples: patients with many samples go first, each
 * to the part that lacks more of the classes that it has, rare ones counting as much as common ones.
 * @param strata the class of each sample; undefined counts all as one class
 * @returns 1 for each sample of the first part
 * @throws BedsideError E_DATA for fewer than two patients
 */
export function dividePatients(
  patients: readonly string[],
  strata: Int32Array | undefined,
  fraction: number,
  name: string,
): Uint8Array {
  const { groups, totals } = groupsOf(patients, strata);
  if (groups.length < 2) {
    throw new BedsideError('E_DATA', `${name} has samples of ${groups.length} patient: two are needed`, {
      hint: 'leave out --split-by patient, or take data of more patients (--records, --limit)',
    });
  }
  const shares = [fraction, 1 - fraction] as const;
  const have = [new Map<number, number>(), new Map<number, number>()] as const;
  const parts: [Group[], Group[]] = [[], []];
  for (const group of groups) {
    const [first, second] = shares.map((share, part) => {
      let lack = 0;
      for (const [stratum, count] of group.counts) {
        const total = totals.get(stratum) ?? 1;
        lack += (count / total) * (1 - (have[part]?.get(stratum) ?? 0) / (share * total));
      }
      return lack;
    }) as [number, number];
    const part = first > second || (first === second && fraction >= 0.5) ? 0 : 1;
    parts[part].push(group);
    for (const [stratum, count] of group.counts)
      have[part].set(stratum, (have[part].get(stratum) ?? 0) + count);
  }
  // A few patients of many samples may leave nothing for the other part.
  for (const [empty, full] of [parts, parts.toReversed()] as [Group[], Group[]][]) {
    const last = empty.length === 0 ? full.pop() : undefined;
    if (last) empty.push(last);
  }
  const first = new Set(parts[0].map((group) => group.name));
  return Uint8Array.from(patients, (patient) => (first.has(patient) ? 1 : 0));
}

function groupsOf(
  patients: readonly string[],
  strata: Int32Array | undefined,
): { readonly groups: readonly Group[]; readonly totals: ReadonlyMap<number, number> } {
  const groups = new Map<string, Group>();
  const totals = new Map<number, number>();
  patients.forEach((name, i) => {
    const known = groups.get(name);
    const order = known?.order ?? sha256Of(name);
    const group = known ?? { name, order, counts: new Map<number, number>(), size: 0 };
    if (!known) groups.set(name, group);
    const stratum = strata?.[i] ?? 0;
    group.counts.set(stratum, (group.counts.get(stratum) ?? 0) + 1);
    group.size++;
    totals.set(stratum, (totals.get(stratum) ?? 0) + 1);
  });
  const sorted = [...groups.values()].sort((a, b) => b.size - a.size || (a.order < b.order ? -1 : 1));
  return { groups: sorted, totals };
}

/** Samples that can be chosen, and whose they are. */
type Candidates = Parameters<typeof selectSamples>[0] & { readonly patients?: readonly string[] | undefined };

/**
 * Indices of the samples that the options choose, ascending: of the split drawn by patient where that is asked for,
 * otherwise of all given.
 * @throws BedsideError as `selectSamples`; E_DATA when the data does not say whose its samples are, or of one patient only
 */
export function chooseSamples(candidates: Candidates, options: DatasetOptions, name: string): Int32Array {
  const { splitBy, split, classes } = options;
  if (splitBy === undefined) return selectSamples(candidates, options, classes, name);
  const { patients, size, labels, targets } = candidates;
  if (!patients) {
    throw new BedsideError('E_DATA', `${name} does not say which patient its samples are of`, {
      hint:
        'give a CSV of file, label and patient, an array of patients in the archive, or a folder for each patient; ' +
        'or leave out --split-by',
    });
  }
  if (split === 'all') return selectSamples(candidates, options, classes, name);
  const isLocal = dividePatients(patients, strataOf(candidates), LOCAL_SHARE, name);
  const own = split === 'local' ? 1 : 0;
  const indices = Int32Array.from({ length: size }, (_, i) => i).filter((i) => isLocal[i] === own);
  const rows = { size: indices.length, labels: labels && indices.map((i) => labels[i] ?? 0) };
  const chosen = selectSamples({ ...rows, targets: rowsOf(targets, size, indices) }, options, classes, name);
  return chosen.map((i) => indices[i] ?? 0);
}

/** The targets of these samples, where limits are about them. */
function rowsOf(targets: Candidates['targets'], size: number, indices: Int32Array): Candidates['targets'] {
  if (targets?.kind !== 'labels') return targets;
  const stride = targets.data.length / Math.max(size, 1);
  const data = new Float32Array(indices.length * stride);
  indices.forEach((from, to) => {
    data.set(targets.data.subarray(from * stride, (from + 1) * stride), to * stride);
  });
  return { ...targets, data };
}

/** How many patients of `dataset` the others have too, and how many it has; undefined where one does not say whose. */
export function sharedPatients(
  dataset: Dataset,
  others: readonly Dataset[],
): { readonly shared: number; readonly all: number } | undefined {
  const known = others.map(({ patients }) => patients);
  if (!dataset.patients || known.includes(undefined)) return undefined;
  const elsewhere = new Set(known.flat());
  const own = new Set(dataset.patients);
  return { shared: [...own].filter((patient) => elsewhere.has(patient)).length, all: own.size };
}
