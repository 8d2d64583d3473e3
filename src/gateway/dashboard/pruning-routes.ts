// What the page Pruning shows: variants and groups of a bundle, and which of them answers.
import type { BundleManifest } from '../../bundle/index.ts';
import { checkLevels, findVariant, layerCosts, measureTerm, totalCosts } from '../../bundle/internal.ts';
import { BedsideError, must } from '../../util/index.ts';
import type { ServedModel } from '../service/served-model.ts';
import { type AddRoutes, modelNamed, sendValue } from './api.ts';
import type { PrunedLayers, PruningInfo, PruningUse } from './wire-pruning.ts';

interface ModelPath {
  Params: { name: string };
  Querystring: Record<string, string | undefined>;
}

/** `GET /api/models/NAME/pruning` and `…/pruning/use`, and `…/pruning/layers?levels=0,3,1`. */
export const addPruningRoutes: AddRoutes = (app, { models }) => {
  const config = { role: 'metrics' } as const;
  const base = '/api/models/:name/pruning';
  app.get<ModelPath>(base, { config }, ({ params }, reply) =>
    sendValue(reply, infoOf(modelNamed(models, params.name).bundle.manifest)),
  );
  app.get<ModelPath>(`${base}/use`, { config }, ({ params }, reply) =>
    sendValue(reply, useOf(modelNamed(models, params.name))),
  );
  app.get<ModelPath>(`${base}/layers`, { config }, ({ params, query }, reply) => {
    const { manifest } = modelNamed(models, params.name).bundle;
    return sendValue(reply, layersAt(manifest, levelsOf(query.levels ?? '', manifest)));
  });
};

function infoOf(manifest: BundleManifest): PruningInfo {
  const { accuracy, provenance, measured } = manifest;
  const { criterion, dataset, calibration, validation, labelled, created } = provenance;
  return {
    model: manifest.name,
    measure: measureTerm(accuracy),
    isAgreement: accuracy.measure === 'agreement',
    unpruned: accuracy.unpruned,
    variants: manifest.variants.map((variant, index) => {
      const { levels, lowerBound, agreement, macs, weightBytes, seconds = null, corrected } = variant;
      return {
        ...{ index, levels, accuracy: variant.accuracy, lowerBound, agreement },
        ...{ macs, weightBytes, seconds, corrected },
      };
    }),
    groups: manifest.groups.map(({ id, channels, layers, counts }) => ({
      ...{ id, channels, layers, counts },
      accuracy: counts.map((_, level) => accuracy.unpruned * Math.exp(-(accuracy.loss[id]?.[level] ?? 0))),
    })),
    ratios: manifest.ratios,
    maxError: accuracy.maxError,
    provenance: {
      ...{ criterion, dataset: lastPart(dataset), calibration, validation, labelled, created },
      machine: measured?.machine,
    },
  };
}

function useOf({ bundle, deployment, answers }: ServedModel): PruningUse {
  const { manifest } = bundle;
  const levels = deployment.plan?.levels;
  const counts = { seconds: answers.seconds, answered: answers.byVariant };
  const frozen = deployment.frozen?.scope ?? null;
  if (!levels) return { levels: null, variant: null, accuracy: null, macs: null, frozen, ...counts };
  const { unpruned, loss } = manifest.accuracy;
  const index = findVariant(manifest, levels);
  const variant = index === undefined ? undefined : manifest.variants[index];
  const lost = levels.reduce((sum, level, group) => sum + (loss[group]?.[level] ?? 0), 0);
  return {
    levels,
    variant: index ?? null,
    accuracy: variant?.accuracy ?? unpruned * Math.exp(-lost),
    macs: variant?.macs ?? totalCosts(manifest, levels).macs,
    ...{ frozen, ...counts },
  };
}

function layersAt(manifest: BundleManifest, levels: readonly number[]): PrunedLayers {
  const { macs, weightBytes } = totalCosts(manifest, levels);
  return {
    ...{ levels, macs, weightBytes },
    layers: manifest.layers.map(({ name, stage, inputs, outputs, macs: unprunedMacs }) => {
      const costs = layerCosts(manifest, name, levels);
      return {
        ...{ name, stage, unprunedMacs, macs: costs.macs, weightBytes: costs.weightBytes },
        kept: outputs.reduce((kept, { group, share }) => {
          const { channels, counts } = must(manifest.groups[group], `group ${group}`);
          return kept - share * (1 - must(counts[levels[group] ?? 0], 'a level') / channels);
        }, 1),
        canShrink: inputs.length > 0 || outputs.length > 0,
      };
    }),
  };
}

function levelsOf(text: string, manifest: BundleManifest): readonly number[] {
  const levels = text.split(',').map((part) => (/^\d{1,4}$/.test(part.trim()) ? Number(part) : Number.NaN));
  if (text.length > 8192 || levels.some(Number.isNaN)) {
    throw new BedsideError('E_REQUEST', '`levels` are not levels of the groups with commas, such as 0,3,1');
  }
  checkLevels(manifest, levels);
  return levels;
}

/** The data's own name: folders of whoever packed it are nobody's business. */
function lastPart(path: string): string {
  return path.split(/[\\/]/).filter(Boolean).at(-1) ?? path;
}
