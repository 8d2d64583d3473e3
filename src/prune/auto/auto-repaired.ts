// Chooses a criterion for networks that are repaired after pruning. Criteria rank differently then, and accuracy on a
// few dozen samples cannot separate them; the distance of the logits from the unpruned ones can.
import { findGroups } from '../../channels/index.ts';
import type { Dataset } from '../../data/index.ts';
import { describeClassifier } from '../../evaluate/internal.ts';
import type { Criterion } from '../../explain/index.ts';
import { type Model, modelCosts } from '../../onnx/index.ts';
import { BedsideError, formatCount } from '../../util/index.ts';
import { type PruneAmount, type Ranking, type RankOptions, rankModel } from '../prune-model.ts';
import type { AutoChoice, CandidateResult } from './criterion-choice.ts';
import { leastForHalf } from './quality.ts';
import { meanResult, RepairedTrials, type TrialResult } from './repaired-trials.ts';

/**
 * How many times closer another candidate must be to replace the first one, which is the best for most local samples.
 */
const CLEARLY = 1.2;

/** One pass over the calibration samples, in multiply-accumulates, above which candidates are not compared. */
const MOST_MACS = 1e11;

/** The model and samples to rank, and the candidates. */
export interface RepairedChoiceOptions extends Omit<RankOptions, 'criterion' | 'onProgress'> {
  readonly candidates: readonly Criterion[];
  /** The ranking on all samples, which the first candidate is measured with and later cut with; default a new one. */
  readonly full?: ((criterion: Criterion) => Promise<Ranking>) | undefined;
  readonly onStep?: ((step: string, done: number, total: number) => void) | undefined;
}

/**
 * Chooses the criterion whose pruned and repaired network stays closest to the unpruned one. Each candidate ranks and
 * repairs on one half of the calibration samples and is measured on the other half. The first one, which usually wins,
 * ranks on all of them: its ranking is the one that will be cut, and ranking twice would take the most time of all.
 * Answers are measured on samples that no repair has read in any case. The distance is the geometric mean
 * of the Kullback-Leibler divergence of the probabilities and the mean squared difference of the logits: the
 * first sees changed answers, the second also sees answers that are still sure. Labels are not needed. The first
 * candidate wins unless another is clearly closer, since measurements on a few dozen samples vary. With recurrent layers
 * the halves also swap, the repair is a whole one, and the closest candidate wins. With fewer than two
 * samples a class the first candidate is taken; also where a pass over the samples takes more than 1e11
 * multiply-accumulates, for repairing every candidate would take several times as long as the ranking.
 * @throws BedsideError E_UNSUPPORTED when no candidate works on the model; as `rankModel`
 */
export async function chooseRepaired(
  model: Model,
  options: RepairedChoiceOptions,
  amount: PruneAmount,
): Promise<AutoChoice> {
  const { calibration, candidates, name, onStep } = options;
  const full = options.full ?? ((criterion) => rankModel(model, { ...options, criterion }));
  const form = describeClassifier(model, name);
  const { fixedBatch = 1 } = form;
  const skipped: { criterion: string; reason: string }[] = [];
  const halved = calibration.size >= 2 * Math.max(leastForHalf(form), fixedBatch);
  if (!halved) {
    return first(candidates, calibration, 'too few samples to rank on one half and measure on the other');
  }
  // An error of a hidden unit comes back at every step, so quick repairs of one half say too little there.
  const recurrent = findGroups(model).groups.some(({ isRecurrent }) => isRecurrent);
  const macs = modelCosts(model).macs * calibration.size;
  if (macs > MOST_MACS && !recurrent) {
    const pass = `one pass over ${calibration.size} samples takes ${formatCount(macs)} multiply-accumulates`;
    return first(candidates, calibration, `${pass}, and every candidate would be repaired`);
  }
  const trials = recurrent
    ? await RepairedTrials.openBoth(model, options)
    : [await RepairedTrials.open(model, options)];
  const results: { criterion: Criterion; distance: number; agreement: number }[] = [];
  for (const [done, criterion] of candidates.entries()) {
    onStep?.(`choosing: ${criterion.name}, repaired`, done, candidates.length);
    try {
      const found: TrialResult[] = [];
      for (const trial of trials) {
        const ranking = await (criterion === candidates[0] && !recurrent
          ? full(criterion)
          : rankModel(model, { ...options, ...trial.samples, criterion }));
        const { keep } = await ranking.prune(amount);
        found.push(await trial.measure(ranking, keep));
      }
      results.push({ criterion, ...meanResult(found) });
    } catch (error) {
      if (!BedsideError.is(error, 'E_UNSUPPORTED') && !BedsideError.is(error, 'E_CRITERION')) throw error;
      skipped.push({ criterion: criterion.name, reason: error.message });
    }
  }
  const samples = trials.reduce((sum, { size }) => sum + size, 0);
  const ordered = closestFirst(results, recurrent ? undefined : candidates[0]);
  const [best, second] = ordered;
  if (!best) {
    throw new BedsideError('E_UNSUPPORTED', `no criterion can rank the channels: ${skipped[0]?.reason}`, {
      hint: 'bedside inspect says which operators are not understood',
    });
  }
  const before = second ? `, before ${second.criterion.name} with ${second.distance.toPrecision(3)}` : '';
  return {
    criterion: best.criterion,
    measure: 'agreement',
    samples,
    halved,
    repaired: true,
    candidates: ordered.map(
      ({ criterion, distance, agreement }): CandidateResult => ({
        criterion: criterion.name,
        family: criterion.family,
        measure: agreement,
        screened: agreement,
        difference: distance,
      }),
    ),
    skipped,
    reason:
      `${best.criterion.name}, cut and repaired on ${recurrent ? 'either' : 'one'} half of the calibration samples, stays ` +
      `${second && second.distance < best.distance ? 'about as near' : 'nearest'} to the unpruned network on the other` +
      `${recurrent ? ' half' : ` ${samples}`}: distance ${best.distance.toPrecision(3)}${before}`,
  };
}

/** Closest first. The first candidate stays in front unless another is clearly closer. */
export function closestFirst<T extends { readonly criterion: Criterion; readonly distance: number }>(
  results: readonly T[],
  usual: Criterion | undefined,
): T[] {
  const sorted = results.toSorted((a, b) => a.distance - b.distance);
  const known = sorted.find(({ criterion }) => criterion === usual);
  if (!known || known.distance > CLEARLY * (sorted[0]?.distance ?? 0)) return sorted;
  return [known, ...sorted.filter((result) => result !== known)];
}

function first([criterion]: readonly Criterion[], calibration: Dataset, why: string): AutoChoice {
  if (!criterion) throw new BedsideError('E_INTERNAL', 'internal: nothing to choose from');
  return {
    criterion,
    measure: 'agreement',
    samples: calibration.size,
    halved: false,
    repaired: true,
    candidates: [],
    skipped: [],
    reason: `${criterion.name} without a comparison: ${why}`,
  };
}
