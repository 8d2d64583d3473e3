// Chooses a criterion by its effect on the network: all candidates are screened on all calibration samples; the best
// ones then rank on one half of the samples and are measured on the other, both ways round.
import { findGroups } from '../../channels/index.ts';
import { type Dataset, subset } from '../../data/index.ts';
import { describeClassifier, evaluateModel, scoreChange } from '../../evaluate/internal.ts';
import type { Criterion } from '../../explain/index.ts';
import type { Model } from '../../onnx/index.ts';
import { BedsideError, MEASURE_WORDS, must } from '../../util/index.ts';
import type { ScoreForm } from '../../util/internal.ts';
import {
  type PruneAmount,
  type PrunedModel,
  type Ranking,
  type RankOptions,
  rankModel,
} from '../prune-model.ts';
import { allocate, canAllocate, sharesOf } from './allocation.ts';
import { chooseRepaired } from './auto-repaired.ts';
import type { AutoChoice, AutoCriterion } from './criterion-choice.ts';
import { crossFitFolds } from './cross-fit-folds.ts';
import { type Answers, leastForHalf, type Quality, qualityOf } from './quality.ts';

/** How many candidates are measured on halves. */
const FINALISTS = 3;

/** The samples and candidates of the choice. */
export interface AutoOptions extends Omit<RankOptions, 'criterion' | 'onProgress'> {
  readonly criterion: AutoCriterion;
  /** Whether the pruned network will be repaired; candidates are then compared after repair, see `chooseRepaired`. */
  readonly repaired?: boolean | undefined;
  /** How often each class occurs where accuracy counts; default balanced accuracy. */
  readonly classPrior?: ArrayLike<number> | undefined;
  /** Called with the present step, and how far it is. */
  readonly onStep?: ((step: string, done: number, total: number) => void) | undefined;
}

/** A model that can be pruned to any amount, each time by the criterion that does best there. */
export interface AutoRanking {
  /** Chooses the criterion for an amount. Scores are kept for the next amount. */
  choose(amount: PruneAmount): Promise<AutoChoice>;
  /** Ranks by the chosen criterion on all samples, and prunes. */
  prune(amount: PruneAmount): Promise<PrunedModel & { readonly choice: AutoChoice }>;
}

/**
 * Chooses the criterion that keeps most after pruning to an amount, measured on the calibration samples. Every
 * candidate ranks on all samples, and its network is measured on them. The best three then rank on one half and are
 * measured on the other, and the other way round, so that every sample is measured once by a ranking that has not read
 * it. The mean of both measurements decides: the first is of the very network that will be written, the second is not
 * of samples that ranked it. The measure is balanced accuracy; with a class prior, the accuracy for that prior; of tasks
 * without classes their main measure; without labels, agreement with the unpruned network (of classes: balanced). Ties
 * go to the closer probabilities. With fewer than two samples of most classes there are no halves, and the first
 * measurement decides alone.
 * @throws BedsideError E_UNSUPPORTED when no candidate works on the model; as `rankModel`
 */
export async function chooseCriterion(model: Model, options: AutoOptions & PruneAmount): Promise<AutoChoice> {
  return rankAuto(model, options).choose('ratio' in options ? { ratio: options.ratio } : options);
}

/** Prepares the choice of `chooseCriterion` for several amounts. */
export function rankAuto(model: Model, options: AutoOptions): AutoRanking {
  const chooser = new Chooser(model, options);
  const choose = async (amount: PruneAmount): Promise<AutoChoice> => {
    if (!options.repaired) return chooser.choose(amount);
    const choice = await chooseRepaired(
      model,
      { ...options, candidates: options.criterion.repaired, full: (criterion) => chooser.full(criterion) },
      amount,
    );
    if (!choice.halved || !canAllocate(findGroups(model), amount, options)) return choice;
    const allocation = await allocate(model, await chooser.full(choice.criterion), amount, options);
    return allocation ? { ...choice, allocation } : choice;
  };
  return {
    choose,
    async prune(amount) {
      const choice = await choose(amount);
      const ranking = await chooser.full(choice.criterion);
      return { ...(await ranking.prune(amount, sharesOf(choice.allocation))), choice };
    },
  };
}

/** Samples to rank on and samples to measure on. */
interface Fold {
  readonly rankOn: Dataset;
  readonly weights: Float64Array | undefined;
  readonly measureOn: Dataset;
  /** Logits of the unpruned network. */
  readonly logits: Float32Array;
}

/** Measurements of a criterion's networks on the samples of some folds. */
interface Measured extends Quality {
  readonly difference: number;
}

interface Entry {
  readonly criterion: Criterion;
  readonly screened: Measured;
  readonly halves?: Measured;
}

class Chooser {
  readonly #model: Model;
  readonly #options: AutoOptions;
  readonly #candidates: readonly Criterion[];
  readonly #form: ScoreForm;
  readonly #full = new Map<string, Ranking>();
  readonly #halved = new Map<string, readonly Ranking[]>();
  readonly #skipped = new Map<string, string>();
  #whole: Fold | undefined;
  #halves: readonly Fold[] | undefined;

  constructor(model: Model, options: AutoOptions) {
    this.#model = model;
    this.#options = options;
    this.#candidates = options.criterion.candidates;
    this.#form = describeClassifier(model, options.name);
  }

  async choose(amount: PruneAmount): Promise<AutoChoice> {
    const screened = (await this.#screen(amount)).sort(better);
    const halved = this.#canHalve();
    const finalists = halved ? await this.#measureHalves(screened.slice(0, FINALISTS), amount) : [];
    const entries = [...finalists.sort(better), ...screened.slice(finalists.length)];
    const [best] = entries;
    if (!best) throw this.#noneLeft();
    return this.#choice(best, entries, halved);
  }

  /** The ranking on all samples. */
  async full(criterion: Criterion): Promise<Ranking> {
    const known = this.#full.get(criterion.name);
    if (known) return known;
    const ranking = await rankModel(this.#model, { ...this.#options, criterion });
    this.#full.set(criterion.name, ranking);
    return ranking;
  }

  async #screen(amount: PruneAmount): Promise<Entry[]> {
    const { calibration, weights } = this.#options;
    this.#whole ??= await this.#fold(calibration, weights, calibration);
    const entries: Entry[] = [];
    for (const [done, criterion] of this.#candidates.entries()) {
      this.#tell(`choosing: ${criterion.name}`, done);
      const ranking = this.#skipped.has(criterion.name)
        ? undefined
        : await this.#attempt(criterion, () => this.full(criterion));
      if (!ranking) continue;
      entries.push({ criterion, screened: await this.#measure([ranking], [this.#whole], amount) });
    }
    return entries;
  }

  async #measureHalves(entries: readonly Entry[], amount: PruneAmount): Promise<Entry[]> {
    const { calibration, weights, seed = 1 } = this.#options;
    const [first, second] = crossFitFolds(calibration, seed);
    const part = async (rankOn: Int32Array, measureOn: Int32Array): Promise<Fold> =>
      this.#fold(
        subset(calibration, rankOn),
        weights && Float64Array.from(rankOn, (i) => weights[i] as number),
        subset(calibration, measureOn),
      );
    this.#halves ??= [await part(first, second), await part(second, first)];
    const measured: Entry[] = [];
    for (const [done, entry] of entries.entries()) {
      const { criterion } = entry;
      this.#tell(`choosing: ${criterion.name} on halves`, this.#candidates.length + done);
      let rankings = this.#halved.get(criterion.name);
      if (!rankings) {
        const list: Ranking[] = [];
        for (const { rankOn, weights: own } of this.#halves) {
          list.push(
            await rankModel(this.#model, { ...this.#options, criterion, calibration: rankOn, weights: own }),
          );
        }
        rankings = list;
        this.#halved.set(criterion.name, rankings);
      }
      measured.push({ ...entry, halves: await this.#measure(rankings, this.#halves, amount) });
    }
    return measured;
  }

  /** Whether most classes among the samples have two samples or more, and each half fills a fixed batch. */
  #canHalve(): boolean {
    const { calibration, name } = this.#options;
    const { fixedBatch = 1 } = describeClassifier(this.#model, name);
    if (calibration.size < 2 * fixedBatch) return false;
    if (!calibration.labels) return calibration.size >= 2 * leastForHalf(this.#form);
    const counts = new Map<number, number>();
    for (const label of calibration.labels) counts.set(label, (counts.get(label) ?? 0) + 1);
    const enough = [...counts.values()].filter((count) => count >= 2).length;
    return enough * 2 > counts.size;
  }

  async #fold(rankOn: Dataset, weights: Float64Array | undefined, measureOn: Dataset): Promise<Fold> {
    const { logits } = await this.#evaluate(this.#model, measureOn);
    return { rankOn, weights, measureOn, logits };
  }

  /** The result, or undefined when the criterion cannot explain the model. */
  async #attempt<T>(criterion: Criterion, work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work();
    } catch (error) {
      if (!BedsideError.is(error, 'E_UNSUPPORTED') && !BedsideError.is(error, 'E_CRITERION')) throw error;
      this.#skipped.set(criterion.name, error.message);
      return undefined;
    }
  }

  /** Measures the network of each ranking on the samples of its fold, and combines the results. */
  async #measure(
    rankings: readonly Ranking[],
    folds: readonly Fold[],
    amount: PruneAmount,
  ): Promise<Measured> {
    const answers: Answers[] = [];
    let difference = 0;
    for (const [i, fold] of folds.entries()) {
      const { model } = await must(rankings[i], 'a ranking for each fold').prune(amount);
      const { logits } = await this.#evaluate(model, fold.measureOn);
      answers.push({ scores: logits, unpruned: fold.logits, samples: fold.measureOn });
      difference += scoreChange(this.#form, logits, fold.logits);
    }
    const { calibration, classPrior } = this.#options;
    return {
      ...qualityOf(this.#form, answers, calibration.labels ? classPrior : undefined),
      difference: difference / calibration.size,
    };
  }

  #choice(best: Entry, entries: readonly Entry[], halved: boolean): AutoChoice {
    const { calibration } = this.#options;
    const { name } = decisive(best);
    const measure = name === 'agreement' ? name : MEASURE_WORDS[name];
    const [, second] = entries;
    const before = second
      ? ` before ${second.criterion.name} with ${decisive(second).value.toFixed(3)}` +
        (decisive(second).value === decisive(best).value ? ' and a larger change of probabilities' : '')
      : '';
    const how = halved
      ? 'measured as cut and, ranked on one half, on the other'
      : 'too few to rank on one half and measure on the other (that takes two a class), so measured as cut alone';
    return {
      criterion: best.criterion,
      measure,
      samples: calibration.size,
      halved,
      repaired: false,
      candidates: entries.map((entry) => ({
        criterion: entry.criterion.name,
        family: entry.criterion.family,
        measure: decisive(entry).value,
        screened: entry.screened.value,
        ...(entry.halves ? { halves: entry.halves.value } : {}),
        difference: decisive(entry).difference,
      })),
      skipped: [...this.#skipped].map(([criterion, reason]) => ({ criterion, reason })),
      reason:
        `${best.criterion.name} keeps the highest ${measure}, ${decisive(best).value.toFixed(3)}${before}, on ` +
        `${calibration.size} calibration samples, ${how}`,
    };
  }

  #tell(step: string, done: number): void {
    const total = this.#candidates.length + (this.#canHalve() ? FINALISTS : 0);
    this.#options.onStep?.(step, done, total);
  }

  #evaluate(model: Model, samples: Dataset) {
    const { name, batch, threads } = this.#options;
    return evaluateModel(model, samples, { name, batch, threads, reference: 'own' });
  }

  #noneLeft(): BedsideError {
    const [reason = ''] = this.#skipped.values();
    return new BedsideError('E_UNSUPPORTED', `no criterion can rank the channels: ${reason}`, {
      hint: 'bedside inspect says which operators are not understood',
    });
  }
}

/** The measurement that decides on an entry. */
function decisive({ screened, halves: halved }: Entry): Measured {
  if (!halved) return screened;
  return {
    name: screened.name,
    value: (screened.value + halved.value) / 2,
    difference: (screened.difference + halved.difference) / 2,
  };
}

function better(a: Entry, b: Entry): number {
  const [first, second] = [decisive(a), decisive(b)];
  return second.value - first.value || first.difference - second.difference;
}
