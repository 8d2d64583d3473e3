// Errors as they travel, and what is made of texts of others.
import { BedsideError, ERROR_CODES, type ErrorCode, messageOf } from '../../util/index.ts';
import type { SerializedError } from './messages.ts';

/** Letters of a text of somebody else that are shown. */
export const MAX_TEXT_LENGTH = 400;

const CODES: ReadonlySet<unknown> = new Set(ERROR_CODES);

/** An error as a message; what is none of ours is a defect. */
export function serializeError(error: unknown): SerializedError {
  if (!BedsideError.is(error)) return { code: 'E_INTERNAL', message: `internal: ${messageOf(error)}` };
  const { code, message, hint } = error;
  return { code, message, hint };
}

/**
 * The error that somebody else tells of: with a code that we know (else E_FABRIC), and texts that can be shown. Anything
 * may have come.
 */
export function deserializeError(told: SerializedError): BedsideError {
  const { code, message, hint }: Readonly<Partial<Record<keyof SerializedError, unknown>>> = told ?? {};
  const text = displayText(message);
  return new BedsideError(
    CODES.has(code) ? (code as ErrorCode) : 'E_FABRIC',
    text === '' ? 'a device failed, and did not say how' : text,
    typeof hint === 'string' ? { hint: displayText(hint) } : {},
  );
}

/** A text of somebody else as it may be shown: one line, no control or formatting characters, no longer than needed. */
export function displayText(text: unknown, most = MAX_TEXT_LENGTH): string {
  if (typeof text !== 'string') return '';
  const plain = text
    .slice(0, 4 * most)
    .replace(/[\p{C}\p{Zl}\p{Zp}]+/gu, ' ')
    .trim();
  return plain.length <= most ? plain : `${plain.slice(0, most).trimEnd()}…`;
}
