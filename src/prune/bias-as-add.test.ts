// One function written in two ways has one score a channel, wherever the exporter put the biases.
import { describe, expect, it } from 'vitest';
import type { Dataset } from '../data/index.ts';
import { Net, normals } from '../explain/test-support/nets.ts';
import { type Constant, canonicalModel, type Model } from '../onnx/index.ts';
import { floatConstant, ints, sizeOf, unmergedModel } from '../onnx/internal.ts';
import { CRITERIA, findCriterion } from './criteria.ts';
import { scoreLayers } from './score/score-model.ts';

function data(sampleShape: readonly number[], count = 10): Dataset {
  const samples = normals(count * sizeOf(sampleShape), 5);
  const labels = Int32Array.from({ length: count }, (_, i) => i % 3);
  const rest = { kind: 'npz', name: 'local', origins: undefined, skipped: [], hash: '' } as const;
  return { ...rest, size: count, sampleShape, samples, labels, classNames: ['0', '1', '2'] };
}

/** The largest difference of two models' scores, of the layer's largest. */
async function apart(name: string, models: readonly [Model, Model], set: Dataset): Promise<number> {
  const [a, b] = await Promise.all(
    models.map((model) =>
      scoreLayers(canonicalModel(model), findCriterion(name), set, { name, unmerged: unmergedModel(model) }),
    ),
  );
  expect(b?.length).toBe(a?.length);
  let most = 0;
  a?.forEach(({ scores }, l) => {
    const size = scores.reduce((max, score) => Math.max(max, Math.abs(score)), 1e-12);
    scores.forEach((score, c) => {
      most = Math.max(most, Math.abs(score - (b?.[l]?.scores[c] ?? Number.NaN)) / size);
    });
  });
  return most;
}

const constant = (dims: readonly number[], seed: number, scale: number): Constant =>
  floatConstant(
    normals(sizeOf(dims), seed).map((value) => value * scale),
    dims,
  );

/** Two convolutions and two dense layers. */
function twoDimensional(asAdd: boolean): Model {
  const net = new Net([2, 6, 6]);
  const { builder } = net;
  const biased = (op: string, x: string, weight: Constant, bias: Constant, behind: number): string => {
    const w = builder.constant(weight);
    const c = sizeOf(bias.dims);
    if (!asAdd) return net.op(op === 'MatMul' ? 'Gemm' : op, [x, w, builder.constant(bias)]);
    const dims = [1, c, ...Array<number>(behind).fill(1)];
    const b = builder.constant({ ...bias, dims } as Constant);
    return net.op('Add', behind % 2 === 0 ? [net.op(op, [x, w]), b] : [b, net.op(op, [x, w])]);
  };
  const first = net.relu(biased('Conv', net.input, constant([8, 2, 3, 3], 2, 0.3), constant([8], 3, 1), 2));
  const second = net.relu(
    biased('ConvTranspose', first, constant([8, 6, 3, 3], 4, 0.2), constant([6], 5, 1), 2),
  );
  const flat = net.op('Flatten', [net.op('GlobalAveragePool', [second])]);
  const third = net.relu(biased('MatMul', flat, constant([6, 5], 6, 0.4), constant([5], 7, 1), 0));
  return net.finish(biased('MatMul', third, constant([5, 3], 8, 0.5), constant([3], 9, 1), 0), 3);
}

/** A dense layer of places, channels last: a MatMul and an Add, or a convolution over one place with its bias. */
function channelsLast(as: 'matmul' | 'conv' | 'gemm', places: number): Model {
  const net = new Net([places, 4]);
  const { builder } = net;
  const [w, b] = [constant([4, 7], 2, 0.5), constant([7], 3, 1)];
  const transposed = (x: string): string => net.op('Transpose', [x], { perm: ints([0, 2, 1]) });
  const layer = (): string => {
    if (as === 'matmul') {
      return net.op('Add', [net.op('MatMul', [net.input, builder.constant(w)]), builder.constant(b)]);
    }
    const turned = new Float32Array(28);
    for (let i = 0; i < 4; i++)
      for (let o = 0; o < 7; o++) turned[o * 4 + i] = (w.type === 'float32' ? w.data[i * 7 + o] : 0) ?? 0;
    const kernel = builder.constant(floatConstant(turned, [7, 4, 1]));
    if (as === 'conv') {
      return transposed(net.relu(net.op('Conv', [transposed(net.input), kernel, builder.constant(b)])));
    }
    return net.op('Gemm', [net.op('Flatten', [net.input]), builder.constant(w), builder.constant(b)]);
  };
  const features = net.op('Flatten', [net.relu(layer())]);
  return net.finish(net.gemm(features, 7 * places, 3), 3);
}

describe('biases that are an Add', () => {
  it.each(CRITERIA.map(({ name }) => name).filter((name) => name !== 'bn-scale'))(
    '%s: belong to their layer',
    async (name) => {
      const models = [twoDimensional(false), twoDimensional(true)] as const;
      expect(await apart(name, models, data([2, 6, 6]))).toBeLessThan(1e-4);
    },
  );

  it.each(['lrp-gamma', 'lrp-zplus', 'taylor', 'fisher', 'activation', 'apoz', 'hrank', 'deeplift-rescale'])(
    '%s: behind products of three axes too',
    async (name) => {
      const models = [channelsLast('gemm', 1), channelsLast('matmul', 1)] as const;
      expect(await apart(name, models, data([1, 4]))).toBeLessThan(1e-4);
    },
  );

  it.each(['lrp-epsilon', 'taylor', 'activation', 'activation-std', 'apoz', 'gradient'])(
    '%s: of several places, as a convolution over one',
    async (name) => {
      const models = [channelsLast('conv', 5), channelsLast('matmul', 5)] as const;
      expect(await apart(name, models, data([5, 4]))).toBeLessThan(1e-4);
    },
  );
});
