// The identity of a dataset: what was computed on which numbers.
import { hashArrays } from '../util/internal.ts';

/** SHA-256 over the samples (float32) and then the labels (int32), in hexadecimal; the data's name plays no part. */
export function hashSamples(samples: Float32Array, labels: Int32Array | undefined): string {
  return labels ? hashArrays(samples, labels) : hashArrays(samples);
}
