// Samples that pages send or pick: answered twice, with relevance, and audited; compared with the protocol's own answers.
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { unzipSync } from 'fflate';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Bundle } from '../../bundle/index.ts';
import { npyArray, writeNpz } from '../../data/index.ts';
import { canonicalGraph, sizeOf } from '../../onnx/internal.ts';
import { measuredBundle } from '../../run/test-support/bundles.ts';
import { mixedNet } from '../../run/test-support/mixed-net.ts';
import { must } from '../../util/index.ts';
import { Random } from '../../util/internal.ts';
import { newToken, writeTokens } from '../security/tokens.ts';
import { type Gateway, serve } from '../serve.ts';
import type { Explained, ExplainedSide, ExplainInfo } from './wire-explain.ts';

let folder: string;
let bundle: Bundle;
let gateway: Gateway;
let shape: readonly number[];
let rows: Float32Array;
const tokens = { viewer: newToken('viewer', ['metrics']), doctor: newToken('doctor', ['explain', 'infer']) };
const SAMPLES = 6;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bedside-explain-'));
  bundle = await measuredBundle(join(folder, 'bundle'), canonicalGraph(mixedNet()));
  shape = bundle.manifest.model.input.shape;
  const random = new Random(5);
  rows = Float32Array.from({ length: SAMPLES * sizeOf(shape) }, () => random.normal());
  const data = join(folder, 'picked.npz');
  const y = npyArray([SAMPLES], Int32Array.from([0, 1, 2, 0, 1, 2]));
  await writeFile(data, writeNpz({ x: npyArray([SAMPLES, ...shape], rows), y }));
  const [pages, audit, file] = ['pages', 'log', 'tokens.json'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  await mkdir(pages);
  await mkdir(audit);
  await writeFile(join(pages, 'index.html'), '<!doctype html>');
  await writeTokens(
    file,
    Object.values(tokens).map(({ kept }) => kept),
  );
  gateway = await serve([bundle], {
    ...{ port: 0, workers: 1, measure: false, audit, tokens: file, dashboard: pages, samples: data },
  });
});
afterAll(async () => {
  await gateway?.close();
  await rm(folder, { recursive: true, force: true });
});

async function ask(
  query: string,
  sent: string | Uint8Array | undefined,
  type?: string,
  who: keyof typeof tokens = 'doctor',
) {
  const url = `${gateway.url}/api/models/${bundle.manifest.name}/explain${query}`;
  const response = await fetch(url, {
    method: sent === undefined ? 'GET' : 'POST',
    headers: {
      authorization: `Bearer ${tokens[who].token}`,
      ...(type === undefined ? {} : { 'content-type': type }),
    },
    ...(sent === undefined ? {} : { body: sent as string }),
  });
  return { status: response.status, body: (await response.json()) as never };
}

const floats = (text: string | undefined): Float32Array => {
  const bytes = Buffer.from(text ?? '', 'base64');
  return new Float32Array(Uint8Array.from(bytes).buffer);
};
const relevanceOf = ({ relevance }: ExplainedSide): Float32Array =>
  floats('inputs' in relevance ? relevance.inputs[0] : undefined);
const sample = (at: number): Float32Array => rows.slice(at * sizeOf(shape), (at + 1) * sizeOf(shape));

async function protocol(at: number, variant: number) {
  const { model, name } = bundle.manifest;
  const tensor = {
    name: model.input.name,
    shape: [1, ...shape],
    datatype: 'FP32',
    data: Array.from(sample(at)),
  };
  const response = await fetch(`${gateway.url}/v2/models/${name}/explain`, {
    method: 'POST',
    headers: { authorization: `Bearer ${tokens.doctor.token}` },
    body: JSON.stringify({ inputs: [tensor], parameters: { variant } }),
  });
  return ((await response.json()) as { outputs: { data: number[] }[] }).outputs;
}

describe('the page Explain', () => {
  it('is told what the network reads, and which samples may be picked', async () => {
    const { body } = await ask('', undefined);
    const info: ExplainInfo = body;
    expect(info).toMatchObject({ task: 'single-label', choosesClass: true, samples: { name: 'picked.npz' } });
    expect(info.inputs).toEqual([
      { name: bundle.manifest.model.input.name, shape, kind: 'values', channelsLast: false },
    ]);
    expect(info.maskNames).toEqual(['0', '1', '2']);
    expect(info.samples?.picks).toHaveLength(SAMPLES);
    expect((await ask('', undefined, undefined, 'viewer')).status).toBe(403);
  });

  it('shows a picked sample as the protocol answers and explains it, beside the unpruned network', async () => {
    const last = bundle.manifest.variants.length - 1;
    const { status, body } = await ask(`?variant=${last}`, JSON.stringify({ sample: 0 }), 'application/json');
    expect(status).toBe(200);
    const found: Explained = body;
    const values = floats(found.inputs[0]);
    const at = Array.from({ length: SAMPLES }, (_, i) => i).find((i) => sample(i)[0] === values[0]) ?? -1;
    expect(values).toEqual(sample(at));
    const unpruned = found.unpruned as ExplainedSide;
    for (const [side, variant] of [
      [found.chosen, last],
      [unpruned, 0],
    ] as const) {
      const [scores, relevance] = await protocol(at, variant);
      expect(side.variant).toBe(variant);
      const best = (scores?.data ?? []).indexOf(Math.max(...(scores?.data ?? [])));
      expect(side.found).toEqual([best]);
      expect(side.probabilities?.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 6);
      if (best !== found.chosen.found?.[0]) continue;
      for (const [i, value] of relevanceOf(side).entries())
        expect(value).toBeCloseTo(relevance?.data[i] ?? 0, 5);
    }
    expect(found.agreement).toBe(Number(found.chosen.found?.[0] === unpruned.found?.[0]));
    expect(found.relevanceAgreement).toBeLessThanOrEqual(1 + 1e-6);
  });

  it('takes an array or tensors, one of several samples, and explains the class that is asked for', async () => {
    const archive = writeNpz({ x: npyArray([SAMPLES, ...shape], rows) });
    const array = must(unzipSync(archive)['x.npy'], 'the array');
    const sent: { body: Explained } = await ask('?variant=0&index=2', array, 'application/x-npy');
    expect(sent.body).toMatchObject({ index: 2, of: SAMPLES, isUnpruned: true, agreement: 1 });
    expect(floats(sent.body.inputs[0])).toEqual(sample(2));
    const tensor = { name: bundle.manifest.model.input.name, shape: [1, ...shape], datatype: 'FP32' };
    const json = JSON.stringify({ inputs: [{ ...tensor, data: Array.from(sample(2)) }] });
    const own = [0, 1, 2].find((k) => k !== sent.body.chosen.found?.[0]) ?? 0;
    const other: { body: Explained } = await ask(`?variant=0&class=${own}`, json, 'application/json');
    expect(other.body.subject).toBe(String(own));
    expect(relevanceOf(other.body.chosen)).not.toEqual(relevanceOf(sent.body.chosen));
    const again: { body: Explained } = await ask(`?variant=0&class=${sent.body.chosen.found?.[0]}`, json);
    expect(relevanceOf(again.body.chosen)).toEqual(relevanceOf(sent.body.chosen));
  });

  it.each([
    ['no sample of that number', '', '{"sample": 99}', 404],
    ['no JSON', '', 'x', 400],
    ['a class that there is not', '?class=9', '{"sample": 0}', 400],
    ['a variant that there is not', '?variant=999', '{"sample": 0}', 400],
    ['an index that is none', '?index=-1', '{"sample": 0}', 400],
  ])('refuses %s', async (_what, query, sent, status) => {
    const answer = await ask(query, sent, 'application/json');
    expect([answer.status, answer.body]).toEqual([
      status,
      expect.objectContaining({ code: expect.any(String) }),
    ]);
  });

  it('keeps both answers in the audit log, and nothing of the sample', async () => {
    const log = await readFile(join(folder, 'log', 'audit-000000000000.jsonl'), 'utf8');
    const events = log
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    const explained = events.filter(({ event, caller }) => event === 'explain' && caller === 'doctor');
    expect(explained).toContainEqual(expect.objectContaining({ variant: 0, result: expect.any(String) }));
    expect(explained).toContainEqual(expect.objectContaining({ error: 'E_NOT_FOUND' }));
    expect(log).not.toContain('picked');
  });
});
