// A bundle over two workers of this machine, as a program runs it.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Bundle } from '../../bundle/index.ts';
import type { Dataset } from '../../data/index.ts';
import { canonicalGraph } from '../../onnx/internal.ts';
import { fleetOf } from '../../plan/index.ts';
import { writtenBundle } from '../../run/test-support/bundles.ts';
import { mixedNet } from '../../run/test-support/mixed-net.ts';
import { Random } from '../../util/internal.ts';
import { Deployment } from './deployment.ts';
import { infer } from './infer.ts';
import { LocalPool } from './local-pool.ts';

const SAMPLES = 6;

let folder: string;
let bundle: Bundle;
let pool: LocalPool;
let data: Dataset;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bedside-app-run-'));
  bundle = await writtenBundle(join(folder, 'bundle'), canonicalGraph(mixedNet()));
  pool = await LocalPool.start(bundle.dir, { workers: 2 });
  const sampleShape = bundle.manifest.model.input.shape;
  const random = new Random(1);
  const size = SAMPLES * sampleShape.reduce((product, length) => product * length, 1);
  data = {
    ...{ kind: 'synthetic', name: 'noise', size: SAMPLES, sampleShape, hash: '' },
    samples: Float32Array.from({ length: size }, () => random.normal()),
    ...{ labels: undefined, classNames: ['a', 'b', 'c'], origins: undefined, skipped: [] },
  };
});
afterAll(async () => {
  await pool?.close();
  await rm(folder, { recursive: true, force: true });
});

const unpruned = () => bundle.manifest.groups.map(() => 0);

describe('infer', () => {
  it('runs samples on a pool, which stays open, as one machine does', async () => {
    const notes: string[] = [];
    const phases: string[] = [];
    const progress: number[] = [];
    const result = await infer(
      bundle,
      { data, pool, levels: unpruned(), batch: 4, onPhase: (phase) => phases.push(phase) },
      { note: (text) => notes.push(text), progress: (_, done) => progress.push(done) },
    );
    expect(result).toMatchObject({
      n: SAMPLES,
      accuracy: 1,
      matchesSingleMachine: true,
      missed: 0,
      lost: [],
    });
    expect(result.plan.levels).toEqual(unpruned());
    await expect(infer(bundle, { data, pool, batch: 0 })).rejects.toMatchObject({ code: 'E_USAGE' });
    expect(result.devices.map(({ name }) => name)).toEqual(['worker-1', 'worker-2']);
    expect(phases).toEqual(['preparing', 'running']);
    expect(notes).toContain('2 workers are ready');
    expect(progress.at(-1)).toBe(SAMPLES);
    const again = await infer(bundle, { data, pool, levels: unpruned() });
    expect(again.predictions).toEqual(result.predictions);
  });

  it('starts workers of its own without a pool, and only for a plan that exists', async () => {
    const phases: string[] = [];
    const onPhase = (phase: string) => phases.push(phase);
    const { n } = await infer(bundle.dir, { data, workers: 1, measure: false, onPhase });
    expect(n).toBe(SAMPLES);
    await expect(
      infer(bundle, { data, workers: 1, measure: false, deadline: 1e-6, onPhase }),
    ).rejects.toMatchObject({ code: 'E_REQUEST' });
    expect(phases).toHaveLength(2);
  });

  it('rejects with the reason of an abort before the first request', async () => {
    const control = new AbortController();
    const onPhase = () => control.abort(new Error('enough'));
    await expect(infer(bundle, { data, pool, signal: control.signal, onPhase })).rejects.toThrow('enough');
  });

  it.each([
    [
      'workers beside a pool',
      () => ({ pool, workers: 2 }),
      /`workers` has no meaning: the workers of `pool`/,
    ],
    ['workers on a server', () => ({ fabric: 'nats://127.0.0.1:9', workers: 2 }), /`fabric` has workers/],
    ['workers beside a fleet', () => ({ fleet: pool.fleet, workers: 2 }), /one worker for each device/],
  ])('refuses options that it would ignore: %s', async (_, options, says) => {
    const refused = infer(bundle, { data, ...options() });
    await expect(refused).rejects.toMatchObject({ code: 'E_USAGE', message: expect.stringMatching(says) });
  });

  it('sends the input to a stronger device that may have it, and counts its bytes', async () => {
    const device = (name: string, macsPerSecond: number) => ({
      ...{ name, macsPerSecond, memory: 1e9, joulesPerMac: 1e-10, trusted: true },
    });
    const fleet = fleetOf({
      ...{ format: 'bedside-fleet', version: 1, name: 'room', source: 'monitor' },
      devices: [device('monitor', 1e6), device('station', 1e9)],
      network: { channel: 'independent', bytesPerSecond: 1e7, latency: 0.001 },
    });
    const options = { data, fleet, measure: false, levels: unpruned(), solver: 'exact' } as const;
    const kept = await infer(bundle, options);
    const sent = await infer(bundle, { ...options, rawInput: 'trusted' });
    const first = ({ plan }: typeof kept) => plan.stages[0]?.segments.map((segment) => segment.device);
    expect([first(kept), first(sent)]).toEqual([['monitor'], ['station']]);
    expect(sent).toMatchObject({ matchesSingleMachine: true, missed: 0, predictions: kept.predictions });
    const input = (4 * data.samples.length) / SAMPLES;
    expect(sent.plan.stages[0]).toMatchObject({ wire: 'float32', bytes: input });
    const monitor = sent.devices.find(({ name }) => name === 'monitor');
    expect(monitor?.bytesSent).toBeGreaterThanOrEqual(SAMPLES * input);
    expect(sent.bytesMoved).toBeGreaterThan(monitor?.bytesSent ?? 0);
  });

  it('refuses a pool with another bundle', async () => {
    const other = { ...bundle, sha256: 'another' };
    await expect(infer(other, { data, pool })).rejects.toMatchObject({ code: 'E_BUNDLE' });
  });
});

describe('a deployment', () => {
  it('answers single samples as they come, several at a time', async () => {
    await using deployment = await Deployment.start(pool, { levels: unpruned(), batch: 2 });
    const stride = data.samples.length / SAMPLES;
    const samples = [0, 1].map((at) => data.samples.slice(at * stride, (at + 1) * stride));
    const answers = await Promise.all(samples.map((sample) => deployment.infer(sample)));
    for (const { logits, fallback } of answers) {
      expect(logits.dims).toEqual([1, 3]);
      expect(fallback).toBe('none');
    }
    expect(deployment.batches).toBe(1);
    expect(deployment.firstPlan.levels).toEqual(unpruned());
    await expect(deployment.infer(new Float32Array(3))).rejects.toMatchObject({ code: 'E_DATA' });
  });

  it('freezes its plan, and sets the floor of requests that state none', async () => {
    await using deployment = await Deployment.start(pool, { measure: false });
    const sample = data.samples.slice(0, data.samples.length / SAMPLES);
    const first = deployment.plan?.levels;
    const { accuracy } = deployment.firstPlan;
    deployment.freeze('levels');
    const other = bundle.manifest.groups.map((_, group) => (first?.[group] === 0 ? 1 : 0));
    expect((await deployment.infer(sample, { solver: 'exact' })).plan.levels).toEqual(first);
    expect((await deployment.infer(sample, { levels: other })).plan.levels).toEqual(other);
    const high = Math.min(1, accuracy + 0.01);
    for (const refused of [
      deployment.infer(sample, { accuracyFloor: high }),
      deployment.preview({ accuracyFloor: high }),
      deployment.setAccuracyFloor(0.1),
    ]) {
      await expect(refused).rejects.toMatchObject({
        code: 'E_REQUEST',
        message: expect.stringMatching(/frozen/),
      });
    }
    await deployment.unfreeze();
    expect(deployment.frozen).toBeUndefined();
    const best = Math.max(...bundle.manifest.variants.map((variant) => variant.accuracy));
    expect((await deployment.setAccuracyFloor(best)).accuracy).toBeGreaterThanOrEqual(best - 1e-9);
    expect(deployment.basis.request.accuracyFloor).toBe(best);
    const { plan } = await deployment.infer(sample);
    await expect(deployment.setAccuracyFloor(1)).rejects.toMatchObject({ code: 'E_REQUEST' });
    expect((await deployment.infer(sample)).plan).toEqual(plan);
    await deployment.setAccuracyFloor(undefined);
    expect((await deployment.infer(sample)).plan.levels).toEqual(first);
  });

  it('refuses levels that the bundle does not have', async () => {
    await expect(Deployment.start(pool, { levels: [0] })).rejects.toMatchObject({ code: 'E_LEVELS' });
  });
});
