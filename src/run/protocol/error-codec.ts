// Errors as messages between nodes, and how texts from other nodes are made safe to show.
import { BedsideError, ERROR_CODES, type ErrorCode, messageOf } from '../../util/index.ts';
import type { SerializedError } from './messages.ts';

/** Characters of another node's text that are shown. */
export const MAX_TEXT_LENGTH = 400;

const CODES: ReadonlySet<unknown> = new Set(ERROR_CODES);

/** An error in the form that is sent. An error without a code is a defect and becomes E_INTERNAL. */
export function serializeError(error: unknown): SerializedError {
  if (!BedsideError.is(error)) return { code: 'E_INTERNAL', message: `internal: ${messageOf(error)}` };
  const { code, message, hint } = error;
  return { code, message, hint };
}

/**
 * The error that another node has sent. An unknown code becomes E_FABRIC, and texts are made safe to show: the sender
 * may have sent anything.
 */
export function deserializeError(sent: SerializedError): BedsideError {
  const { code, message, hint }: Readonly<Partial<Record<keyof SerializedError, unknown>>> = sent ?? {};
  const text = displayText(message);
  return new BedsideError(
    CODES.has(code) ? (code as ErrorCode) : 'E_FABRIC',
    text === '' ? 'a device failed without a reason' : text,
    typeof hint === 'string' ? { hint: displayText(hint) } : {},
  );
}

/**
 * Another node's text in a form that is safe to show: one line, no control or formatting characters, limited length.
 */
export function displayText(text: unknown, most = MAX_TEXT_LENGTH): string {
  if (typeof text !== 'string') return '';
  const plain = text
    .slice(0, 4 * most)
    .replace(/[\p{C}\p{Zl}\p{Zp}]+/gu, ' ')
    .trim();
  return plain.length <= most ? plain : `${plain.slice(0, most).trimEnd()}…`;
}
