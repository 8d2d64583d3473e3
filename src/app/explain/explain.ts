// Explains a network: one score for every channel by a criterion, on local samples, and pictures of samples if wanted.
import { findGroups } from '../../channels/index.ts';
import type { Dataset } from '../../data/index.ts';
import type { Aggregation, Criterion } from '../../explain/index.ts';
import { remarksOn } from '../../prune/internal.ts';
import { assertWritable, BedsideError, hasClasses, type TaskKind } from '../../util/index.ts';
import type { Network, NetworkSource } from '../network/network.ts';
import { networkForData } from '../network/task.ts';
import { type DataOptions, DEFAULT_PER_CLASS, type EngineOptions, runSettings } from '../options.ts';
import { DEFAULT_CRITERION, explainingCriterion, type TargetOption } from '../ranking.ts';
import { type Journal, journalOf, type Reporter } from '../reporter.ts';
import {
  assertPriorApplies,
  type ClassPriorOptions,
  priorShares,
  priorWeighting,
  samplesInPrior,
} from '../samples/class-prior.ts';
import { hasNoSplits, loadSamples, noteLeftOver } from '../samples/samples.ts';
import type { Explanation } from './explanation.ts';
import { PlannedHeatmaps } from './heatmaps.ts';
import { assertExplainsSamples } from './sample-scores.ts';
import { scoreChannels } from './score-channels.ts';
import { scoresFormat, writeScores } from './scores-file.ts';

/** Options of `explain`: criterion, samples, and the files to write. */
export interface ExplainOptions extends DataOptions, EngineOptions, ClassPriorOptions {
  /** A criterion or its name; default `lrp-gamma`. */
  readonly criterion?: Criterion | string | undefined;
  /** The class to explain; default the label, or the predicted class without labels. */
  readonly target?: TargetOption | undefined;
  /** Aggregation over samples; default that of the criterion. */
  readonly aggregate?: Aggregation | undefined;
  /** Whether to return one signed value for each sample and channel as well. */
  readonly perSample?: boolean | undefined;
  /** File for the scores: .npz for NumPy, or .json. */
  readonly out?: string | undefined;
  /** Folder for heatmaps of some samples, a picture of the channel scores, and a page that shows them all. */
  readonly heatmaps?: string | undefined;
  /** Samples of each class to draw; default 3. */
  readonly heatmapSamples?: number | undefined;
  /** Seed of everything that is drawn at random; default 1. */
  readonly seed?: number | undefined;
}

/** Samples of each class to draw unless told otherwise. */
const HEATMAP_SAMPLES = 3;

/**
 * Scores every output channel of every weighted layer by a criterion. Writes files only if `out` or `heatmaps` names them.
 * @throws BedsideError E_USAGE for options that contradict each other; E_DATA if labels are missing; E_OUTPUT for files that
 *   cannot be written; as `loadNetwork`, `loadSamples` and the criterion
 */
export async function explain(
  source: NetworkSource,
  options: ExplainOptions,
  reporter?: Reporter | Journal,
): Promise<Explanation> {
  const journal = journalOf(reporter);
  const { out, perSample } = options;
  const criterion = explainingCriterion(options.criterion ?? DEFAULT_CRITERION);
  if (perSample) assertExplainsSamples(criterion, '--per-sample');
  if (out !== undefined) {
    scoresFormat(out);
    await assertWritable(out);
  }
  const network = await networkForData(source, options.data, options, journal);
  if (options.classPrior || options.target === 'mix') assertPriorApplies(network.classifier, network.name);
  const planned = await heatmapsOf(network, criterion, options);
  const { dataset, shares } = await samplesOf(network, options, journal);
  const target = targetOf(options.target, dataset, network.classifier.task);
  noteLeftOver(network.classifier, [dataset], journal);
  const prior = priorWeighting(dataset, shares, options.target);
  const scored = await journal.during(criterion.name, (progress) =>
    scoreChannels(network, criterion, dataset, {
      ...runSettings(options),
      target: prior.target ?? (target === 'mix' ? 'predicted' : target),
      weights: prior.weights,
      aggregation: options.aggregate,
      onProgress: (done, total) => progress.update(done, total),
    }),
  );
  const { layers, samples, times } = scored;
  const scoreRemarks = remarksOn(criterion.name, layers, findGroups(network.canonical));
  const heatmaps = await planned?.write(
    dataset,
    { target: target === 'mix' ? 'predicted' : target, layers, samples },
    journal,
  );
  const explanation = {
    criterion: criterion.name,
    task: network.classifier.task,
    target,
    samples,
    msPerSample: times.pass,
    forwardMsPerSample: times.forward,
    layers: layers.map(({ layer, scores }) => ({ name: layer, scores: Array.from(scores) })),
    ...(perSample && scored.perSample ? { perSample: scored.perSample } : {}),
    ...(scoreRemarks.length > 0 ? { scoreRemarks } : {}),
    ...(heatmaps ? { heatmaps } : {}),
    ...journal.said(),
  };
  if (out === undefined) return explanation;
  await writeScores(out, explanation);
  return { ...explanation, out };
}

/** Checks what heatmaps need, before any long work; undefined if none are wanted. */
async function heatmapsOf(
  network: Network,
  criterion: Criterion,
  options: ExplainOptions,
): Promise<PlannedHeatmaps | undefined> {
  const { heatmaps: folder, heatmapSamples: perClass = HEATMAP_SAMPLES } = options;
  if (folder === undefined) return undefined;
  return await PlannedHeatmaps.check(network, criterion, { folder, perClass, ...runSettings(options) });
}

/** The samples to explain; with a class prior only those of its classes. */
async function samplesOf(network: Network, options: ExplainOptions, journal: Journal) {
  const { classPrior } = options;
  const perClass = (await hasNoSplits(options.data, options.splitBy)) ? undefined : DEFAULT_PER_CLASS;
  const defaults = { split: 'local', seed: runSettings(options).seed, perClass } as const;
  const read = await loadSamples(network.classifier, options, defaults, journal);
  const shares = classPrior && priorShares(classPrior, read.classNames);
  return { dataset: shares && read.labels ? samplesInPrior(read, shares) : read, shares };
}

function targetOf(target: TargetOption | undefined, dataset: Dataset, task: TaskKind): TargetOption {
  const labels = hasClasses(task) ? dataset.labels : dataset.targets;
  if (target === 'label' && !labels) {
    throw new BedsideError('E_DATA', `${dataset.name} has no labels to explain`, {
      hint: 'use --target predicted',
    });
  }
  return target ?? (labels ? 'label' : 'predicted');
}
