// Names of results that tell nothing of a patient: hashes, as UUIDs and as URIs.
import { createHash } from 'node:crypto';

/** A UUID (RFC 9562, version 8) of these parts: the same for the same parts, on every machine. */
export function uuidOf(...parts: readonly string[]): string {
  const hash = createHash('sha256').update(JSON.stringify(parts)).digest();
  hash[6] = ((hash[6] ?? 0) & 0x0f) | 0x80;
  hash[8] = ((hash[8] ?? 0) & 0x3f) | 0x80;
  const hex = hash.toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join(
    '-',
  );
}

/** A SHA-256 as a URI that names what has it (RFC 6920). @param sha256 hexadecimal */
export function hashUri(sha256: string): string {
  return `ni:///sha-256;${Buffer.from(sha256, 'hex').toString('base64url')}`;
}
