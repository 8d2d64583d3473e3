// Compares criteria: the same network pruned to the same sizes by several criteria, and measured.
import type { Model } from '../../onnx/index.ts';
import { compareCriteria } from '../../prune/index.ts';
import type { CalibrationDraw, CriterionChoice, FinishedNetwork } from '../../prune/internal.ts';
import { renderReport } from '../../report/index.ts';
import { assertWritable, BedsideError, counted, writeFileAtomic } from '../../util/index.ts';
import type { Network, NetworkSource } from '../network/network.ts';
import { networkForData } from '../network/task.ts';
import { type EngineOptions, runSettings } from '../options.ts';
import { prunedInInt8, type WithInt8Options, wholeInInt8 } from '../quantize/pruned-int8.ts';
import { criterionOf, type RankingOptions, rankingOf, unrepairedNote } from '../ranking.ts';
import { type Journal, journalOf, type Progress, type Reporter } from '../reporter.ts';
import { assertLocal, type CalibrationSources, calibrationSources } from '../samples/calibration-sources.ts';
import { assertPriorApplies, priorWeighting } from '../samples/class-prior.ts';
import { type DrawnSets, loadDraws, type TwoSetsOptions } from '../samples/samples.ts';
import { type Comparison, labelFacts } from './comparison.ts';
import { comparisonReport } from './comparison-report.ts';
import { reportHeatmaps } from './report-heatmaps.ts';

/** Which criteria are compared, at which ratios, on which samples. */
export interface CompareOptions extends TwoSetsOptions, EngineOptions, RankingOptions, WithInt8Options {
  /** Criteria or their names, `auto` among them; default `DEFAULT_CRITERIA`. */
  readonly criteria?: readonly (CriterionChoice | string)[] | undefined;
  /** Fractions of channels removed, each in [0, 1); default `DEFAULT_RATIOS`. */
  readonly ratios?: readonly number[] | undefined;
  /** Draws of the samples that score, by consecutive seeds; several give means and spreads. Default 1. */
  readonly seeds?: number | undefined;
  /** Whether to compare samples of the local class prior with uniform and with wrong ones. */
  readonly local?: boolean | undefined;
  /** Whether to repair every pruned network before it is measured. */
  readonly repair?: boolean | undefined;
  /** File for a self-contained HTML page with charts, tables and heatmaps. */
  readonly report?: string | undefined;
  /** The ratio whose recalls the report shows; default the middle one. */
  readonly recallRatio?: number | undefined;
  /** The command that the report names as its origin. */
  readonly command?: string | undefined;
  /** Seed of everything that is drawn at random; default 1. */
  readonly seed?: number | undefined;
}

/** Criteria that are compared by default. */
export const DEFAULT_CRITERIA: readonly string[] =
  'lrp-gamma,lrp-zplus,lrp-epsilon,taylor,gradient,l1,activation,apoz,random'.split(',');
/** Ratios that are compared by default. */
export const DEFAULT_RATIOS: readonly number[] = [0.1, 0.2, 0.3, 0.4, 0.5];

/**
 * Prunes a network by each criterion to each ratio, without retraining, and measures each pruned network on test samples.
 * Without labels, accuracy is the agreement with the unpruned network.
 * @throws BedsideError E_USAGE for options that contradict each other; E_OUTPUT for a report that cannot be written; as
 *   `loadNetwork`, `loadDraws`, `calibrationSources` and `compareCriteria`
 */
export async function compare(
  source: NetworkSource,
  options: CompareOptions,
  reporter?: Reporter | Journal,
): Promise<Comparison> {
  const journal = journalOf(reporter);
  const { ratios = DEFAULT_RATIOS, repair = false, report } = options;
  const criteria = (options.criteria ?? DEFAULT_CRITERIA).map(criterionOf);
  if (options.local) assertLocal(options);
  assertRecallRatio(options, ratios);
  if (report !== undefined) await assertWritable(report);
  const network = await networkForData(source, options.data, options, journal);
  const { task } = network.classifier;
  if (options.classPrior || options.local) assertPriorApplies(network.classifier, network.name);
  const { sets, draws, sources } = await loadSets(network, options, journal);
  journal.note(
    `scoring on ${sets.calibration.size} samples, measuring on ${sets.test.size}: ` +
      `${criteria.length} criteria, ${counted(ratios.length, 'ratio')}, ${counted(draws.length, 'draw')}`,
  );
  const unrepaired = unrepairedNote(criteria, repair);
  if (unrepaired !== undefined) journal.note(unrepaired);
  const compared = await journal.during('comparing', (progress) =>
    compareCriteria(network.canonical, {
      ...rankingOf(options),
      ...runSettings(options),
      calibration: sets.calibration,
      test: sets.test,
      draws,
      classPrior: sets.shares,
      name: network.name,
      unmerged: network.unmerged,
      criteria,
      ratios,
      repair: repair,
      ...(options.int8 ? { finish: inInt8Each(network, options, journal, progress) } : {}),
      onProgress: (step, done, total) => progress.update(done, total, step),
    }),
  );
  const int8Base = options.int8
    ? await journal.during('measuring eight bits alone', (progress) =>
        wholeInInt8(
          network,
          sets,
          { ...runSettings(options), ...int8Of(options), repair },
          { journal, progress },
        ),
      )
    : undefined;
  if (report !== undefined) {
    const { recallRatio, command = 'compare(), from a program' } = options;
    const words = {
      title: `Pruning criteria on ${network.name}`,
      command,
      heatmaps: await reportHeatmaps(network, sets.calibration, criteria, runSettings(options)),
      ...(recallRatio === undefined ? {} : { recallRatio }),
    };
    await writeFileAtomic(report, renderReport(await comparisonReport(network, sets, compared, words)));
  }
  const { rows, seconds } = compared;
  const scoreRemarks = Object.values(compared.remarks).flat();
  const { predictions: _, logits: __, ...base } = compared.base;
  return {
    task,
    base,
    ...(int8Base ? { int8Base } : {}),
    rows: options.int8 ? rows.map((row) => ({ ...row, int8: true as const })) : rows,
    seconds,
    ...(scoreRemarks.length > 0 ? { scoreRemarks } : {}),
    calibration: sets.calibration.size,
    test: sets.test.size,
    ...labelFacts(sets.test, task),
    classNames: sets.test.classNames,
    ...(sets.shares ? { classMix: Array.from(sets.shares) } : {}),
    ...(sources ? { mixes: sources.words } : {}),
    ...(report === undefined ? {} : { report }),
    ...journal.said(),
  };
}

/** Puts every pruned network into eight bits. */
function inInt8Each(network: Network, options: CompareOptions, journal: Journal, progress: Progress) {
  const { repair = false } = options;
  return async ({ calibration, step, seed, ...pruned }: FinishedNetwork): Promise<Model> => {
    const own = { ...runSettings(options), ...int8Of(options), seed, repair };
    const shown: Progress = { update: (done, total) => progress.update(done, total, `${step}: eight bits`) };
    return (await prunedInInt8(network, pruned, { calibration }, own, { journal, progress: shown })).model;
  };
}

function int8Of({ keepFloat, budget, reducedRange }: CompareOptions): Omit<WithInt8Options, 'int8'> {
  return { keepFloat, budget, reducedRange };
}

interface LoadedSets {
  readonly sets: DrawnSets;
  readonly draws: readonly CalibrationDraw[];
  readonly sources: CalibrationSources | undefined;
}

async function loadSets(network: Network, options: CompareOptions, journal: Journal): Promise<LoadedSets> {
  const { seed } = runSettings(options);
  const seeds = Array.from({ length: options.seeds ?? 1 }, (_, i) => (seed + i) >>> 0);
  const sets = await loadDraws(network.classifier, options, seeds, journal);
  if (options.local) {
    const sources = await calibrationSources(network.classifier, options, sets, seeds, journal);
    return { sets: { ...sets, test: sources.test }, draws: sources.draws, sources };
  }
  const draws = sets.draws.map((calibration, i) => ({
    calibration,
    ...priorWeighting(calibration, sets.shares, options.target),
    seed: seeds[i],
  }));
  return { sets, draws, sources: undefined };
}

/** Recalls can only be shown for a ratio that is measured, in a report that is written. */
function assertRecallRatio({ recallRatio, report }: CompareOptions, ratios: readonly number[]): void {
  if (recallRatio === undefined || (report !== undefined && ratios.includes(recallRatio))) return;
  const what = report === undefined ? 'needs --report' : 'is not one of --ratios';
  throw new BedsideError('E_USAGE', `--recall-ratio ${recallRatio} ${what}`, {
    hint: `measured ratios: ${ratios.join(', ')}; --report FILE writes the page`,
  });
}
