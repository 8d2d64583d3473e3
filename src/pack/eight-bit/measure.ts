// Measures the eight-bit forms of a bundle: what each stage loses alone, what measured variants lose with everything in
// eight bits, and how long stages take.
import { assembleModel, type BundleManifest } from '../../bundle/index.ts';
import {
  type BundleMeasure,
  type Correction,
  type EightBitForm,
  levelsKey,
  type StoredTensor,
  storedRanges,
  type Variant,
  variantRanges,
} from '../../bundle/internal.ts';
import type { Dataset } from '../../data/index.ts';
import { describeClassifier } from '../../evaluate/internal.ts';
import type { Model } from '../../onnx/index.ts';
import { calibratedRanges } from '../../quantize/internal.ts';
import { must } from '../../util/index.ts';
import type { ValueRange } from '../../util/internal.ts';
import { judge } from '../judge.ts';
import type { MeasurableBundle } from '../variant-evaluator.ts';
import { describeForms } from './forms.ts';
import { type ChainMode, NOTHING, StageChain } from './stage-chain.ts';
import { type StageLoss, stageLosses } from './stage-losses.ts';
import { speedupOf } from './worth.ts';

/** A variant of a bundle in the making. */
export interface StoredVariant {
  readonly variant: Variant;
  readonly correction: Correction | undefined;
}

/** The samples and settings that eight bits are measured with. */
export interface EightBitOptions {
  readonly name: string;
  readonly calibration: Dataset;
  readonly validation: Dataset;
  readonly measure: BundleMeasure;
  readonly batch: number;
  readonly threads: number;
  readonly seed: number;
  /** Scores of the unpruned float32 network, where they are known. */
  readonly whole?: Float32Array | undefined;
  readonly onStep?: ((step: string, done: number, total: number) => void) | undefined;
}

type DescribedForm = Omit<EightBitForm, 'loss'>;

/** What a variant loses with everything in eight bits, and its ranges as they are stored. */
export interface EightBitVariant {
  readonly eightBit: NonNullable<Variant['eightBit']>;
  readonly ranges: StoredTensor;
}

const EVERYTHING: ChainMode = { int8: () => true, rounded: () => true };

/** Measures eight bits on one bundle, one variant after the other. */
export class EightBitMeasurement {
  readonly #bundle: MeasurableBundle & { readonly manifest: Pick<BundleManifest, 'stages'> };
  readonly #options: EightBitOptions;
  readonly #measured = new Map<string, Promise<EightBitVariant>>();
  readonly #ranges = new Map<string, Promise<ReadonlyMap<string, ValueRange>>>();
  /** Scores of the unpruned float32 network. */
  #whole: Float32Array | undefined;

  constructor(
    bundle: MeasurableBundle & { readonly manifest: Pick<BundleManifest, 'stages'> },
    options: EightBitOptions,
  ) {
    this.#bundle = bundle;
    this.#options = options;
    this.#whole = options.whole;
  }

  /** The forms of all stages, before anything was measured. */
  described(): DescribedForm[] {
    return describeForms(this.#bundle.model, this.#bundle.manifest.stages);
  }

  /** What each stage loses in eight bits: the most that was lost on one of these variants. */
  async losses(
    variants: readonly StoredVariant[],
    described: readonly DescribedForm[],
  ): Promise<Pick<EightBitForm, 'loss' | 'inputLoss'>[]> {
    const { validation, onStep } = this.#options;
    const hasForm = described.map(({ layers }) => layers.length > 0);
    const found: StageLoss[][] = [];
    let done = 0;
    const settled = (stages: number): void => {
      done += stages;
      onStep?.('measuring stages in eight bits', done, variants.length * described.length);
    };
    for (const stored of variants) {
      const { accuracy } = stored.variant;
      const { eightBit } = await this.variant(stored, described);
      const together = lossOf(accuracy, eightBit.accuracy);
      const ranges = await this.ranges(stored, described);
      const own = await this.#with(stored, described, ranges, (chain, accuracyOf) => {
        const lostBy = async (mode: ChainMode): Promise<number> =>
          lossOf(accuracy, accuracyOf(await chain.scores(validation, mode)).accuracy);
        return stageLosses({ hasForm, together, lostBy, settled });
      });
      found.push(own);
    }
    const most = (of: (losses: readonly StageLoss[]) => number): number => Math.max(...found.map(of));
    return described.map((_, l) => ({
      loss: most((losses) => losses[l]?.int8 ?? 0),
      ...(l > 0 ? { inputLoss: most((losses) => losses[l]?.input ?? 0) } : {}),
    }));
  }

  /** Ranges of all values that the forms round, at the levels of a variant; measured once. */
  ranges(
    stored: StoredVariant,
    forms: readonly Pick<EightBitForm, 'values'>[],
  ): Promise<ReadonlyMap<string, ValueRange>> {
    const key = levelsKey(stored.variant.levels);
    const known = this.#ranges.get(key) ?? this.#calibrated(stored, forms);
    this.#ranges.set(key, known);
    return known;
  }

  #calibrated(
    stored: StoredVariant,
    forms: readonly Pick<EightBitForm, 'values'>[],
  ): Promise<ReadonlyMap<string, ValueRange>> {
    const { calibration, name, batch, threads, seed } = this.#options;
    const values = [...new Set(forms.flatMap((form) => form.values))];
    return calibratedRanges(this.#assembled(stored), values, calibration, { name, batch, threads, seed });
  }

  /** How many times as fast a variant is in eight bits on this machine; undefined where it cannot be timed. */
  async speedup(stored: StoredVariant, forms: readonly DescribedForm[]): Promise<number | undefined> {
    const { stages } = this.#bundle.manifest;
    const ranges = await this.ranges(stored, forms);
    return await speedupOf({ model: this.#assembled(stored), stages, forms, ranges }, this.#options.name);
  }

  /** A variant with everything in eight bits, and its ranges as they are stored; measured once. */
  variant(stored: StoredVariant, forms: readonly DescribedForm[]): Promise<EightBitVariant> {
    const key = levelsKey(stored.variant.levels);
    const known = this.#measured.get(key) ?? this.#measuredVariant(stored, forms);
    this.#measured.set(key, known);
    return known;
  }

  async #measuredVariant(stored: StoredVariant, forms: readonly DescribedForm[]): Promise<EightBitVariant> {
    const tensor = storedRanges({ eightBit: forms }, await this.ranges(stored, forms));
    // As they will be read again: in float32.
    const ranges = readBack(forms, tensor);
    return await this.#with(stored, forms, ranges, async (chain, accuracyOf) => {
      const { accuracy, lowerBound, agreement } = accuracyOf(
        await chain.scores(this.#options.validation, EVERYTHING),
      );
      return { eightBit: { accuracy, lowerBound, agreement }, ranges: tensor };
    });
  }

  #assembled({ variant, correction }: StoredVariant): Model {
    return assembleModel(this.#bundle, variant.levels, correction ? { correction } : {});
  }

  async #with<T>(
    stored: StoredVariant,
    forms: readonly Pick<EightBitForm, 'layers'>[],
    ranges: ReadonlyMap<string, ValueRange>,
    work: (chain: StageChain, accuracyOf: (scores: Float32Array) => ReturnType<typeof judge>) => Promise<T>,
  ): Promise<T> {
    const { stages } = this.#bundle.manifest;
    const { validation, measure, name } = this.#options;
    const form = describeClassifier(this.#bundle.model, name);
    const whole = await this.#unpruned();
    const chain = new StageChain({ model: this.#assembled(stored), stages, forms, ranges }, this.#options);
    try {
      return await work(chain, (scores) => judge(form, measure, validation, whole, scores));
    } finally {
      await chain.release();
    }
  }

  async #unpruned(): Promise<Float32Array> {
    if (this.#whole) return this.#whole;
    const { model, manifest } = this.#bundle;
    const parts = { model, stages: manifest.stages, forms: [], ranges: new Map() };
    const chain = new StageChain(parts, this.#options);
    try {
      this.#whole = await chain.scores(this.#options.validation, NOTHING);
      return this.#whole;
    } finally {
      await chain.release();
    }
  }
}

/** The variants that are worth measuring in eight bits: the unpruned one, and those of the frontier. */
export function eightBitCandidates(
  variants: readonly StoredVariant[],
  frontier: readonly Variant[],
): number[] {
  const wanted = new Set(frontier.map(({ levels }) => levelsKey(levels)));
  return variants.flatMap(({ variant }, index) =>
    index === 0 || wanted.has(levelsKey(variant.levels)) ? [index] : [],
  );
}

/** Ranges of measured variants as tensors of the bundle. */
export function rangeTensors(ranges: ReadonlyMap<number, StoredTensor>): [string, StoredTensor][] {
  return [...ranges].map(([index, tensor]) => [variantRanges(index), tensor]);
}

function readBack(
  forms: readonly Pick<EightBitForm, 'values'>[],
  { data }: StoredTensor,
): ReadonlyMap<string, ValueRange> {
  const names = forms.flatMap(({ values }) => values);
  return new Map(
    names.map((name, row) => [
      name,
      { low: must(data[2 * row], 'a range'), high: must(data[2 * row + 1], 'a range') },
    ]),
  );
}

/** Log loss; what is lost entirely counts as all but a millionth. */
function lossOf(before: number, after: number): number {
  return before > 0 ? Math.max(0, Math.log(before / Math.max(after, 1e-6 * before))) : 0;
}
