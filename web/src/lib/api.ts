// Calls of the gateway. The browser sends the session's cookie by itself; a header says that one of our pages asks.
import type { WireProblem } from '../../../src/gateway/dashboard/wire.ts';

/** Answers that took longer than this are given up: milliseconds. */
const PATIENCE_MS = 60_000;

/** An error as it is shown: what, and what to do. */
export class Problem extends Error {
  readonly code: string;
  readonly hint: string | undefined;
  readonly status: number;

  constructor(status: number, { error, code, hint }: WireProblem) {
    super(error);
    this.status = status;
    this.code = code;
    this.hint = hint;
  }
}

/** Whatever was thrown, as a problem. */
export function problemOf(error: unknown): Problem {
  if (error instanceof Problem) return error;
  return new Problem(0, { error: error instanceof Error ? error.message : String(error), code: 'E_PAGE' });
}

/** Called when the gateway says that nobody is signed in. */
let onSignedOut = (): void => {};

export function whenSignedOut(call: () => void): void {
  onSignedOut = call;
}

/** `GET` as JSON. @throws Problem */
export function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  return ask<T>('GET', path, undefined, signal);
}

/** `POST` of a JSON value, or of bytes with their content type. @throws Problem */
export function post<T>(path: string, body: unknown = {}, signal?: AbortSignal): Promise<T> {
  return ask<T>('POST', path, body, signal);
}

export function put<T>(path: string, body: unknown = {}): Promise<T> {
  return ask<T>('PUT', path, body);
}

export function remove<T>(path: string): Promise<T> {
  return ask<T>('DELETE', path);
}

async function ask<T>(method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<T> {
  const late = AbortSignal.timeout(PATIENCE_MS);
  let response: Response;
  try {
    response = await fetch(path, {
      method,
      headers: { 'x-bedside-page': '1', ...(body instanceof Blob ? { 'content-type': body.type } : {}) },
      ...(body === undefined ? {} : { body: body instanceof Blob ? body : JSON.stringify(body) }),
      signal: signal ? AbortSignal.any([signal, late]) : late,
      credentials: 'same-origin',
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Problem(0, {
      error: late.aborted ? 'the gateway took too long' : 'the gateway does not answer',
      code: 'E_AWAY',
      hint: 'this page goes on by itself when it is back',
    });
  }
  const text = await response.text();
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  if (response.ok) return value as T;
  if (response.status === 401 && path !== '/api/session') onSignedOut();
  const given = value as Partial<WireProblem> | undefined;
  throw new Problem(response.status, {
    error: given?.error ?? `the gateway answered ${response.status}`,
    code: given?.code ?? 'E_PAGE',
    hint: given?.hint,
  });
}
