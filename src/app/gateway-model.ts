// A model of a gateway over HTTP, for whatever has beats or images answered there: connections are kept, certificates are
// verified, and nothing goes to another machine unprotected unless somebody said so.
import type { Bundle } from '../bundle/index.ts';
import type { ServerAccess } from '../interop/index.ts';
import { ask, checkedUrl, hostOf, KeptConnections } from '../interop/internal.ts';
import { BedsideError, ERROR_CODES, type ErrorCode, plainLine } from '../util/index.ts';

const MOST_ANSWER = 512 * 2 ** 20;

/** A request to the model. */
export interface GatewayQuestion {
  readonly method: 'GET' | 'POST';
  /** Behind the model's address: a part of the path, a query, or nothing. */
  readonly path: string;
  readonly body?: Uint8Array | string | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Seconds until the whole answer is there. */
  readonly timeout: number;
}

/** The gateway's model of a bundle's name. */
export class GatewayModel implements AsyncDisposable {
  readonly host: string;
  readonly #access: ServerAccess;
  readonly #base: string;
  readonly #kept = new KeptConnections();

  /** @throws BedsideError E_USAGE for an address that is none, or that would send data unprotected */
  constructor({ manifest }: Pick<Bundle, 'manifest'>, access: ServerAccess) {
    const base = checkedUrl(access, 'gateway');
    this.host = hostOf(base);
    this.#access = access;
    this.#base = `${base}/v2/models/${encodeURIComponent(manifest.name)}`;
  }

  /** @throws BedsideError with the gateway's own code; E_FABRIC where it is not reached, or answers as no gateway does */
  async ask({
    method,
    path,
    body,
    headers,
    signal,
    timeout,
  }: GatewayQuestion): Promise<Record<string, unknown>> {
    const asked = { method, path, body, headers, signal, timeout, most: MOST_ANSWER, kept: this.#kept };
    const { status, body: bytes } = await ask(this.#access, this.#base, asked);
    const said = objectIn(bytes);
    if (status === 200 && said) return said;
    const { error, code } = said ?? {};
    if (typeof error !== 'string') {
      throw new BedsideError('E_FABRIC', `${this.host} answered ${status}, and not as a gateway does`, {
        hint: 'is the address that of bedside serve?',
      });
    }
    const known = ERROR_CODES.find((own): own is ErrorCode => own === code) ?? 'E_FABRIC';
    throw new BedsideError(known, `the gateway ${this.host} refused: ${plainLine(error)}`, {
      hint: known === 'E_AUTH' ? 'give a token that the gateway knows' : 'see docs/gateway.md',
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#kept.close();
  }
}

function objectIn(bytes: Buffer): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(bytes.toString('utf8'));
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
