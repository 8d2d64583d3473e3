// The identity of a dataset: what was computed on which numbers.
import { hashArrays } from '../util/internal.ts';
import type { Targets } from './dataset.ts';

/**
 * SHA-256 over the samples (float32) and then the labels (int32) or targets, in hexadecimal; the data's name plays no
 * part.
 */
export function hashSamples(
  samples: Float32Array,
  labels: Int32Array | undefined,
  targets?: Targets | undefined,
): string {
  const arrays = [labels, targets?.data].filter((array) => array !== undefined);
  return hashArrays(samples, ...arrays);
}
