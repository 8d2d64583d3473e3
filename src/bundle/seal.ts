// The manifest's hash of itself: the last field of `bundle.json`, of every byte before its own digits.

import { BedsideError } from '../util/index.ts';
import { sha256Of } from '../util/internal.ts';

/** The first version whose manifests bear a hash of themselves. */
export const SEALED_VERSION = 2;

/** The text before and behind the digits. A manifest ends here, to the byte. */
const BEFORE = ',\n  "sha256": "';
const DIGITS = 64;
const BEHIND = '"\n}\n';

/** The bytes of `bundle.json` for a manifest, or whatever else is to be an object in a file with a hash of its own. */
export function sealed(manifest: object): Uint8Array {
  const head = `${JSON.stringify(manifest, null, 2).slice(0, -'\n}'.length)}${BEFORE}`;
  return new TextEncoder().encode(`${head}${sha256Of(new TextEncoder().encode(head))}${BEHIND}`);
}

/**
 * Checks a manifest's bytes against the hash that they end with.
 * @param value what the bytes say, as JSON; one of version 1 has no hash, and must not claim to
 * @throws BedsideError E_BUNDLE_HASH
 */
export function assertSealed(bytes: Uint8Array, value: object, path: string): void {
  const { version } = value as { version?: unknown };
  if (version === 1 && !Object.hasOwn(value, 'sha256')) return;
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const tail = text.subarray(-(BEFORE.length + DIGITS + BEHIND.length)).toString('latin1');
  const digits = tail.slice(BEFORE.length, BEFORE.length + DIGITS);
  const isThere = tail.startsWith(BEFORE) && tail.endsWith(BEHIND);
  const found = sha256Of(text.subarray(0, -(DIGITS + BEHIND.length)));
  if (isThere && digits === found) return;
  const what = isThere
    ? `SHA-256 is ${found}, expected ${JSON.stringify(digits)}`
    : 'it does not end with its SHA-256';
  throw new BedsideError('E_BUNDLE_HASH', `${path} is not as it was written: ${what}`, {
    hint: 'the file is damaged or was changed; copy the bundle again, or pack the model again',
  });
}
