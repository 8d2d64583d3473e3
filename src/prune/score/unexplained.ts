// Channels that a criterion does not explain. Inside a gate, relevance is zero by its rules, since the signal takes all
// of it; the order of the channels would then decide. Another criterion ranks these channels, and a remark says so;
// ties get a remark too.
import { findGroups, type Grouping } from '../../channels/index.ts';
import { type Criterion, isAttribution, type LayerScores } from '../../explain/index.ts';
import { findPlainCriterion } from '../../explain/internal.ts';
import type { Model } from '../../onnx/index.ts';
import { BedsideError, firstOf } from '../../util/index.ts';
import type { UnitScores } from './unit-scores.ts';

/** The criterion that ranks channels without relevance: gradient x activation, which is not zero in a gate's layers. */
const STANDS_IN = 'taylor';

/** A remark on a ranking: layers that another criterion ranked, or layers whose channels all score alike. */
export interface ScoreRemark {
  readonly kind: 'stand-in' | 'ties';
  readonly layers: readonly string[];
  /** The criterion that ranked them. */
  readonly by: string;
  /** One sentence. */
  readonly text: string;
}

/** Scores the channels of all layers by another criterion, on the same samples. */
export type ScoreBy = (criterion: Criterion) => Promise<readonly LayerScores[]>;

/**
 * The scores, with those of `taylor` where relevance is zero by its rules.
 * @param where `groups`: only groups without any other score, so that no sum mixes two criteria; `layers`: every layer
 * without a score, for output that shows single layers
 */
export async function withStandIns(
  model: Model,
  criterion: Criterion,
  layers: readonly LayerScores[],
  where: 'groups' | 'layers',
  scoreBy: ScoreBy,
): Promise<readonly LayerScores[]> {
  if (!mayBeSilent(criterion) || !layers.some(({ scores }) => isSilent(scores))) return layers;
  const silent = silentChannels(model, layers, where);
  if (silent.size === 0) return layers;
  const others = await scoreBy(findPlainCriterion(STANDS_IN)).catch((error: unknown) => {
    // An operator without a derivative: ties are reported instead.
    if (BedsideError.is(error, 'E_UNSUPPORTED')) return [];
    throw error;
  });
  const byName = new Map(others.map(({ layer, scores }) => [layer, scores]));
  return layers.map((own) => {
    const [channels, other] = [silent.get(own.layer), byName.get(own.layer)];
    if (!channels || !other || channels.every((channel) => other[channel] === 0)) return own;
    const scores = own.scores.slice();
    for (const channel of channels) scores[channel] = other[channel] ?? 0;
    return { layer: own.layer, scores, standIn: STANDS_IN };
  });
}

/** Whether a criterion may be zero by its rules: relevance, and criteria that weigh errors by attributions. */
function mayBeSilent(criterion: Criterion): boolean {
  if (isAttribution(criterion)) return criterion.spec.attribution.kind === 'relevance';
  return criterion.forRepair === true;
}

function isSilent(scores: Float64Array): boolean {
  return scores.every((score) => score === 0);
}

function silentChannels(
  model: Model,
  layers: readonly LayerScores[],
  where: 'groups' | 'layers',
): Map<string, readonly number[]> {
  if (where === 'layers') {
    return new Map(
      layers.flatMap(({ layer, scores }) => (isSilent(scores) ? [[layer, [...scores.keys()]]] : [])),
    );
  }
  const byName = new Map(layers.map(({ layer, scores }) => [layer, scores]));
  const result = new Map<string, readonly number[]>();
  for (const { members } of findGroups(model).groups) {
    const own = members.map(({ layer, units }) => ({ layer, channels: units.flatMap((unit) => [...unit]) }));
    const scored = own.some(({ layer, channels }) =>
      channels.some((c) => (byName.get(layer)?.[c] ?? 0) !== 0),
    );
    if (scored) continue;
    for (const { layer, channels } of own) result.set(layer, [...(result.get(layer) ?? []), ...channels]);
  }
  return result;
}

/**
 * The remarks on scores of layers.
 * @param units the scores of units that they became; ties are then looked for among those
 */
export function remarksOn(
  criterion: string,
  layers: readonly LayerScores[],
  grouping: Grouping,
  units?: UnitScores,
): readonly ScoreRemark[] {
  const remarks: ScoreRemark[] = [];
  const standIns = layers.filter(({ standIn }) => standIn !== undefined);
  const [first] = standIns;
  if (first?.standIn !== undefined) {
    const names = standIns.map(({ layer }) => layer);
    const text =
      `${firstOf(names, NAMED)}: ${criterion} gives them nothing, as in a gate the signal takes all; ` +
      `ranked by ${first.standIn} (gradient x activation)`;
    remarks.push({ kind: 'stand-in', layers: names, by: first.standIn, text });
  }
  const tied = units ? tiedGroups(grouping, units) : tiedLayers(grouping, layers);
  if (tied.length > 0) {
    const text = `${firstOf(tied, NAMED)}: all channels score alike by ${criterion}; which of them go is decided by their order`;
    remarks.push({ kind: 'ties', layers: tied, by: criterion, text });
  }
  return remarks;
}

/** Most names in one sentence. */
const NAMED = 8;

function tiedGroups({ groups }: Grouping, units: UnitScores): string[] {
  return groups.flatMap(({ id, layers }) => (isTied(units.get(id)) ? layers : []));
}

/** Layers of groups with tied scores; other layers, such as the classifier's, may well be tied. */
function tiedLayers({ groups }: Grouping, layers: readonly LayerScores[]): string[] {
  const cut = new Set(groups.flatMap((group) => group.layers));
  return layers.flatMap(({ layer, scores }) => (cut.has(layer) && isTied(scores) ? [layer] : []));
}

function isTied(scores: Float64Array | undefined): boolean {
  return scores !== undefined && scores.length > 1 && scores.every((score) => score === scores[0]);
}
