// Chooses a criterion by what it does: each of a short list ranks channels on one half of the calibration samples, and
// the network cut by it is measured on the other half, both ways round.
import type { Dataset } from '../data/index.ts';
import type { Criterion } from '../explain/index.ts';
import type { Model } from '../onnx/index.ts';
import { BedsideError, must } from '../util/index.ts';
import { accuracies, evaluate } from './evaluate.ts';
import { describeClassifier } from './evaluate-classifier.ts';
import { halves, samplesAt } from './halves.ts';
import {
  type PruneAmount,
  type PrunedModel,
  type Ranking,
  type RankOptions,
  rankModel,
} from './prune-model.ts';

/** What `auto` chooses from, by name. */
export const AUTO_CANDIDATES: readonly string[] = [
  'lrp-gamma',
  'lrp-gamma=0.1',
  'lrp-epsilon',
  'taylor',
  'gradient',
  'deeplift-rescale=mean',
  'expected-gradients',
  'grad-cam',
  'l2',
];

/** What it takes, by name, when there are too few samples to measure on. */
export const AUTO_FALLBACK: readonly string[] = ['lrp-gamma', 'taylor', 'l2'];

/** The criterion that is chosen by measurement. */
export interface AutoCriterion {
  readonly name: 'auto';
  /** What is chosen from. */
  readonly candidates: readonly Criterion[];
  /** What is taken when there are too few samples to measure on: the first that works on the model. */
  readonly fallback: readonly Criterion[];
}

/** A criterion, or the choice of one. */
export type CriterionChoice = Criterion | AutoCriterion;

/**
 * `auto` with its usual candidates.
 * @param find a criterion by its name
 */
export function autoCriterion(find: (name: string) => Criterion): AutoCriterion {
  return { name: 'auto', candidates: AUTO_CANDIDATES.map(find), fallback: AUTO_FALLBACK.map(find) };
}

/** Whether it is to be chosen by measurement. */
export function isAuto(choice: CriterionChoice): choice is AutoCriterion {
  return 'candidates' in choice;
}

/** How one criterion did. */
export interface CandidateResult {
  readonly criterion: string;
  readonly family: 'xai' | 'reference';
  /** Balanced accuracy of the cut networks on the samples they were not ranked by (for a mix: accuracy in it). */
  readonly measure: number;
  /** Mean squared difference of the class probabilities to the uncut network, the tie-breaker. */
  readonly difference: number;
}

/** A criterion chosen for one amount of pruning, and why. */
export interface Choice {
  readonly criterion: Criterion;
  /** What was measured; undefined when there were too few samples to measure. */
  readonly measure: 'balanced accuracy' | 'accuracy' | 'agreement' | undefined;
  /** Number of samples that were measured on. */
  readonly samples: number;
  /** Best first; empty when there were too few samples. */
  readonly candidates: readonly CandidateResult[];
  /** Candidates that the model cannot be explained by, and why. */
  readonly skipped: readonly { readonly criterion: string; readonly reason: string }[];
  /** One sentence. */
  readonly reason: string;
}

/** What is ranked, and how. */
export interface AutoOptions extends Omit<RankOptions, 'criterion' | 'onProgress'> {
  readonly criterion: AutoCriterion;
  /** The shares of the classes that accuracy is wanted for; default balanced accuracy. */
  readonly mix?: ArrayLike<number> | undefined;
  /** Called with what is being done and how far it is. */
  readonly onStep?: ((step: string, done: number, total: number) => void) | undefined;
}

/** A model that can be cut to any amount, each time by the criterion that does best there. */
export interface AutoRanking {
  /** The criterion for an amount. What was scored for one amount serves the next. */
  choose(amount: PruneAmount): Promise<Choice>;
  /** Ranks by the chosen criterion on all samples, and cuts. */
  prune(amount: PruneAmount): Promise<PrunedModel & { readonly choice: Choice }>;
}

/**
 * The criterion that keeps the most after pruning to an amount, measured on the calibration samples: ranked on one half
 * and measured on the other, and the other way round, so that every sample is measured on once and by a ranking that
 * has not read it. Balanced accuracy decides (with a mix of classes, the accuracy in it; without labels, agreement with
 * the uncut network, balanced over its answers), then the nearness of the class probabilities.
 * With fewer than two samples of most classes nothing can be measured, and the fallback is taken.
 * @throws BedsideError as `rankModel`
 */
export async function chooseCriterion(model: Model, options: AutoOptions & PruneAmount): Promise<Choice> {
  return rankAuto(model, options).choose('ratio' in options ? { ratio: options.ratio } : options);
}

/** Opens the choice of `chooseCriterion` for several amounts. */
export function rankAuto(model: Model, options: AutoOptions): AutoRanking {
  const chooser = new Chooser(model, options);
  return {
    choose: (amount) => chooser.choose(amount),
    async prune(amount) {
      const choice = await chooser.choose(amount);
      const ranking = await chooser.full(choice.criterion);
      return { ...(await ranking.prune(amount)), choice };
    },
  };
}

/** A half of the samples to rank on, the other to measure on. */
interface Fold {
  readonly rankOn: Dataset;
  readonly weights: Float64Array | undefined;
  readonly measureOn: Dataset;
  /** Of the uncut network. */
  readonly logits: Float32Array;
  readonly predictions: Int32Array;
}

class Chooser {
  readonly #model: Model;
  readonly #options: AutoOptions;
  readonly #candidates: readonly Criterion[];
  readonly #classes: number;
  readonly #full = new Map<string, Ranking>();
  #folds: readonly Fold[] | undefined;
  readonly #rankings = new Map<string, readonly Ranking[]>();
  readonly #skipped = new Map<string, string>();

  constructor(model: Model, options: AutoOptions) {
    this.#model = model;
    this.#options = options;
    this.#candidates = options.criterion.candidates;
    this.#classes = describeClassifier(model, options.name).classes;
  }

  async choose(amount: PruneAmount): Promise<Choice> {
    const { calibration, mix, onStep } = this.#options;
    if (!this.#canMeasure()) return this.#fallback();
    this.#folds ??= await this.#openFolds();
    const results: (CandidateResult & { readonly of: Criterion })[] = [];
    for (const [done, criterion] of this.#candidates.entries()) {
      onStep?.(`choosing: ${criterion.name}`, done, this.#candidates.length);
      const rankings = await this.#rankingsOf(criterion, this.#folds);
      if (!rankings) continue;
      results.push({ ...(await this.#measure(criterion, rankings, this.#folds, amount)), of: criterion });
    }
    results.sort((a, b) => b.measure - a.measure || a.difference - b.difference);
    const [best, second] = results;
    if (!best) throw this.#noneLeft();
    const measure = !calibration.labels ? 'agreement' : mix ? 'accuracy' : 'balanced accuracy';
    const tied = second?.measure === best.measure;
    const shown = (value: number): string => value.toFixed(3);
    return {
      criterion: best.of,
      measure,
      samples: calibration.size,
      candidates: results.map(({ of: _, ...result }) => result),
      skipped: this.#skippedRows(),
      reason:
        `${best.criterion} keeps the highest ${measure}, ${shown(best.measure)}` +
        (second ? ` before ${second.criterion} with ${shown(second.measure)}` : '') +
        (tied ? ' and nearer probabilities' : '') +
        `, on ${calibration.size} calibration samples, each measured by a ranking that has not read it`,
    };
  }

  /** The ranking on all samples. */
  async full(criterion: Criterion): Promise<Ranking> {
    const known = this.#full.get(criterion.name);
    if (known) return known;
    const { onStep } = this.#options;
    const ranking = await rankModel(this.#model, {
      ...this.#options,
      criterion,
      onProgress: (done, total) => onStep?.(`ranking by ${criterion.name}`, done, total),
    });
    this.#full.set(criterion.name, ranking);
    return ranking;
  }

  /** Whether most classes (that the samples show) have two samples or more, and halves fill a fixed batch. */
  #canMeasure(): boolean {
    const { calibration, name } = this.#options;
    const { fixedBatch = 1 } = describeClassifier(this.#model, name);
    if (calibration.size < 2 * fixedBatch) return false;
    if (!calibration.labels) return calibration.size >= 2 * this.#classes;
    const counts = new Map<number, number>();
    for (const label of calibration.labels) counts.set(label, (counts.get(label) ?? 0) + 1);
    const enough = [...counts.values()].filter((count) => count >= 2).length;
    return enough * 2 > counts.size;
  }

  async #fallback(): Promise<Choice> {
    const { calibration } = this.#options;
    for (const criterion of this.#options.criterion.fallback) {
      if (!(await this.#attempt(criterion, () => this.full(criterion)))) continue;
      return {
        criterion,
        measure: undefined,
        samples: 0,
        candidates: [],
        skipped: this.#skippedRows(),
        reason:
          `${criterion.name} without a choice: ${calibration.size} calibration samples are too few to rank on one half ` +
          'and measure on the other, which takes two a class',
      };
    }
    throw this.#noneLeft();
  }

  async #openFolds(): Promise<readonly Fold[]> {
    const { calibration, seed = 1, weights } = this.#options;
    const [first, second] = halves(calibration, seed);
    const pairs = [
      [first, second],
      [second, first],
    ] as const;
    const folds: Fold[] = [];
    for (const [rankOn, measureOn] of pairs) {
      const measured = samplesAt(calibration, measureOn);
      const { logits, predictions } = await this.#evaluate(this.#model, measured);
      folds.push({
        rankOn: samplesAt(calibration, rankOn),
        weights: weights && Float64Array.from(rankOn, (i) => weights[i] as number),
        measureOn: measured,
        logits,
        predictions,
      });
    }
    return folds;
  }

  async #rankingsOf(criterion: Criterion, folds: readonly Fold[]): Promise<readonly Ranking[] | undefined> {
    const known = this.#rankings.get(criterion.name);
    if (known || this.#skipped.has(criterion.name)) return known;
    const rankings = await this.#attempt(criterion, async () => {
      const list: Ranking[] = [];
      for (const { rankOn, weights } of folds) {
        list.push(
          await rankModel(this.#model, { ...this.#options, criterion, calibration: rankOn, weights }),
        );
      }
      return list;
    });
    if (rankings) this.#rankings.set(criterion.name, rankings);
    return rankings;
  }

  /** The result, or undefined when the model cannot be explained by the criterion. */
  async #attempt<T>(criterion: Criterion, work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work();
    } catch (error) {
      if (!BedsideError.is(error, 'E_UNSUPPORTED') && !BedsideError.is(error, 'E_CRITERION')) throw error;
      this.#skipped.set(criterion.name, error.message);
      return undefined;
    }
  }

  async #measure(
    { name: criterion, family }: Criterion,
    rankings: readonly Ranking[],
    folds: readonly Fold[],
    amount: PruneAmount,
  ): Promise<CandidateResult> {
    const { calibration, mix } = this.#options;
    const predictions: number[] = [];
    const expected: number[] = [];
    let difference = 0;
    for (const [i, fold] of folds.entries()) {
      const { model } = await must(rankings[i], 'a ranking for each half').prune(amount);
      const result = await this.#evaluate(model, fold.measureOn);
      predictions.push(...result.predictions);
      expected.push(...(fold.measureOn.labels ?? fold.predictions));
      difference += squaredDifference(result.logits, fold.logits, this.#classes) / calibration.size;
    }
    const shares = calibration.labels ? mix : undefined;
    const found = accuracies(Int32Array.from(predictions), Int32Array.from(expected), this.#classes, shares);
    return { criterion, family, measure: shares ? found.accuracy : found.balancedAccuracy, difference };
  }

  #evaluate(model: Model, samples: Dataset) {
    const { name, batch, threads } = this.#options;
    return evaluate(model, samples, { name, batch, threads, reference: new Int32Array(samples.size) });
  }

  #skippedRows(): Choice['skipped'] {
    return [...this.#skipped].map(([criterion, reason]) => ({ criterion, reason }));
  }

  #noneLeft(): BedsideError {
    const [reason = ''] = this.#skipped.values();
    return new BedsideError('E_UNSUPPORTED', `no criterion can rank the channels: ${reason}`, {
      hint: 'bedside inspect says which operators are not understood',
    });
  }
}

/** The squared difference of the class probabilities, summed over samples. */
function squaredDifference(a: Float32Array, b: Float32Array, classes: number): number {
  let sum = 0;
  for (let first = 0; first < a.length; first += classes) {
    const p = softmax(a.subarray(first, first + classes));
    const q = softmax(b.subarray(first, first + classes));
    p.forEach((value, k) => {
      sum += (value - (q[k] as number)) ** 2;
    });
  }
  return sum;
}

function softmax(logits: Float32Array): Float64Array {
  const most = logits.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const powers = Float64Array.from(logits, (value) => Math.exp(value - most));
  const total = powers.reduce((a, b) => a + b, 0);
  return powers.map((value) => value / total);
}
