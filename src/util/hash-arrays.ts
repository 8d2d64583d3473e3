// The identity of numbers: SHA-256 over the bytes of typed arrays.
import { createHash } from 'node:crypto';

// One update takes less than 2 GiB.
const PIECE = 2 ** 28;

/** SHA-256 over the arrays' bytes one after another, in hexadecimal. */
export function hashArrays(...arrays: readonly ArrayBufferView[]): string {
  const hash = createHash('sha256');
  for (const { buffer, byteOffset, byteLength } of arrays) {
    for (let at = 0; at < byteLength; at += PIECE) {
      hash.update(new Uint8Array(buffer, byteOffset + at, Math.min(PIECE, byteLength - at)));
    }
  }
  return hash.digest('hex');
}
