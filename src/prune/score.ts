// From scores of layers' channels to one score for each unit of each group.
import type { LayerScores } from '../explain/index.ts';
import { BedsideError } from '../util/index.ts';
import type { Group, Grouping } from './groups.ts';

/** How a group's scores are made comparable with other groups', and how a unit's channels are put together. */
export interface ScoreOptions {
  /** Divides each group's scores by their maximum, sum or Euclidean norm; default `none`. */
  readonly normalise?: 'none' | 'max' | 'sum' | 'l2';
  /** Over all channels of all layers that a unit stands for; default `sum`. */
  readonly combine?: 'sum' | 'mean' | 'max';
}

/** Scores of the units, by group id. */
export type UnitScores = ReadonlyMap<number, Float64Array>;

/**
 * One score for each unit. Scores that are not numbers count as zero.
 * @throws BedsideError E_INTERNAL when no layer of a group was scored, or a score list has another length
 */
export function unitScores(
  grouping: Grouping,
  layerScores: readonly LayerScores[],
  options: ScoreOptions = {},
): Map<number, Float64Array> {
  const byLayer = new Map(layerScores.map(({ layer, scores }) => [layer, scores]));
  const { normalise = 'none', combine = 'sum' } = options;
  return new Map(
    grouping.groups.map((group) => [group.id, normalised(combined(group, byLayer, combine), normalise)]),
  );
}

function combined(
  group: Group,
  byLayer: ReadonlyMap<string, Float64Array>,
  combine: 'sum' | 'mean' | 'max',
): Float64Array {
  const result = new Float64Array(group.channels);
  const counts = new Int32Array(group.channels);
  for (const { layer, units } of group.members) {
    const scores = byLayer.get(layer);
    if (!scores) continue;
    units.forEach((channels, unit) => {
      for (const channel of channels) {
        const score = scores[channel];
        if (score === undefined) {
          throw new BedsideError(
            'E_INTERNAL',
            `internal: layer '${layer}' has ${scores.length} scores, too few`,
          );
        }
        const number = Number.isNaN(score) ? 0 : score;
        const old = result[unit] as number;
        const first = counts[unit] === 0;
        result[unit] = combine === 'max' ? (first ? number : Math.max(old, number)) : old + number;
        counts[unit] = (counts[unit] as number) + 1;
      }
    });
  }
  if (counts.includes(0)) {
    throw new BedsideError('E_INTERNAL', `internal: none of ${group.layers.join(', ')} was scored`);
  }
  return combine === 'mean' ? result.map((sum, unit) => sum / (counts[unit] as number)) : result;
}

function normalised(scores: Float64Array, by: 'none' | 'max' | 'sum' | 'l2'): Float64Array {
  const scale = {
    none: () => 1,
    max: () => scores.reduce((max, score) => Math.max(max, Math.abs(score)), 0),
    sum: () => scores.reduce((sum, score) => sum + Math.abs(score), 0),
    l2: () => Math.sqrt(scores.reduce((sum, score) => sum + score * score, 0)),
  }[by]();
  return scale > 0 && Number.isFinite(scale) ? scores.map((score) => score / scale) : scores;
}
