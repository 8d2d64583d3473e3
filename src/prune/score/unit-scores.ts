// Turns scores of channels into one score for each unit of each group.

import type { Grouping } from '../../channels/index.ts';
import type { Group } from '../../channels/internal.ts';
import type { LayerScores } from '../../explain/index.ts';
import { BedsideError, must } from '../../util/index.ts';

/** Ways to make the scores of different groups comparable. */
export const NORMALISATIONS = ['none', 'max', 'sum', 'l2', 'per-mac'] as const;

/**
 * Divides the scores of a group by their largest size, the sum of their sizes or their Euclidean norm; or divides each
 * unit's score by the multiply-accumulates that its removal saves.
 */
export type Normalisation = (typeof NORMALISATIONS)[number];

/** How scores of groups are made comparable, and how the channels of a unit are combined. */
export interface ScoreOptions {
  /** Default `none`. */
  readonly normalise?: Normalisation;
  /** The multiply-accumulates that the removal of each unit saves, from `unitMacs`; needed for `per-mac`. */
  readonly unitMacs?: ReadonlyMap<number, Float64Array>;
  /** How scores of a unit's channels, over all layers, are combined; default `sum`. */
  readonly combine?: 'sum' | 'mean' | 'max';
}

/** Scores of the units, by group id. */
export type UnitScores = ReadonlyMap<number, Float64Array>;

/**
 * One score for each unit. NaN counts as zero.
 * @throws BedsideError E_INTERNAL when no layer of a group was scored, a list of scores has another length, or
 * `per-mac` lacks `unitMacs`
 */
export function unitScores(
  grouping: Grouping,
  layerScores: readonly LayerScores[],
  options: ScoreOptions = {},
): Map<number, Float64Array> {
  const byLayer = new Map(layerScores.map(({ layer, scores }) => [layer, scores]));
  const { normalise = 'none', combine = 'sum' } = options;
  return new Map(
    grouping.groups.map((group) => {
      const scores = combined(group, byLayer, combine);
      if (normalise !== 'per-mac') return [group.id, normalised(scores, normalise)];
      const macs = must(options.unitMacs?.get(group.id), `no unit costs of group ${group.id}`);
      // A unit that saves nothing measurable counts as one multiply-accumulate.
      return [group.id, scores.map((score, unit) => score / Math.max(macs[unit] as number, 1))];
    }),
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

function normalised(scores: Float64Array, by: Exclude<Normalisation, 'per-mac'>): Float64Array {
  const scale = {
    none: () => 1,
    max: () => scores.reduce((max, score) => Math.max(max, Math.abs(score)), 0),
    sum: () => scores.reduce((sum, score) => sum + Math.abs(score), 0),
    l2: () => Math.sqrt(scores.reduce((sum, score) => sum + score * score, 0)),
  }[by]();
  return scale > 0 && Number.isFinite(scale) ? scores.map((score) => score / scale) : scores;
}
