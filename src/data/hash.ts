// The identity of a dataset: what was computed on which numbers.
import { createHash } from 'node:crypto';

/** SHA-256 over the samples (float32) and then the labels (int32), in hexadecimal; the data's name plays no part. */
export function hashSamples(samples: Float32Array, labels: Int32Array | undefined): string {
  const hash = createHash('sha256');
  hash.update(bytesOf(samples));
  if (labels) hash.update(bytesOf(labels));
  return hash.digest('hex');
}

function bytesOf(array: Float32Array | Int32Array): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}
