// Bearer tokens of an identity provider (OpenID Connect): JSON Web Tokens that it signed, checked by its public keys.
import { dirname, resolve } from 'node:path';
import type { JWTPayload, JWTVerifyGetKey } from 'jose';
import { BedsideError, messageOf, plainLine } from '../../util/index.ts';
import { isRecord, loadOptional, readTextChecked } from '../../util/internal.ts';
import { type Caller, ROLES, type Role } from './tokens.ts';

/** Which tokens of which provider are taken, and what they allow. */
export interface OidcOptions {
  /** The provider, exactly as its tokens say it in `iss`. */
  readonly issuer: string;
  /** Who a token must be for (`aud`). */
  readonly audience: string;
  /** Public keys of the provider: a file of a JWK set, or the https address of one. Nothing is asked but this address. */
  readonly keys: string;
  /** The claim with the roles: a list, or words with spaces; dots lead into objects. Default `roles`. */
  readonly claim?: string | undefined;
  /** Role of ours by value of the claim; default: values that are roles of ours. */
  readonly roles?: Readonly<Record<string, Role>> | undefined;
}

/** Algorithms with a public key. None of a shared key, and not `none`: whoever can check a token could make one. */
const ALGORITHMS = ['RS256', 'PS256', 'ES256', 'ES384', 'EdDSA', 'Ed25519'];

/** Seconds that clocks may differ. */
const SKEW_SECONDS = 60;

/** Seconds of a request for keys, and before an unknown key makes us ask again. */
const KEYS_SECONDS = 5;
const COOLDOWN_SECONDS = 30;

const MOST_NAME = 64;

/** Checks tokens of a provider. */
export class OidcTokens {
  readonly #jose: typeof import('jose');
  readonly #options: OidcOptions;
  readonly #keys: JWTVerifyGetKey;

  private constructor(jose: typeof import('jose'), options: OidcOptions, keys: JWTVerifyGetKey) {
    this.#jose = jose;
    this.#options = options;
    this.#keys = keys;
  }

  /**
   * Reads the keys of a file; those of an address are read with the first token.
   * @throws BedsideError E_USAGE for options that are none; E_FILE, E_UNSUPPORTED
   */
  static async open(options: OidcOptions): Promise<OidcTokens> {
    const jose = await loadOptional('signing in by OIDC', () => import('jose'));
    return new OidcTokens(jose, options, await keysOf(jose, options.keys));
  }

  /**
   * Whoever the provider gave a token to.
   * @throws BedsideError E_AUTH for a token that is none, not of this provider, not for us, expired, or not signed by its keys
   */
  async callerOf(token: string): Promise<Caller> {
    const { issuer, audience } = this.#options;
    let payload: JWTPayload;
    try {
      ({ payload } = await this.#jose.jwtVerify(token, this.#keys, {
        ...{ issuer, audience, algorithms: ALGORITHMS, clockTolerance: SKEW_SECONDS },
        requiredClaims: ['exp', 'sub'],
      }));
    } catch (cause) {
      throw refusalOf(cause, this.#options);
    }
    const name = plainLine(`oidc:${payload.sub}`).slice(0, MOST_NAME);
    return { name, roles: this.#rolesOf(payload), expires: 1000 * (payload.exp ?? 0) };
  }

  #rolesOf(payload: JWTPayload): Role[] {
    const { claim = 'roles', roles } = this.#options;
    const value = claim
      .split('.')
      .reduce<unknown>(
        (own, part) =>
          typeof own === 'object' && own !== null && Object.hasOwn(own, part)
            ? (own as Record<string, unknown>)[part]
            : undefined,
        payload,
      );
    const said = typeof value === 'string' ? value.split(/\s+/) : Array.isArray(value) ? value : [];
    const known = said.flatMap((one): Role[] => {
      if (typeof one !== 'string') return [];
      if (roles) return Object.hasOwn(roles, one) && roles[one] ? [roles[one]] : [];
      return ROLES.filter((role) => role === one);
    });
    return [...new Set(known)];
  }
}

async function keysOf(jose: typeof import('jose'), keys: string): Promise<JWTVerifyGetKey> {
  if (/^https?:\/\//i.test(keys)) {
    const url = URL.canParse(keys) ? new URL(keys) : undefined;
    if (!url || (url.protocol !== 'https:' && !isOwnMachine(url.hostname))) {
      throw new BedsideError('E_USAGE', `the keys of the provider at ${keys} are not read over https`, {
        hint: 'give an https address, or a file of its JWK set',
      });
    }
    return jose.createRemoteJWKSet(url, {
      timeoutDuration: 1000 * KEYS_SECONDS,
      cooldownDuration: 1000 * COOLDOWN_SECONDS,
    });
  }
  const text = await readTextChecked(keys, 'key set');
  try {
    const set = JSON.parse(text) as Parameters<typeof jose.createLocalJWKSet>[0];
    const isPrivate = set.keys.some((key) => 'd' in key || 'k' in key);
    if (!isPrivate && set.keys.length > 0) return jose.createLocalJWKSet(set);
  } catch {
    // Said below.
  }
  throw new BedsideError('E_USAGE', `${keys} is no JWK set of public keys`, {
    hint: 'it is what the provider publishes at its jwks_uri: {"keys": [{"kty": …}]}',
  });
}

/** Providers on this machine may be asked without TLS, as in tests. */
function isOwnMachine(host: string): boolean {
  return host === 'localhost' || host === '127.0.0.1' || host === '[::1]';
}

function refusalOf(cause: unknown, { issuer, audience }: OidcOptions): BedsideError {
  const { code = '', claim } = cause as { readonly code?: string; readonly claim?: string };
  const reasons: Readonly<Record<string, string>> = {
    ERR_JWT_EXPIRED: 'the token has expired',
    ERR_JWKS_NO_MATCHING_KEY: 'the token is signed by a key that its provider does not publish',
    ERR_JWKS_MULTIPLE_MATCHING_KEYS: 'the token does not say which key signed it',
    ERR_JWS_SIGNATURE_VERIFICATION_FAILED: 'the signature of the token is wrong',
    ERR_JOSE_ALG_NOT_ALLOWED: 'the algorithm of the token is not taken',
    ERR_JWT_CLAIM_VALIDATION_FAILED: `the claim ${claim} of the token is missing or another one`,
  };
  if (Object.hasOwn(reasons, code)) {
    return new BedsideError('E_AUTH', reasons[code] ?? '', {
      hint: `sign in at ${plainLine(issuer)} again, for ${plainLine(audience)}`,
      cause,
    });
  }
  if (code.startsWith('ERR_JWS') || code.startsWith('ERR_JWT') || code === 'ERR_JOSE_NOT_SUPPORTED') {
    return new BedsideError('E_AUTH', 'the token is not known', {
      hint: 'ask for one with the role you need',
      cause,
    });
  }
  // The sender cannot mend that the provider's keys cannot be read.
  return new BedsideError('E_BUSY', `the keys of the provider cannot be read: ${messageOf(cause)}`, {
    hint: 'try again; the operator checks the field keys in the file of --oidc',
    cause,
  });
}

/**
 * A file of options: `{"issuer", "audience", "keys", "claim", "roles"}`.
 * @throws BedsideError E_FILE, E_USAGE
 */
export async function readOidc(path: string): Promise<OidcOptions> {
  const wrong = (why: string): BedsideError =>
    new BedsideError('E_USAGE', `${path}: ${why}`, { hint: 'docs/gateway.md describes the file' });
  let value: Partial<Record<keyof OidcOptions, unknown>> | null;
  try {
    value = JSON.parse(await readTextChecked(path, 'OIDC settings'));
  } catch (error) {
    if (BedsideError.is(error)) throw error;
    throw wrong('it is not JSON');
  }
  if (typeof value !== 'object' || value === null) throw wrong('it is not a JSON object');
  const { issuer, audience, keys, claim, roles, ...others } = value;
  const unknown = Object.keys(others)[0];
  if (unknown !== undefined) throw wrong(`the field '${unknown}' is not known`);
  for (const [name, own] of Object.entries({ issuer, audience, keys, claim: claim ?? 'roles' })) {
    if (typeof own !== 'string' || own === '') throw wrong(`the field '${name}' is not a text`);
  }
  if (
    roles !== undefined &&
    (!isRecord(roles) || !Object.values(roles).every((role) => ROLES.includes(role as Role)))
  ) {
    throw wrong(`the field 'roles' does not map values of the claim to ${ROLES.join(', ')}`);
  }
  const said = value as OidcOptions;
  // A file beside the settings, wherever the gateway was started.
  return /^https?:/i.test(said.keys) ? said : { ...said, keys: resolve(dirname(path), said.keys) };
}
