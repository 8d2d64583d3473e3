// Builds the network of a level vector, corrects it, and measures it on validation samples.

import { type AccuracyModel, assembleModel } from '../bundle/index.ts';
import {
  type Assembly,
  type Correction,
  type Costed,
  correctionTensors,
  keptUnitsAt,
  levelsKey,
  type StoredTensor,
  totalCosts,
  type Variant,
} from '../bundle/internal.ts';
import type { Dataset } from '../data/index.ts';
import type { EngineSettings } from '../engine/internal.ts';
import type { Evaluation } from '../evaluate/index.ts';
import { agreementOf, classCounts, evaluateModel } from '../evaluate/internal.ts';
import type { Model } from '../onnx/index.ts';
import { BedsideError } from '../util/index.ts';
import { binomialLowerBound } from '../util/internal.ts';
import { AffineCorrector, type FittedCorrection } from './correction/affine.ts';

/** The samples and settings that variants are measured with. */
export interface VariantEvaluatorOptions extends EngineSettings {
  readonly name: string;
  readonly calibration: Dataset;
  /** Must share no sample with `calibration`. */
  readonly validation: Dataset;
  readonly seed: number;
  /** The measure; default balanced accuracy with labels, agreement without. */
  readonly measure?: AccuracyModel['measure'] | undefined;
  /**
   * Loss of accuracy above which a variant gets a low-rank correction; 1 or more for never. Default `LOW_RANK_FROM`.
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

/** Confidence of the lower bounds. */
const CONFIDENCE = 0.95;

/** Measures level vectors of one bundle. */
export class VariantEvaluator {
  readonly measure: AccuracyModel['measure'];
  readonly #bundle: MeasurableBundle;
  readonly #options: VariantEvaluatorOptions;
  readonly #corrector: AffineCorrector;
  readonly #whole: Evaluation;
  readonly #unprunedAccuracy: number;
  readonly #known = new Map<string, MeasuredVariant>();

  private constructor(
    bundle: MeasurableBundle,
    options: VariantEvaluatorOptions,
    corrector: AffineCorrector,
    whole: Evaluation,
  ) {
    this.#bundle = bundle;
    this.#options = options;
    this.#corrector = corrector;
    this.#whole = whole;
    this.measure = measureOf(options);
    this.#unprunedAccuracy = this.#accuracyOf(whole.predictions).accuracy;
  }

  /**
   * Runs the unpruned network on the samples.
   * @throws BedsideError E_DATA with fewer than two calibration samples, no validation samples, or no labels where the
   * measure needs them
   */
  static async create(bundle: MeasurableBundle, options: VariantEvaluatorOptions): Promise<VariantEvaluator> {
    measureOf(options);
    const { model, grouping } = bundle;
    const whole = await evaluateModel(model, options.validation, {
      ...options,
      reference: new Int32Array(options.validation.size),
    });
    const corrector = await AffineCorrector.create(model, grouping, options);
    return new VariantEvaluator(bundle, options, corrector, whole);
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
    let predictions = await this.#predict(plain, levels, fitted);
    if (fitted && this.#unprunedAccuracy - this.#accuracyOf(predictions).accuracy > lowRankFrom) {
      const richer = await this.#corrector.enrich(plain, keep, fitted);
      if (richer !== fitted) predictions = await this.#predict(plain, levels, richer);
      fitted = richer;
    }
    const correction = fitted?.correction;
    const { seconds, ...costs } = totalCosts(bundle.manifest, levels);
    const result: MeasuredVariant = {
      variant: {
        levels: [...levels],
        corrected: correction !== undefined,
        ...this.#accuracyOf(predictions),
        agreement: agreementOf(this.#whole.predictions, predictions),
        ...costs,
        ...(seconds === undefined ? {} : { seconds }),
      },
      correction,
      error: fitted?.errorAfter ?? 0,
    };
    this.#known.set(key, result);
    return result;
  }

  async #predict(
    plain: Model,
    levels: readonly number[],
    fitted: FittedCorrection | undefined,
  ): Promise<Int32Array> {
    const correction = fitted?.correction;
    const model = correction ? assembleModel(this.#bundle, levels, { correction }) : plain;
    const reference = this.#whole.predictions;
    return (await evaluateModel(model, this.#options.validation, { ...this.#options, reference }))
      .predictions;
  }

  /** Frees the engine's memory. */
  async release(): Promise<void> {
    await this.#corrector.release();
  }

  #accuracyOf(predictions: Int32Array): Pick<Variant, 'accuracy' | 'lowerBound' | 'recall'> {
    const labels = this.measure === 'agreement' ? undefined : this.#options.validation.labels;
    const classes = this.#whole.recall.length;
    const expected = labels ?? this.#whole.predictions;
    const { right, total: counts } = classCounts(predictions, expected, classes);
    const present = Array.from(counts.keys()).filter((label) => (counts[label] as number) > 0);
    const mean = (of: (label: number) => number): number =>
      present.reduce((sum, label) => sum + of(label), 0) / Math.max(1, present.length);
    const recall = Array.from(counts, (count, label) =>
      labels && count > 0 ? (right[label] as number) / count : null,
    );
    if (this.measure !== 'balanced') {
      const total = right.reduce((a, b) => a + b, 0);
      return {
        accuracy: total / expected.length,
        lowerBound: binomialLowerBound(total, expected.length, CONFIDENCE),
        recall,
      };
    }
    return {
      accuracy: mean((label) => (right[label] as number) / (counts[label] as number)),
      lowerBound: mean((label) =>
        binomialLowerBound(right[label] as number, counts[label] as number, CONFIDENCE),
      ),
      recall,
    };
  }
}

/** The tensors of the corrections of variants, the first of which has the given index. */
export function correctionTensorsOf(
  variants: readonly MeasuredVariant[],
  from: number,
): [string, StoredTensor][] {
  return variants.flatMap(({ correction }, i) => (correction ? correctionTensors(correction, from + i) : []));
}

function measureOf({ measure, validation }: VariantEvaluatorOptions): AccuracyModel['measure'] {
  if (measure === undefined) return validation.labels ? 'balanced' : 'agreement';
  if (measure === 'agreement' || validation.labels) return measure;
  throw new BedsideError('E_DATA', `${validation.name} has no labels, so accuracy cannot be measured`, {
    hint: 'give labelled samples: the other variants of this bundle were measured on such',
  });
}
