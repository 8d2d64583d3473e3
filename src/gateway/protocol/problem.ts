// Errors as HTTP answers: a status for each code, and one shape of body.
import { BedsideError, type ErrorCode, messageOf, plainLine } from '../../util/index.ts';

/** The status of each code; what a sender can mend is 4xx, what passes is 503, the rest 500. */
const STATUS: Partial<Record<ErrorCode, number>> = {
  E_REQUEST: 400,
  E_USAGE: 400,
  E_DATA: 400,
  E_DATA_FIT: 400,
  E_LEVELS: 400,
  E_UNSUPPORTED: 400,
  E_CRITERION: 400,
  E_FORBIDDEN: 403,
  E_AUTH: 401,
  E_NOT_FOUND: 404,
  E_TOO_LARGE: 413,
  E_BUSY: 503,
  E_LOST: 503,
  E_DEVICE: 503,
  E_FABRIC: 503,
  E_CANCELLED: 499,
  E_DEADLINE: 504,
};

/** An error as it is answered. */
export interface Problem {
  readonly status: number;
  /** `error` is what the protocol asks for; `code` is stable, `hint` says what to do. */
  readonly body: { readonly error: string; readonly code: ErrorCode; readonly hint?: string };
}

/** The answer for an error. Anything without a code is a fault of ours, and tells nothing of the inside. */
export function problemOf(error: unknown): Problem {
  if (BedsideError.is(error)) {
    const hint = error.hint === undefined ? {} : { hint: plainLine(error.hint) };
    return {
      status: STATUS[error.code] ?? 500,
      body: { error: plainLine(error.message), code: error.code, ...hint },
    };
  }
  const { statusCode, code } = error as { statusCode?: unknown; code?: unknown };
  if (typeof statusCode === 'number' && statusCode >= 400 && statusCode < 500) {
    const large = statusCode === 413;
    const known: ErrorCode = large ? 'E_TOO_LARGE' : 'E_REQUEST';
    const text = typeof code === 'string' && large ? 'the body is too large' : plainLine(messageOf(error));
    return { status: statusCode, body: { error: text, code: known } };
  }
  return { status: 500, body: { error: 'the gateway failed', code: 'E_INTERNAL' } };
}
