// The heatmaps of a comparison's report: one sample of each class, by one of the compared criteria.
import type { Dataset } from '../../data/index.ts';
import { isAttribution } from '../../explain/index.ts';
import type { AttributionCriterion } from '../../explain/internal.ts';
import { type CriterionChoice, isAuto } from '../../prune/internal.ts';
import { drawAll, pictureKind, type ReportHeatmap } from '../../report/index.ts';
import { BedsideError } from '../../util/index.ts';
import { explainedSamples, type SampleRequest } from '../explain/explained-samples.ts';
import type { Network } from '../network/network.ts';

/**
 * Draws one sample of each class, explained by the first criterion that explains single samples. Returns nothing if no
 * criterion does, or if samples are neither images nor traces.
 */
export async function reportHeatmaps(
  network: Network,
  dataset: Dataset,
  criteria: readonly CriterionChoice[],
  run: Pick<SampleRequest, 'batch' | 'threads' | 'seed'>,
): Promise<ReportHeatmap[]> {
  const criterion = criteria.find((one): one is AttributionCriterion => !isAuto(one) && isAttribution(one));
  if (!criterion) return [];
  try {
    const { classifier } = network;
    const kind = pictureKind(classifier.sampleShape, network.name, classifier.inputs);
    const request = { ...run, criterion, target: 'label', perClass: 1 } as const;
    const drawn = await drawAll(await explainedSamples(network, dataset, request), kind, dataset.size);
    return drawn.map(({ title, svg }) => ({ title: `${criterion.name}: ${title}`, svg }));
  } catch (error) {
    // A report is useful without pictures.
    if (BedsideError.is(error, 'E_UNSUPPORTED')) return [];
    throw error;
  }
}
