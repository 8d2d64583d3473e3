// The gateway as a client meets it: real HTTP, a real worker, answers compared with the engine's own.
import { mkdir, mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deflateSync, gzipSync } from 'node:zlib';
import { unzipSync } from 'fflate';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SingleMachine } from '../app/index.ts';
import type { Bundle } from '../bundle/index.ts';
import { npyArray, writeNpz } from '../data/index.ts';
import { type FloatTensor, tensor } from '../engine/index.ts';
import { canonicalGraph, sizeOf } from '../onnx/internal.ts';
import { writtenBundle } from '../run/test-support/bundles.ts';
import { mixedNet } from '../run/test-support/mixed-net.ts';
import { must } from '../util/index.ts';
import { Random } from '../util/internal.ts';
import { verifyAudit } from './observe/audit-verify.ts';
import { type Gateway, serve } from './serve.ts';

let folder: string;
let bundle: Bundle;
let gateway: Gateway;
let single: SingleMachine;
let base: string;
let size: number;
let shape: readonly number[];
let input: string;
let output: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bedside-gateway-'));
  bundle = await writtenBundle(join(folder, 'bundle'), canonicalGraph(mixedNet()));
  await mkdir(join(folder, 'log'));
  const audit = join(folder, 'log');
  gateway = await serve([bundle], { port: 0, workers: 1, measure: false, audit, bodyLimit: 1_000_000 });
  single = new SingleMachine(bundle);
  const { model, name } = bundle.manifest;
  base = `${gateway.url}/v2/models/${name}`;
  shape = model.input.shape;
  size = sizeOf(shape);
  input = model.input.name;
  output = model.output.name;
});
afterAll(async () => {
  await gateway?.close();
  await single?.close();
  await rm(folder, { recursive: true, force: true });
});

const samples = (count: number, seed = 1): Float32Array => {
  const random = new Random(seed);
  return Float32Array.from({ length: count * size }, () => random.normal());
};

interface Answer {
  readonly model_name: string;
  readonly id?: string;
  readonly parameters: Record<string, string | number>;
  readonly outputs: {
    name: string;
    shape: number[];
    datatype: string;
    data: number[];
    parameters?: object;
  }[];
}

const body = (data: ArrayLike<number>, count: number, more: object = {}): string =>
  JSON.stringify({
    inputs: [{ name: input, shape: [count, ...shape], datatype: 'FP32', data: Array.from(data) }],
    ...more,
  });

async function post(path: string, sent: string | Uint8Array, headers: Record<string, string> = {}) {
  const response = await fetch(`${base}${path}`, { method: 'POST', body: sent as string, headers });
  const bytes = Buffer.from(await response.arrayBuffer());
  return {
    response,
    bytes,
    json: () => JSON.parse(bytes.toString()) as Answer & { error: string; code: string },
  };
}

async function expectedScores(data: Float32Array, count: number, levels: string): Promise<Float32Array> {
  const asked = tensor(data, [count, ...shape]) as FloatTensor;
  return await single.run(levels.split(',').map(Number), asked);
}

function expectClose(a: ArrayLike<number>, b: ArrayLike<number>): void {
  expect(a.length).toBe(b.length);
  for (let i = 0; i < a.length; i++) expect(Math.abs((a[i] as number) - (b[i] as number))).toBeLessThan(1e-4);
}

describe('the gateway', () => {
  it('says what it serves, and that it is alive and ready, with and without a slash at the end', async () => {
    const get = async (path: string): Promise<unknown> => {
      const response = await fetch(`${gateway.url}${path}`);
      expect([response.status, response.headers.get('content-type')]).toEqual([200, 'application/json']);
      return await response.json();
    };
    expect(await get('/v2/health/live')).toEqual({ live: true });
    expect(await get('/v2/health/ready/')).toEqual({ ready: true });
    expect(await get('/v2/')).toMatchObject({ name: 'bedside', extensions: ['binary_tensor_data'] });
    const { name } = bundle.manifest;
    const model = await get(`/v2/models/${name}`);
    expect(model).toMatchObject({ name, inputs: [{ name: input, datatype: 'FP32', shape: [-1, ...shape] }] });
    const version = bundle.sha256.slice(0, 12);
    expect(await get(`/v2/models/${name}/versions/${version}/`)).toEqual(model);
    expect(await get(`/v2/models/${name}/ready`)).toEqual({ name, ready: true });
    expect(await get('/openapi.json')).toMatchObject({ openapi: '3.1.0' });
  });

  it('answers JSON as the engine does, echoes the id, and ignores members that it does not know', async () => {
    const data = samples(2);
    const { response, json } = await post('/infer', body(data, 2, { id: 'q1', unknown: { a: 1 } }));
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('application/json');
    const answer = json();
    expect(answer).toMatchObject({ model_name: bundle.manifest.name, id: 'q1' });
    const [scores] = answer.outputs;
    expect(scores).toMatchObject({ name: output, datatype: 'FP32' });
    expect(scores?.parameters).toBeUndefined();
    for (const value of Object.values(answer.parameters))
      expect(['string', 'number']).toContain(typeof value);
    expectClose(scores?.data ?? [], await expectedScores(data, 2, String(answer.parameters.levels)));
  });

  it.each([
    ['plain', (bytes: Buffer) => bytes, undefined],
    ['gzip', (bytes: Buffer) => gzipSync(bytes), 'gzip'],
    ['deflate', (bytes: Buffer) => deflateSync(bytes), 'deflate'],
  ])(
    'takes tensors as bytes behind the JSON, without a content type: %s',
    async (_name, packed, encoding) => {
      const data = samples(3, 2);
      const tensors = [{ name: input, shape: [3, ...shape], datatype: 'FP32' }];
      const head = Buffer.from(
        JSON.stringify({
          parameters: { binary_data_output: true },
          inputs: tensors.map((one) => ({ ...one, parameters: { binary_data_size: data.byteLength } })),
        }),
      );
      const sent = packed(Buffer.concat([head, Buffer.from(data.buffer)]));
      const { response, bytes } = await post('/infer', sent, {
        'inference-header-content-length': String(head.length),
        ...(encoding === undefined ? {} : { 'content-encoding': encoding }),
      });
      expect(response.status).toBe(200);
      const length = Number(response.headers.get('inference-header-content-length'));
      const answer = JSON.parse(bytes.subarray(0, length).toString()) as Answer;
      const rest = bytes.subarray(length);
      expect(answer.outputs[0]?.parameters).toEqual({ binary_data_size: rest.byteLength });
      const scores = new Float32Array(Uint8Array.from(rest).buffer);
      expectClose(scores, await expectedScores(data, 3, String(answer.parameters.levels)));
    },
  );

  it('runs the levels that a request asks for, and explains the input at these', async () => {
    const data = samples(1, 3);
    const levels = bundle.manifest.groups.map(() => 1).join(',');
    const asked = await post('/infer', body(data, 1, { parameters: { levels, deadline: 20 } }));
    expect(asked.json().parameters.levels).toBe(levels);
    expectClose(asked.json().outputs[0]?.data ?? [], await expectedScores(data, 1, levels));
    const explained = (await post('/explain', body(data, 1, { parameters: { levels } }))).json();
    expect(explained.outputs.map(({ name }) => name)).toEqual([output, `${input}_relevance`]);
    expect(explained.outputs[1]?.shape).toEqual([1, ...shape]);
    expect(explained.outputs[1]?.data.some((value) => value !== 0)).toBe(true);
  });

  it('takes a file as it is, with its parameters as a query', async () => {
    const data = samples(2, 6);
    const tensors = { inputs: [{ name: input, shape: [2, ...shape], datatype: 'FP32', data: [...data] }] };
    const expected = (
      await post('/infer', JSON.stringify({ ...tensors, parameters: { variant: 0 } }))
    ).json();
    const archive = writeNpz({ x: npyArray([2, ...shape], data) });
    const array = must(unzipSync(archive)['x.npy'], 'the array');
    const sent: readonly [string, Uint8Array, Record<string, string>][] = [
      ['', archive, { 'content-type': 'application/zip' }],
      ['', array, { 'content-type': 'application/x-npy; charset=binary' }],
      ['&name=../a.npy', array, { 'content-type': 'application/octet-stream' }],
      ['', array, { 'content-disposition': 'attachment; filename="a.npy"', 'content-type': '' }],
      ['', gzipSync(array), { 'content-type': 'application/x-npy', 'content-encoding': 'gzip' }],
    ];
    for (const [query, bytes, headers] of sent) {
      const { response, json } = await post(`/infer?variant=0&id=f1${query}`, bytes, headers);
      expect(response.status, JSON.stringify(json())).toBe(200);
      expect([response.status, json().id, json().parameters.levels]).toEqual([200, 'f1', '0,0,0,0,0,0,0,0']);
      expect(json().outputs[0]?.data).toEqual(expected.outputs[0]?.data);
    }
    const explained = await post('/explain?with_input=true&binary_data_output=true', array, {
      'content-type': 'application/x-npy',
    });
    const length = Number(explained.response.headers.get('inference-header-content-length'));
    const { outputs } = JSON.parse(explained.bytes.subarray(0, length).toString()) as Answer;
    expect(outputs.map(({ name }) => name)).toEqual([output, `${input}_relevance`, `${input}_read`]);
    expect(new Float32Array(Uint8Array.from(explained.bytes.subarray(-data.byteLength)).buffer)).toEqual(
      data,
    );
    const refused: readonly [string, Uint8Array, string, string][] = [
      ['', archive, 'image/png', 'E_REQUEST'],
      ['', Buffer.from('GIF89a'), 'image/gif', 'E_DATA_FIT'],
      ['', Buffer.from('no array'), 'application/x-npy', 'E_REQUEST'],
      ['?name=a.edf', array, 'application/octet-stream', 'E_REQUEST'],
      ['?name=a.exe', array, 'application/octet-stream', 'E_REQUEST'],
      ['?variant=0&variant=1', array, 'application/x-npy', 'E_REQUEST'],
      ['', array.slice(0, 90), 'application/x-npy', 'E_DATA'],
      [
        '',
        writeNpz({ x: npyArray([4097, ...shape], new Float32Array(4097 * size)) }),
        'application/zip',
        'E_TOO_LARGE',
      ],
    ];
    for (const [query, bytes, type, code] of refused) {
      expect((await post(`/infer${query}`, bytes, { 'content-type': type })).json(), type).toMatchObject({
        code,
      });
    }
  });

  it('previews a plan, or says why there is none', async () => {
    const plan = await fetch(`${base}/plan?variant=0`);
    expect(plan.status).toBe(200);
    const unpruned = bundle.manifest.groups.map(() => 0);
    expect(await plan.json()).toMatchObject({ plan: { levels: unpruned, violations: [] } });
    const none = await fetch(`${base}/plan?deadline=0.001&accuracy_floor=1`);
    expect([none.status, ((await none.json()) as { code: string }).code]).toEqual([400, 'E_REQUEST']);
  });

  it('joins a request that is sent twice under one id', async () => {
    const sent = body(samples(1, 4), 1, { id: 'twice' });
    const [first, second] = await Promise.all([post('/infer', sent), post('/infer', sent)]);
    expect(first?.bytes.equals(second?.bytes ?? Buffer.alloc(0))).toBe(true);
    const other = await post('/infer', body(samples(1, 5), 1, { id: 'twice' }));
    expect(other.json().outputs[0]?.data).not.toEqual(first?.json().outputs[0]?.data);
  });

  it('counts requests for Prometheus, without names that senders made up', async () => {
    await post('/infer', 'no JSON');
    await fetch(`${gateway.url}/v2/models/made-up/infer`, { method: 'POST', body: '{}' });
    const text = await (await fetch(`${gateway.url}/metrics`)).text();
    expect(text).toContain(`bedside_requests_total{model="${bundle.manifest.name}",code="E_REQUEST"}`);
    expect(text).toMatch(/bedside_request_seconds_bucket\{le="0.00025"/);
    expect(text).toMatch(/bedside_predicted_joules_total\{model="[^"]+"\} \d*\.?\d/);
    expect(text).toMatch(
      /bedside_stage_seconds_count\{model="[^"]+",variant="\d+",stage="[\d-]+",part="compute"\} [1-9]/,
    );
    expect(text).toMatch(/bedside_device_bytes_total\{model="[^"]+"\} [1-9]/);
    expect(text).not.toContain('made-up');
    expect(text).not.toMatch(/^# TYPE \S+_total gauge/m);
  });

  it('refuses what is malformed, each with a code and as JSON, and goes on', async () => {
    const good = { name: input, shape: [1, ...shape], datatype: 'FP32', data: Array.from(samples(1)) };
    const one = (change: object): string => JSON.stringify({ inputs: [{ ...good, ...change }] });
    const cases: readonly [string, string | Uint8Array, Record<string, string>?, number?][] = [
      ['/infer', ''],
      ['/infer', '[]'],
      ['/infer', '{"inputs": {}}'],
      ['/infer', '{"__proto__": {"inputs": []}}'],
      ['/infer', one({ name: 'other' })],
      ['/infer', one({ shape: [1, ...shape, 1] })],
      ['/infer', one({ shape: [0, ...shape] })],
      ['/infer', one({ shape: [1e9, 1e9] })],
      ['/infer', one({ shape: ['1', ...shape] })],
      ['/infer', one({ datatype: 'BYTES' })],
      ['/infer', one({ datatype: '__proto__' })],
      ['/infer', one({ data: [1, 2] })],
      ['/infer', one({ data: 'text' })],
      ['/infer', one({ data: good.data.map(() => null) })],
      ['/infer', one({ data: `${'['.repeat(10)}` })],
      ['/infer', JSON.stringify({ inputs: [good, good] })],
      ['/infer', JSON.stringify({ inputs: [good], outputs: [{ name: 'nope' }] })],
      ['/infer', JSON.stringify({ inputs: [good], id: 7 })],
      ['/infer', JSON.stringify({ inputs: [good], parameters: { deadline: -1 } })],
      ['/infer', JSON.stringify({ inputs: [good], parameters: { levels: '9,9' } })],
      ['/infer', JSON.stringify({ inputs: [good], parameters: { solver: 'magic' } })],
      ['/infer', one({ data: undefined, parameters: { binary_data_size: 4 } })],
      ['/infer', one({}), { 'inference-header-content-length': '99999999' }],
      ['/infer', one({}), { 'inference-header-content-length': '-1' }],
      ['/infer', one({}), { 'content-encoding': 'gzip' }],
      ['/infer', one({}), { 'content-encoding': 'zstd' }],
      ['/infer', gzipSync(Buffer.alloc(8_000_000)), { 'content-encoding': 'gzip' }, 413],
      ['/infer', Buffer.alloc(1_500_000), {}, 413],
      ['/nothing', '{}', {}, 404],
      ['/versions/0/infer', one({}), {}, 404],
    ];
    for (const [path, sent, headers = {}, status = 400] of cases) {
      const { response, json, bytes } = await post(path, sent, headers);
      const what = `${path} ${typeof sent === 'string' ? sent.slice(0, 80) : sent.length} ${bytes.toString().slice(0, 200)}`;
      expect(response.status, what).toBe(status);
      expect(response.headers.get('content-type'), what).toBe('application/json');
      expect(json(), what).toMatchObject({ error: expect.any(String), code: expect.stringMatching(/^E_/) });
      expect(json().code, what).not.toBe('E_INTERNAL');
    }
    expect((await post('/infer', body(samples(1), 1))).response.status).toBe(200);
  });

  it('goes on when senders hang up in the middle of a request', async () => {
    const { hostname, port } = new URL(gateway.url);
    for (const part of [
      'POST',
      'POST /v2/models/x/infer HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n{"inputs"',
    ]) {
      await new Promise<void>((done) => {
        const socket = connect(Number(port), hostname, () => socket.write(part, () => socket.destroy()));
        socket.on('close', () => done());
      });
    }
    expect((await post('/infer', body(samples(1), 1))).response.status).toBe(200);
  });

  it('keeps every decision in the audit log, which holds no value of a sample', async () => {
    const check = await verifyAudit(join(folder, 'log'));
    expect(check).toMatchObject({ ok: true, anchored: true });
    const text = await readFile(join(folder, 'log', 'audit-000000000000.jsonl'), 'utf8');
    const lines = text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines[0]).toMatchObject({ seq: 0, event: 'start' });
    expect(lines).toContainEqual(
      expect.objectContaining({
        event: 'infer',
        bundle: bundle.sha256,
        samples: 2,
        result: expect.any(String),
      }),
    );
    expect(lines).toContainEqual(expect.objectContaining({ event: 'infer', error: 'E_REQUEST' }));
    expect(Object.keys(Object.assign({}, ...lines)).sort()).not.toContain('inputs');
  });
});

describe('who may ask', () => {
  it('refuses an address off this machine without TLS and tokens, unless told otherwise', async () => {
    await expect(serve([bundle], { host: '0.0.0.0', port: 0 })).rejects.toMatchObject({ code: 'E_USAGE' });
    await expect(serve([bundle, bundle], { port: 0 })).rejects.toMatchObject({ code: 'E_USAGE' });
  });

  it('makes a token where there is none, and asks for it', async () => {
    const tokens = join(folder, 'tokens.json');
    await using own = await serve([bundle], { port: 0, workers: 1, measure: false, tokens });
    expect((await stat(tokens)).mode & 0o777).toBe(0o600);
    expect(await readFile(tokens, 'utf8')).not.toContain(own.token);
    const url = `${own.url}/v2/models/${bundle.manifest.name}/plan`;
    const ask = async (token?: string): Promise<number> =>
      (await fetch(url, { headers: token === undefined ? {} : { authorization: `Bearer ${token}` } })).status;
    expect(await ask()).toBe(401);
    expect(await ask('bedside_no')).toBe(401);
    expect(await ask(own.token)).toBe(200);
    expect((await fetch(`${own.url}/v2/health/live`)).status).toBe(200);
  });
});
