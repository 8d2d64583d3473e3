// Plans on workers: they give the result of one machine, and each request ends once, even if messages come twice, late
// or not at all.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Bundle, stageCosts } from '../../bundle/index.ts';
import { largestDifference } from '../../channels/test-support/net.ts';
import type { FloatTensor } from '../../engine/index.ts';
import { canonicalGraph } from '../../onnx/internal.ts';
import { Random } from '../../util/internal.ts';
import { Device, type DeviceOptions } from '../device/device.ts';
import { Worker } from '../device/worker.ts';
import { LocalFabric } from '../local/local-fabric.ts';
import { LocalWorkers } from '../local/local-workers.ts';
import type { Endpoint, Fabric, NodeHandlers } from '../protocol/fabric.ts';
import type { InputMessage, NodeMessage } from '../protocol/messages.ts';
import {
  localPlanOf,
  onOneMachine,
  randomPlan,
  randomSample,
  SingleMachine,
  writtenBundle,
} from '../test-support/bundles.ts';
import { until } from '../test-support/fabric-suite.ts';
import { inOneProcess } from '../test-support/in-one-process.ts';
import { mixedNet } from '../test-support/mixed-net.ts';
import { Coordinator } from './coordinator.ts';

const DEVICES = ['source', 'b', 'c', 'd'];

let folder: string;
let bundle: Bundle;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bedside-run-'));
  bundle = await writtenBundle(join(folder, 'mixed'), canonicalGraph(mixedNet()));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const inProcess = (devices: readonly DeviceOptions[], repeat = false) =>
  inOneProcess(bundle, devices, repeat);

async function expectOneMachine(logits: Float32Array, levels: readonly number[], input: FloatTensor) {
  expect(largestDifference(logits, await onOneMachine(bundle, levels, input))).toBeLessThan(1e-4);
}

describe('plans on workers', () => {
  it('give what one machine gives, and parts go straight to those who need them', async () => {
    await using run = await inProcess(DEVICES.map((name) => ({ name })));
    const random = new Random(1);
    for (let draw = 0; draw < 6; draw++) {
      const plan = randomPlan(bundle, DEVICES, random);
      const input = randomSample(bundle, random);
      const { logits } = await run.requester.infer(input, plan);
      await expectOneMachine(logits.data, plan.levels, input);
    }
    const parts = run.fabric.sent.flatMap(({ from, to, message }) =>
      message.kind === 'part' ? [{ from, to, stage: message.stage }] : [],
    );
    const last = bundle.manifest.stages.length - 1;
    // Only the source gets the input, and the coordinator gets only results.
    expect(new Set(parts.filter(({ stage }) => stage === -1).map(({ to }) => to))).toEqual(
      new Set(['source']),
    );
    expect(parts.filter(({ to }) => to === 'requester').every(({ stage }) => stage === last)).toBe(true);
    expect(parts.some(({ from, to }) => from !== 'requester' && to !== 'requester')).toBe(true);
  });

  it('run side by side, each ending once', async () => {
    await using run = await inProcess(DEVICES.map((name) => ({ name })));
    const random = new Random(2);
    const asked = Array.from({ length: 12 }, () => ({
      plan: randomPlan(bundle, DEVICES, random),
      input: randomSample(bundle, random),
    }));
    const answers = await Promise.all(asked.map(({ plan, input }) => run.requester.infer(input, plan)));
    for (const [at, { logits }] of answers.entries()) {
      const { plan, input } = asked[at] as (typeof asked)[number];
      await expectOneMachine(logits.data, plan.levels, input);
    }
    expect(run.requester.running).toBe(0);
  });

  it('do the same when every message comes twice: nothing is computed again', async () => {
    await using run = await inProcess(
      DEVICES.map((name) => ({ name })),
      true,
    );
    const random = new Random(3);
    const plan = randomPlan(bundle, DEVICES, random);
    const input = randomSample(bundle, random);
    const { logits } = await run.requester.infer(input, plan);
    await expectOneMachine(logits.data, plan.levels, input);
    const computed = run.fabric.sent.flatMap(({ to, message }) =>
      message.kind === 'part' ? [`${message.stage} ${message.segment} ${to}`] : [],
    );
    expect(new Set(computed).size).toBe(computed.length);
  });

  it('change nothing by messages of an epoch that has passed, or of a request that has ended', async () => {
    await using run = await inProcess([{ name: 'source' }]);
    const plan = localPlanOf(
      bundle,
      'source',
      bundle.manifest.groups.map(() => 0),
    );
    const input = randomSample(bundle, new Random(4));
    await run.requester.infer(input, plan);
    const started = run.fabric.sent.find(({ message }) => message.kind === 'part' && message.stage === -1);
    const message = started?.message as InputMessage;
    const results = () =>
      run.fabric.sent.filter(({ to, message: m }) => to === 'requester' && m.kind === 'part').length;
    expect(results()).toBe(1);
    const [worker] = run.workers;
    worker?.receive('requester', message);
    worker?.receive('requester', { ...message, request: 'other', epoch: 3 });
    worker?.receive('requester', { ...message, request: 'other', epoch: 2 });
    await until(() => results() > 1);
    await run.requester.report('source');
    expect(results()).toBe(2);
    const foreign = { ...message, stage: plan.stages.length - 1 };
    run.requester.receive('source', foreign);
    expect(run.requester.running).toBe(0);
  });

  it('end with a coded error at the deadline when a worker is slow', async () => {
    await using run = await inProcess([{ name: 'source', speed: 2e-3 }]);
    const plan = localPlanOf(
      bundle,
      'source',
      bundle.manifest.groups.map(() => 0),
    );
    const asked = run.requester.infer(randomSample(bundle, new Random(5)), plan, { deadline: 0.05 });
    await expect(asked).rejects.toMatchObject({ code: 'E_DEADLINE' });
    expect(run.requester.running).toBe(0);
  });

  it('are refused by a device that they do not fit on, in its name', async () => {
    await using run = await inProcess([{ name: 'source', memory: 100 }]);
    const plan = localPlanOf(
      bundle,
      'source',
      bundle.manifest.groups.map(() => 0),
    );
    const refused = { code: 'E_DEVICE', message: expect.stringContaining("'source'") };
    await expect(run.requester.warm(plan)).rejects.toMatchObject(refused);
    await expect(run.requester.infer(randomSample(bundle, new Random(6)), plan)).rejects.toMatchObject(
      refused,
    );
  });

  it('can be planned by what devices measure of themselves', async () => {
    await using run = await inProcess([{ name: 'source' }]);
    const { seconds } = await run.requester.measure('source');
    expect(seconds[bundle.manifest.name]).toHaveLength(bundle.manifest.stages.length);
    const stranger = new Coordinator('stranger', { ...bundle, sha256: 'other' });
    await stranger.join(run.fabric);
    await expect(stranger.measure('source')).rejects.toMatchObject({ code: 'E_FABRIC' });
    await stranger.close();
  });

  it('move when a battery is spent', async () => {
    const levels = bundle.manifest.groups.map(() => 0);
    const { macs } = stageCosts(bundle.manifest, 1, levels);
    // Just enough for one sample.
    const weak = { name: 'b', battery: macs, joulesPerMac: 1 };
    await using run = await inProcess([{ name: 'source' }, weak]);
    const local = localPlanOf(bundle, 'source', levels);
    const stages = local.stages.map((stage, at) =>
      at === 1 ? { ...stage, segments: stage.segments.map((one) => ({ ...one, device: 'b' })) } : stage,
    );
    const one = randomSample(bundle, new Random(7));
    const found: number[] = [];
    for (const input of [one, one]) {
      const replan = async () => local;
      const { logits, replanned } = await run.requester.infer(input, { levels, stages }, { replan });
      await expectOneMachine(logits.data, levels, input);
      found.push(replanned);
    }
    expect(found[1]).toBe(1);
    expect([...run.requester.lost]).toEqual([['b', "the battery of 'b' is spent"]]);
  });
});

/** A fabric on which messages come twice, late, in another order, or not at all. */
class Unreliable implements Fabric {
  readonly #inner: Fabric;
  readonly #random: Random;

  constructor(inner: Fabric, random: Random) {
    this.#inner = inner;
    this.#random = random;
  }

  async join(name: string, handlers: NodeHandlers): Promise<Endpoint> {
    const end = await this.#inner.join(name, handlers);
    const send = (to: string, message: NodeMessage): void => {
      const fate = this.#random.uniform();
      if (fate < 0.01) return;
      const copies = fate < 0.3 ? 2 : 1;
      for (let copy = 0; copy < copies; copy++) {
        setTimeout(() => end.send(to, message), 15 * this.#random.uniform() ** 4);
      }
    };
    return {
      name,
      send,
      watch: (peer) => end.watch(peer),
      leave: (why) => end.leave(why),
      close: () => end.close(),
    };
  }
}

describe('an unreliable fabric', () => {
  it('changes no answer: each request ends once, right or at its deadline', async () => {
    const random = new Random(9);
    const dir = await mkdtemp(join(folder, 'fabric-'));
    const fabric = new Unreliable(new LocalFabric(dir), random.fork());
    const devices = DEVICES.map((name) => new Device({ name }, [bundle]));
    const workers = devices.map((device) => new Worker(device));
    for (const worker of workers) await worker.join(fabric);
    const coordinator = new Coordinator('requester', bundle);
    await coordinator.join(fabric);
    const plans = Array.from({ length: 4 }, () => randomPlan(bundle, DEVICES, random));
    const found = { right: 0, late: 0 };
    const single = new SingleMachine(bundle);
    // Expected results and sessions are made beforehand, so that only lost messages can miss the deadline.
    const questions = [];
    for (let at = 0; at < 100; at++) {
      const plan = plans[at % 4] as (typeof plans)[number];
      const input = randomSample(bundle, random);
      questions.push({ plan, input, right: await single.run(plan.levels, input) });
    }
    for (const plan of plans) await Promise.all(devices.map((device) => device.warm(bundle.sha256, plan)));
    const asked = questions.map(async ({ plan, input, right }) => {
      try {
        const { logits } = await coordinator.infer(input, plan, { deadline: 6 });
        expect(largestDifference(logits.data, right)).toBeLessThan(1e-4);
        found.right++;
      } catch (error) {
        expect(error).toMatchObject({ code: 'E_DEADLINE' });
        found.late++;
      }
    });
    await Promise.all(asked);
    expect(found.right + found.late).toBe(100);
    expect(found.right).toBeGreaterThan(40);
    expect(coordinator.running).toBe(0);
    await single.close();
    await coordinator.close();
    for (const worker of workers) await worker.close();
  });
});

describe('workers in processes of their own', () => {
  it('that are killed are noticed; their stages move, and every request ends once', async () => {
    await using workers = await LocalWorkers.start(
      [{ device: { name: 'source' } }, { device: { name: 'b', speed: 0.1 } }, { device: { name: 'c' } }],
      [bundle.dir],
    );
    const coordinator = new Coordinator('requester', bundle);
    await coordinator.join(workers.fabric);
    const random = new Random(8);
    const all = ['source', 'b', 'c'];
    const replan = async (lost: ReadonlySet<string>) => {
      const left = all.filter((name) => !lost.has(name));
      return left.includes('source') ? randomPlan(bundle, left, random) : undefined;
    };
    const asked = Array.from({ length: 20 }, () => ({
      input: randomSample(bundle, random),
      plan: randomPlan(bundle, all, random),
    }));
    let ended = 0;
    const answers = asked.map(({ input, plan }) =>
      coordinator.infer(input, plan, { replan, deadline: 30 }).finally(() => ended++),
    );
    await until(() => ended >= 3);
    workers.kill('b');
    for (const [at, answer] of (await Promise.all(answers)).entries()) {
      const { input } = asked[at] as (typeof asked)[number];
      await expectOneMachine(answer.logits.data, answer.plan.levels, input);
    }
    expect([ended, coordinator.running, [...coordinator.lost.keys()]]).toEqual([20, 0, ['b']]);

    // A hanging worker is noticed by its silence. Without another plan the request ends with a coded error.
    workers.kill('c', 'SIGSTOP');
    const levels = bundle.manifest.groups.map(() => 0);
    const asleep = coordinator.infer(randomSample(bundle, random), localPlanOf(bundle, 'c', levels));
    await expect(asleep).rejects.toMatchObject({ code: 'E_LOST', message: expect.stringContaining("'c'") });
    workers.kill('source');
    const gone = coordinator.infer(randomSample(bundle, random), localPlanOf(bundle, 'source', levels), {
      replan,
    });
    await expect(gone).rejects.toMatchObject({ code: 'E_LOST' });
    expect(coordinator.running).toBe(0);
    await coordinator.close();
  });

  it('that cannot open the bundle say why', async () => {
    const started = LocalWorkers.start([{ device: { name: 'a' } }], [join(folder, 'none')]);
    await expect(started).rejects.toMatchObject({ code: 'E_BUNDLE' });
  });
});
