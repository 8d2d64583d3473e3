// Requests over HTTP while workers are killed and cut off: each is answered, rightly or with a code, and workers come back.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { SingleMachine } from '../app/index.ts';
import { type FloatTensor, tensor } from '../engine/index.ts';
import { canonicalGraph, sizeOf } from '../onnx/internal.ts';
import { writtenBundle } from '../run/test-support/bundles.ts';
import { mixedNet } from '../run/test-support/mixed-net.ts';
import { Random } from '../util/internal.ts';
import { serve } from './serve.ts';
import { FaultyPool } from './test-support/faulty-pool.ts';

const REQUESTS = 60;
const CLIENTS = 4;

it('ends each request once while workers are killed and cut off, and none is wrong', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'bedside-faults-'));
  const bundle = await writtenBundle(join(folder, 'bundle'), canonicalGraph(mixedNet()));
  const random = new Random(1);
  const faulty = new FaultyPool(bundle, random.fork(), 0.2);
  const single = new SingleMachine(bundle);
  const { name, model } = bundle.manifest;
  try {
    await using gateway = await serve([bundle], { port: 0, pool: () => faulty.pool, dashboard: false });
    const url = `${gateway.url}/v2/models/${name}/infer`;
    const devices = new Set<string>();
    const statuses: number[] = [];
    const ask = async (): Promise<number> => {
      const data = Float32Array.from({ length: sizeOf(model.input.shape) }, () => random.normal());
      const shape = [1, ...model.input.shape];
      const body = JSON.stringify({
        inputs: [{ name: model.input.name, shape, datatype: 'FP32', data: Array.from(data) }],
        parameters: { deadline: 5 },
      });
      const response = await fetch(url, { method: 'POST', body });
      const answer = (await response.json()) as {
        code?: string;
        parameters?: { levels: string; devices: string };
        outputs?: { data: number[] }[];
      };
      if (response.status !== 200) {
        expect([503, 504], JSON.stringify(answer)).toContain(response.status);
        expect(answer.code).toMatch(/^E_(?!INTERNAL)/);
        return response.status;
      }
      for (const device of answer.parameters?.devices.split(',') ?? []) devices.add(device);
      const levels = String(answer.parameters?.levels).split(',').map(Number);
      const expected = await single.run(levels, tensor(data, shape) as FloatTensor);
      const scores = answer.outputs?.[0]?.data ?? [];
      expected.forEach((value, i) => {
        expect(Math.abs(value - (scores[i] ?? Number.NaN))).toBeLessThan(1e-4);
      });
      return 200;
    };
    let next = 0;
    const lane = async (): Promise<void> => {
      while (next < REQUESTS) {
        if (next++ % 10 === 0) faulty.strike();
        statuses.push(await ask());
      }
    };
    await Promise.all(Array.from({ length: CLIENTS }, lane));
    await faulty.settled();
    expect(statuses).toHaveLength(REQUESTS);
    expect(statuses.filter((status) => status === 200).length).toBeGreaterThan(REQUESTS / 2);
    // The slow worker of the gateway is not all that answers.
    expect([...devices].filter((device) => device !== 'source')).not.toEqual([]);
    expect(faulty.counts.kill).toBeGreaterThan(1);
    for (let waited = 0; (await faulty.ended()).length > 0 && waited < 100; waited++) await sleep(100);
    expect(await faulty.ended()).toEqual([]);
    expect(await ask()).toBe(200);
  } finally {
    await single.close();
    await rm(folder, { recursive: true, force: true });
  }
});
