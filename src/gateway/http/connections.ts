// What goes wrong before there is a request: bytes that are no HTTP, heads that are too large, senders that are too slow.
// Such connections get a coded answer like any other, and are closed.
import { type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { BedsideError, type ErrorCode } from '../../util/index.ts';
import { problemOf } from '../protocol/problem.ts';

/** Milliseconds between two looks for senders that are too slow. */
export const CHECK_MS = 2000;

/** Milliseconds that a sender has for a whole request. */
export const REQUEST_MS = 30_000;

interface Refusal {
  readonly status: number;
  readonly error: string;
  readonly code: ErrorCode;
  readonly hint?: string | undefined;
}

/** The answers to Node's own codes; others are bytes that are no HTTP. */
const REFUSALS: Readonly<Record<string, Refusal>> = {
  HPE_HEADER_OVERFLOW: {
    status: 431,
    error: 'the head of the request is too large',
    code: 'E_TOO_LARGE',
    hint: 'a path and headers have at most 16 KiB together',
  },
  HPE_CHUNK_EXTENSIONS_OVERFLOW: {
    status: 413,
    error: 'the extensions of a chunk are too large',
    code: 'E_TOO_LARGE',
  },
  ERR_HTTP_REQUEST_TIMEOUT: {
    status: 408,
    error: 'the request did not arrive in time',
    code: 'E_REQUEST',
    hint: `a request has ${REQUEST_MS / 1000} s to arrive`,
  },
};

const NO_HTTP: Refusal = { status: 400, error: 'the request is not HTTP/1.1', code: 'E_REQUEST' };

/** Answers a connection whose request cannot be read, and closes it. */
export function refuseConnection(error: NodeJS.ErrnoException, socket: Duplex): void {
  // The other side has gone, or an answer is on its way already.
  if (error.code === 'ECONNRESET' || socket.destroyed || !socket.writable) return;
  end(socket, REFUSALS[error.code ?? ''] ?? NO_HTTP);
}

/** Adds answers to what Node would refuse without one: CONNECT, and expectations that nobody can meet. */
export function addRefusals(server: Server): void {
  server.on('connect', (_request: IncomingMessage, socket: Duplex) => {
    end(socket, { status: 405, error: 'this server is no proxy', code: 'E_REQUEST' });
  });
  server.on('checkExpectation', (_request: IncomingMessage, response: ServerResponse) => {
    const body = bodyOf({
      status: 417,
      error: 'the header Expect asks for what is unknown',
      code: 'E_REQUEST',
    });
    response.writeHead(417, {
      'content-type': 'application/json',
      'content-length': body.length,
      connection: 'close',
    });
    response.end(body);
  });
}

/** Refuses what Node would refuse without a body. @throws BedsideError E_REQUEST for a request that names no host */
export function assertHost({ headers, httpVersion }: IncomingMessage): void {
  if (headers.host !== undefined || httpVersion === '1.0') return;
  throw new BedsideError('E_REQUEST', 'the request has no header Host');
}

/**
 * Has the server read a request as if it did not ask for another protocol. Clients of HTTP/2 offer to change to it with an
 * ordinary request, which a server that knows other protocols would otherwise not answer.
 */
export function handBack(server: Server, request: IncomingMessage, socket: Duplex, head: Buffer): void {
  const { method, url, httpVersion, rawHeaders } = request;
  const lines = [`${method} ${url} HTTP/${httpVersion}`];
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const [name = '', value = ''] = rawHeaders.slice(at, at + 2);
    const lower = name.toLowerCase();
    if (lower === 'upgrade' || lower === 'http2-settings') continue;
    const kept =
      lower === 'connection' ? value.replace(/\b(upgrade|http2-settings)\b\s*,?/gi, '').trim() : value;
    if (lower !== 'connection' || kept.replace(/,/g, '') !== '') lines.push(`${name}: ${kept}`);
  }
  socket.unshift(Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), head]));
  server.emit('encrypted' in socket ? 'secureConnection' : 'connection', socket);
}

/** Answers a connection that may not change to another protocol, and closes it. */
export function refuseUpgrade(error: unknown, socket: Duplex): void {
  const { status, body } = problemOf(error);
  if (!socket.destroyed) end(socket, { status, ...body });
}

function bodyOf({ error, code, hint }: Refusal): Buffer {
  return Buffer.from(JSON.stringify({ error, code, ...(hint === undefined ? {} : { hint }) }));
}

function end(socket: Duplex, refusal: Refusal): void {
  const body = bodyOf(refusal);
  const head = [
    `HTTP/1.1 ${refusal.status} ${STATUS_CODES[refusal.status]}`,
    'content-type: application/json',
    `content-length: ${body.length}`,
    'connection: close',
    '',
    '',
  ];
  socket.on('error', () => {});
  socket.end(Buffer.concat([Buffer.from(head.join('\r\n')), body]), () => socket.destroy());
}
