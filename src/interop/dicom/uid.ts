// Unique identifiers of DICOM made of hashes: the same report of the same study has the same, on every machine.
import { uuidOf } from '../identity.ts';

/** A UID under 2.25 (ISO/IEC 9834-8) of these parts. At most 44 characters. */
export function uidOf(...parts: readonly string[]): string {
  return `2.25.${BigInt(`0x${uuidOf(...parts).replaceAll('-', '')}`)}`;
}

/** Whether a text is a UID: digits in groups without leading zeros, at most 64 characters. */
export function isUid(text: unknown): text is string {
  return typeof text === 'string' && text.length <= 64 && /^(0|[1-9]\d*)(\.(0|[1-9]\d*))+$/.test(text);
}
