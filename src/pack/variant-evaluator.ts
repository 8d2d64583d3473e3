// Builds the network of a level vector, corrects it, and measures it on validation samples.

import { assembleModel } from '../bundle/index.ts';
import {
  type AccuracyModel,
  type Assembly,
  type Correction,
  type Costed,
  correctionTensors,
  keptUnitsAt,
  levelsKey,
  noCorrection,
  type StoredTensor,
  totalCosts,
  type Variant,
} from '../bundle/internal.ts';
import type { Dataset } from '../data/index.ts';
import type { EngineSettings } from '../engine/internal.ts';
import { type Classifier, describeClassifier, evaluateModel } from '../evaluate/internal.ts';
import type { Model } from '../onnx/index.ts';
import { AffineCorrector, type FittedCorrection } from './correction/affine.ts';
import { RecurrentFitter } from './correction/recurrent.ts';
import { type Judgement, judge, judgedBy } from './judge.ts';

/** The samples and settings that variants are measured with. */
export interface VariantEvaluatorOptions extends EngineSettings {
  readonly name: string;
  readonly calibration: Dataset;
  /** Must share no sample with `calibration`. */
  readonly validation: Dataset;
  readonly seed: number;
  /** The measure; default that of the task with labels, agreement without. */
  readonly measure?: AccuracyModel['measure'] | undefined;
  /**
   * Loss of accuracy above which a variant gets refitted recurrent layers and a low-rank correction; 1 or more for never. Default `LOW_RANK_FROM`.
   */
  readonly lowRankFrom?: number | undefined;
}

/** A measured variant with its correction. */
export interface MeasuredVariant {
  readonly variant: Variant;
  readonly correction: Correction | undefined;
  /** Mean squared difference between its logits and the unpruned ones, on held-out calibration samples. */
  readonly error: number;
}

/** The parts of a bundle in the making that measuring needs. */
export type MeasurableBundle = Assembly & {
  readonly manifest: Assembly['manifest'] & Costed;
};

/**
 * Loss of accuracy above which a low-rank correction is worth its cost. It takes tens of times as long to fit as an
 * affine correction, and hundreds of times as many bytes.
 */
const LOW_RANK_FROM = 0.005;

/** Largest share of the error that refitted recurrent layers may leave; otherwise they are not worth their bytes. */
const WORTH = 0.9;

/** What fits corrections. */
interface Correctors {
  readonly corrector: AffineCorrector;
  /** Undefined for a network without recurrent layers. */
  readonly recurrent: RecurrentFitter | undefined;
}

/**
 * Scores of the unpruned network on the validation samples, `[samples, ...]`.
 * @throws BedsideError E_DATA where the samples do not allow the measure
 */
export async function unprunedScores(
  { model }: Pick<MeasurableBundle, 'model'>,
  options: VariantEvaluatorOptions,
): Promise<Float32Array> {
  judgedBy(describeClassifier(model, options.name), options.validation, options.measure);
  return (await evaluateModel(model, options.validation, { ...options, reference: 'own' })).logits;
}

/** Measures level vectors of one bundle. */
export class VariantEvaluator {
  readonly measure: AccuracyModel['measure'];
  readonly #bundle: MeasurableBundle;
  readonly #options: VariantEvaluatorOptions;
  readonly #corrector: AffineCorrector;
  readonly #recurrent: RecurrentFitter | undefined;
  readonly #form: Classifier;
  /** The scores of the unpruned network. */
  readonly #whole: Float32Array;
  readonly #unprunedAccuracy: number;
  readonly #known = new Map<string, MeasuredVariant>();

  private constructor(
    bundle: MeasurableBundle,
    options: VariantEvaluatorOptions,
    { corrector, recurrent }: Correctors,
    whole: Float32Array,
  ) {
    this.#bundle = bundle;
    this.#options = options;
    this.#corrector = corrector;
    this.#recurrent = recurrent;
    this.#whole = whole;
    this.#form = describeClassifier(bundle.model, options.name);
    this.measure = judgedBy(this.#form, options.validation, options.measure);
    this.#unprunedAccuracy = this.#judged(whole).accuracy;
  }

  /**
   * @param whole what `unprunedScores` gives
   * @throws BedsideError E_DATA with fewer than two calibration samples, no validation samples, or no labels where the
   * measure needs them
   */
  static async create(
    bundle: MeasurableBundle,
    options: VariantEvaluatorOptions,
    whole: Float32Array,
  ): Promise<VariantEvaluator> {
    const { model, grouping } = bundle;
    const corrector = await AffineCorrector.create(model, grouping, options);
    const recurrent = await RecurrentFitter.open(model, grouping, options);
    return new VariantEvaluator(bundle, options, { corrector, recurrent }, whole);
  }

  /** Measures a level vector. A repeated one is answered from memory. */
  async measureLevels(levels: readonly number[]): Promise<MeasuredVariant> {
    const key = levelsKey(levels);
    const known = this.#known.get(key);
    if (known) return known;
    const bundle = this.#bundle;
    const plain = assembleModel(bundle, levels);
    const { lowRankFrom = LOW_RANK_FROM } = this.#options;
    const unpruned = levels.every((level) => level === 0);
    const keep = keptUnitsAt(bundle.manifest, levels);
    let fitted = unpruned ? undefined : await this.#corrector.fit(plain, keep);
    let judgement = unpruned ? this.#judged(this.#whole) : await this.#measure(plain, levels, fitted);
    const fits = [this.#withRecurrent, this.#withLowRank];
    for (const enrich of fits) {
      if (!fitted || this.#unprunedAccuracy - judgement.accuracy <= lowRankFrom) break;
      const richer: FittedCorrection = await enrich.call(this, plain, levels, fitted);
      const again = richer === fitted ? judgement : await this.#measure(plain, levels, richer);
      // Nearer on a few held-out samples is not always more accurate: what costs more bytes must not lose by them.
      if (again.accuracy >= judgement.accuracy) [fitted, judgement] = [richer, again];
    }
    const correction = fitted?.correction;
    const { seconds, ...costs } = totalCosts(bundle.manifest, levels);
    const result: MeasuredVariant = {
      variant: {
        levels: [...levels],
        corrected: correction !== undefined,
        ...judgement,
        ...costs,
        ...(seconds === undefined ? {} : { seconds }),
      },
      correction,
      error: fitted?.errorAfter ?? 0,
    };
    this.#known.set(key, result);
    return result;
  }

  /**
   * The error of a level vector with its affine correction, as in `MeasuredVariant`. It runs calibration samples alone, so
   * it takes a small part of the time of `measureLevels`.
   */
  async errorOf(levels: readonly number[]): Promise<number> {
    const bundle = this.#bundle;
    const cut = assembleModel(bundle, levels);
    const { errorAfter } = await this.#corrector.fit(cut, keptUnitsAt(bundle.manifest, levels));
    return errorAfter;
  }

  /** With recurrent layers refitted behind the correction, and the correction fitted again around them. */
  async #withRecurrent(
    plain: Model,
    levels: readonly number[],
    fitted: FittedCorrection,
  ): Promise<FittedCorrection> {
    if (!this.#recurrent) return fitted;
    const bundle = this.#bundle;
    const keep = keptUnitsAt(bundle.manifest, levels);
    const { correction } = fitted;
    const front = correction ? assembleModel(bundle, levels, { correction }) : plain;
    const recurrent = await this.#recurrent.fit(front, keep);
    if (!recurrent) return fitted;
    const none = noCorrection(bundle, levels);
    const refitted = assembleModel(bundle, levels, { correction: { ...none, recurrent } });
    const found = await this.#corrector.fit(refitted, keep);
    if (!(found.errorAfter < WORTH * fitted.errorAfter)) return fitted;
    return {
      ...fitted,
      correction: { ...none, ...found.correction, recurrent },
      errorAfter: found.errorAfter,
    };
  }

  /** With low-rank changes of the layers that are not recurrent. */
  async #withLowRank(
    plain: Model,
    levels: readonly number[],
    fitted: FittedCorrection,
  ): Promise<FittedCorrection> {
    const bundle = this.#bundle;
    const recurrent = fitted.correction?.recurrent;
    const cut = recurrent
      ? assembleModel(bundle, levels, { correction: { ...noCorrection(bundle, levels), recurrent } })
      : plain;
    const richer = await this.#corrector.enrich(cut, keptUnitsAt(bundle.manifest, levels), fitted);
    if (richer === fitted || !recurrent || !richer.correction) return richer;
    return { ...richer, correction: { ...richer.correction, recurrent } };
  }

  async #measure(
    plain: Model,
    levels: readonly number[],
    fitted: FittedCorrection | undefined,
  ): Promise<Judgement> {
    const correction = fitted?.correction;
    const model = correction ? assembleModel(this.#bundle, levels, { correction }) : plain;
    const { validation } = this.#options;
    const { logits } = await evaluateModel(model, validation, { ...this.#options, reference: 'own' });
    return this.#judged(logits);
  }

  #judged(scores: Float32Array): Judgement {
    return judge(this.#form, this.measure, this.#options.validation, this.#whole, scores);
  }

  /** Frees the engine's memory. */
  async release(): Promise<void> {
    await this.#corrector.release();
    await this.#recurrent?.release();
  }
}

/** The tensors of the corrections of variants, the first of which has the given index. */
export function correctionTensorsOf(
  variants: readonly MeasuredVariant[],
  from: number,
): [string, StoredTensor][] {
  return variants.flatMap(({ correction }, i) => (correction ? correctionTensors(correction, from + i) : []));
}
