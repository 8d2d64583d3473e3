// A fixed batch inside the reshapes of attention, where axes beside it have its size, is found by following samples.
import { describe, expect, it } from 'vitest';
import { canonicalModel, type Model } from '../onnx/index.ts';
import { fixedBatchOf, floatConstant, GraphBuilder, int, intConstant, ints } from '../onnx/internal.ts';
import { Random } from '../util/internal.ts';
import { describeClassifier } from './classifier.ts';
import { madeSamples, openedBatch } from './opened-batch.ts';

const [STEPS, WIDTH, HEADS, CLASSES] = [5, 8, 2, 3];

/** Attention as PyTorch exports it: time first, heads beside the batch, one dense layer over steps and samples. */
function attention(batch: number): Model {
  const random = new Random(1);
  const builder = new GraphBuilder();
  const weights = (...dims: readonly [number, number]) => {
    const data = Float32Array.from({ length: dims[0] * dims[1] }, () => 0.5 * random.normal());
    return builder.constant(floatConstant(data, dims), 'w');
  };
  const reshape = (value: string, ...sizes: readonly number[]) =>
    builder.node('Reshape', [value, builder.constant(intConstant(sizes), 'sizes')]);
  const turned = (value: string) => builder.node('Transpose', [value], { perm: ints([1, 0, 2]) });
  const x = builder.input('x', [batch, STEPS, WIDTH]);
  const first = turned(x);
  const heads = () => {
    const own = builder.node('MatMul', [first, weights(WIDTH, WIDTH)]);
    return turned(reshape(own, STEPS, batch * HEADS, WIDTH / HEADS));
  };
  const [q, k, v] = [heads(), heads(), heads()];
  const across = builder.node('Transpose', [k], { perm: ints([0, 2, 1]) });
  const shares = builder.node('Softmax', [builder.node('MatMul', [q, across])], { axis: int(-1) });
  const mixed = turned(builder.node('MatMul', [shares, v]));
  const flat = reshape(mixed, STEPS * batch, WIDTH);
  const back = reshape(builder.node('Gemm', [flat, weights(WIDTH, WIDTH)]), STEPS, batch, WIDTH);
  const all = reshape(turned(back), batch, STEPS * WIDTH);
  const scores = builder.node('Gemm', [all, weights(STEPS * WIDTH, CLASSES)], {}, 'scores');
  builder.output(scores, [batch, CLASSES]);
  return canonicalModel(builder.model());
}

describe('openedBatch', () => {
  it.each([1, 2, 5])('opens a batch of %i inside attention', async (batch) => {
    const fixed = attention(batch);
    const samples = madeSamples(fixed, describeClassifier(fixed, 'net'), 3);
    const open = await openedBatch(fixed, 'net', samples);
    expect(typeof open).toBe('object');
    expect([fixedBatchOf(fixed), fixedBatchOf(open as Model)]).toEqual([batch, undefined]);
  });
});
