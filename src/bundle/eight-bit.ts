// The ranges of activations that eight-bit forms round to, by value and by measured variant.
import { BedsideError, must } from '../util/index.ts';
import type { ValueRange } from '../util/internal.ts';
import { findVariant } from './levels.ts';
import type { BundleManifest, EightBitForm } from './manifest.ts';
import type { StoredTensor } from './safetensors.ts';
import { variantRanges } from './weight-names.ts';

/** What ranges are looked up in. */
export interface RangeSource {
  readonly manifest: Pick<BundleManifest, 'name' | 'eightBit' | 'variants'>;
  readonly tensors: ReadonlyMap<string, StoredTensor>;
}

/** What names the values that have a range. */
interface Ranged {
  readonly eightBit?: readonly Pick<EightBitForm, 'values'>[] | undefined;
}

/** Names of the values that have a range, in the order of their rows: those of each stage, stage after stage. */
export function rangedValues({ eightBit }: Ranged): string[] {
  return (eightBit ?? []).flatMap(({ values }) => values);
}

/**
 * Ranges at a level vector: those of the variant with these levels, otherwise what the ranges of all variants span
 * together.
 * @throws BedsideError E_BUNDLE for a bundle without ranges
 */
export function rangesAt(
  { manifest, tensors }: RangeSource,
  levels: readonly number[],
): Map<string, ValueRange> {
  const own = findVariant(manifest, levels);
  const exact = own === undefined ? undefined : tensors.get(variantRanges(own));
  const tables = exact
    ? [exact]
    : manifest.variants.flatMap((_, index) => tensors.get(variantRanges(index)) ?? []);
  if (tables.length === 0) {
    throw new BedsideError('E_BUNDLE', `bundle '${manifest.name}' has no ranges for eight bits`, {
      hint: 'pack the model again with `--precisions float32,int8`',
    });
  }
  return new Map(
    rangedValues(manifest).map((name, row) => {
      const at = (column: number) => tables.map(({ data }) => must(data[2 * row + column], 'a range'));
      return [name, { low: Math.min(...at(0)), high: Math.max(...at(1)) }];
    }),
  );
}

/** A variant's ranges as they are stored: `[values, 2]`. */
export function storedRanges(manifest: Ranged, ranges: ReadonlyMap<string, ValueRange>): StoredTensor {
  const names = rangedValues(manifest);
  const data = new Float32Array(2 * names.length);
  names.forEach((name, row) => {
    const { low, high } = must(ranges.get(name), `range of '${name}'`);
    data.set([low, high], 2 * row);
  });
  return { dims: [names.length, 2], data };
}
