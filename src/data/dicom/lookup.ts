// Lookup tables (PS3.3, C.11.1 and C.7.6.3.1.5): a descriptor of length, first value and bits, then the entries.
import type { DataSet } from 'dicom-parser';
import { shortOf } from './object.ts';

/** A table from stored values. */
export interface Lookup {
  readonly values: Uint16Array;
  /** The value that the first entry is for. */
  readonly first: number;
  /** Bits of an entry. */
  readonly bits: number;
}

/**
 * Reads a table.
 * @param isSigned whether first values are
 * @throws Error for one that is missing or short
 */
export function lookupOf(elements: DataSet, descriptor: string, data: string, isSigned: boolean): Lookup {
  const [length, first, bits] = [0, 1, 2].map((i) => shortOf(elements, descriptor, i));
  const element = elements.elements[data];
  if (length === undefined || first === undefined || bits === undefined || !element) {
    throw new Error('its lookup table is missing');
  }
  // 65536 does not fit into the descriptor.
  const count = length === 0 ? 65536 : length;
  const isPacked = element.length < 2 * count;
  if (element.length < count) throw new Error('its lookup table is short');
  const values = Uint16Array.from({ length: count }, (_, i) =>
    isPacked ? (elements.byteArray[element.dataOffset + i] ?? 0) : (shortOf(elements, data, i) ?? 0),
  );
  // Tables of 8 bits that fill the high byte are those of 16.
  const own = bits <= 8 && !values.some((value) => value > 255) ? 8 : Math.max(bits, 9);
  return { values, first: isSigned && first > 32767 ? first - 65536 : first, bits: own };
}
