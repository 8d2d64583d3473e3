// Sends a malformed request on a connection of its own, and says what is wrong with the answer.
import { connect } from 'node:net';
import type { Malformed } from './malformed.ts';

/** How a server took it. */
export interface Outcome {
  /** Undefined where the connection ended without an answer. */
  readonly status: number | undefined;
  readonly code: string | undefined;
  /** What should not be; undefined where all is well. */
  readonly wrong: string | undefined;
}

/** Milliseconds between the pieces of a request. */
const PAUSE = 5;

/** @param patience milliseconds until a server counts as hanging */
export async function sendMalformed(url: string, request: Malformed, patience = 20_000): Promise<Outcome> {
  const text = await exchange(url, request, patience);
  if (text === undefined) return { status: undefined, code: undefined, wrong: 'no answer in time' };
  // Who gives up before its request is whole need not be answered.
  if (text === '' && request.ends) return { status: undefined, code: undefined, wrong: undefined };
  const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(text)?.[1]);
  const [head = '', body = ''] = text.split('\r\n\r\n');
  if (status === 200 && request.mayPass) return { status, code: undefined, wrong: undefined };
  return { status, ...judged(status, head, body) };
}

function judged(status: number, head: string, body: string): Pick<Outcome, 'code' | 'wrong'> {
  const type = /^content-type: (.*)$/im.exec(head)?.[1]?.trim();
  let code: string | undefined;
  try {
    const parsed = JSON.parse(body) as { error?: unknown; code?: unknown };
    if (typeof parsed.error === 'string' && typeof parsed.code === 'string') code = parsed.code;
  } catch {
    // Said below.
  }
  const said = `${status} ${type} ${body.slice(0, 200)}`;
  if (!(status >= 400 && status < 500)) return { code, wrong: `not refused: ${said}` };
  if (type !== 'application/json' || code === undefined) return { code, wrong: `no coded JSON: ${said}` };
  return { code, wrong: code === 'E_INTERNAL' ? said : undefined };
}

/** All that a server answers until it has answered whole or closes; undefined where it does neither. */
function exchange(url: string, { pieces, ends }: Malformed, patience: number): Promise<string | undefined> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve) => {
    let text = '';
    const timers: NodeJS.Timeout[] = [];
    const socket = connect({ port: Number(port), host: hostname, allowHalfOpen: false });
    const done = (result: string | undefined): void => {
      for (const timer of timers) clearTimeout(timer);
      socket.destroy();
      resolve(result);
    };
    timers.push(setTimeout(() => done(undefined), patience));
    socket.setNoDelay(true);
    socket.on('connect', () => {
      for (const [i, piece] of pieces.entries()) {
        const write = (): void => {
          socket.write(piece);
          if (ends && i === pieces.length - 1) socket.end();
        };
        if (i === 0) write();
        else timers.push(setTimeout(write, PAUSE * i));
      }
    });
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      if (isWhole(text)) done(text);
    });
    // A server that refuses early may close while the rest is written.
    socket.on('error', () => {});
    socket.on('close', () => done(text));
  });
}

function isWhole(text: string): boolean {
  const end = text.indexOf('\r\n\r\n');
  if (end < 0) return false;
  const length = /^content-length: (\d+)$/im.exec(text.slice(0, end))?.[1];
  return length !== undefined && text.length >= end + 4 + Number(length);
}
