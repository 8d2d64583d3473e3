// Finds samples that two sets have in common: the same sample of the data, or one with the same numbers.
import { areImages, type Dataset } from '../dataset.ts';

/**
 * Indices of the samples of `dataset` that are in none of the others. Samples are compared by their position in the
 * data; where that is unknown, all count as different.
 */
export function indicesOutside(dataset: Dataset, others: readonly Dataset[]): number[] {
  const keys = keysOf(dataset);
  const used = new Set<string | number>();
  for (const other of others) for (const key of keysOf(other) ?? []) used.add(key);
  return Array.from({ length: dataset.size }, (_, i) => i).filter((i) => !keys || !used.has(keys[i] ?? -1));
}

/** How many samples of `dataset` have exactly the numbers of a sample of the others. */
export function countIdentical(dataset: Dataset, others: readonly Dataset[]): number {
  const known = new Map<number, Int32Array[]>();
  for (const other of others) {
    for (const sample of bitsOf(other)) {
      const list = known.get(hashOf(sample));
      if (list) list.push(sample);
      else known.set(hashOf(sample), [sample]);
    }
  }
  let count = 0;
  for (const sample of bitsOf(dataset)) {
    if (known.get(hashOf(sample))?.some((other) => equal(sample, other))) count++;
  }
  return count;
}

/** Positions, or of images their files; undefined where nothing tells samples apart. */
function keysOf({
  positions,
  kind,
  rate,
  origins,
}: Dataset): (ArrayLike<string | number> & Iterable<string | number>) | undefined {
  return positions ?? (areImages({ kind, rate }) ? origins : undefined);
}

/** The bits of each sample, as views. */
function* bitsOf({ samples, size }: Dataset): Generator<Int32Array> {
  const stride = samples.length / size;
  for (let i = 0; i < size; i++) {
    yield new Int32Array(samples.buffer, samples.byteOffset + i * stride * 4, stride);
  }
}

/** A hash of 32 bits (FNV-1a, a word at a time). */
function hashOf(words: Int32Array): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < words.length; i++) hash = Math.imul(hash ^ (words[i] as number), 0x01000193);
  return hash;
}

function equal(a: Int32Array, b: Int32Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
