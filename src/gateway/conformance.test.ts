// The gateway as clients that others wrote meet it: their bytes over a socket, what they read of an answer, and the
// schemas of the protocol's published description.
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, inflateSync } from 'node:zlib';
import { Ajv } from 'ajv';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SingleMachine } from '../app/internal.ts';
import type { Bundle } from '../bundle/index.ts';
import { type FloatTensor, tensor } from '../engine/index.ts';
import { canonicalGraph, sizeOf, withMetadata } from '../onnx/internal.ts';
import { writtenBundle } from '../run/test-support/bundles.ts';
import { mixedNet } from '../run/test-support/mixed-net.ts';
import { CONTRACT_KEY, Random } from '../util/internal.ts';
import { type Gateway, serve } from './serve.ts';
import { type ForeignCall, foreignRequests } from './test-support/foreign-requests.ts';
import { OPEN_INFERENCE, REFERRED } from './test-support/open-inference-schemas.ts';

let folder: string;
let bundle: Bundle;
let names: readonly string[];
let gateway: Gateway;
let call: ForeignCall;
let expected: Float32Array;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bedside-conformance-'));
  const network = canonicalGraph(mixedNet());
  const plain = await writtenBundle(join(folder, 'plain'), network);
  names = Array.from({ length: plain.manifest.model.output.classes }, (_, i) => `class, of "${i}"`);
  const contract = JSON.stringify({ classes: names });
  bundle = await writtenBundle(join(folder, 'bundle'), withMetadata(network, CONTRACT_KEY, contract));
  const levels = bundle.manifest.groups.map(() => 0);
  gateway = await serve([bundle], { port: 0, workers: 1, measure: false, dashboard: false, levels });
  const { input, output } = bundle.manifest.model;
  const random = new Random(7);
  const data = Float32Array.from({ length: 2 * sizeOf(input.shape) }, () => random.normal());
  const path = `/v2/models/${bundle.manifest.name}/infer`;
  call = { path, input: input.name, output: output.name, shape: [2, ...input.shape], data };
  const single = new SingleMachine(bundle);
  expected = await single.run(levels, tensor(data, [2, ...input.shape]) as FloatTensor);
  await single.close();
});
afterAll(async () => {
  await gateway?.close();
  await rm(folder, { recursive: true, force: true });
});

interface Answer {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Buffer;
}

/** Sends these bytes, and reads one answer by its content length, as these clients do. */
function send(head: readonly string[], body: Buffer): Promise<Answer> {
  const { hostname, port } = new URL(gateway.url);
  return new Promise((resolve, reject) => {
    let received = Buffer.alloc(0);
    const socket = connect(Number(port), hostname, () => {
      socket.write(`${head.join('\r\n')}\r\n\r\n`);
      socket.write(body);
    });
    socket.on('error', reject);
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk]);
      const end = received.indexOf('\r\n\r\n');
      if (end < 0) return;
      const [first = '', ...rest] = received.subarray(0, end).toString('latin1').split('\r\n');
      const headers = new Map(
        rest.map((line) => [line.split(':')[0]?.toLowerCase() ?? '', line.replace(/^[^:]*: */, '')]),
      );
      const own = received.subarray(end + 4);
      if (own.length < Number(headers.get('content-length'))) return;
      socket.destroy();
      resolve({ status: Number(first.split(' ')[1]), headers, body: own });
    });
  });
}

const ajv = new Ajv({ schemas: [...REFERRED] });

function assertFits(name: keyof typeof OPEN_INFERENCE, value: unknown): void {
  const fits = ajv.validate(OPEN_INFERENCE[name], value);
  expect(fits, `${name}: ${ajv.errorsText()}`).toBe(true);
}

describe('clients of others', () => {
  it('are answered in the form that each reads, with the scores of the engine', async () => {
    for (const { client, head, body, binary, id } of foreignRequests(call)) {
      const { status, headers, body: sent } = await send(head, body);
      expect(status, client).toBe(200);
      const encoding = headers.get('content-encoding');
      const plain =
        encoding === 'gzip' ? gunzipSync(sent) : encoding === 'deflate' ? inflateSync(sent) : sent;
      const length = headers.get('inference-header-content-length');
      expect(length !== undefined, client).toBe(binary);
      const json = JSON.parse(plain.subarray(0, binary ? Number(length) : plain.length).toString());
      const [output] = json.outputs;
      // The Java client knows no other members of an output than these, and of parameters only the size.
      expect(Object.keys(output).sort(), client).toEqual(
        ['name', 'datatype', 'shape', binary ? 'parameters' : 'data'].sort(),
      );
      expect([json.id, output.name, output.datatype, output.shape[0]], client).toEqual([
        id,
        call.output,
        'FP32',
        2,
      ]);
      const bytes = plain.subarray(Number(length));
      if (binary) expect(output.parameters, client).toEqual({ binary_data_size: bytes.length });
      else assertFits('inference_response', json);
      const scores = binary
        ? new Float32Array(Uint8Array.from(bytes).buffer)
        : Float32Array.from(output.data);
      expect(
        Math.max(...scores.map((score, i) => Math.abs(score - (expected[i] ?? 0)))),
        client,
      ).toBeLessThan(1e-4);
      expect(scores.length).toBe(expected.length);
      for (const value of Object.values(json.parameters)) expect(typeof value).not.toBe('object');
    }
  });

  it('read errors: a text, as JSON of just this content type, with another status than 200', async () => {
    const short = { ...call, shape: [1, ...call.shape.slice(1)] };
    for (const wrong of [short, { ...call, input: 'other' }, { ...call, path: '/v2/models/nope/infer' }]) {
      for (const { client, head, body } of foreignRequests(wrong)) {
        const { status, headers, body: sent } = await send(head, body);
        expect([400, 404], client).toContain(status);
        expect(headers.get('content-type'), client).toBe('application/json');
        const value: unknown = JSON.parse(sent.toString());
        assertFits('inference_error_response', value);
        expect(value, client).toMatchObject({ error: expect.stringMatching(/\w/) });
      }
    }
  });

  it('find the metadata that the published description asks for', async () => {
    const get = async (path: string): Promise<unknown> => (await fetch(`${gateway.url}${path}`)).json();
    assertFits('metadata_server_response', await get('/v2/'));
    const own = await get(`/v2/models/${bundle.manifest.name}`);
    assertFits('metadata_model_response', own);
    const { properties } = own as { readonly properties: { readonly classes: string } };
    expect(JSON.parse(properties.classes)).toEqual(names);
  });
});
