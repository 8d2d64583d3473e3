// Adds eight-bit forms to a bundle in the making, or to one more variant of a bundle.
import type { BundleManifest } from '../../bundle/index.ts';
import type { EightBitForm, StoredTensor, Variant } from '../../bundle/internal.ts';
import { areCopies } from '../../quantize/internal.ts';
import { must } from '../../util/index.ts';
import { frontierOf } from '../frontier.ts';
import { evenlySpaced } from '../level-search.ts';
import type { MeasurableBundle } from '../variant-evaluator.ts';
import {
  EightBitMeasurement,
  type EightBitOptions,
  eightBitCandidates,
  rangeTensors,
  type StoredVariant,
} from './measure.ts';
import { timeForms } from './timing.ts';
import { type EightBitWorth, notWorth } from './worth.ts';

/** Variants that are measured in eight bits, at most. */
const MOST_VARIANTS = 32;

/** What a good variant may lose of the bundle's measure. */
const GOOD = 0.01;

/** What eight bits add to a bundle. */
export interface EightBitParts {
  /** Where it was measured. */
  readonly worth?: EightBitWorth | undefined;
  readonly forms: readonly EightBitForm[];
  readonly variants: readonly Variant[];
  readonly tensors: readonly (readonly [string, StoredTensor])[];
}

/** Why a bundle has no eight-bit forms. */
export interface NoEightBit {
  readonly left: string;
  readonly worth?: EightBitWorth | undefined;
}

type Packed = MeasurableBundle & { readonly manifest: Pick<BundleManifest, 'stages'> };

/**
 * Measures the forms of all stages, and the variants of the frontier with everything in eight bits.
 * @param options `ifWorth`: nothing is added where eight bits gain too little speed or lose too much (`worth.ts`)
 */
export async function addEightBit(
  bundle: Packed,
  variants: readonly StoredVariant[],
  options: EightBitOptions & { readonly ifWorth?: boolean },
): Promise<EightBitParts | NoEightBit> {
  const measurement = new EightBitMeasurement(bundle, options);
  const frontier = frontierOf(variants.map(({ variant }) => variant));
  const wanted = evenlySpaced(eightBitCandidates(variants, frontier), MOST_VARIANTS);
  const all = wanted.map((index) => must(variants[index], 'a variant'));
  const unpruned = must(variants[0], 'the unpruned variant');
  const described = measurement.described();
  if (described.every(({ layers }) => layers.length === 0)) {
    const reasons = described.flatMap(({ kept }) => kept ?? []);
    return { left: `no stage has layers for eight bits (${reasons[0] ?? 'there are none'})` };
  }
  if (areCopies(options.calibration)) {
    return { left: 'all calibration samples are the same, which tells no range of eight bits' };
  }
  const ranges = await measurement.ranges(unpruned, described);
  let worth: EightBitWorth | undefined;
  if (options.ifWorth) {
    options.onStep?.('trying eight bits', 0, 1);
    const speedup = await measurement.speedup(unpruned, described);
    if (speedup === undefined) return { left: 'inputs of this kind cannot be made up, so nothing was timed' };
    worth = { speedup };
    if (notWorth(worth) === undefined) {
      const { eightBit } = await measurement.variant(unpruned, described);
      worth = { speedup, lost: unpruned.variant.accuracy - eightBit.accuracy };
    }
    const left = notWorth(worth);
    if (left !== undefined) return { left, worth };
  }
  const withTimes = await timeForms(
    bundle,
    described.map((form) => ({ ...form, loss: 0 })),
    ranges,
    options,
  );
  const losses = await measurement.losses([unpruned, ...smallestGood(all, unpruned)], described);
  const forms = withTimes.map((form, l) => ({ ...form, ...losses[l] }));
  const measured = new Map<number, Variant>();
  const stored = new Map<number, StoredTensor>();
  for (const [at, index] of wanted.entries()) {
    const found = await measurement.variant(must(all[at], 'a variant'), forms);
    measured.set(index, { ...must(all[at], 'a variant').variant, eightBit: found.eightBit });
    stored.set(index, found.ranges);
    options.onStep?.('measuring variants in eight bits', at + 1, wanted.length);
  }
  return {
    worth,
    forms,
    variants: variants.map(({ variant }, index) => measured.get(index) ?? variant),
    tensors: rangeTensors(stored),
  };
}

/**
 * The smallest variant that is nearly as accurate as the unpruned network. What stages lose in worse ones says little of
 * others, and those are charged what they lose with everything in eight bits.
 */
function smallestGood(all: readonly StoredVariant[], { variant: unpruned }: StoredVariant): StoredVariant[] {
  const good = all.filter(
    ({ variant }) => variant.macs < unpruned.macs && variant.accuracy >= unpruned.accuracy - GOOD,
  );
  return good.toSorted((a, b) => a.variant.macs - b.variant.macs).slice(0, 1);
}

/** Measures one more variant of a bundle that has eight-bit forms. */
export async function variantWithEightBit(
  bundle: Packed,
  forms: readonly EightBitForm[],
  stored: StoredVariant,
  index: number,
  options: EightBitOptions,
): Promise<{ readonly variant: Variant; readonly tensors: readonly (readonly [string, StoredTensor])[] }> {
  const { eightBit, ranges } = await new EightBitMeasurement(bundle, options).variant(stored, forms);
  return { variant: { ...stored.variant, eightBit }, tensors: rangeTensors(new Map([[index, ranges]])) };
}
