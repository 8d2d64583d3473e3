// Batches give the same results in fewer runs, and each request ends by itself.
import { beforeAll, describe, expect, it } from 'vitest';
import { type Bundle, stageCosts } from '../../bundle/index.ts';
import { largestDifference } from '../../channels/test-support/net.ts';
import { type FloatTensor, tensor } from '../../engine/index.ts';
import { canonicalGraph } from '../../onnx/internal.ts';
import { BedsideError } from '../../util/index.ts';
import { Random } from '../../util/internal.ts';
import type { RunPlan } from '../protocol/plan.ts';
import { localPlanOf, onOneMachine, randomPlan, randomSample, splitBundle } from '../test-support/bundles.ts';
import { inOneProcess } from '../test-support/in-one-process.ts';
import { mixedNet } from '../test-support/mixed-net.ts';
import { Batcher } from './batches.ts';
import type { InferenceClient } from './inference.ts';

const DEVICES = ['source', 'b', 'c', 'd'];

describe('requests that come close together', () => {
  let bundle: Bundle;
  beforeAll(() => {
    bundle = splitBundle(canonicalGraph(mixedNet()));
  });

  it('with the same plan run as one, and give what each gives alone', async () => {
    await using run = await inOneProcess(
      bundle,
      DEVICES.map((name) => ({ name })),
    );
    const batcher = new Batcher(run.requester, { most: 4, window: 0.2 });
    const random = new Random(1);
    const plans = [randomPlan(bundle, DEVICES, random), randomPlan(bundle, DEVICES, random)];
    // Six requests of one plan make a batch of four and one of two; two of the other plan make one batch.
    const asked = [0, 0, 1, 0, 0, 0, 1, 0].map((which) => ({
      plan: plans[which] as RunPlan,
      input: randomSample(bundle, random),
    }));
    const answers = await Promise.all(asked.map(({ plan, input }) => batcher.infer(input, plan)));
    for (const [at, { logits }] of answers.entries()) {
      const { plan, input } = asked[at] as (typeof asked)[number];
      expect(logits.dims).toEqual([1, 3]);
      expect(largestDifference(logits.data, await onOneMachine(bundle, plan.levels, input))).toBeLessThan(
        1e-4,
      );
    }
    const started = run.fabric.sent.flatMap(({ message }) =>
      message.kind === 'part' && message.stage === -1 ? [message.tensor.dims[0]] : [],
    );
    expect(started.toSorted()).toEqual([2, 2, 4]);
    expect(batcher.batches).toBe(3);
    expect(run.requester.running).toBe(0);
  });

  it('run one by one where a batch does not fit', async () => {
    const levels = bundle.manifest.groups.map(() => 0);
    const costs = bundle.manifest.stages.map(({ index }) => stageCosts(bundle.manifest, index, levels));
    const memory =
      costs.reduce((sum, { weightBytes }) => sum + weightBytes, 0) +
      Math.max(...costs.map(({ activationBytes }) => activationBytes));
    await using run = await inOneProcess(bundle, [{ name: 'source', memory }]);
    const plan = localPlanOf(bundle, 'source', levels);
    const random = new Random(2);
    const inputs = Array.from({ length: 3 }, () => randomSample(bundle, random));
    const batcher = new Batcher(run.requester, { most: 3, window: 0.2 });
    const answers = await Promise.all(inputs.map((input) => batcher.infer(input, plan)));
    for (const [at, { logits }] of answers.entries()) {
      const input = inputs[at] as FloatTensor;
      expect(largestDifference(logits.data, await onOneMachine(bundle, levels, input))).toBeLessThan(1e-4);
    }
    expect(batcher.batches).toBe(1);
  });
});

describe('a batch', () => {
  const plan: RunPlan = { levels: [0], stages: [] };
  const sample = (value: number) => tensor(Float32Array.of(value), [1, 1]);

  it('that has more time than one of its requests leaves that one its deadline', async () => {
    let answer = (): void => {};
    const client: InferenceClient = {
      infer: (logits) =>
        new Promise((resolve) => {
          answer = () => resolve({ logits, seconds: 1, plan, replanned: 0 });
        }),
    };
    const batcher = new Batcher(client, { most: 2, window: 0.01 });
    const [short, long] = [
      batcher.infer(sample(1), plan, { deadline: 0.03 }),
      batcher.infer(sample(2), plan, { deadline: 60 }),
    ];
    await expect(short).rejects.toMatchObject({ code: 'E_DEADLINE' });
    answer();
    expect((await long).logits.data).toEqual(Float32Array.of(2));
  });

  it('that fails makes each of its requests fail, and a request with little time does not wait', async () => {
    const seen: (number | undefined)[] = [];
    const client: InferenceClient = {
      infer: async ({ dims }) => {
        seen.push(dims[0]);
        throw new BedsideError('E_LOST', 'gone');
      },
    };
    const batcher = new Batcher(client, { most: 8, window: 30 });
    const ends = await Promise.allSettled([
      batcher.infer(sample(1), plan, { deadline: 90 }),
      batcher.infer(sample(2), plan, { deadline: 1 }),
      batcher.infer(sample(3), plan, { deadline: 1 }),
    ]);
    expect(ends.map((end) => end.status === 'rejected' && end.reason.code)).toEqual(Array(3).fill('E_LOST'));
    expect(seen).toEqual([2, 1]);
  });
});
