// Scores channels by any criterion, and times the pass against a forward run.
import type { Dataset } from '../../data/index.ts';
import { evaluateModel } from '../../evaluate/internal.ts';
import { type Aggregation, type Criterion, isAttribution, type LayerScores } from '../../explain/index.ts';
import { scoreBy, scoreLayers, withStandIns } from '../../prune/internal.ts';
import type { Network } from '../network/network.ts';
import { type PassTimes, timePass } from './pass-times.ts';
import { channelScores, type PassSettings, type SampleScores, scoreSamples } from './sample-scores.ts';

/** How channels are scored. */
export interface ScoreSettings extends PassSettings {
  /** Default that of the criterion. */
  readonly aggregation: Aggregation | undefined;
  /** The weight of each sample; default 1. */
  readonly weights: Float64Array | undefined;
}

/** Scores of channels, and what they took. */
export interface ScoredChannels {
  readonly layers: readonly LayerScores[];
  /** One value for each sample and channel, if the criterion explains single samples. */
  readonly perSample: SampleScores | undefined;
  readonly samples: number;
  readonly times: PassTimes;
}

/**
 * Scores the channels of every weighted layer.
 * @throws BedsideError as the criterion
 */
export async function scoreChannels(
  network: Network,
  criterion: Criterion,
  dataset: Dataset,
  settings: ScoreSettings,
): Promise<ScoredChannels> {
  const { aggregation, weights, batch, threads, ...pass } = settings;
  const run = { ...pass, batch, threads };
  const { canonical, original, unmerged, name } = network;
  if (isAttribution(criterion)) {
    const perSample = await scoreSamples(network, criterion, dataset, run);
    const own = channelScores(perSample, aggregation ?? criterion.aggregation, weights);
    // Layers are shown one by one: a layer that no relevance reaches gets the scores of another criterion, and a remark.
    const layers = await withStandIns(canonical, criterion, own, 'layers', (other) =>
      scoreBy(canonical, other, dataset, { ...run, name, aggregation, weights }),
    );
    const times = await timePass(network, criterion, dataset, run);
    return { layers, perSample, samples: perSample.samples, times };
  }
  const start = performance.now();
  const layers = await scoreLayers(canonical, criterion, dataset, {
    ...run,
    name,
    unmerged,
    aggregation,
    weights,
  });
  const passMs = (performance.now() - start) / dataset.size;
  const forward = await evaluateModel(original, dataset, { name, batch, threads, reference: 'own' });
  const times = { pass: passMs, forward: forward.msPerSample };
  return { layers, perSample: undefined, samples: dataset.size, times };
}
