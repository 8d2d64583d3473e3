// Which levels a planner may choose, stage by stage. A tensor between stages has one level, so all groups whose
// channels it carries share it, through every stage they span; groups inside a stage are chosen within it.
import type { BundleManifest } from '../../bundle/index.ts';
import { must } from '../../util/index.ts';

/** Most combinations of levels of a stage's inner groups; above, those groups share one level. */
export const MOST_INNER = 64;

/** One choice of a stage, as in an instance: level in, inner choice, level out. */
export interface LevelChoice {
  readonly in: number;
  readonly inner: number;
  readonly out: number;
}

/** What may be chosen. Cut 0 is the network's input, cut l the output of the l-th stage. */
export interface LevelSpace {
  /** Number of levels of each cut, one more than there are stages; the first and the last have one. */
  readonly cuts: readonly number[];
  /** Number of inner choices of each stage. */
  readonly inner: readonly number[];
  readonly unprunedAccuracy: number;
  /** Levels of the groups that a choice decides, or undefined where it is forbidden. */
  levels(stage: number, choice: LevelChoice): ReadonlyMap<number, number> | undefined;
  /** Log loss of accuracy charged at this stage, nats. */
  loss(stage: number, choice: LevelChoice): number;
  /** The measured variant that a choice belongs to; only where levels are those of variants. */
  variant?(stage: number, choice: LevelChoice): number;
}

/** Groups that have one level together. */
interface Tie {
  readonly groups: readonly number[];
  /** Levels of the bundle that may be chosen. */
  readonly levels: readonly number[];
}

/** Cuts that a group's channels cross, first to last; a group inside stage `stage` crosses none. */
type Place = { readonly first: number; readonly last: number } | { readonly stage: number };

/** Any level of every group, by the bundle's accuracy model. */
export function freeLevels(manifest: BundleManifest): LevelSpace {
  const { groups, stages } = manifest;
  const places = groups.map(({ id }) => placeOf(manifest, id));
  const ties = cutTies(manifest, places);
  const inner = stages.map((_, stage) =>
    innerTies(
      manifest,
      groups.filter(({ id }) => inside(places[id], stage)).map(({ id }) => id),
    ),
  );
  const combinations = inner.map((list) => list.reduce((product, tie) => product * tie.levels.length, 1));
  const crosses = (tie: Tie, cut: number): boolean => ties[cut] === tie;
  return {
    cuts: ties.map((tie) => tie?.levels.length ?? 1),
    inner: combinations,
    unprunedAccuracy: manifest.accuracy.unpruned,
    levels(stage, choice) {
      const [before, after] = [ties[stage], ties[stage + 1]];
      if (before && before === after && choice.in !== choice.out) return undefined;
      const chosen = new Map<number, number>();
      put(chosen, before, choice.in);
      put(chosen, after, choice.out);
      let rest = choice.inner;
      for (const tie of inner[stage] ?? []) {
        put(chosen, tie, rest % tie.levels.length);
        rest = Math.floor(rest / tie.levels.length);
      }
      return chosen;
    },
    loss(stage, choice) {
      const charged = new Map<number, number>();
      const after = ties[stage + 1];
      // A group that came in has been charged where it came from.
      if (after && !crosses(after, stage)) put(charged, after, choice.out);
      let rest = choice.inner;
      for (const tie of inner[stage] ?? []) {
        put(charged, tie, rest % tie.levels.length);
        rest = Math.floor(rest / tie.levels.length);
      }
      let loss = 0;
      for (const [group, level] of charged) loss += lossOf(manifest, group, level);
      return loss;
    },
  };
}

/** Only the given measured variants: the level of every cut is the index of one of them, through the whole network. */
export function certifiedLevels(manifest: BundleManifest, variants: readonly number[]): LevelSpace {
  const stages = manifest.stages.length;
  const { length } = variants;
  const accuracy = variants.map((index) => must(manifest.variants[index], `variant ${index}`).accuracy);
  const unprunedAccuracy = Math.max(manifest.accuracy.unpruned, ...accuracy);
  const single = stages === 1;
  const index = (stage: number, choice: LevelChoice): number =>
    single ? choice.inner : stage === stages - 1 ? choice.in : choice.out;
  return {
    cuts: Array.from({ length: stages + 1 }, (_, cut) => (cut === 0 || cut === stages ? 1 : length)),
    inner: Array.from({ length: stages }, () => (single ? length : 1)),
    unprunedAccuracy,
    levels(stage, choice) {
      if (!single && stage > 0 && stage < stages - 1 && choice.in !== choice.out) return undefined;
      const variant = manifest.variants[must(variants[index(stage, choice)], 'a variant')];
      return new Map(variant?.levels.map((level, group) => [group, level]));
    },
    loss(stage, choice) {
      if (stage > 0) return 0;
      return Math.log(unprunedAccuracy / must(accuracy[index(stage, choice)], 'accuracy of a variant'));
    },
    variant: (stage, choice) => must(variants[index(stage, choice)], 'a variant'),
  };
}

/** The level of every group; those that nothing decides are unpruned. */
export function levelVector(
  manifest: BundleManifest,
  space: LevelSpace,
  choices: readonly LevelChoice[],
): number[] {
  const vector = manifest.groups.map(() => 0);
  choices.forEach((choice, stage) => {
    for (const [group, level] of must(space.levels(stage, choice), `choice of stage ${stage}`)) {
      vector[group] = level;
    }
  });
  return vector;
}

function put(chosen: Map<number, number>, tie: Tie | undefined, index: number): void {
  if (!tie) return;
  for (const group of tie.groups) chosen.set(group, must(tie.levels[index], 'a level'));
}

function inside(place: Place | undefined, stage: number): boolean {
  return place !== undefined && 'stage' in place && place.stage === stage;
}

/** Where a group's channels are; undefined for a group that no stage has. */
function placeOf({ stages, layers }: BundleManifest, group: number): Place | undefined {
  const has = (shares: readonly { readonly group: number }[]): boolean =>
    shares.some((share) => share.group === group);
  const cuts = stages.filter((stage) => has(stage.outputShares)).map((stage) => stage.index + 1);
  const at = layers
    .filter((layer) => has(layer.inputs) || has(layer.outputs) || has(layer.reads))
    .map((layer) => layer.stage);
  const [low, high] = [Math.min(...at), Math.max(...at)];
  if (cuts.length === 0 && at.length === 0) return undefined;
  if (cuts.length === 0 && low === high) return { stage: low };
  // A stage touches the cuts on its two sides; whatever lies between two places of a group is crossed by it.
  return { first: Math.min(...cuts, low + 1), last: Math.max(...cuts, high) };
}

/** For each cut what it carries: groups that meet in any cut are tied. */
function cutTies(manifest: BundleManifest, places: readonly (Place | undefined)[]): (Tie | undefined)[] {
  const { groups, stages } = manifest;
  const spans = groups.flatMap(({ id }) => {
    const place = places[id];
    return place && 'first' in place ? [{ groups: [id], first: place.first, last: place.last }] : [];
  });
  const merged: typeof spans = [];
  for (const span of spans.sort((a, b) => a.first - b.first)) {
    const last = merged.at(-1);
    if (last && span.first <= last.last) {
      for (const group of span.groups) last.groups.push(group);
      last.last = Math.max(last.last, span.last);
    } else merged.push(span);
  }
  const ties: (Tie | undefined)[] = Array.from({ length: stages.length + 1 }, () => undefined);
  for (const span of merged) {
    const tied = tie(manifest, span.groups);
    // The input and the scores of classes are never pruned.
    const fixed = span.first <= 0 || span.last >= stages.length;
    const own = fixed ? { ...tied, levels: [0] } : tied;
    for (let cut = Math.max(0, span.first); cut <= span.last; cut++) ties[cut] = own;
  }
  return ties;
}

function innerTies(manifest: BundleManifest, groups: readonly number[]): Tie[] {
  if (groups.length === 0) return [];
  const apart = groups.map((group) => tie(manifest, [group]));
  const combinations = apart.reduce((product, { levels }) => product * levels.length, 1);
  return combinations <= MOST_INNER ? apart : [tie(manifest, groups)];
}

/** Levels that keep as many channels as the one before and lose no less are left out. */
function tie(manifest: BundleManifest, groups: readonly number[]): Tie {
  const levels = manifest.ratios
    .map((_, level) => level)
    .filter(
      (level) =>
        level === 0 ||
        groups.some((group) => {
          const counts = must(manifest.groups[group], `group ${group}`).counts;
          return counts[level] !== counts[level - 1];
        }),
    );
  return { groups, levels };
}

function lossOf(manifest: BundleManifest, group: number, level: number): number {
  return must(manifest.accuracy.loss[group]?.[level], `loss of group ${group} at level ${level}`);
}
