// A small FHIR server for tests: transactions of conditional creates, and all the faults that a network has.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createSecure } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { ResultTransaction } from '../fhir/transaction.ts';

/** What happens to one request. */
export type Fault =
  | 'none'
  /** The connection breaks before anything is made. */
  | 'lost-before'
  /** Everything is made, and the answer is lost. */
  | 'lost-after'
  /** A page of a proxy, with status 200. */
  | 'page'
  /** Everything is made, and the answer waits until `release`. */
  | 'held'
  | { readonly status: number; readonly headers?: Readonly<Record<string, string>>; readonly body?: string };

/** A server that keeps what it is told to make. */
export class FhirServer {
  /** Faults of the next requests, in order; then none. */
  readonly faults: Fault[] = [];
  /** Resources by type and condition: how often each was made. */
  readonly made = new Map<string, number>();
  readonly resources: { readonly resourceType: string }[] = [];
  /** Of each request. */
  readonly times: number[] = [];
  readonly tokens: (string | undefined)[] = [];
  readonly #server: Server;
  readonly #held: (() => void)[] = [];
  #heldOne: (() => void) | undefined;

  private constructor(tls?: { readonly key: string; readonly cert: string }) {
    const listener = (request: IncomingMessage, response: ServerResponse): void =>
      void this.#answer(request, response);
    this.#server = tls ? createSecure(tls, listener) : createServer(listener);
  }

  static async start(tls?: { readonly key: string; readonly cert: string }): Promise<FhirServer> {
    const own = new FhirServer(tls);
    await own.listen(0);
    return own;
  }

  async listen(port: number): Promise<void> {
    await new Promise<void>((done) => this.#server.listen(port, '127.0.0.1', done));
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/r4`;
  }

  /** Resources of a kind that were made, each as often as it was. */
  count(kind: string): number {
    return this.resources.filter(({ resourceType }) => resourceType === kind).length;
  }

  /** Resolves when a request is held. */
  held(): Promise<void> {
    return new Promise((done) => {
      this.#heldOne = done;
    });
  }

  release(): void {
    for (const answer of this.#held.splice(0)) answer();
  }

  async close(): Promise<void> {
    this.release();
    this.#server.closeAllConnections();
    await new Promise((done) => this.#server.close(done));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.times.push(Date.now());
    this.tokens.push(request.headers.authorization);
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const fault = this.faults.shift() ?? 'none';
    if (fault === 'lost-before') return void request.socket.destroy();
    if (fault === 'page') return void response.end('<html>Sign in</html>');
    if (typeof fault === 'object') {
      response.writeHead(fault.status, fault.headers);
      return void response.end(fault.body ?? '');
    }
    const { entry } = JSON.parse(Buffer.concat(parts).toString()) as ResultTransaction;
    const answer = JSON.stringify({
      resourceType: 'Bundle',
      type: 'transaction-response',
      entry: entry.map((own) => ({ response: { status: this.#make(own) ? '201 Created' : '200 OK' } })),
    });
    if (fault === 'lost-after') return void request.socket.destroy();
    const send = (): void => void response.setHeader('content-type', 'application/fhir+json').end(answer);
    if (fault !== 'held') return send();
    this.#held.push(send);
    this.#heldOne?.();
  }

  /** Makes a resource unless one with its condition is there. */
  #make({ resource, request }: ResultTransaction['entry'][number]): boolean {
    const key = `${request.url}?${request.ifNoneExist}`;
    if (this.made.has(key)) return false;
    this.made.set(key, 1);
    this.resources.push(resource);
    return true;
  }
}
