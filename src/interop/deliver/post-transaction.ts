// One transaction to a FHIR server, and what its answer means for the result: made, to be sent again, or refused.
import { BedsideError } from '../../util/index.ts';
import { type Answered, ask, hostOf, type ServerAccess } from './ask.ts';

/** What became of a transaction. No text of the server is in it, which may name patients. */
export type Outcome =
  | { readonly kind: 'delivered' }
  | {
      readonly kind: 'later';
      readonly why: string /** Seconds, where the server says so. */;
      readonly after?: number;
    }
  | {
      readonly kind: 'refused';
      readonly why: string /** What the server said, for the operator alone. */;
      readonly said: string;
    };

/** Seconds for one request: transactions of a day of beats are long. */
const TIMEOUT = 60;
const MOST_ANSWER = 16 * 2 ** 20;
/** Longest wait that a server may ask for, in seconds. */
const MOST_WAIT = 3600;
/** The request itself is wrong: sending it again gives the same. */
const REFUSED: ReadonlySet<number> = new Set([400, 412, 413, 415, 422]);

/** Sends a transaction once. Never throws for what a server or network does. */
export async function postTransaction(
  access: ServerAccess,
  base: string,
  body: string,
  signal: AbortSignal,
): Promise<Outcome> {
  const type = 'application/fhir+json';
  let answer: Answered;
  try {
    answer = await ask(access, base, {
      ...{ method: 'POST', path: '', body, timeout: TIMEOUT, most: MOST_ANSWER, signal },
      headers: { 'content-type': type, accept: type },
    });
  } catch (error) {
    if (!BedsideError.is(error)) throw error;
    return { kind: 'later', why: error.message };
  }
  const { status } = answer;
  const said = `the FHIR server ${hostOf(base)} answered ${status}`;
  if (status === 200 || status === 201) return ofResponse(answer, body, said);
  if (REFUSED.has(status)) return { kind: 'refused', why: said, said: answer.body.toString('utf8') };
  const hints: Readonly<Record<number, string>> = {
    401: 'its token is missing, wrong or over',
    403: 'its token does not allow it',
    404: 'the address is not that of a FHIR server',
    405: 'the address is not the base of a FHIR server',
  };
  const hint = hints[status];
  const after = retryAfter(answer.headers['retry-after'], Date.now());
  return {
    kind: 'later',
    why: hint === undefined ? said : `${said}: ${hint}`,
    ...(after === undefined ? {} : { after }),
  };
}

/** A transaction is made if every entry was; an answer of anything else is none of a FHIR server. */
function ofResponse(answer: Answered, sent: string, said: string): Outcome {
  const none: Outcome = { kind: 'later', why: `${said}, but not as FHIR servers answer a transaction` };
  let response: {
    resourceType?: unknown;
    type?: unknown;
    entry?: { response?: { status?: unknown } }[];
  } | null;
  try {
    response = JSON.parse(answer.body.toString('utf8'));
  } catch {
    return none;
  }
  if (response?.resourceType !== 'Bundle' || response.type !== 'transaction-response') return none;
  const statuses = Array.isArray(response.entry) ? response.entry.map((own) => own?.response?.status) : [];
  const entries = (JSON.parse(sent) as { entry: unknown[] }).entry.length;
  if (statuses.length !== entries) return none;
  if (statuses.every((status) => typeof status === 'string' && status.startsWith('2')))
    return { kind: 'delivered' };
  return {
    kind: 'refused',
    why: `${said}, with entries that were not made`,
    said: answer.body.toString('utf8'),
  };
}

/** Seconds that a `Retry-After` asks for: a number, or a date. */
export function retryAfter(value: string | undefined, now: number): number | undefined {
  if (value === undefined) return undefined;
  const seconds = /^\d{1,9}$/.test(value.trim()) ? Number(value) : (Date.parse(value) - now) / 1000;
  return Number.isFinite(seconds) ? Math.min(Math.max(seconds, 0), MOST_WAIT) : undefined;
}
