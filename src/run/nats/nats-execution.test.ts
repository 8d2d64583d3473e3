// Plans over a real NATS server: they give the result of one machine, whatever happens to server, links and nodes.

import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Bundle } from '../../bundle/index.ts';
import { largestDifference } from '../../channels/test-support/net.ts';
import type { FloatTensor } from '../../engine/index.ts';
import { loadModel } from '../../onnx/index.ts';
import { canonicalGraph } from '../../onnx/internal.ts';
import { BedsideError } from '../../util/index.ts';
import { Random } from '../../util/internal.ts';
import { LONG } from '../../util/test-support/rounds.ts';
import { Coordinator } from '../client/coordinator.ts';
import { toWire } from '../protocol/wire.ts';
import {
  localPlanOf,
  onOneMachine,
  randomPlan,
  randomSample,
  writtenBundle,
} from '../test-support/bundles.ts';
import { partOf, until } from '../test-support/fabric-suite.ts';
import { mixedNet } from '../test-support/mixed-net.ts';
import { SpanRecorder } from '../test-support/span-recorder.ts';
import { BundleStore } from './bundles/bundle-store.ts';
import { NatsFabric } from './nats-fabric.ts';
import { NatsWorker, type NatsWorkerOptions } from './nats-worker.ts';
import { FleetDirectory } from './presence/fleet-directory.ts';
import { LeakyProxy } from './test-support/leaky-proxy.ts';
import { hasNatsServer, OpenServer, TestServer } from './test-support/nats-server.ts';
import { encodeChunks } from './transport/chunks.ts';
import { connectNats } from './transport/connect.ts';

const DEVICES = ['source', 'b', 'c', 'd'];
const SMALL = 'ecg-resnet1d';
const MODELS = join(process.env.BEDSIDE_SHARED ?? join(import.meta.dirname, '../../../../shared'), 'models');

describe.skipIf(!hasNatsServer)('plans over NATS', () => {
  let folder: string;
  let bundle: Bundle;
  let server: TestServer;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'bedside-nats-run-'));
    bundle = await writtenBundle(join(folder, 'mixed'), canonicalGraph(mixedNet()));
    // The tensors of this network have a few kilobytes; with this limit they travel in chunks.
    server = await TestServer.start({ maxPayload: 4096 });
  });
  afterAll(async () => {
    await server.close();
    await rm(folder, { recursive: true, force: true });
  });

  async function start(
    names: readonly string[],
    options: Partial<NatsWorkerOptions> = {},
    servers?: string[],
    on = server,
  ) {
    const credentials = await on.credentials('worker');
    return Promise.all(
      names.map((name) => NatsWorker.start({ credentials, servers }, { device: { name }, ...options })),
    );
  }

  async function requesterOf(of = bundle, on = server): Promise<Coordinator> {
    const credentials = await on.credentials('coordinator');
    await using store = await BundleStore.open({ credentials });
    await store.publish(of, await readFile(join(of.dir, 'bundle.json')));
    expect(await store.has(of.sha256)).toBe(true);
    const coordinator = new Coordinator('coordinator/a', of);
    await coordinator.join(new NatsFabric({ credentials }));
    return coordinator;
  }

  async function expectOneMachine(logits: Float32Array, levels: readonly number[], input: FloatTensor) {
    expect(largestDifference(logits, await onOneMachine(bundle, levels, input))).toBeLessThan(1e-4);
  }

  it('carry the trace of a request to its devices', async () => {
    using recorder = new SpanRecorder();
    const workers = await start(DEVICES);
    const coordinator = await requesterOf();
    const random = new Random(3);
    const plan = randomPlan(bundle, DEVICES, random);
    const trace = '0af7651916cd43dd8448eb211c80319c';
    const traceparent = `00-${trace}-b7ad6b7169203331-01`;
    await coordinator.infer(randomSample(bundle, random), plan, { deadline: 120, traceparent });
    expect(new Set(recorder.spans.map((span) => span.trace))).toEqual(new Set([trace]));
    const used = new Set(recorder.named('stage').map(({ attributes }) => attributes['bedside.device']));
    expect(used).toEqual(
      new Set(plan.stages.flatMap(({ segments }) => segments.map(({ device }) => device))),
    );
    expect(recorder.named('transfer').at(-1)?.attributes['bedside.to']).toBe('coordinator/a');
    await coordinator.close();
    for (const worker of workers) await worker.close();
  });

  it('give what one machine gives; each worker fetches the weights of its own stages', async () => {
    const workers = await start(DEVICES);
    const coordinator = await requesterOf();
    const random = new Random(1);
    const needed = new Map(DEVICES.map((name) => [name, new Set<number>()]));
    for (let draw = 0; draw < 8; draw++) {
      const plan = randomPlan(bundle, DEVICES, random);
      for (const { index, segments } of plan.stages) {
        for (const { device } of segments) needed.get(device)?.add(index);
      }
      const input = randomSample(bundle, random);
      const { logits } = await coordinator.infer(input, plan, { deadline: 120 });
      await expectOneMachine(logits.data, plan.levels, input);
    }
    for (const worker of workers) {
      const stages = [...(needed.get(worker.device.name) ?? [])].sort((a, b) => a - b);
      expect(worker.entry().bundles).toEqual([
        { name: bundle.manifest.name, sha256: bundle.sha256, stages, measured: false },
      ]);
    }
    await coordinator.close();
    for (const worker of workers) await worker.close();
  });

  it('can be made from the fleet directory: workers, measured times and links, without those that leave', async () => {
    const [one, two] = await start(['one', 'two'], { links: { bytesPerSecond: 5e5, latency: 0.01 } });
    const coordinator = await requesterOf();
    const { seconds } = await coordinator.measure('one');
    const observer = await connectNats({ credentials: await server.credentials('observer') });
    const directory = await FleetDirectory.open(observer, await server.credentials('observer'));
    let entries = await directory.read();
    while (!(entries[0]?.seconds[bundle.manifest.name] && entries.every(({ links }) => links.length === 1))) {
      await sleep(50);
      entries = await directory.read();
    }
    expect(entries.map(({ name, trusted }) => [name, trusted])).toEqual([
      ['one', true],
      ['two', true],
    ]);
    expect(entries[0]?.seconds).toEqual(seconds);
    // Measured without any weights; only the frame was fetched.
    expect(entries[0]?.bundles).toMatchObject([{ stages: [], measured: true }]);
    expect(entries[0]?.links[0]).toMatchObject({ to: 'two', bytesPerSecond: 5e5, latency: 0.01 });
    expect(entries[0]?.emulated).toEqual({ bytesPerSecond: 5e5, latency: 0.01 });
    // A device that has measured itself on zeros still gives the right result.
    const levels = bundle.manifest.groups.map(() => 1);
    const input = randomSample(bundle, new Random(2));
    const { logits } = await coordinator.infer(input, localPlanOf(bundle, 'one', levels));
    await expectOneMachine(logits.data, levels, input);
    await one?.drain(1000);
    expect((await directory.read()).map(({ name }) => name)).toEqual(['two']);
    await until(() => coordinator.lost.has('one'));
    await two?.close();
    await observer.close();
    await coordinator.close();
  });

  it('survive a server that is killed and started again: each request ends once, and new ones work', async () => {
    const workers = await start(DEVICES);
    const coordinator = await requesterOf();
    const random = new Random(3);
    const warm = randomPlan(bundle, DEVICES, random);
    await coordinator.infer(randomSample(bundle, random), warm);
    let ended = 0;
    const asked = Array.from({ length: 30 }, (_, at) => ({ at, input: randomSample(bundle, random) }));
    const plans = Array.from({ length: 3 }, () => randomPlan(bundle, DEVICES, random));
    const answers = asked.map(async ({ at, input }) => {
      await sleep(20 * at);
      const plan = plans[at % plans.length] ?? warm;
      try {
        const { logits } = await coordinator.infer(input, plan, { deadline: 120 });
        await expectOneMachine(logits.data, plan.levels, input);
        return 'right';
      } catch (error) {
        return BedsideError.is(error) ? error.code : error;
      } finally {
        ended++;
      }
    });
    await until(() => ended >= 3);
    await server.kill();
    await sleep(300);
    await server.run();
    const found = await Promise.all(answers);
    expect(found.filter((one) => one === 'right').length).toBeGreaterThan(20);
    expect(found.filter((one) => one !== 'right' && one !== 'E_DEADLINE' && one !== 'E_LOST')).toEqual([]);
    expect(coordinator.running).toBe(0);
    const input = randomSample(bundle, random);
    const { logits } = await coordinator.infer(input, warm, { deadline: 120 });
    await expectOneMachine(logits.data, warm.levels, input);
    expect([...coordinator.lost]).toEqual([]);
    await coordinator.close();
    for (const worker of workers) await worker.close();
  });

  it('go on without a worker whose link is cut, and with it when the cut was short', async () => {
    await using proxy = await LeakyProxy.start(server.port);
    const [source] = await start(['source']);
    const [far] = await start(['far'], {}, [`tls://localhost:${proxy.port}`]);
    const coordinator = await requesterOf();
    const random = new Random(4);
    const levels = bundle.manifest.groups.map(() => 0);
    const local = localPlanOf(bundle, 'source', levels);
    const stages = local.stages.map((stage, at) =>
      at === 2 ? { ...stage, segments: stage.segments.map((one) => ({ ...one, device: 'far' })) } : stage,
    );
    const input = randomSample(bundle, random);
    await coordinator.infer(input, { levels, stages });
    // Shorter than the time after which a node is lost: lost messages are sent again.
    proxy.cut();
    const over = coordinator.infer(input, { levels, stages }, { deadline: 120 });
    await sleep(300);
    proxy.mend();
    const back = await over;
    await expectOneMachine(back.logits.data, levels, input);
    expect(back.plan.stages).toBe(stages);
    proxy.cut();
    const replan = async () => local;
    const { logits, plan } = await coordinator.infer(input, { levels, stages }, { deadline: 120, replan });
    await expectOneMachine(logits.data, levels, input);
    expect(plan).toBe(local);
    expect([...coordinator.lost.keys()]).toEqual(['far']);
    // A worker that is back, or another with its name, is used again.
    proxy.mend();
    await until(() => coordinator.lost.size === 0);
    expect((await coordinator.infer(input, { levels, stages })).plan.stages).toBe(stages);
    await far?.close();
    await until(() => coordinator.lost.has('far'));
    await expect(coordinator.infer(input, { levels, stages })).rejects.toMatchObject({ code: 'E_LOST' });
    const [another] = await start(['far']);
    await until(() => coordinator.lost.size === 0);
    const again = await coordinator.infer(input, { levels, stages });
    await expectOneMachine(again.logits.data, levels, input);
    await coordinator.close();
    await source?.close();
    await another?.close();
  });

  it('end a request with an error when a chunk of its tensor is lost, and nothing is computed from the rest', async () => {
    // Without keys, because a sealed message with a lost chunk would be refused anyway.
    await using open = await OpenServer.start();
    const notes: string[] = [];
    const failed: string[] = [];
    const got: number[] = [];
    const fabric = new NatsFabric(open.access, { onNote: (text) => notes.push(text) });
    const end = await fabric.join('coordinator/b', {
      message: (_, message) => {
        if (message.kind === 'failed')
          failed.push(message.request, message.error.code, message.error.message);
        if (message.kind === 'part') got.push(message.tensor.data.length);
      },
      lost: () => {},
    });
    expect(notes).toEqual([expect.stringContaining('nothing is protected')]);
    const raw = await connectNats(open.access, { who: 'coordinator.a' });
    const subject = 'bedside.tensor.coordinator.b.coordinator.a';
    const owner = { request: 'r', epoch: 0, requester: 'coordinator/b' };
    const part = { ...partOf(new Float32Array(5000), [5000]), requester: 'coordinator/b' };
    const chunks = [...encodeChunks(7, toWire(part), owner, 4096)];
    expect(chunks.length).toBeGreaterThan(4);
    for (const [at, chunk] of chunks.entries()) if (at !== 2) raw.publish(subject, chunk);
    for (const chunk of encodeChunks(8, toWire(part), owner, 4096)) raw.publish(subject, chunk);
    await until(() => got.length > 0);
    expect(got).toEqual([5000]);
    expect(failed).toEqual(['r', 'E_FABRIC', expect.stringContaining('chunk 3 of')]);
    await raw.close();
    await end.close();
  });

  it('are refused for a bundle that nobody published, and by a worker that it does not fit on', async () => {
    const [small] = await start(['small'], { device: { name: 'small', memory: 100 } });
    const unknown = new Coordinator('coordinator/u', { ...bundle, sha256: 'f'.repeat(64) });
    await unknown.join(new NatsFabric({ credentials: await server.credentials('coordinator') }));
    const levels = bundle.manifest.groups.map(() => 0);
    const plan = localPlanOf(bundle, 'small', levels);
    const input = randomSample(bundle, new Random(5));
    const missing = { code: 'E_FABRIC', message: expect.stringContaining('not on the NATS server') };
    await expect(unknown.infer(input, plan)).rejects.toMatchObject(missing);
    await expect(unknown.warm(plan)).rejects.toMatchObject(missing);
    await expect(unknown.measure('small')).rejects.toMatchObject(missing);
    const coordinator = await requesterOf();
    await expect(coordinator.infer(input, plan)).rejects.toMatchObject({ code: 'E_DEVICE' });
    await coordinator.close();
    await unknown.close();
    await small?.close();
  });

  it('run on a server without credentials, as people try things out', async () => {
    await using open = await OpenServer.start();
    await using worker = await NatsWorker.start(open.access, { device: { name: 'a' } });
    await using store = await BundleStore.open(open.access);
    await store.publish(bundle, await readFile(join(bundle.dir, 'bundle.json')));
    const coordinator = new Coordinator('coordinator/a', bundle);
    await coordinator.join(new NatsFabric(open.access));
    const levels = bundle.manifest.groups.map(() => 0);
    const input = randomSample(bundle, new Random(7));
    const { logits } = await coordinator.infer(input, localPlanOf(bundle, worker.device.name, levels));
    await expectOneMachine(logits.data, levels, input);
    const anybody = await connectNats(open.access);
    const entries = await (await FleetDirectory.open(anybody, undefined)).read();
    expect(entries.map(({ name, trusted }) => [name, trusted])).toEqual([['a', true]]);
    await anybody.close();
    await coordinator.close();
  });

  describe.each(LONG ? [SMALL, 'medical-mnist-vgg16', 'medical-mnist-resnet18'] : [SMALL])(
    'of %s',
    (name) => {
      const path = join(MODELS, `${name}.onnx`);
      it.skipIf(!existsSync(path))('give the same too (needs the shared folder)', async () => {
        const model = await writtenBundle(join(folder, name), canonicalGraph(await loadModel(path)));
        await using large = await TestServer.start();
        const workers = await start(DEVICES, {}, undefined, large);
        const coordinator = await requesterOf(model, large);
        const random = new Random(6);
        let plan = randomPlan(model, DEVICES, random);
        while (plan.stages.every(({ segments }) => segments.length === 1))
          plan = randomPlan(model, DEVICES, random);
        const input = randomSample(model, random);
        const { logits } = await coordinator.infer(input, plan);
        expect(largestDifference(logits.data, await onOneMachine(model, plan.levels, input))).toBeLessThan(
          1e-4,
        );
        await coordinator.close();
        for (const worker of workers) await worker.close();
      });
    },
  );
});
