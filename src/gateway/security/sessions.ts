// Sessions of the dashboard. Event streams of browsers carry no Authorization header, so that a token is exchanged for
// a cookie that scripts cannot read and that other sites cannot make a browser send.
import { randomBytes } from 'node:crypto';
import { BedsideError } from '../../util/index.ts';
import { deleteOldest, sha256Of } from '../../util/internal.ts';
import type { Caller } from './tokens.ts';

/** Seconds that a session lasts: one shift. */
export const SESSION_SECONDS = 12 * 3600;

/** Sessions that are kept; the oldest goes. */
const MOST_SESSIONS = 1024;

/** The header that pages send: a page of another site could not, without asking first, which is never allowed. */
export const PAGE_HEADER = 'x-bedside-page';

/** What a request says about where it comes from. */
export interface RequestOrigin {
  readonly method: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** Whether it came over TLS, and to which port. */
  readonly secure: boolean;
  readonly port: number | undefined;
}

/** An open session. */
export interface Session {
  readonly caller: Caller;
  /** Milliseconds since 1970. */
  readonly expires: number;
}

/** Open sessions, by the hash of their id: a memory image gives no id away. They end with the process. */
export class Sessions {
  readonly #open = new Map<string, Session>();
  readonly #now: () => number;

  constructor(now: () => number = Date.now) {
    this.#now = now;
  }

  /** Opens a session. @returns its id, which only the cookie holds */
  open(caller: Caller): { readonly id: string; readonly session: Session } {
    const id = randomBytes(32).toString('base64url');
    const shift = this.#now() + 1000 * SESSION_SECONDS;
    // Not longer than the token that opened it.
    const session = { caller, expires: Math.min(shift, caller.expires ?? shift) };
    this.#open.set(sha256Of(id), session);
    while (this.#open.size > MOST_SESSIONS) deleteOldest(this.#open);
    return { id, session };
  }

  /** The session of an id; undefined where there is none, or it has ended. */
  find(id: string | undefined): Session | undefined {
    if (id === undefined) return undefined;
    const session = this.#open.get(sha256Of(id));
    if (!session || session.expires > this.#now()) return session;
    this.#open.delete(sha256Of(id));
    return undefined;
  }

  /** Ends a session. */
  close(id: string | undefined): void {
    if (id !== undefined) this.#open.delete(sha256Of(id));
  }
}

/** The id in the cookie of a request. */
export function sessionIdOf(origin: RequestOrigin): string | undefined {
  const wanted = cookieName(origin);
  for (const part of String(origin.headers.cookie ?? '').split(';')) {
    const [name, value] = part.trim().split('=', 2);
    if (name === wanted && value !== undefined && /^[\w-]{1,128}$/.test(value)) return value;
  }
  return undefined;
}

/** The cookie of a session. @param id undefined to remove it */
export function sessionCookie(origin: RequestOrigin, id: string | undefined): string {
  const age = id === undefined ? 0 : SESSION_SECONDS;
  const flags = `Path=/; Max-Age=${age}; HttpOnly; SameSite=Strict${origin.secure ? '; Secure' : ''}`;
  return `${cookieName(origin)}=${id ?? ''}; ${flags}`;
}

/**
 * Refuses what another site may have made a browser send, where no Authorization header shows who asks.
 * @throws BedsideError E_FORBIDDEN
 */
export function assertOwnPage({ method, headers, secure }: RequestOrigin): void {
  if (method === 'GET' || method === 'HEAD') return;
  const site = headers['sec-fetch-site'];
  const origin = headers.origin;
  const own = `${secure ? 'https' : 'http'}://${headers.host}`;
  const isOwn =
    headers[PAGE_HEADER] !== undefined &&
    (site === undefined || site === 'same-origin') &&
    (origin === undefined || origin === own);
  if (isOwn) return;
  throw new BedsideError('E_FORBIDDEN', 'the request comes from another site', {
    hint: 'programs send Authorization: Bearer TOKEN instead of the cookie of a page',
  });
}

/**
 * Refuses a foreign name of this machine where everybody on it may ask: another site may have pointed its own name here.
 * @throws BedsideError E_FORBIDDEN
 */
export function assertLocalName(host: string | undefined): void {
  const name = (host ?? '').replace(/:\d+$/, '').toLowerCase();
  if (name === 'localhost' || name === '[::1]' || /^127(\.\d{1,3}){3}$/.test(name)) return;
  throw new BedsideError('E_FORBIDDEN', `'${name.slice(0, 100)}' is not a name of this machine alone`, {
    hint: 'open the dashboard as http://localhost, or serve with TLS and tokens',
  });
}

/** Cookies of one machine are shared by all its ports: the name keeps two gateways apart. */
function cookieName({ secure, port = 0 }: RequestOrigin): string {
  return secure ? `__Host-bedside-${port}` : `bedside-${port}`;
}
