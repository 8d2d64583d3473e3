// Three sources of samples that score, for `compare --local`: the local class prior, all classes alike, and a wrong prior.

import { type Dataset, subset } from '../../data/index.ts';
import { areRecordings, classPrior, selectIndices, splitInTwo } from '../../data/internal.ts';
import type { Classifier } from '../../evaluate/internal.ts';
import type { CalibrationDraw } from '../../prune/internal.ts';
import { BedsideError } from '../../util/index.ts';
import { Random } from '../../util/internal.ts';
import type { TargetOption } from '../ranking.ts';
import type { Journal } from '../reporter.ts';
import { amountsOf, priorWeighting } from './class-prior.ts';
import { type DrawnSets, hasNoSplits, loadSamples, type TwoSetsOptions, withoutUsed } from './samples.ts';

/** Draws from all three sources, and the samples that are left to measure on. */
export interface CalibrationSources {
  readonly draws: readonly CalibrationDraw[];
  readonly test: Dataset;
  /** A description of each source. */
  readonly words: { readonly local: string; readonly uniform: string; readonly wrong: string };
}

/**
 * For every draw of local samples, two other draws of as many samples, all from the local split:
 * - local: weighted by the class prior; with `records` alone, by the shares of those records;
 * - uniform: every class of the model alike, from all records;
 * - wrong: with --records, the same number of each class from the other records (patients), weighted by their own mix;
 *   else the classes that are not local, alike; and where every class is local, the local samples with the shares in
 *   reverse, the largest for the class that has the smallest.
 * @throws BedsideError E_USAGE when no option says what is local; E_DATA when there is nothing to be wrong with
 */
export async function calibrationSources(
  classifier: Classifier,
  options: TwoSetsOptions & { readonly target?: TargetOption | undefined },
  sets: DrawnSets,
  seeds: readonly number[],
  journal: Journal,
): Promise<CalibrationSources> {
  assertLocal(options);
  const pool = await wholePool(classifier, options, seeds[0] ?? 1, journal);
  const draws: CalibrationDraw[] = [];
  let words: CalibrationSources['words'] | undefined;
  for (const [i, local] of sets.draws.entries()) {
    const seed = seeds[i] ?? 1;
    const all = Array.from({ length: classifier.classes }, (_, label) => label);
    const shares = sets.shares ?? ownMix(pool, local, (origin) => options.records?.includes(origin) ?? false);
    const uniform = alike(pool, all, local.size, seed);
    const wrong = wrongMix(pool, local, shares, options, seed);
    words ??= {
      local: describeLocal(options),
      uniform: 'all classes alike, from everybody',
      wrong: wrong.words,
    };
    draws.push(
      { mix: 'local', calibration: local, ...priorWeighting(local, shares, options.target), seed },
      { mix: 'uniform', calibration: uniform, ...priorWeighting(uniform, undefined, options.target), seed },
      {
        mix: 'wrong',
        calibration: wrong.samples,
        ...priorWeighting(wrong.samples, wrong.shares, options.target),
        seed,
      },
    );
  }
  if (!words) throw new BedsideError('E_INTERNAL', 'internal: no draw of local samples');
  const calibrations = draws.map(({ calibration }) => calibration);
  return { draws, test: withoutUsed(sets.test, calibrations, journal), words };
}

/** @throws BedsideError E_USAGE */
export function assertLocal({ records, classPrior, classes }: TwoSetsOptions): void {
  if (records || classPrior || classes) return;
  throw new BedsideError('E_USAGE', '--local needs to know what is local', {
    hint: 'add --class-prior N:0.9,V:0.1, --classes 0,2 or --records 208',
  });
}

function describeLocal({ records, classPrior, classes }: TwoSetsOptions): string {
  const parts = [
    records && `records ${records.join(', ')}${classPrior ? '' : ' in their own mix'}`,
    classes && `classes ${classes.join(', ')} alike`,
    classPrior &&
      `mix ${amountsOf(classPrior)
        .map(([name, share]) => `${name}:${share}`)
        .join(', ')}`,
  ];
  return parts.filter(Boolean).join(', ');
}

/** The local split of everybody and of all classes. */
async function wholePool(
  classifier: Classifier,
  options: TwoSetsOptions,
  seed: number,
  journal: Journal,
): Promise<Dataset> {
  const { split, perClass: _, limit: __, classes: ___, records: ____, testLimit: _____, ...common } = options;
  if (await hasNoSplits(common.data, common.splitBy)) {
    const all = await loadSamples(classifier, common, { split: 'all', seed }, journal);
    return splitInTwo(all, 1 / 3, seed)[0];
  }
  const rest = { ...common, ...(split === undefined ? {} : { split }) };
  return loadSamples(classifier, rest, { split: 'local', seed }, journal);
}

function wrongMix(
  pool: Dataset,
  local: Dataset,
  shares: Float64Array | undefined,
  { records }: TwoSetsOptions,
  seed: number,
): { readonly samples: Dataset; readonly shares: Float64Array | undefined; readonly words: string } {
  if (records) {
    const own = new Set(records);
    const others = Array.from({ length: pool.size }, (_, i) => i).filter(
      (i) => !own.has(pool.origins?.[i] ?? ''),
    );
    if (others.length === 0) throw nothingWrong(pool);
    const samples = sameCounts(subset(pool, others), local, seed);
    const theirs = ownMix(pool, samples, (origin) => !own.has(origin));
    return {
      samples,
      shares: theirs,
      words: 'the same classes from the other records, in the mix they have there',
    };
  }
  const present = new Set(local.labels);
  const absent = [...new Set(pool.labels)].filter((label) => !present.has(label)).sort((a, b) => a - b);
  if (absent.length > 0) {
    const samples = alike(pool, absent, local.size, seed);
    return { samples, shares: undefined, words: 'the other classes alike, from everybody' };
  }
  if (!shares) throw nothingWrong(pool);
  return { samples: local, shares: reversed(shares), words: 'the shares in reverse' };
}

function nothingWrong({ name }: Dataset): BedsideError {
  return new BedsideError('E_DATA', `--local: ${name} has nothing else than what is local`, {
    hint: 'name fewer classes or records, or give a --class-prior with unequal shares',
  });
}

/** The mix of the records that `belongs` names, of the classes that were drawn; undefined where there are no records. */
function ownMix(
  pool: Dataset,
  drawn: Dataset,
  belongs: (origin: string) => boolean,
): Float64Array | undefined {
  const { labels, origins } = pool;
  if (!areRecordings(pool) || !labels || !origins) return undefined;
  const had = new Set(drawn.labels);
  const members = labels.filter((label, i) => had.has(label) && belongs(origins[i] ?? ''));
  return members.length === 0 ? undefined : classPrior(members, pool.classNames.length);
}

/** The largest share for the class with the smallest, and so on. */
function reversed(shares: Float64Array): Float64Array {
  const order = Array.from(shares.keys()).sort((a, b) => (shares[a] as number) - (shares[b] as number));
  const result = new Float64Array(shares.length);
  order.forEach((label, i) => {
    result[label] = shares[order[order.length - 1 - i] as number] as number;
  });
  return result;
}

/** About `size` samples of these classes, as many of each as there are to be had alike. */
function alike(pool: Dataset, classes: readonly number[], size: number, seed: number): Dataset {
  const perClass = Math.max(1, Math.ceil(size / classes.length));
  const selection = { classFilter: classes, perClass, limit: Math.max(size, classes.length), seed };
  return subset(pool, selectIndices(pool.size, pool.labels, selection, pool.name));
}

/** As many samples of each class as `like` has, or all there are. */
function sameCounts(pool: Dataset, like: Dataset, seed: number): Dataset {
  const wanted = new Map<number, number>();
  for (const label of like.labels ?? []) wanted.set(label, (wanted.get(label) ?? 0) + 1);
  const order = new Random(seed).shuffle(Array.from({ length: pool.size }, (_, i) => i));
  const chosen = order.filter((i) => {
    const label = pool.labels?.[i] ?? -1;
    const left = wanted.get(label) ?? 0;
    wanted.set(label, left - 1);
    return left > 0;
  });
  if (chosen.length === 0) throw nothingWrong(pool);
  return subset(
    pool,
    chosen.sort((a, b) => a - b),
  );
}
