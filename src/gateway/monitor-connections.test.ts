// Connections of monitors: over TLS and by certificates, those that read slowly or not at all, and those that have gone.
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ClientOptions, WebSocket, WebSocketServer } from 'ws';
import { type Scored, SignalSession } from '../app/index.ts';
import type { Bundle } from '../bundle/index.ts';
import { hasOpenssl } from '../interop/test-support/certificate.ts';
import { loadModel } from '../onnx/index.ts';
import { canonicalGraph } from '../onnx/internal.ts';
import { writtenBundle } from '../run/test-support/bundles.ts';
import { madeSignal, regularBeats } from '../signal/test-support/made-signal.ts';
import { MonitorConnection } from './http/monitor-connection.ts';
import { serve } from './serve.ts';

const NETWORK = fileURLToPath(new URL('../../models/ecg-demo.onnx', import.meta.url));
const RATE = 360;

let folder: string;
let bundle: Bundle;
const file = (name: string): string => join(folder, name);

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'bedside-connections-'));
  bundle = await writtenBundle(file('ecg'), canonicalGraph(await loadModel(NETWORK)), { name: 'ecg' });
}, 30_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const packetOf = (seconds: number): string => {
  const samples = [...madeSignal(regularBeats(seconds), { rate: RATE, seconds })];
  return JSON.stringify({ rate: RATE, lead: 'MLII', samples });
};

interface Told {
  readonly kind: string;
  readonly answered?: number;
}

const AT_ONCE = Promise.resolve();
const tls = hasOpenssl('monitors over TLS');

/** A certificate `NAME.pem` with its key, of an authority or of itself. */
function certify(name: string, issuer?: string): void {
  const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' });
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', `${name}.key`];
  const subject = ['-subj', `/CN=${name}`];
  if (issuer === undefined) {
    openssl('req', '-x509', ...curve, ...subject, '-days', '9', '-out', `${name}.pem`);
    return;
  }
  openssl('req', ...curve, ...subject, '-out', `${name}.csr`);
  writeFileSync(file('names'), 'subjectAltName=DNS:localhost,IP:127.0.0.1\n');
  const signed = ['-CA', `${issuer}.pem`, '-CAkey', `${issuer}.key`, '-CAcreateserial', '-extfile', 'names'];
  openssl('x509', '-req', '-in', `${name}.csr`, ...signed, '-days', '9', '-out', `${name}.pem`);
}

describe.runIf(tls)('a gateway with TLS that asks for certificates', () => {
  it('answers monitors that have one, by name in its log, and nobody else', async () => {
    certify('authority');
    certify('stranger');
    certify('server', 'authority');
    certify('bed-4', 'authority');
    certify('intruder', 'stranger');
    mkdirSync(file('log'));
    const gateway = await serve([bundle], {
      ...{ port: 0, workers: 1, measure: false, dashboard: false, audit: file('log') },
      tls: { cert: file('server.pem'), key: file('server.key'), clientCa: file('authority.pem') },
    });
    const url = `${gateway.url.replace('https', 'wss')}/v2/models/ecg/stream`;
    const read = (name: string): Buffer => readFileSync(file(name));
    const client = (name: string, authority = 'authority'): ClientOptions => ({
      ...{ ca: read(`${authority}.pem`), cert: read(`${name}.pem`), key: read(`${name}.key`) },
    });
    const refused = async (to: string, options: ClientOptions): Promise<string> => {
      const socket = new WebSocket(to, options);
      return await new Promise((resolve) => {
        socket.once('open', () => resolve('open'));
        socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
      });
    };
    try {
      const socket = new WebSocket(url, client('bed-4'));
      const told: Told[] = [];
      socket.on('message', (data) => told.push(JSON.parse(String(data)) as Told));
      await once(socket, 'open');
      socket.send(packetOf(10));
      socket.send('{"end":true}');
      const [code] = (await once(socket, 'close')) as [number];
      expect(code).toBe(1000);
      expect(told.at(-1)?.kind).toBe('summary');
      expect(told.at(-1)?.answered).toBeGreaterThan(5);
      expect(await refused(url, { ca: read('authority.pem') })).not.toBe('open');
      expect(await refused(url, client('intruder'))).not.toBe('open');
      expect(await refused(url, client('bed-4', 'stranger'))).toMatch(/SELF_SIGNED|UNABLE_TO_VERIFY/);
      expect(await refused(url.replace('wss', 'ws'), {})).not.toBe('open');
    } finally {
      await gateway.close();
    }
    const log = readdirSync(file('log')).filter((name) => name.endsWith('.jsonl'));
    const lines = log.flatMap((name) =>
      readFileSync(join(file('log'), name), 'utf8')
        .trim()
        .split('\n'),
    );
    const events = lines.map((line) => JSON.parse(line) as { event: string; caller?: string });
    const streamed = events.filter(({ event }) => event === 'stream');
    expect(streamed.map(({ caller }) => caller)).toEqual(['tls:bed-4']);
  }, 30_000);
});

/** A monitor and the gateway's end of its connection. @param answerable resolves when beats may be answered */
async function connected(
  answerable: Promise<void>,
  pingMs: number,
  work: (monitor: WebSocket, own: WebSocket, closed: Promise<void>) => Promise<void>,
  options: ClientOptions = {},
): Promise<void> {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false });
  await once(server, 'listening');
  const scores = Float32Array.from({ length: bundle.manifest.model.output.classes }, (_, i) => -i);
  const scored: Scored = { scores, levels: [], devices: [], fallback: 'none', replanned: 0, confidence: 1 };
  const answerer = {
    lost: [],
    answer: async (): Promise<Scored> => {
      await answerable;
      return scored;
    },
  };
  const monitor = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`, options);
  const [own] = (await once(server, 'connection')) as [WebSocket];
  const connection = new MonitorConnection(own, pingMs);
  const session = new SignalSession(bundle, { answerer, onEvent: (event) => connection.tell(event) });
  connection.start(session);
  if (monitor.readyState !== monitor.OPEN) await once(monitor, 'open');
  try {
    await work(monitor, own, connection.closed);
  } finally {
    monitor.terminate();
    server.close();
  }
}

/** Lines that are answered by an event each; in all more than the system's own buffers take. Returns how many. */
function sendGarbage(monitor: WebSocket): number {
  const [messages, lines] = [2400, 20];
  const message = `${'x'.repeat(100)}\n`.repeat(lines);
  for (let i = 0; i < messages; i++) monitor.send(message);
  return messages * lines;
}

describe('a connection', () => {
  it('takes nothing more of a monitor that does not read, keeps little, and loses nothing once it reads', async () => {
    await connected(AT_ONCE, 60_000, async (monitor, own) => {
      let events = 0;
      monitor.on('message', () => events++);
      monitor.pause();
      const lines = sendGarbage(monitor);
      let most = 0;
      for (let looks = 0; looks < 40; looks++) {
        await sleep(20);
        most = Math.max(most, own.bufferedAmount);
      }
      expect(most).toBeGreaterThan(2 ** 18);
      expect(most).toBeLessThan(2 ** 20);
      expect(events).toBe(0);
      // What the gateway has not taken waits at the monitor, or on the way.
      expect(own.isPaused).toBe(true);
      monitor.resume();
      await expect.poll(() => events, { timeout: 25_000 }).toBe(lines);
    });
  }, 30_000);

  it('ends where a monitor reads nothing at all', async () => {
    await connected(AT_ONCE, 50, async (monitor, _, closed) => {
      monitor.pause();
      sendGarbage(monitor);
      await closed;
    });
  }, 30_000);

  it('ends where no ping is answered, and not for silence alone', async () => {
    const started = performance.now();
    await connected(AT_ONCE, 40, async (_monitor, _own, closed) => await closed, { autoPong: false });
    expect(performance.now() - started).toBeLessThan(2000);
    await connected(AT_ONCE, 40, async (monitor) => {
      await sleep(400);
      expect(monitor.readyState).toBe(monitor.OPEN);
    });
  });

  it('is kept while beats wait for slow answers, although pongs are not read meanwhile', async () => {
    let release: () => void = () => {};
    const answerable = new Promise<void>((resolve) => {
      release = resolve;
    });
    await connected(answerable, 60, async (monitor, own) => {
      const told: Told[] = [];
      monitor.on('message', (data) => told.push(JSON.parse(String(data)) as Told));
      monitor.send(packetOf(60));
      await expect.poll(() => own.isPaused).toBe(true);
      await sleep(400);
      expect(told.length).toBe(0);
      release();
      await expect.poll(() => told.length, { timeout: 5000 }).toBeGreaterThan(40);
      monitor.send('{"end":true}');
      await once(monitor, 'close');
      expect(told.at(-1)?.kind).toBe('summary');
    });
  });
});
