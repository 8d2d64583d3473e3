// Certifies one more level vector of an existing bundle.
import type { Bundle } from '../bundle/index.ts';
import {
  type BundleContents,
  checkLevels,
  findVariant,
  isOfVariant,
  type Variant,
} from '../bundle/internal.ts';
import { variantWithEightBit } from './eight-bit/add.ts';
import type { PackModelOptions } from './pack.ts';
import {
  correctionTensorsOf,
  type MeasuredVariant,
  unprunedScores,
  VariantEvaluator,
} from './variant-evaluator.ts';

/** How a level vector is certified; see `PackOptions`. */
export type CertifyLevelsOptions = Omit<
  PackModelOptions,
  'name' | 'criterion' | 'block' | 'ratios' | 'variants'
>;

/**
 * Measures one more level vector of an existing bundle, by the same measure as its other variants, and adds it as a
 * variant. A variant that the bundle already has is measured again.
 * @throws BedsideError E_LEVELS for levels that the bundle does not have; E_DATA with fewer than two calibration
 * samples, no validation samples, or no labels where the measure needs them
 */
export async function certifyLevels(
  bundle: Bundle,
  levels: readonly number[],
  options: CertifyLevelsOptions,
): Promise<{ contents: BundleContents; variant: Variant }> {
  const { batch = 32, threads = 1, seed = 1 } = options;
  const { manifest, model, tensors } = bundle;
  checkLevels(manifest, levels);
  const settings = {
    ...options,
    name: manifest.name,
    batch,
    threads,
    seed,
    measure: manifest.accuracy.measure,
  };
  const whole = await unprunedScores(bundle, settings);
  const evaluator = await VariantEvaluator.create(bundle, settings, whole);
  try {
    const added = await evaluator.measureLevels(levels);
    const known = findVariant(manifest, levels);
    const index = known ?? manifest.variants.length;
    const kept = [...tensors].filter(([tensor]) => !isOfVariant(tensor, index));
    const { format: _, version: __, model: part, weights: ___, ...rest } = manifest;
    const { source, input, output } = part;
    const { variant, tensors: ranges } = await inEightBits(bundle, added, index, { ...options, whole });
    return {
      variant,
      contents: {
        model,
        tensors: new Map([...kept, ...correctionTensorsOf([added], index), ...ranges]),
        manifest: {
          ...rest,
          model: { source, input, output },
          variants:
            known === undefined ? [...manifest.variants, variant] : manifest.variants.with(index, variant),
        },
      },
    };
  } finally {
    await evaluator.release();
  }
}

/** The variant with its measures in eight bits, where the bundle has eight-bit forms. */
async function inEightBits(
  bundle: Bundle,
  added: MeasuredVariant,
  index: number,
  given: CertifyLevelsOptions & { readonly whole: Float32Array },
): ReturnType<typeof variantWithEightBit> {
  const { batch = 32, threads = 1, seed = 1, calibration, validation, whole, onStep } = given;
  const { eightBit, name, accuracy } = bundle.manifest;
  if (!eightBit) return { variant: added.variant, tensors: [] };
  const common = { name, calibration, validation, batch, threads, seed, whole, onStep };
  return await variantWithEightBit(bundle, eightBit, added, index, { ...common, measure: accuracy.measure });
}
