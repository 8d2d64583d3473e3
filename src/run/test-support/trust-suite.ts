// A lying node must have no effect on a fabric. It knows bundle, plans, names and even the ids of requests, and sends
// its lies before anybody else has sent anything.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Bundle } from '../../bundle/index.ts';
import { largestDifference } from '../../channels/test-support/net.ts';
import { type FloatTensor, tensor } from '../../engine/index.ts';
import { canonicalGraph } from '../../onnx/internal.ts';
import { must } from '../../util/index.ts';
import { Random } from '../../util/internal.ts';
import { Coordinator } from '../client/coordinator.ts';
import { Device } from '../device/device.ts';
import { Worker } from '../device/worker.ts';
import type { Endpoint, Fabric, NodeHandlers } from '../protocol/fabric.ts';
import type { Assignment, InputMessage, NodeMessage } from '../protocol/messages.ts';
import type { RunPlan } from '../protocol/plan.ts';
import { localPlanOf, randomPlan, randomSample, SingleMachine, splitBundle } from './bundles.ts';
import { until } from './fabric-suite.ts';
import { mixedNet } from './mixed-net.ts';

/** A fabric under test: each node joins by itself, as from a process of its own. */
export interface TrustFixture {
  join(role: 'worker' | 'requester', name: string, handlers: NodeHandlers): Promise<Endpoint>;
  /** The full name of a coordinator on this fabric. */
  readonly requesterName: (name: string) => string;
  close(): Promise<void>;
}

const WORKERS = ['source', 'b', 'c'];

/** Milliseconds by which the lies are ahead of the real messages. */
const AHEAD_MS = 15;

type Heard = (message: NodeMessage) => void;

/** Runs the suite on a fabric that `open` makes. */
export function describeTrust(name: string, open: () => Promise<TrustFixture>): void {
  describe(`lying nodes on ${name}`, () => {
    const random = new Random(1);
    let fixture: TrustFixture;
    let bundle: Bundle;
    let single: SingleMachine;
    let coordinator: Coordinator;
    let mallory: Endpoint;
    const ends = new Map<string, Endpoint>();
    const closing: { close(): Promise<void> }[] = [];
    /** Called with each message of a node before it is sent. */
    const spies = new Map<string, Heard>();

    /** A fabric for one node, whose messages go out a moment after the liar has seen them. */
    const spied = (role: 'worker' | 'requester'): Fabric => ({
      join: async (node, handlers) => {
        const end = await fixture.join(role, node, handlers);
        ends.set(node, end);
        const send = (to: string, message: NodeMessage): void => {
          const spy = spies.get(node);
          if (!spy) {
            end.send(to, message);
            return;
          }
          spy(message);
          setTimeout(() => end.send(to, message), AHEAD_MS);
        };
        return {
          ...{ name: node, send, watch: (peer) => end.watch(peer) },
          ...{ leave: (why) => end.leave(why), close: () => end.close() },
        };
      },
    });

    beforeAll(async () => {
      fixture = await open();
      bundle = splitBundle(canonicalGraph(mixedNet()));
      single = new SingleMachine(bundle);
      for (const worker of WORKERS.map((one) => new Worker(new Device({ name: one }, [bundle])))) {
        await worker.join(spied('worker'));
        closing.push(worker);
      }
      coordinator = new Coordinator(fixture.requesterName('asker'), bundle, {
        silence: 10_000,
        standstill: 30_000,
        total: 60_000,
      });
      await coordinator.join(spied('requester'));
      mallory = await fixture.join('worker', 'mallory', { message: () => {}, lost: () => {} });
      closing.push(coordinator, mallory);
    });
    afterAll(async () => {
      for (const one of closing.reverse()) await one.close();
      await single.close();
      await fixture.close();
    });

    async function expectRight(plan: RunPlan, requests = 3): Promise<void> {
      for (let at = 0; at < requests; at++) {
        const input = randomSample(bundle, random);
        const { logits, plan: used } = await coordinator.infer(input, plan, { deadline: 50 });
        expect(used).toBe(plan);
        expect(largestDifference(logits.data, await single.run(plan.levels, input))).toBeLessThan(1e-4);
      }
      expect([...coordinator.lost.keys()].filter((one) => WORKERS.includes(one))).toEqual([]);
    }

    const wrong = (samples = 1): FloatTensor => tensor(Float32Array.of(9, -9, 0), [samples, 3]);

    /** Every kind of message about a request that a node without a part in it may send. */
    function lies(told: Assignment, from: string): (readonly [string, NodeMessage])[] {
      const { plan } = told;
      const { request, requester: asker, remaining, bundle: sha256 } = told;
      const own = localPlanOf(bundle, from, plan.levels);
      const said: (readonly [string, NodeMessage])[] = [];
      for (const epoch of [told.epoch, told.epoch + 1, 1e9]) {
        const error = { code: 'E_DEVICE', message: 'mallory says no' } as const;
        const id = { request, epoch, requester: asker };
        for (const to of [asker, ...WORKERS]) {
          said.push([to, { kind: 'failed', request, epoch, error }], [to, { kind: 'end', request }]);
          for (const [stage, { segments }] of [{ segments: [{}] }, ...plan.stages].entries()) {
            for (const segment of segments.keys()) {
              const part = {
                ...id,
                kind: 'part',
                stage: stage - 1,
                segment,
                remaining,
                tensor: wrong(),
              } as const;
              said.push([to, part]);
              // Tensors that bring a plan, the real one or the liar's.
              for (const claimed of [plan, own]) {
                said.push([to, { ...part, bundle: sha256, plan: claimed, samples: 1 } as InputMessage]);
              }
            }
          }
          said.push([to, { ...id, kind: 'plan', bundle: sha256, plan: own, samples: 1, remaining }]);
          said.push([
            to,
            { ...id, requester: from, kind: 'plan', bundle: 'f'.repeat(64), plan, samples: 1, remaining },
          ]);
        }
      }
      return said;
    }

    it('that are in no plan change no result and end no request, whatever they send first', async () => {
      let shouted = 0;
      spies.set(coordinator.name, (message) => {
        if (message.kind !== 'part' || !('plan' in message)) return;
        for (const [to, lie] of lies(message, 'mallory')) {
          mallory.send(to, lie);
          shouted++;
        }
        mallory.send(coordinator.name, { kind: 'leaving', why: 'mallory goes' });
      });
      await expectRight(randomPlan(bundle, WORKERS, random));
      await expectRight(
        localPlanOf(
          bundle,
          'source',
          bundle.manifest.groups.map(() => 1),
        ),
      );
      spies.clear();
      expect(shouted).toBeGreaterThan(100);
    });

    it('that are in the plan elsewhere do not either', async () => {
      let plan = randomPlan(bundle, WORKERS, random);
      const last = (): string => must(plan.stages.at(-1)?.segments[0], 'a segment').device;
      const holds = (device: string, at: number): boolean =>
        plan.stages[at]?.segments.some((one) => one.device === device) ?? false;
      // The liar computes a stage in the middle, neither the first nor the last.
      while (last() === 'b' || !plan.stages.some((_, at) => holds('b', at)))
        plan = randomPlan(bundle, WORKERS, random);
      const b = must(ends.get('b'), 'an endpoint');
      spies.set(coordinator.name, (message) => {
        if (message.kind !== 'part' || !('plan' in message)) return;
        for (const [to, lie] of lies(message, 'b')) {
          // For its own segments it may compute wrongly or report a failure, as docs/cluster.md says.
          if (lie.kind === 'failed' || to === 'b') continue;
          if (lie.kind === 'part' && plan.stages[lie.stage]?.segments[lie.segment]?.device === 'b') continue;
          b.send(to, lie);
        }
      });
      await expectRight(plan);
      spies.clear();
    });

    it('cannot reply for others, twice, or to another query', async () => {
      const before = (await coordinator.report('b')).bytesSent;
      const report = {
        ...{ name: 'b', sessions: 0, memoryUsed: 0, bytesSent: before + 77 },
        seconds: {
          [bundle.manifest.name]: bundle.manifest.stages.map(() => bundle.manifest.ratios.map(() => 1e-9)),
        },
      };
      const error = { code: 'E_DEVICE', message: 'mallory says no' } as const;
      spies.set(coordinator.name, (message) => {
        if (!('id' in message)) return;
        const { id } = message;
        for (const from of [mallory, must(ends.get('c'), 'an endpoint')]) {
          from.send(coordinator.name, { kind: 'report', id, report });
          from.send(coordinator.name, { kind: 'warmed', id, error });
          from.send(coordinator.name, { kind: 'refused', id, error });
        }
        // From the device that was asked, but the reply to another kind of query.
        if (message.kind !== 'warm')
          must(ends.get('b'), 'an endpoint').send(coordinator.name, { kind: 'warmed', id, error });
      });
      expect((await coordinator.report('b')).bytesSent).toBe(before);
      const { seconds } = await coordinator.measure('b');
      expect(seconds[bundle.manifest.name]?.flat().every((one) => one > 1e-9)).toBe(true);
      await coordinator.warm(
        localPlanOf(
          bundle,
          'b',
          bundle.manifest.groups.map(() => 2),
        ),
      );
      spies.clear();
    });

    it('that never reply are lost themselves, and delay nobody else', async () => {
      const hurried = new Coordinator(fixture.requesterName('hurried'), bundle, {
        silence: 1500,
        standstill: 30_000,
        total: 60_000,
      });
      await hurried.join(spied('requester'));
      const answers = await Promise.allSettled([
        hurried.measure('mallory'),
        hurried.report('b'),
        hurried.report('c'),
      ]);
      expect(answers.map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'fulfilled']);
      expect(answers[0]).toMatchObject({
        reason: { code: 'E_LOST', message: expect.stringContaining("'mallory'") },
      });
      expect([...hurried.lost.keys()]).toEqual(['mallory']);
      const levels = bundle.manifest.groups.map(() => 3);
      const stages = localPlanOf(bundle, 'source', levels).stages.map((stage, at) =>
        at === 1
          ? { ...stage, segments: stage.segments.map((one) => ({ ...one, device: 'mallory' })) }
          : stage,
      );
      const unready = await hurried.prepare({ levels, stages });
      expect([...unready].map(([device, { code }]) => [device, code])).toEqual([['mallory', 'E_LOST']]);
      await hurried.close();
    });

    it('in a plan can make it fail, with a text that is safe to show', async () => {
      const levels = bundle.manifest.groups.map(() => 0);
      const plan = localPlanOf(bundle, 'liar', levels);
      let say: (input: InputMessage) => NodeMessage = () => ({ kind: 'leaving', why: '' });
      const liar = await fixture.join('worker', 'liar', {
        message: (from, message) => {
          if (message.kind === 'part' && 'plan' in message) liar.send(from, say(message));
        },
        lost: () => {},
      });
      const ask = () => coordinator.infer(randomSample(bundle, random), plan, { deadline: 50 });
      say = ({ request, epoch }) => ({
        ...{ kind: 'failed', request, epoch },
        error: {
          code: 'E_NOPE' as 'E_LOST',
          message: `\u001b[2J\u0007no${'\u202e'}\n${'x'.repeat(1e5)}`,
          hint: 'a\u0000b',
        },
      });
      const failed = await ask().catch((error: unknown) => error);
      expect(failed).toMatchObject({
        code: 'E_FABRIC',
        hint: 'a b',
        message: expect.stringMatching(/^\[2J no x{300}/),
      });
      expect((failed as Error).message.length).toBeLessThan(500);
      const result = (input: InputMessage, values: number[], dims: number[]): NodeMessage => ({
        ...{ kind: 'part', request: input.request, epoch: input.epoch, requester: input.requester },
        ...{ stage: plan.stages.length - 1, segment: 0, remaining: 1 },
        tensor: tensor(Float32Array.from(values), dims),
      });
      for (const [values, dims] of [
        [
          [1, 2],
          [1, 2],
        ],
        [
          [1, 2, 3, 4, 5, 6],
          [2, 3],
        ],
        [[1, 2, 3], [3]],
      ] as const) {
        say = (input) => result(input, [...values], [...dims]);
        await expect(ask()).rejects.toMatchObject({
          code: 'E_DEVICE',
          message: expect.stringContaining("'liar'"),
        });
      }
      for (const value of [Number.NaN, Number.POSITIVE_INFINITY]) {
        say = (input) => result(input, [1, value, 2], [1, 3]);
        await expect(ask()).rejects.toMatchObject({
          code: 'E_NOT_FINITE',
          message: expect.stringContaining("'liar' gave are not finite"),
        });
      }
      say = () => ({ kind: 'leaving', why: '\u001b[31mgone' });
      await expect(ask()).rejects.toMatchObject({
        code: 'E_LOST',
        message: "device 'liar' is lost: [31mgone",
      });
      await until(() => coordinator.running === 0);
      await liar.close();
    });

    it('that send invalid reports are refused', async () => {
      const { name: of, stages, ratios } = bundle.manifest;
      const fine = stages.map(() => ratios.map(() => 1));
      let report: object = {};
      const liar = await fixture.join('worker', 'reporter', {
        message: (from, message) => {
          if (message.kind === 'ask')
            liar.send(from, { kind: 'report', id: message.id, report: report as never });
        },
        lost: () => {},
      });
      const said = (given: object, table: unknown = fine) => {
        report = {
          name: 'reporter',
          sessions: 0,
          memoryUsed: 0,
          bytesSent: 0,
          seconds: { [of]: table },
          ...given,
        };
        return coordinator.report('reporter');
      };
      expect((await said({ more: 'x' })).seconds).toEqual({ [of]: fine });
      const refused = { code: 'E_DEVICE', message: expect.stringContaining("'reporter'") };
      for (const given of [
        { name: 'b' },
        { sessions: -1 },
        { memoryUsed: null },
        { battery: 'x' },
        { seconds: 1 },
      ]) {
        await expect(said(given)).rejects.toMatchObject(refused);
      }
      for (const table of [
        1,
        [],
        fine.slice(1),
        fine.map(() => [1]),
        fine.map((row) => row.with(0, 0)),
        fine.map((row) => row.with(0, -1)),
        fine.map(() => ratios.map(() => null)),
      ]) {
        await expect(said({}, table)).rejects.toMatchObject(refused);
      }
      await liar.close();
    });

    it('cannot know the id of a request', async () => {
      const ids = new Set<string>();
      spies.set(coordinator.name, (message) => void ('request' in message && ids.add(message.request)));
      await expectRight(
        localPlanOf(
          bundle,
          'source',
          bundle.manifest.groups.map(() => 0),
        ),
        4,
      );
      spies.clear();
      expect(ids.size).toBe(4);
      for (const id of ids) expect(id).toMatch(/^[0-9a-f]{32}$/);
    });
  });
}
