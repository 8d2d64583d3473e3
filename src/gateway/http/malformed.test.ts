// What broken and hostile senders put on a connection: each is refused with a code, and the gateway goes on.
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Bundle } from '../../bundle/index.ts';
import { canonicalGraph, sizeOf } from '../../onnx/internal.ts';
import { writtenBundle } from '../../run/test-support/bundles.ts';
import { mixedNet } from '../../run/test-support/mixed-net.ts';
import { Random } from '../../util/internal.ts';
import { type Gateway, serve } from '../serve.ts';
import { MALFORMED_KINDS, malformed, type Target } from '../test-support/malformed.ts';
import { sendMalformed } from '../test-support/send-malformed.ts';

let folder: string;
let bundle: Bundle;
let gateway: Gateway;
let target: Target;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bedside-malformed-'));
  bundle = await writtenBundle(join(folder, 'bundle'), canonicalGraph(mixedNet()));
  const bodyLimit = 100_000;
  gateway = await serve([bundle], { port: 0, workers: 1, measure: false, bodyLimit, sendSeconds: 1 });
  const { name, model } = bundle.manifest;
  target = { name, input: model.input.name, shape: model.input.shape, bodyLimit };
});
afterAll(async () => {
  await gateway?.close();
  await rm(folder, { recursive: true, force: true });
});

async function expectAnswer(): Promise<void> {
  const data = Array.from({ length: sizeOf(target.shape) }, () => 0.5);
  const body = JSON.stringify({
    inputs: [{ name: target.input, shape: [1, ...target.shape], datatype: 'FP32', data }],
  });
  const response = await fetch(`${gateway.url}/v2/models/${target.name}/infer`, { method: 'POST', body });
  expect(response.status, await response.text()).toBe(200);
}

it.each(MALFORMED_KINDS)('refuses, with a code: %s', async (kind) => {
  const outcomes = await Promise.all(
    Array.from({ length: 5 }, async (_, seed) => {
      const request = malformed(kind, target, new Random(seed));
      return { ...(await sendMalformed(gateway.url, request)), seed };
    }),
  );
  expect(outcomes.filter(({ wrong }) => wrong !== undefined)).toEqual([]);
  await expectAnswer();
});

it('ends the connections of senders that stall, with a code, and not those that wait between requests', async () => {
  const { hostname, port } = new URL(gateway.url);
  const kept = connect(Number(port), hostname).setEncoding('utf8');
  const asks = async (): Promise<string> => {
    kept.write('GET /v2/health/live HTTP/1.1\r\nhost: a\r\n\r\n');
    return String((await once(kept, 'data'))[0]);
  };
  expect(await asks()).toMatch(/^HTTP\/1\.1 200 /);
  const stall = (part: string): Promise<string> =>
    new Promise((resolve) => {
      let text = '';
      const socket = connect(Number(port), hostname, () => socket.write(part));
      socket.on('data', (chunk) => {
        text += chunk;
      });
      socket.on('close', () => resolve(text));
    });
  const answers = await Promise.all(
    ['POST /v2', 'POST /v2/x HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\n{'].map(stall),
  );
  for (const answer of answers) expect(answer).toMatch(/^HTTP\/1\.1 408 .*"code":"E_REQUEST"/s);
  expect(await asks()).toMatch(/^HTTP\/1\.1 200 /);
  kept.destroy();
  await expectAnswer();
});

it('answers a request whose head and body come in pieces', async () => {
  const { hostname, port } = new URL(gateway.url);
  const data = Array.from({ length: sizeOf(target.shape) }, () => 0.5);
  const body = JSON.stringify({
    inputs: [{ name: target.input, shape: [1, ...target.shape], datatype: 'FP32', data }],
  });
  const text = `POST /v2/models/${target.name}/infer HTTP/1.1\r\nhost: a\r\ncontent-length: ${body.length}\r\nconnection: close\r\n\r\n${body}`;
  const answer = await new Promise<string>((resolve) => {
    let got = '';
    const socket = connect(Number(port), hostname, async () => {
      socket.setNoDelay(true);
      const step = Math.ceil(text.length / 20);
      for (let at = 0; at < text.length; at += step) {
        socket.write(text.slice(at, at + step));
        await new Promise((done) => setTimeout(done, 2));
      }
    });
    socket.on('data', (chunk) => {
      got += chunk;
    });
    socket.on('close', () => resolve(got));
  });
  expect(answer).toMatch(/^HTTP\/1\.1 200 /);
});
