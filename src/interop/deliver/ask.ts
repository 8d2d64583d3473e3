// One request over HTTP or HTTPS: certificates are always verified, redirects never followed, answers never longer than asked.

import { readFile } from 'node:fs/promises';
import {
  type ClientRequest,
  type IncomingHttpHeaders,
  Agent as PlainAgent,
  request as plain,
} from 'node:http';
import { Agent as SecureAgent, request as secure } from 'node:https';
import { BedsideError, messageOf } from '../../util/index.ts';
import { isLoopback } from '../../util/internal.ts';

/** A server to ask, and how. */
export interface ServerAccess {
  /** Its base address, such as `https://fhir.example.org/r4`. */
  readonly url: string;
  /** A token; asked for before each request, so that one that is renewed is used. */
  readonly token?: (() => Promise<string | undefined>) | undefined;
  /** A name and password, as `name:password`; asked for likewise. */
  readonly basic?: (() => Promise<string | undefined>) | undefined;
  /** Certificates of authorities, in PEM; default those that Node trusts. */
  readonly ca?: string | undefined;
  /** Plain HTTP to another machine too. */
  readonly plainHttp?: boolean | undefined;
}

/** A request. */
export interface Asked {
  readonly method: 'GET' | 'POST';
  /** Behind the base address. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly body?: Uint8Array | string | undefined;
  /** Seconds until the whole answer is there. */
  readonly timeout: number;
  /** Most bytes of the answer. */
  readonly most: number;
  readonly signal?: AbortSignal | undefined;
  /** Connections to take and to leave for later requests; default: one that ends with the answer. */
  readonly kept?: KeptConnections | undefined;
}

/** Connections that are kept between requests. Those that nobody uses do not keep the process alive. */
export class KeptConnections {
  readonly #plain = new PlainAgent({ keepAlive: true });
  readonly #secure = new SecureAgent({ keepAlive: true });

  of(protocol: string): PlainAgent {
    return protocol === 'https:' ? this.#secure : this.#plain;
  }

  close(): void {
    this.#plain.destroy();
    this.#secure.destroy();
  }
}

/** An answer, whatever its status. */
export interface Answered {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/**
 * Checks an address before anything is sent to it.
 * @returns it without a slash at its end
 * @throws BedsideError E_USAGE for one that is none, that holds a password, or that would send data unprotected
 */
export function checkedUrl({ url, plainHttp = false }: ServerAccess, what: string): string {
  const wrong = (problem: string, hint: string): never => {
    throw new BedsideError('E_USAGE', `the address of the ${what} ${problem}`, { hint });
  };
  const parsed = URL.canParse(url) ? new URL(url) : wrong('is none', 'such as https://host/path');
  if (parsed.protocol !== 'https:' && parsed.protocol !== 'http:')
    wrong('is neither https nor http', 'such as https://host/path');
  if (parsed.username !== '' || parsed.password !== '')
    wrong('holds a name or password', 'addresses are logged: give it by a file or an environment variable');
  if (parsed.search !== '' || parsed.hash !== '') wrong('has a query or a fragment', 'give the base address');
  if (parsed.protocol === 'http:' && !plainHttp && !isLoopback(parsed.hostname.replace(/^\[|\]$/g, ''))) {
    wrong('is plain HTTP to another machine', 'use https: results of patients would be readable on the way');
  }
  return parsed.href.replace(/\/+$/, '');
}

/** Host and port: what messages say of an address. */
export function hostOf(url: string): string {
  return new URL(url).host;
}

/**
 * Asks a server.
 * @throws BedsideError E_FABRIC when there is no answer, for whatever reason; E_TOO_LARGE for one longer than `most`
 */
export async function ask(access: ServerAccess, base: string, asked: Asked): Promise<Answered> {
  const token = await access.token?.();
  const basic = await access.basic?.();
  const authorization =
    token !== undefined
      ? `Bearer ${token}`
      : basic === undefined
        ? undefined
        : `Basic ${Buffer.from(basic).toString('base64')}`;
  const { method, path, body } = asked;
  const limit = AbortSignal.timeout(Math.ceil(1000 * asked.timeout));
  const signal = asked.signal ? AbortSignal.any([asked.signal, limit]) : limit;
  const url = new URL(`${base}${path}`);
  const headers = {
    ...asked.headers,
    ...(body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }),
    ...(authorization === undefined ? {} : { authorization }),
  };
  const agent = asked.kept?.of(url.protocol) ?? false;
  const options = { method, headers, signal, agent };
  const start = (): ClientRequest =>
    url.protocol === 'https:'
      ? secure(url, { ...options, rejectUnauthorized: true, ...(access.ca ? { ca: access.ca } : {}) })
      : plain(url, options);
  try {
    return await answerOf(start, asked).catch((error: unknown) => {
      if (!(error instanceof StaleConnection)) throw error;
      return answerOf(start, asked);
    });
  } catch (cause) {
    if (BedsideError.is(cause)) throw cause;
    const why = limit.aborted ? `no answer within ${asked.timeout} s` : messageOf(cause);
    throw new BedsideError('E_FABRIC', `${url.host} cannot be asked: ${why}`, {
      hint: 'check that it runs, its address, and its certificate',
      cause,
    });
  }
}

/** A kept connection that the server had closed when the request was written: it never read it. */
class StaleConnection extends Error {}

function answerOf(start: () => ClientRequest, { body, most }: Asked): Promise<Answered> {
  return new Promise<Answered>((resolve, reject) => {
    const sent = start();
    let hasAnswer = false;
    sent.on('error', (error: NodeJS.ErrnoException) => {
      const isStale = sent.reusedSocket && !hasAnswer && ['ECONNRESET', 'EPIPE'].includes(error.code ?? '');
      reject(isStale ? new StaleConnection(error.message) : error);
    });
    sent.on('response', (answer) => {
      hasAnswer = true;
      const parts: Buffer[] = [];
      let size = 0;
      answer.on('data', (part: Buffer) => {
        size += part.length;
        if (size > most)
          answer.destroy(new BedsideError('E_TOO_LARGE', `${sent.host} answered more than ${most} bytes`));
        else parts.push(part);
      });
      answer.on('error', reject);
      answer.on('aborted', () => reject(new Error('the answer was cut off')));
      answer.on('end', () =>
        resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: Buffer.concat(parts) }),
      );
    });
    sent.end(body);
  });
}

/**
 * A secret of a file, or of the environment: never of the command line, which every user of a machine can read.
 * @returns what reads it, again for each request
 */
export function secretFrom(file: string | undefined, variable: string): () => Promise<string | undefined> {
  return async () => {
    if (file === undefined) return process.env[variable] || undefined;
    const text = await readFile(file, 'utf8').catch((cause: unknown) => {
      throw new BedsideError('E_FILE', `the secret in ${file} cannot be read: ${messageOf(cause)}`, {
        cause,
      });
    });
    return text.trim() || undefined;
  };
}
