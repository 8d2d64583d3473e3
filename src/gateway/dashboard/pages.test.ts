// What pages are told and may set, over real HTTP: pruning, policy, by role.
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Bundle } from '../../bundle/index.ts';
import { totalCosts } from '../../bundle/internal.ts';
import { canonicalGraph, sizeOf } from '../../onnx/internal.ts';
import { measuredBundle } from '../../run/test-support/bundles.ts';
import { mixedNet } from '../../run/test-support/mixed-net.ts';
import { newToken, writeTokens } from '../security/tokens.ts';
import { type Gateway, serve } from '../serve.ts';
import type { PolicyInfo, WhatIfAnswer } from './wire-policy.ts';
import type { PrunedLayers, PruningInfo, PruningUse } from './wire-pruning.ts';

let folder: string;
let bundle: Bundle;
let gateway: Gateway;
const tokens = { viewer: newToken('viewer', ['metrics']), admin: newToken('head nurse', ['admin']) };

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bedside-pages-'));
  bundle = await measuredBundle(join(folder, 'bundle'), canonicalGraph(mixedNet()));
  const pages = join(folder, 'pages');
  const audit = join(folder, 'log');
  await mkdir(pages);
  await mkdir(audit);
  await writeFile(join(pages, 'index.html'), '<!doctype html>');
  const file = join(folder, 'tokens.json');
  await writeTokens(
    file,
    Object.values(tokens).map(({ kept }) => kept),
  );
  gateway = await serve([bundle], {
    ...{ port: 0, workers: 2, measure: false, audit, tokens: file, dashboard: pages },
  });
});
afterAll(async () => {
  await gateway?.close();
  await rm(folder, { recursive: true, force: true });
});

async function ask(who: keyof typeof tokens | undefined, method: string, path: string, body?: unknown) {
  const response = await fetch(
    `${gateway.url}/api/models/${encodeURIComponent(bundle.manifest.name)}${path}`,
    {
      method,
      headers: who === undefined ? {} : { authorization: `Bearer ${tokens[who].token}` },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    },
  );
  return { status: response.status, body: (await response.json()) as never };
}

async function infer(parameters: object = {}) {
  const { model, name } = bundle.manifest;
  const shape = [1, ...model.input.shape];
  const data = new Array(sizeOf(shape)).fill(0.5);
  const response = await fetch(`${gateway.url}/v2/models/${name}/infer`, {
    method: 'POST',
    headers: { authorization: `Bearer ${tokens.admin.token}` },
    body: JSON.stringify({ inputs: [{ name: model.input.name, shape, datatype: 'FP32', data }], parameters }),
  });
  return (await response.json()) as { parameters: Record<string, unknown>; code?: string };
}

describe('pruning', () => {
  it('tells variants with their costs and bounds, and which answered', async () => {
    const { status, body } = await ask('viewer', 'GET', '/pruning');
    expect(status).toBe(200);
    const info: PruningInfo = body;
    expect(info.variants.map(({ accuracy, macs }) => [accuracy, macs])).toEqual(
      bundle.manifest.variants.map(({ accuracy, macs }) => [accuracy, macs]),
    );
    expect(info.groups[0]?.accuracy[0]).toBe(bundle.manifest.accuracy.unpruned);
    await infer({ variant: 0 });
    const use: PruningUse = (await ask('viewer', 'GET', '/pruning/use')).body;
    expect(use.answered).toContainEqual({ variant: 0, samples: 1 });
    expect(use.levels).toHaveLength(bundle.manifest.groups.length);
  });

  it('tells what is left of each layer at any levels', async () => {
    const levels = bundle.manifest.groups.map((_, i) => i % 2);
    const layers: PrunedLayers = (await ask('viewer', 'GET', `/pruning/layers?levels=${levels}`)).body;
    expect(layers.macs).toBeCloseTo(totalCosts(bundle.manifest, levels).macs, 6);
    expect(layers.layers.map(({ name }) => name)).toEqual(bundle.manifest.layers.map(({ name }) => name));
    expect(layers.layers.some(({ kept }) => kept < 1)).toBe(true);
    for (const wrong of ['', '9', '0,x', 'levels']) {
      const { status } = await ask('viewer', 'GET', `/pruning/layers?levels=${wrong}`);
      expect(status).toBe(400);
    }
  });
});

describe('policy', () => {
  const policy = async (): Promise<PolicyInfo> => (await ask('viewer', 'GET', '/policy')).body;

  it('compares plans over time, by themselves', async () => {
    let info = await policy();
    for (let i = 0; i < 100 && info.points.length === 0; i++) {
      await new Promise((done) => setTimeout(done, 100));
      info = await policy();
    }
    const [point] = info.points;
    expect(point?.exact).toBeLessThanOrEqual((point?.used ?? 0) + 1e-9);
    expect(point?.exact).toBeLessThanOrEqual((point?.greedy ?? 0) + 1e-9);
    expect(point).toMatchObject({ gap: 0, breaks: [], frozen: false, lost: 0 });
    expect(info.fleet.devices.map(({ name }) => name)).toEqual(['worker-1', 'worker-2']);
  });

  it('freezes for admins alone, says so in answers and in the audit log, and unfreezes', async () => {
    expect((await ask(undefined, 'POST', '/policy/freeze', { scope: 'levels' })).status).toBe(401);
    expect((await ask('viewer', 'POST', '/policy/freeze', { scope: 'levels' })).status).toBe(403);
    expect((await policy()).frozen).toBeNull();
    expect((await infer()).parameters.frozen).toBeUndefined();
    const frozen = await ask('admin', 'POST', '/policy/freeze', { scope: 'plan' });
    expect(frozen.body).toMatchObject({ frozen: { scope: 'plan', by: 'head nurse' } });
    const { levels } = (await policy()).plan ?? {};
    expect((await infer({ solver: 'greedy' })).parameters).toMatchObject({
      frozen: 'plan',
      levels: levels?.join(),
    });
    expect(await infer({ accuracy_floor: 1 })).toMatchObject({ code: 'E_REQUEST' });
    expect((await ask('admin', 'PUT', '/policy/floor', { floor: 0.1 })).status).toBe(400);
    expect((await ask('viewer', 'POST', '/policy/unfreeze')).status).toBe(403);
    expect((await ask('admin', 'POST', '/policy/unfreeze', {})).body).toMatchObject({ frozen: null });
    expect((await ask('admin', 'POST', '/policy/unfreeze', {})).status).toBe(400);
    const log = await readFile(join(folder, 'log', 'audit-000000000000.jsonl'), 'utf8');
    const events = log
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(events).toContainEqual(
      expect.objectContaining({ event: 'freeze', scope: 'plan', caller: 'head nurse' }),
    );
    expect(events).toContainEqual(expect.objectContaining({ event: 'unfreeze', caller: 'head nurse' }));
    expect(events).toContainEqual(expect.objectContaining({ event: 'floor', error: 'E_REQUEST' }));
  });

  it('sets the floor of requests that state none, if there is a plan for it', async () => {
    const best = Math.max(...bundle.manifest.variants.map(({ accuracy }) => accuracy));
    expect((await ask('viewer', 'PUT', '/policy/floor', { floor: 0 })).status).toBe(403);
    const set: { body: PolicyInfo } = await ask('admin', 'PUT', '/policy/floor', { floor: best });
    expect(set.body.floor).toMatchObject({ now: best, by: 'head nurse' });
    expect(set.body.plan?.accuracy).toBeGreaterThanOrEqual(best - 1e-9);
    expect((await ask('admin', 'PUT', '/policy/floor', { floor: 1 })).body).toMatchObject({
      code: 'E_REQUEST',
    });
    expect((await policy()).floor.now).toBe(best);
    const back: { body: PolicyInfo } = await ask('admin', 'PUT', '/policy/floor', { floor: null });
    expect(back.body.floor).toEqual({ now: back.body.floor.atStart, atStart: back.body.floor.atStart });
  });

  it('plans for a fleet that is different, with no effect on what is served', async () => {
    const before = await policy();
    const edit = { devices: [{ name: 'worker-2', away: true }], links: [], solver: 'exact' };
    const { status, body } = await ask('viewer', 'POST', '/policy/what-if', edit);
    const answer: WhatIfAnswer = body;
    expect([status, answer.changed.devices]).toEqual([200, ['worker-1']]);
    expect(answer.now.objective).toBeLessThanOrEqual((answer.changed.objective ?? 0) + 1e-9);
    const low = { links: [], devices: [{ name: 'worker-1', memory: 1 }] };
    const refused: { body: WhatIfAnswer } = await ask('viewer', 'POST', '/policy/what-if', low);
    expect(refused.body.changed.refused).toMatch(/worker-1/);
    expect((await policy()).plan).toEqual(before.plan);
  });

  it.each([
    ['no JSON', 'x'],
    ['a list', []],
    ['no device', { devices: [{ name: 'nobody' }] }],
    ['a speed that is none', { devices: [{ name: 'worker-2', speed: -1 }] }],
    ['the source away', { devices: [{ name: 'worker-1', away: true }] }],
    ['no solver', { solver: 'magic' }],
    ['too many', { devices: Array.from({ length: 600 }, () => ({ name: 'worker-2' })) }],
  ])('refuses a what-if with %s', async (_what, sent) => {
    const { status, body } = await ask('viewer', 'POST', '/policy/what-if', sent);
    expect([status, body]).toEqual([400, expect.objectContaining({ code: 'E_REQUEST' })]);
  });
});
