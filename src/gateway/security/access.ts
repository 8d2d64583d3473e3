// Who may ask a gateway: everybody on this machine, otherwise those with tokens, over TLS.
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { ServerOptions as TlsOptions } from 'node:https';
import { BedsideError, messageOf } from '../../util/index.ts';
import { isLoopback } from '../../util/internal.ts';
import { type OidcOptions, OidcTokens, readOidc } from './oidc.ts';
import {
  bearerOf,
  type Caller,
  callerOfToken,
  type KeptToken,
  newToken,
  readTokens,
  writeTokens,
} from './tokens.ts';

/** Files of the server's TLS. */
export interface TlsFiles {
  readonly cert: string;
  readonly key: string;
  /** Certificate authorities of clients: then each client needs a certificate of theirs. */
  readonly clientCa?: string | undefined;
}

/** Who may ask, as options say it. */
export interface AccessOptions {
  readonly host?: string | undefined;
  /** Neither TLS nor tokens, also off this machine. */
  readonly insecure?: boolean | undefined;
  /** File of tokens; it is made, with a token for everything, where there is none. */
  readonly tokens?: string | undefined;
  /** Tokens of an identity provider, or the file that says which. */
  readonly oidc?: OidcOptions | string | undefined;
  readonly tls?: TlsFiles | undefined;
}

/** Tokens of our own, and those of an identity provider. */
export class Access {
  readonly #tokens: readonly KeptToken[];
  readonly #oidc: OidcTokens | undefined;

  constructor(tokens: readonly KeptToken[], oidc?: OidcTokens) {
    this.#tokens = tokens;
    this.#oidc = oidc;
  }

  /**
   * The caller of an `Authorization` header.
   * @throws BedsideError E_AUTH when there is no header, or no such token
   */
  async callerOf(header: string | undefined): Promise<Caller> {
    const token = bearerOf(header);
    // Three parts with dots between are of a provider; tokens of our own have none.
    if (this.#oidc && token.split('.').length === 3) return await this.#oidc.callerOf(token);
    return callerOfToken(token, this.#tokens);
  }
}

/** What a server needs of it. */
export interface OpenedAccess {
  /** Undefined: everybody may do everything. */
  readonly access: Access | undefined;
  /** A token for everything, where one was made. */
  readonly token: string | undefined;
  readonly tls: TlsOptions | undefined;
  /** What the operator should know of the certificate. */
  readonly notes: readonly string[];
}

/** A server's TLS, and what to tell of its certificate. */
interface ReadTls {
  readonly options: TlsOptions;
  readonly notes: readonly string[];
}

/** Days that phones and browsers take at most. */
const MOST_DAYS = 397;
const SOON_DAYS = 30;
const DAY = 86_400_000;

/**
 * Reads tokens, settings and certificates.
 * @throws BedsideError E_USAGE for a host off this machine without TLS and tokens; E_FILE, E_OUTPUT; as `OidcTokens.open`
 */
export async function openAccess(options: AccessOptions): Promise<OpenedAccess> {
  const { host = '127.0.0.1', insecure = false, tokens: path, oidc: said } = options;
  const read = options.tls && (await readTls(options.tls));
  const [tls, notes] = [read?.options, read?.notes ?? []];
  const hasTokens = path !== undefined || said !== undefined;
  if (insecure || isLoopback(host)) {
    if (!hasTokens) return { access: undefined, token: undefined, tls, notes };
  } else if (!tls || !hasTokens) {
    const missing = [...(tls ? [] : ['TLS']), ...(hasTokens ? [] : ['tokens'])].join(' nor ');
    throw new BedsideError(
      'E_USAGE',
      `${host} can be reached from other machines, and there is no ${missing}`,
      {
        hint: 'give a certificate with its key and a file of tokens, or --insecure where everybody on the network may ask',
      },
    );
  }
  const oidc = said && (await OidcTokens.open(typeof said === 'string' ? await readOidc(said) : said));
  if (path === undefined) return { access: new Access([], oidc || undefined), token: undefined, tls, notes };
  const { kept, token } = await tokensOf(path);
  return { access: new Access(kept, oidc || undefined), token, tls, notes };
}

async function tokensOf(
  path: string,
): Promise<{ readonly kept: readonly KeptToken[]; readonly token: string | undefined }> {
  try {
    return { kept: await readTokens(path), token: undefined };
  } catch (error) {
    const isMissing = ((error as BedsideError).cause as NodeJS.ErrnoException | undefined)?.code === 'ENOENT';
    if (!isMissing) throw error;
    const { token, kept } = newToken('admin', ['admin']);
    await writeTokens(path, [kept]);
    return { kept: [kept], token };
  }
}

async function readTls({ cert, key, clientCa }: TlsFiles): Promise<ReadTls> {
  const read = async (path: string): Promise<Buffer> => {
    try {
      return await readFile(path);
    } catch (cause) {
      throw new BedsideError('E_FILE', `cannot read ${path}: ${messageOf(cause)}`, {
        hint: 'give PEM files: the certificate (with those between) and its key',
        cause,
      });
    }
  };
  const pair = { cert: await read(cert), key: await read(key) };
  const notes = checkCertificate(pair, { cert, key });
  return {
    notes,
    options: {
      ...pair,
      minVersion: 'TLSv1.2',
      ...(clientCa === undefined
        ? {}
        : { ca: await read(clientCa), requestCert: true, rejectUnauthorized: true }),
    },
  };
}

/**
 * What clients will say of a certificate, said before they do.
 * @throws BedsideError E_USAGE for a pair that does not belong together, and outside the days of its validity
 */
function checkCertificate(pair: { cert: Buffer; key: Buffer }, names: TlsFiles): string[] {
  const refuse = (why: string, hint: string, cause?: unknown): BedsideError =>
    new BedsideError('E_USAGE', why, { hint, cause });
  let certificate: X509Certificate;
  let isPair: boolean;
  try {
    certificate = new X509Certificate(pair.cert);
    isPair = certificate.checkPrivateKey(createPrivateKey(pair.key));
  } catch (cause) {
    throw refuse(
      `${names.cert} and ${names.key} are no certificate and key`,
      'give PEM files, the key without a passphrase',
      cause,
    );
  }
  if (!isPair)
    throw refuse(`${names.key} is not the key of ${names.cert}`, 'give the key that it was made with');
  const [from, to] = [Date.parse(certificate.validFrom), Date.parse(certificate.validTo)];
  if (to < Date.now()) throw refuse(`${names.cert} has expired on ${certificate.validTo}`, 'renew it');
  if (from > Date.now() + DAY) {
    throw refuse(
      `${names.cert} is valid from ${certificate.validFrom} on`,
      'check the clock of this machine',
    );
  }
  const left = Math.floor((to - Date.now()) / DAY);
  return [
    ...(to - from > MOST_DAYS * DAY
      ? [`${names.cert} is valid for more than ${MOST_DAYS} days: phones and browsers refuse it`]
      : []),
    ...(left < SOON_DAYS ? [`${names.cert} expires in ${left} days`] : []),
  ];
}
