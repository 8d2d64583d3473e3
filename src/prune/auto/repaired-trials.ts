// Cuts and repairs on one half of the calibration samples, and measures the distance from the unpruned network on the other.
import { type KeptUnits, sliceModel } from '../../channels/index.ts';
import { type Dataset, subset } from '../../data/index.ts';
import { agreement, describeClassifier, evaluateModel, scoreDivergence } from '../../evaluate/internal.ts';
import type { Model } from '../../onnx/index.ts';
import { type RepairOptions, repair } from '../../repair/index.ts';
import { QUICK_REPAIR, ReferenceMemory } from '../../repair/internal.ts';
import type { ScoreForm } from '../../util/internal.ts';
import type { Ranking, RankOptions } from '../prune-model.ts';
import { crossFitFolds } from './cross-fit-folds.ts';

/** How far a cut and repaired network is from the unpruned one. */
export interface TrialResult {
  readonly distance: number;
  readonly agreement: number;
}

interface TrialOptions extends Omit<RankOptions, 'criterion' | 'onProgress'> {
  /** Swaps the halves. */
  readonly swapped?: boolean;
  /** Settings of the repair; by default those of a quick one. */
  readonly repair?: Partial<Pick<RepairOptions, 'maxPositions' | 'copies'>>;
}

/** Trials of one model; equal cuts are measured once. */
export class RepairedTrials {
  /** Samples to rank on, how much each counts, and whether a quick ranking is enough. */
  readonly samples: Pick<RankOptions, 'calibration' | 'weights' | 'quick'>;
  readonly #model: Model;
  readonly #options: TrialOptions;
  readonly #form: ScoreForm;
  readonly #measureOn: Dataset;
  readonly #known = new Map<string, TrialResult>();
  /** Of the unpruned network: the same for every cut. */
  readonly #reference = new ReferenceMemory();
  #logits = new Float32Array();

  private constructor(model: Model, options: TrialOptions) {
    const { calibration, weights, seed = 1, name, swapped = false } = options;
    const folds = crossFitFolds(calibration, seed);
    const [own, other] = swapped ? [folds[1], folds[0]] : folds;
    this.samples = {
      calibration: subset(calibration, own),
      weights: weights && Float64Array.from(own, (i) => weights[i] as number),
      quick: options.repair === undefined,
    };
    this.#model = model;
    this.#options = options;
    this.#form = describeClassifier(model, name);
    this.#measureOn = subset(calibration, other);
  }

  /** Halves the samples, and runs the unpruned network on those that measure. */
  static async open(model: Model, options: TrialOptions): Promise<RepairedTrials> {
    const trials = new RepairedTrials(model, options);
    trials.#logits = await trials.#run(model);
    return trials;
  }

  /** One for each half that measures, with whole repairs. */
  static async openBoth(model: Model, options: TrialOptions): Promise<RepairedTrials[]> {
    const [whole, swapped] = [
      { ...options, repair: {} },
      { ...options, repair: {}, swapped: true },
    ];
    return [await RepairedTrials.open(model, whole), await RepairedTrials.open(model, swapped)];
  }

  /** Number of samples that measure. */
  get size(): number {
    return this.#measureOn.size;
  }

  /**
   * Measures a choice of units of a ranking.
   */
  async measure({ grouping }: Ranking, keep: KeptUnits): Promise<TrialResult> {
    const key = JSON.stringify([...keep]);
    const known = this.#known.get(key);
    if (known) return known;
    const { name, batch, threads, seed = 1, repair: extent = QUICK_REPAIR } = this.#options;
    const { calibration } = this.samples;
    const cut = sliceModel(this.#model, grouping, keep);
    // Trials compare many cuts; what a refit through time adds to each is left to the network that is written.
    const common = { name, calibration, batch, threads, seed, reference: this.#reference };
    const settings = { ...common, throughTime: false, ...extent };
    const logits = await this.#run((await repair(this.#model, cut, grouping, keep, settings)).model);
    const result = {
      distance: distanceOf(this.#form, this.#logits, logits),
      agreement: agreement(this.#form, this.#logits, logits),
    };
    this.#known.set(key, result);
    return result;
  }

  async #run(of: Model): Promise<Float32Array<ArrayBuffer>> {
    const { name, batch, threads } = this.#options;
    const { logits } = await evaluateModel(of, this.#measureOn, { name, batch, threads, reference: 'own' });
    return Float32Array.from(logits);
  }
}

/** The mean over several trials. */
export function meanResult(results: readonly TrialResult[]): TrialResult {
  const mean = (of: (result: TrialResult) => number): number =>
    results.reduce((sum, result) => sum + of(result), 0) / results.length;
  return { distance: mean(({ distance }) => distance), agreement: mean(({ agreement }) => agreement) };
}

/** Geometric mean of the two distances; 0 where the networks agree exactly. */
function distanceOf(form: ScoreForm, a: Float32Array, b: Float32Array): number {
  let squares = 0;
  for (let i = 0; i < a.length; i++) squares += ((a[i] as number) - (b[i] as number)) ** 2;
  return Math.sqrt((scoreDivergence(form, a, b) * squares) / a.length);
}
