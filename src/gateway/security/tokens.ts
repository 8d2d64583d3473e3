// Tokens and their roles. A token is shown once; what is kept of it is its hash.
import { randomBytes, timingSafeEqual } from 'node:crypto';
import { BedsideError, writeFileAtomic } from '../../util/index.ts';
import { readTextChecked, sha256Of } from '../../util/internal.ts';

/** What a token may do. `admin` may do everything. */
export const ROLES = ['infer', 'explain', 'metrics', 'admin'] as const;
export type Role = (typeof ROLES)[number];

/** A token as it is kept. */
export interface KeptToken {
  /** Who has it; part of the audit log. */
  readonly name: string;
  readonly roles: readonly Role[];
  /** SHA-256 of the token, in hexadecimal. A token has 256 random bits, so no slow hash is needed. */
  readonly sha256: string;
}

/** Whoever sent a request. */
export interface Caller {
  readonly name: string;
  readonly roles: readonly Role[];
  /** When what shows who it is ends, in milliseconds since 1970; absent: it does not. */
  readonly expires?: number | undefined;
}

/** A new token, and what is kept of it. */
export function newToken(
  name: string,
  roles: readonly Role[],
): { readonly token: string; readonly kept: KeptToken } {
  const token = `bedside_${randomBytes(32).toString('base64url')}`;
  return { token, kept: { name, roles, sha256: sha256Of(token) } };
}

/**
 * The token of an `Authorization` header.
 * @throws BedsideError E_AUTH when there is none
 */
export function bearerOf(header: string | undefined): string {
  const token = /^Bearer (\S{1,8192})$/i.exec(header ?? '')?.[1];
  if (token !== undefined) return token;
  throw new BedsideError('E_AUTH', 'the request has no token', { hint: 'send Authorization: Bearer TOKEN' });
}

/**
 * The caller of a token.
 * @throws BedsideError E_AUTH when there is no such token
 */
export function callerOfToken(token: string, tokens: readonly KeptToken[]): Caller {
  const own = Buffer.from(sha256Of(token), 'hex');
  let found: KeptToken | undefined;
  // Every token is compared, so that the time says nothing of which one it was.
  for (const kept of tokens) if (timingSafeEqual(own, Buffer.from(kept.sha256, 'hex'))) found = kept;
  if (!found)
    throw new BedsideError('E_AUTH', 'the token is not known', {
      hint: 'ask for one with the role you need',
    });
  return found;
}

/** @throws BedsideError E_FORBIDDEN when the caller has none of the role */
export function assertRole({ name, roles }: Caller, role: Role): void {
  if (roles.includes(role) || roles.includes('admin')) return;
  throw new BedsideError('E_FORBIDDEN', `'${name}' has the roles ${roles.join(', ') || 'none'}, not ${role}`);
}

/**
 * Reads a file of tokens: `{"tokens": [{name, roles, sha256}]}`.
 * @throws BedsideError E_FILE, E_USAGE for a file that is none
 */
export async function readTokens(path: string): Promise<KeptToken[]> {
  const wrong = (why: string, cause?: unknown): BedsideError =>
    new BedsideError('E_USAGE', `${path} is not a file of tokens: ${why}`, {
      hint: 'let `bedside serve` write one, and see docs/gateway.md',
      cause,
    });
  let value: unknown;
  try {
    value = JSON.parse(await readTextChecked(path, 'file of tokens'));
  } catch (error) {
    if (BedsideError.is(error)) throw error;
    throw wrong('it is not JSON', error);
  }
  const list = (value as { tokens?: unknown } | null)?.tokens;
  if (!Array.isArray(list)) throw wrong('it has no list `tokens`');
  return list.map((entry: unknown, i) => {
    const { name, roles, sha256 } = (entry ?? {}) as Partial<KeptToken>;
    const known = Array.isArray(roles) && roles.length > 0 && roles.every((role) => ROLES.includes(role));
    if (typeof name !== 'string' || name === '' || name.length > 64) throw wrong(`token ${i} has no name`);
    if (!known) throw wrong(`the roles of '${name}' are not some of ${ROLES.join(', ')}`);
    if (typeof sha256 !== 'string' || !/^[0-9a-f]{64}$/.test(sha256)) throw wrong(`'${name}' has no sha256`);
    return { name, roles: roles as readonly Role[], sha256 };
  });
}

/** Writes a file of tokens that only its user may read. */
export async function writeTokens(path: string, tokens: readonly KeptToken[]): Promise<void> {
  await writeFileAtomic(path, `${JSON.stringify({ tokens }, null, 1)}\n`, 0o600);
}
