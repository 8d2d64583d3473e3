// Plans whose first stage is not on the source: the input goes straight there, over the link of the source.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Bundle } from '../../bundle/index.ts';
import { largestDifference } from '../../channels/test-support/net.ts';
import { canonicalGraph } from '../../onnx/internal.ts';
import { Random } from '../../util/internal.ts';
import { LocalWorkers } from '../local/local-workers.ts';
import type { RunPlan } from '../protocol/plan.ts';
import { onOneMachine, randomPlan, randomSample, writtenBundle } from '../test-support/bundles.ts';
import { inOneProcess } from '../test-support/in-one-process.ts';
import { mixedNet } from '../test-support/mixed-net.ts';
import { Coordinator } from './coordinator.ts';

let folder: string;
let bundle: Bundle;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bedside-run-'));
  bundle = await writtenBundle(join(folder, 'mixed'), canonicalGraph(mixedNet()));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** A random plan that begins on the station. */
const away = (devices: readonly string[], random: Random): RunPlan => ({
  ...randomPlan(bundle, devices, random),
  source: 'monitor',
});

describe('a first stage away from the source', () => {
  it.each([false, true])('gives what one machine gives; over sockets: %s', async (sockets) => {
    const devices = ['station', 'monitor', 'tablet'];
    await using run = await inOneProcess(
      bundle,
      devices.map((name) => ({ name })),
      true,
      sockets,
    );
    const random = new Random(3);
    for (let draw = 0; draw < 5; draw++) {
      const plan = away(devices, random);
      const input = randomSample(bundle, random);
      const { logits } = await run.requester.infer(input, plan);
      expect(largestDifference(logits.data, await onOneMachine(bundle, plan.levels, input))).toBeLessThan(
        1e-4,
      );
    }
    const inputs = run.fabric.sent.flatMap(({ to, message }) =>
      message.kind === 'part' && 'plan' in message ? [to] : [],
    );
    expect(new Set(inputs)).toEqual(new Set(['station']));
    const { data } = randomSample(bundle, random);
    expect(run.requester.inputBytes).toBe(5 * data.byteLength);
  });

  it('has its input delayed and counted by the link of the source, and its result by its own', async () => {
    const link = { bytesPerSecond: 20_000, latency: 0.03 };
    const devices = [
      { device: { name: 'monitor' }, links: link },
      { device: { name: 'station' }, links: { latency: 0.05 } },
    ];
    const here = { device: 'monitor', bundles: [bundle] };
    await using workers = await LocalWorkers.start(devices, [bundle.dir], here);
    const requester = new Coordinator('requester', bundle);
    await requester.join(workers.fabric);
    const plan = away(['station'], new Random(4));
    await requester.warm(plan);
    const input = randomSample(bundle, new Random(6));
    const before = (await requester.report('monitor')).bytesSent;
    const { seconds, logits } = await requester.infer(input, plan);
    expect((await requester.report('monitor')).bytesSent - before).toBe(input.data.byteLength);
    expect(requester.inputBytes).toBe(0);
    expect(seconds).toBeGreaterThan(0.03 + 0.05 + input.data.byteLength / link.bytesPerSecond - 0.005);
    const expected = await onOneMachine(bundle, plan.levels, input);
    expect(largestDifference(logits.data, expected)).toBeLessThan(1e-4);
    // The same input to the source itself crosses nothing.
    const near = { ...away(['monitor'], new Random(5)), source: undefined };
    await requester.warm(near);
    const sent = (await requester.report('monitor')).bytesSent;
    const own = await requester.infer(input, near);
    expect((await requester.report('monitor')).bytesSent).toBe(sent);
    expect(own.seconds).toBeLessThan(seconds);
    await requester.close();
  });
});
