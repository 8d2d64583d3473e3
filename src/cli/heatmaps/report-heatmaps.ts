// The heatmaps of a comparison's report: one sample of each class, by one of the compared criteria.

import type { Network } from '../../app/index.ts';
import type { Dataset } from '../../data/index.ts';
import { type AttributionCriterion, type Criterion, isAttribution } from '../../explain/index.ts';
import { drawAll, pictureKind, type ReportHeatmap } from '../../report/index.ts';
import { BedsideError } from '../../util/index.ts';
import { explainedSamples, type SampleRequest } from './explain-samples.ts';

/**
 * One picture of each class, by the first criterion that explains single samples; none where there is no such
 * criterion, or where samples are neither images nor traces.
 */
export async function reportHeatmaps(
  loaded: Network,
  dataset: Dataset,
  criteria: readonly { readonly name: string }[],
  run: Pick<SampleRequest, 'batch' | 'threads' | 'seed'>,
): Promise<ReportHeatmap[]> {
  const criterion = criteria.find((one): one is AttributionCriterion => isAttribution(one as Criterion));
  if (!criterion) return [];
  try {
    const kind = pictureKind(loaded.classifier.sampleShape, loaded.name);
    const request = { ...run, criterion, target: 'label', perClass: 1 } as const;
    const drawn = await drawAll(await explainedSamples(loaded, dataset, request), kind, dataset.size);
    return drawn.map(({ title, svg }) => ({ title: `${criterion.name}: ${title}`, svg }));
  } catch (error) {
    // A report is worth having without pictures.
    if (BedsideError.is(error, 'E_UNSUPPORTED')) return [];
    throw error;
  }
}
