// Uncertain results: a second run on the unpruned network, if there is time, and one result in the end.
import { describe, expect, it } from 'vitest';
import { tensor } from '../../engine/index.ts';
import { BedsideError } from '../../util/index.ts';
import type { RunPlan } from '../protocol/plan.ts';
import {
  type AnswerKind,
  assertConfidence,
  confidenceOf,
  inferWithFallback,
  marginOf,
} from './confidence.ts';
import type { InferenceClient, InferenceOptions } from './inference.ts';

const input = tensor(Float32Array.of(1), [1, 1]);
const pruned: RunPlan = { levels: [0, 2], stages: [] };
const unpruned: RunPlan = { levels: [0, 0], stages: [] };

/** A client with fixed results by plan, which records its requests. */
function asker(answer: (plan: RunPlan) => Float32Array | BedsideError) {
  const asked: { plan: RunPlan; options: InferenceOptions | undefined }[] = [];
  const infer: InferenceClient['infer'] = async (_, plan, options) => {
    asked.push({ plan, options });
    const given = answer(plan);
    if (given instanceof BedsideError) throw given;
    const logits = tensor(given, [1, given.length]);
    return { logits, seconds: 0.001, plan, replanned: 0 };
  };
  return { infer, asked };
}

const SURE = Float32Array.of(9, 0, 0);
const UNSURE = Float32Array.of(0.1, 0, 0);

describe('the margin of an answer', () => {
  it('is the difference of the two largest probabilities, of logits or of probabilities', () => {
    expect(marginOf([Math.log(6), Math.log(3), Math.log(1)])).toBeCloseTo(0.3);
    expect(marginOf([0.2, 0.7, 0.1])).toBeCloseTo(0.5);
    expect(marginOf([1000, -1000])).toBe(1);
    expect(marginOf([2, 2, 2])).toBe(0);
    expect(marginOf([5])).toBe(1);
  });
});

describe('the confidence of an answer', () => {
  const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
  const one = (x: number): number => Math.abs(2 * sigmoid(x) - 1);

  it('is that of the least sure label, from logits or from probabilities', () => {
    const logits: AnswerKind = { kind: 'multi-label', outputShape: [3], threshold: 0 };
    const shares: AnswerKind = { ...logits, threshold: 0.5, probabilities: true };
    const scores = [3, -0.7, -9];
    expect(confidenceOf(logits, scores)).toBeCloseTo(one(0.7), 12);
    expect(confidenceOf(shares, scores.map(sigmoid))).toBeCloseTo(one(0.7), 12);
    expect(confidenceOf({ ...shares, threshold: 0.2 }, [0.2])).toBe(0);
    expect(confidenceOf({ ...shares, threshold: 0.2 }, [sigmoid(1)])).toBeCloseTo(one(1 + Math.log(4)), 12);
    for (const sure of [0, 1]) expect(confidenceOf({ ...shares, kind: 'binary' }, [sure])).toBe(1);
  });

  it('of a mask is the mean over its positions', () => {
    const mask: AnswerKind = { kind: 'segmentation', outputShape: [1, 2], threshold: 0 };
    expect(confidenceOf(mask, [2, -0.5])).toBeCloseTo((one(2) + one(0.5)) / 2, 12);
    const classes: AnswerKind = { kind: 'segmentation', outputShape: [3, 2] };
    const [first, second] = [
      [1, 2, 0],
      [0, 5, 1],
    ];
    const output = [1, 0, 2, 5, 0, 1];
    expect(confidenceOf(classes, output)).toBeCloseTo(
      (marginOf(first ?? []) + marginOf(second ?? [])) / 2,
      12,
    );
  });

  it('is there for neither values nor embeddings, and a fallback is refused with the reason', () => {
    for (const kind of ['regression', 'embedding'] as const) {
      const task: AnswerKind = { kind, outputShape: [2] };
      expect(confidenceOf(task, [1, 2])).toBeUndefined();
      expect(() => assertConfidence(task)).toThrow(expect.objectContaining({ code: 'E_UNSUPPORTED' }));
    }
    expect(() => assertConfidence({ kind: 'binary', outputShape: [1] })).not.toThrow();
  });
});

describe('an uncertain result', () => {
  const fallback = { margin: 0.5, plan: unpruned, seconds: 0.1 };
  const deadline = 10;

  it('is computed again by the unpruned network, in the time that is left', async () => {
    const asks = asker((plan) => (plan === pruned ? UNSURE : SURE));
    const answer = await inferWithFallback(asks, input, pruned, { deadline }, fallback);
    expect(answer).toMatchObject({ plan: unpruned, fallback: 'taken', margin: marginOf(SURE) });
    expect(asks.asked.map(({ plan }) => plan)).toEqual([pruned, unpruned]);
    expect(asks.asked[1]?.options?.deadline).toBeLessThan(deadline);
  });

  it('stands when it is certain enough, when nothing was pruned, and without a fallback', async () => {
    for (const [plan, logits, way] of [
      [pruned, SURE, fallback],
      [unpruned, UNSURE, fallback],
      [pruned, UNSURE, undefined],
    ] as const) {
      const asks = asker(() => logits);
      const answer = await inferWithFallback(asks, input, plan, { deadline }, way);
      expect(answer).toMatchObject({ plan, fallback: 'none' });
      expect(asks.asked).toHaveLength(1);
    }
  });

  it('is judged by what the network is for', async () => {
    const task: AnswerKind = { kind: 'binary', outputShape: [1], threshold: 0 };
    const asks = asker((plan) => Float32Array.of(plan === pruned ? 0.1 : 4));
    const answer = await inferWithFallback(asks, input, pruned, { deadline }, fallback, task);
    expect(answer).toMatchObject({ fallback: 'taken', margin: Math.tanh(2) });
    const values = asker(() => Float32Array.of(0));
    const none = await inferWithFallback(values, input, pruned, { deadline }, fallback, {
      ...task,
      kind: 'regression',
    });
    expect(none).toMatchObject({ fallback: 'none', margin: Number.NaN });
  });

  it('stands when the time left is less than predicted', async () => {
    const asks = asker(() => UNSURE);
    const answer = await inferWithFallback(asks, input, pruned, { deadline }, { ...fallback, seconds: 10 });
    expect(answer).toMatchObject({ plan: pruned, fallback: 'late' });
    expect(asks.asked).toHaveLength(1);
  });

  it('stands when the second run has no result, and an error of the first is the request’s', async () => {
    const late = new BedsideError('E_DEADLINE', 'no result');
    const asks = asker((plan) => (plan === pruned ? UNSURE : late));
    const answer = await inferWithFallback(asks, input, pruned, { deadline }, fallback);
    expect(answer).toMatchObject({ plan: pruned, fallback: 'failed', margin: marginOf(UNSURE) });
    const lost = asker(() => new BedsideError('E_LOST', 'gone'));
    await expect(inferWithFallback(lost, input, pruned, { deadline }, fallback)).rejects.toMatchObject({
      code: 'E_LOST',
    });
  });
});
