// Monitors on the gateway's WebSocket: what they are answered, who may connect, and what a connection leaves behind.
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { LocalPool, type StreamEvent, stream } from '../app/index.ts';
import type { Bundle } from '../bundle/index.ts';
import { loadModel } from '../onnx/index.ts';
import { canonicalGraph } from '../onnx/internal.ts';
import { writtenBundle } from '../run/test-support/bundles.ts';
import { mixedNet } from '../run/test-support/mixed-net.ts';
import { madeSignal, regularBeats } from '../signal/test-support/made-signal.ts';
import { verifyAudit } from './observe/audit-verify.ts';
import { type Gateway, serve } from './serve.ts';

const NETWORK = fileURLToPath(new URL('../../models/ecg-demo.onnx', import.meta.url));
const RATE = 360;
const SECONDS = 12;
const signal = madeSignal(regularBeats(SECONDS), { rate: RATE, seconds: SECONDS });

let folder: string;
let bundle: Bundle;
let other: Bundle;
let gateway: Gateway;

const serveAll = (audit: string): Promise<Gateway> =>
  serve([bundle, other], { port: 0, workers: 1, measure: false, audit, tokens: join(folder, 'tokens.json') });

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bedside-monitors-'));
  bundle = await writtenBundle(join(folder, 'ecg'), canonicalGraph(await loadModel(NETWORK)), {
    name: 'ecg',
  });
  other = await writtenBundle(join(folder, 'other'), canonicalGraph(mixedNet()), { name: 'other' });
  const token = (name: string, role: string) => ({
    ...{ name, roles: [role] },
    sha256: createHash('sha256').update(name.replace(' ', '-')).digest('hex'),
  });
  const tokens = [token('bed 4', 'infer'), token('watcher', 'metrics')];
  await writeFile(join(folder, 'tokens.json'), JSON.stringify({ tokens }));
  await mkdir(join(folder, 'log'));
  gateway = await serveAll(join(folder, 'log'));
}, 60_000);
afterAll(async () => {
  await gateway?.close();
  await rm(folder, { recursive: true, force: true });
});

/** Packets of a tenth of a second, of two beds in turn. */
const packets = (): string[] =>
  Array.from({ length: SECONDS * 10 }, (_, i) => {
    const samples = [...signal.subarray(36 * i, 36 * i + 36)];
    return ['1', '2'].map((bed) => JSON.stringify({ bed, rate: RATE, lead: 'MLII', samples })).join('\n');
  });

interface Told {
  readonly kind: string;
  readonly [key: string]: unknown;
}

interface Monitor {
  readonly socket: WebSocket;
  readonly told: Told[];
  /** The code with which the connection was closed. */
  readonly closed: Promise<number>;
}

function monitor(to: Gateway, path = '/v2/models/ecg/stream', headers: Record<string, string> = {}): Monitor {
  const socket = new WebSocket(`${to.url.replace('http', 'ws')}${path}`, {
    headers: { authorization: 'Bearer bed-4', ...headers },
  });
  const told: Told[] = [];
  socket.on('message', (data) => told.push(JSON.parse(String(data)) as Told));
  return { socket, told, closed: new Promise((resolve) => socket.once('close', resolve)) };
}

const opened = ({ socket }: Monitor): Promise<void> =>
  new Promise((resolve, reject) => {
    socket.once('open', resolve);
    socket.once('error', reject);
  });

/** Status and code of a refusal. */
function refused(path: string, headers: Record<string, string> = {}): Promise<[number | undefined, string]> {
  return new Promise((resolve) => {
    const { socket } = monitor(gateway, path, headers);
    socket.on('error', () => {});
    socket.once('unexpected-response', (_request, response) => {
      let text = '';
      response.on('data', (piece) => {
        text += piece;
      });
      response.on('end', () => resolve([response.statusCode, (JSON.parse(text) as { code: string }).code]));
    });
  });
}

const beatsOf = (events: readonly object[]): object[] =>
  (events as StreamEvent[]).flatMap((event) =>
    event.kind === 'beat'
      ? [{ bed: event.bed, sample: event.sample, class: event.class, levels: event.levels }]
      : [],
  );

describe('a monitor on the gateway', () => {
  it('is answered as a stream on one machine is, bed by bed, and every answer is in the audit log', async () => {
    const expected: StreamEvent[] = [];
    const pool = await LocalPool.start(bundle, { workers: 1 });
    await stream(bundle, {
      ...{
        pool,
        measure: false,
        sources: ['stdin'],
        input: Readable.from([Buffer.from(packets().join('\n'))]),
      },
      onEvent: (event) => expected.push(event),
    });
    await pool.close();
    const own = monitor(gateway);
    await opened(own);
    for (const packet of packets()) own.socket.send(packet);
    own.socket.send('not a packet');
    own.socket.send(Buffer.from([1, 2]));
    own.socket.send('{"end": true}');
    expect(await own.closed).toBe(1000);
    const byBed = (events: readonly object[], bed: string) =>
      beatsOf(events).filter((one) => (one as { bed: string }).bed === bed);
    for (const bed of ['1', '2']) {
      expect(byBed(own.told, bed)).toEqual(byBed(expected, bed));
      expect(byBed(own.told, bed).length).toBeGreaterThan(SECONDS - 3);
    }
    expect(own.told.filter(({ what }) => what === 'malformed')).toHaveLength(2);
    const { beds, ...summary } = own.told.at(-1) ?? { kind: '' };
    const answered = beatsOf(own.told).length;
    expect(summary).toMatchObject({ kind: 'summary', answered, finished: true });
    expect(summary).not.toHaveProperty('bundle');
    expect((beds as { bed: string }[]).map(({ bed }) => bed).sort()).toEqual(['1', '2', 'bed']);
    const log = join(folder, 'log');
    expect(await verifyAudit(log)).toMatchObject({ ok: true });
    const lines = (await readFile(join(log, 'audit-000000000000.jsonl'), 'utf8'))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { event: string; caller: string; samples?: number });
    expect(lines.filter(({ event, caller }) => event === 'infer' && caller === 'bed 4')).toHaveLength(
      answered,
    );
    expect(lines.find(({ event }) => event === 'stream')).toMatchObject({ caller: 'bed 4' });
    await expect
      .poll(async () =>
        (await readFile(join(log, 'audit-000000000000.jsonl'), 'utf8')).includes('stream-end'),
      )
      .toBe(true);
  }, 60_000);

  it.each([
    ['/v2/models/ecg/stream', { authorization: 'Bearer nobody' }, 401, 'E_AUTH'],
    ['/v2/models/ecg/stream', { authorization: 'Bearer watcher' }, 403, 'E_FORBIDDEN'],
    ['/v2/models/ecg/stream', { origin: 'https://elsewhere.example' }, 403, 'E_FORBIDDEN'],
    ['/v2/models/none/stream', {}, 404, 'E_NOT_FOUND'],
    ['/v2/models/ecg/versions/0/stream', {}, 404, 'E_NOT_FOUND'],
    ['/v2/models/ecg/infer', {}, 404, 'E_NOT_FOUND'],
    ['/v2/models/%ff/stream', {}, 400, 'E_REQUEST'],
    ['/v2/models/ecg/stream?patience=99', {}, 400, 'E_REQUEST'],
    ['/v2/models/ecg/stream?explain=true', {}, 400, 'E_REQUEST'],
    ['/v2/models/ecg/stream?levels=99', {}, 400, 'E_LEVELS'],
    ['/v2/models/other/stream', {}, 400, 'E_DATA_FIT'],
  ] as const)('is refused at %s with %j: %i %s', async (path, headers, status, code) => {
    expect(await refused(path, headers)).toEqual([status, code]);
  });

  it('may go at any time, and the gateway answers the others', async () => {
    for (let round = 0; round < 5; round++) {
      const own = monitor(gateway);
      await opened(own);
      for (const packet of packets().slice(0, 30 * (round + 1))) own.socket.send(packet);
      own.socket.terminate();
      await own.closed;
    }
    const response = await fetch(`${gateway.url}/v2/health/ready`);
    expect(await response.json()).toEqual({ ready: true });
    expect(
      (await fetch(`${gateway.url}/v2/models/ecg/stream`, { headers: { authorization: 'Bearer bed-4' } }))
        .status,
    ).toBe(426);
  });

  it('gets what it was owed when the gateway stops', async () => {
    await mkdir(join(folder, 'second'));
    const second = await serveAll(join(folder, 'second'));
    const own = monitor(second);
    await opened(own);
    for (const packet of packets()) own.socket.send(packet);
    await expect.poll(() => own.told.length, { timeout: 10_000 }).toBeGreaterThan(3);
    await second.close();
    expect(await own.closed).toBe(1001);
    expect(own.told.at(-1)).toMatchObject({ kind: 'summary', finished: true, late: 0 });
  }, 30_000);
});

it('a request that only offers another protocol is answered as any other', async () => {
  const { hostname, port } = new URL(gateway.url);
  const body = '{}';
  const socket = connect(Number(port), hostname);
  const lines = [
    'POST /v2/models/ecg/infer HTTP/1.1',
    'host: gateway',
    'connection: Upgrade, HTTP2-Settings',
    'upgrade: h2c',
    'http2-settings: AAMAAABkAARAAAAAAAIAAAAA',
    'authorization: Bearer bed-4',
    `content-length: ${body.length}`,
  ];
  socket.write(`${lines.join('\r\n')}\r\n\r\n${body}`);
  const text = await new Promise<string>((resolve) => socket.once('data', (data) => resolve(String(data))));
  socket.destroy();
  expect(text).toMatch(/^HTTP\/1\.1 400 /);
  expect(text).toContain('`inputs` is not a list of tensors');
});
