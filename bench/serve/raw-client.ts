// HTTP/1.1 over one kept connection, with as little work as possible, so that a figure is that of the server.
import { connect, type Socket } from 'node:net';
import { must } from '../../src/util/index.ts';

/** An answer. */
export interface RawAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

interface Waiting {
  readonly resolve: (answer: RawAnswer) => void;
  readonly reject: (error: Error) => void;
}

const HEAD_END = Buffer.from('\r\n\r\n');

/** One connection; requests on it are answered one after another. */
export class RawClient {
  readonly #socket: Socket;
  readonly #waiting: Waiting[] = [];
  #chunks: Buffer = Buffer.alloc(0);
  #ended: Error | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (chunk) => this.#take(chunk));
    socket.on('error', (error) => this.#end(error));
    socket.on('close', () => this.#end(new Error('the connection was closed')));
  }

  /** @param url of the server, `http://host:port` */
  static open(url: string): Promise<RawClient> {
    const { hostname, port } = new URL(url);
    return new Promise((resolve, reject) => {
      const socket = connect(Number(port), hostname, () => resolve(new RawClient(socket)));
      socket.once('error', reject);
    });
  }

  /** Whether the server has closed the connection. */
  get isOpen(): boolean {
    return this.#ended === undefined;
  }

  /** Sends bytes that are a whole request. Rejects when the connection ends before the answer. */
  send(request: Uint8Array): Promise<RawAnswer> {
    if (this.#ended) return Promise.reject(this.#ended);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#socket.write(request);
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  #take(chunk: Buffer): void {
    this.#chunks = this.#chunks.length === 0 ? chunk : Buffer.concat([this.#chunks, chunk]);
    for (;;) {
      const end = this.#chunks.indexOf(HEAD_END);
      if (end < 0) return;
      const [first = '', ...lines] = this.#chunks.toString('latin1', 0, end).split('\r\n');
      const headers: Record<string, string> = {};
      for (const line of lines) {
        const colon = line.indexOf(':');
        headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
      }
      const from = end + HEAD_END.length;
      const to = from + Number(headers['content-length'] ?? 0);
      if (this.#chunks.length < to) return;
      const body = this.#chunks.subarray(from, to);
      this.#chunks = this.#chunks.subarray(to);
      must(this.#waiting.shift(), 'a request').resolve({
        status: Number(first.split(' ')[1]),
        headers,
        body,
      });
    }
  }

  #end(error: Error): void {
    this.#ended ??= error;
    for (const { reject } of this.#waiting.splice(0)) reject(this.#ended);
  }
}

/** The bytes of a POST. */
export function postBytes(
  path: string,
  body: Uint8Array,
  headers: Readonly<Record<string, string>> = {},
): Buffer {
  const lines = Object.entries({ host: 'bench', ...headers, 'content-length': String(body.byteLength) });
  const head = [`POST ${path} HTTP/1.1`, ...lines.map(([name, value]) => `${name}: ${value}`), '', ''];
  return Buffer.concat([Buffer.from(head.join('\r\n')), body]);
}
