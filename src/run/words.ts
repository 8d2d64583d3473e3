// Errors as they travel.
import { BedsideError, messageOf } from '../util/index.ts';
import type { ErrorWords } from './messages.ts';

/** An error as a message; what is none of ours is a defect. */
export function wordsOf(error: unknown): ErrorWords {
  if (!BedsideError.is(error)) return { code: 'E_INTERNAL', message: `internal: ${messageOf(error)}` };
  const { code, message, hint } = error;
  return { code, message, hint };
}

export function errorOf({ code, message, hint }: ErrorWords): BedsideError {
  return new BedsideError(code, message, hint === undefined ? {} : { hint });
}
