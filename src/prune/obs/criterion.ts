// The channel-wise optimal brain surgeon as a criterion.
import { findGroups, type Grouping } from '../../channels/index.ts';
import {
  type Criterion,
  type CriterionContext,
  isAttribution,
  type LayerScores,
} from '../../explain/index.ts';
import { type CriterionFamily, findPlainCriterion } from '../../explain/internal.ts';
import { scoredLayers, type WeightedLayer } from '../../onnx/internal.ts';
import {
  copiesOf,
  copiesWithin,
  type MadeSamples,
  NetworkWalk,
  Products,
  REPAIR_DEFAULTS,
  RowMemory,
  repairable,
  repairSamples,
} from '../../repair/internal.ts';
import { BedsideError } from '../../util/index.ts';
import type { Random } from '../../util/internal.ts';
import { type Elimination, scoresOf } from './eliminate.ts';
import { Rankings } from './rankings.ts';
import { type OpenReader, openReaders, problemOf } from './readers.ts';
import { openRecurrent } from './recurrent-readers.ts';
import type { ReaderProblem } from './surgeon.ts';

/** The parameter of `obs`: the name of an attribution criterion that weighs the errors of outputs, or `none`. */
const OBS = 'obs';
const DEFAULT_WEIGHT = 'gradient';
const UNWEIGHTED = 'none';
/** Places of a layer's inputs; for a comparison alone half of them, of as many samples, since fewer would rank worse. */
const { maxPositions: MOST_POSITIONS } = REPAIR_DEFAULTS;
/** Ranks the groups that no repairable layer reads. */
const UNREAD = 'l2';

/**
 * Removes first the channels that the remaining ones can best replace. At each step, the channel goes whose removal
 * raises the squared error of the layers that read it least, after their weights are refitted by least squares. The
 * error of each output channel is weighed by the square of its attribution (by default of `abs(df/dz)`), so that the
 * sum estimates the effect on the explained score. Meant for networks that are repaired after pruning. Sources: Hassibi
 * and Stork, NIPS 1992; Kurtic, Frantar and Alistarh (ZipLM), NeurIPS 2023, whose errors are not weighed.
 * @param weight the name of an attribution criterion, or `none`: errors are then weighed by the layer's own variance
 * @throws BedsideError E_CRITERION for a weight that is neither
 */
function obsCriterion(weight: string | undefined): Criterion {
  const by = weight ?? DEFAULT_WEIGHT;
  const attribution = by === UNWEIGHTED ? undefined : weighing(by);
  return {
    name: weight === undefined ? OBS : `${OBS}=${weight}`,
    family: 'reference',
    summary:
      'the error that stays after the other channels are refit (optimal brain surgeon); for repaired networks',
    source: 'Hassibi and Stork, NIPS 1992; Kurtic et al., NeurIPS 2023',
    forRepair: true,
    needsSamples: true,
    score: (context) => scoreBySurgeon(context, attribution),
  };
}

/** `obs` and `obs=WEIGHT`. */
export const OBS_FAMILY: CriterionFamily = {
  name: OBS,
  parameter: `WEIGHT, what errors are weighed by: ${DEFAULT_WEIGHT} by default, another xai criterion, or ${UNWEIGHTED}`,
  make: obsCriterion,
};

function weighing(name: string): Criterion {
  const criterion = findPlainCriterion(name);
  if (isAttribution(criterion)) return criterion;
  throw new BedsideError('E_CRITERION', `criterion '${OBS}' cannot weigh errors by '${name}'`, {
    hint: `it explains no single samples; take ${DEFAULT_WEIGHT}, lrp-epsilon, taylor or ${UNWEIGHTED}`,
  });
}

async function scoreBySurgeon(
  context: CriterionContext,
  attribution: Criterion | undefined,
): Promise<LayerScores[]> {
  const { model, calibration, threads, batch, modelName, random, onProgress } = context;
  const grouping = findGroups(model);
  const { onProgress: _, ...quietly } = context;
  const importance = new Map(
    (attribution ? await attribution.score(quietly) : []).map(({ layer, scores }) => [
      layer,
      scores.map((score) => score * score),
    ]),
  );
  const maxPositions = context.quick ? MOST_POSITIONS / 2 : MOST_POSITIONS;
  const made = copiesWithin(model, calibration.count, copiesOf(calibration.count));
  const samples = repairSamples({ ...calibration, size: calibration.count }, made, random);
  const weights = calibration.weights && weightsOf(samples, calibration.weights);
  const layers = scoredLayers(model);
  const readers = readingLayers(grouping, layers, random);
  const steps = readers.map(({ layer: { input, name } }) => ({ values: [input], changes: [name] }));
  const run = { name: modelName, batch, threads };
  const walk = await NetworkWalk.open(model, steps, samples, run);
  const products = await Products.create(threads);
  const memory = new RowMemory();
  const rankings = new Rankings(products, threads ?? 1);
  const open = new Map<string, { readers: readonly OpenReader[]; groups: Set<number> }>();
  const waiting = new Set(readers.map(({ layer }) => layer.name));
  const left = new Set(grouping.groups.filter((group) => group.readers.some((name) => waiting.has(name))));
  let eliminations: ReadonlyMap<number, Elimination>;
  try {
    const recurrent = await openRecurrent(model, grouping, importance, samples, products, {
      ...run,
      ...{ maxPositions, weights, random },
    });
    for (const [done, { layer, seed }] of readers.entries()) {
      const found = await openReaders(
        grouping,
        layer,
        importance.get(layer.name),
        samples,
        { maxPositions, seed, weights, memory, run: (visit) => walk.visit(model, visit) },
        products,
      );
      open.set(layer.name, { readers: found, groups: groupsRead(grouping, layer) });
      waiting.delete(layer.name);
      // A group is ranked as soon as all its readers are open, and a reader goes with the last group that it reads.
      for (const group of left) {
        if (group.readers.some((name) => waiting.has(name))) continue;
        left.delete(group);
        const problems = problemsOf(recurrent, group.id);
        for (const name of group.readers) {
          const entry = open.get(name);
          problems.push(...problemsOf(entry?.readers ?? [], group.id));
          entry?.groups.delete(group.id);
          if (entry?.groups.size === 0) open.delete(name);
        }
        if (problems.length > 0) await rankings.rank(group.id, group.channels, problems);
      }
      onProgress?.(Math.floor((calibration.count * (done + 1)) / readers.length), calibration.count);
    }
    for (const { id, channels } of grouping.groups) {
      if (rankings.has(id)) continue;
      const problems = problemsOf(recurrent, id);
      if (problems.length > 0) await rankings.rank(id, channels, problems);
    }
    eliminations = await rankings.all();
  } finally {
    await rankings.release();
    await products.release();
  }
  const unread = grouping.groups.some(({ id }) => !eliminations.has(id));
  return layerScores(
    grouping,
    layers,
    eliminations,
    unread ? await findPlainCriterion(UNREAD).score(quietly) : [],
  );
}

/** The problems of a group's readers. */
function problemsOf(readers: readonly OpenReader[], group: number): ReaderProblem[] {
  return readers.flatMap((reader) => problemOf(reader, group) ?? []);
}

/** Repairable layers that read groups, in execution order, each with the seed of its positions. */
function readingLayers(
  grouping: Grouping,
  layers: readonly WeightedLayer[],
  random: Random,
): { readonly layer: WeightedLayer; readonly seed: number }[] {
  const usable = new Map(repairable(layers).map((layer, index) => [layer.name, { layer, index }]));
  const found = new Map<string, { readonly layer: WeightedLayer; readonly seed: number }>();
  // Seeds are drawn group by group.
  for (const name of grouping.groups.flatMap(({ readers }) => readers)) {
    const entry = usable.get(name);
    if (!entry || found.has(name)) continue;
    found.set(name, { layer: entry.layer, seed: random.integer(2 ** 31) + entry.index });
  }
  return [...usable.keys()].flatMap((name) => found.get(name) ?? []);
}

function groupsRead(grouping: Grouping, layer: WeightedLayer): Set<number> {
  const groups = new Set(grouping.values.get(layer.input)?.group);
  groups.delete(-1);
  return groups;
}

/** Weights of made samples: each copy has the weight of its origin. */
function weightsOf({ origins }: MadeSamples, weights: Float64Array): Float64Array {
  let total = 0;
  for (const weight of weights) total += weight;
  return Float64Array.from(origins, (origin) => ((weights[origin] as number) * weights.length) / total);
}

/** The score of each unit, given to all its channels; scores of `others` where no layer reads a group. */
function layerScores(
  grouping: Grouping,
  layers: readonly WeightedLayer[],
  eliminations: ReadonlyMap<number, Elimination>,
  others: readonly LayerScores[],
): LayerScores[] {
  const result = new Map(layers.map(({ name, channels }) => [name, new Float64Array(channels)]));
  const other = new Map(others.map(({ layer, scores }) => [layer, scores]));
  for (const group of grouping.groups) {
    const elimination = eliminations.get(group.id);
    const own = elimination && scoresOf(elimination);
    const channels = group.members.reduce((sum, { units }) => sum + (units[0]?.length ?? 0), 0);
    for (const { layer, units } of group.members) {
      const scores = result.get(layer);
      units.forEach((positions, unit) => {
        for (const channel of positions) {
          if (scores)
            scores[channel] = own ? (own[unit] as number) / channels : (other.get(layer)?.[channel] ?? 0);
        }
      });
    }
  }
  return [...result].map(([layer, scores]) => ({ layer, scores }));
}
