// Networks of every form through the use cases: fixed batches, several inputs, other numbers.
import { describe, expect, it } from 'vitest';
import type { Dataset } from '../../data/index.ts';
import { createSession, tensor } from '../../engine/index.ts';
import { fixedBatchOf, floatConstant, GraphBuilder, int, intConstant } from '../../onnx/internal.ts';
import { Random } from '../../util/internal.ts';
import { explain } from '../explain/explain.ts';
import { prune } from '../prune/prune.ts';
import { loadNetwork } from './network.ts';

const SHAPE = [2, 6];
const CLASSES = 3;

function weights(random: Random, ...dims: readonly number[]) {
  const size = dims.reduce((product, axis) => product * axis, 1);
  return floatConstant(
    Float32Array.from({ length: size }, () => random.normal()),
    dims,
  );
}

/** A network that says its batch of 4 in its input and in a reshape. */
function fixedNet() {
  const random = new Random(1);
  const builder = new GraphBuilder();
  const x = builder.input('x', [4, ...SHAPE]);
  const flat = builder.node('Reshape', [x, builder.constant(intConstant([4, 12]))]);
  const hidden = builder.node('Relu', [
    builder.node('MatMul', [flat, builder.constant(weights(random, 12, 8), 'first')]),
  ]);
  const second = builder.constant(weights(random, 8, CLASSES), 'second');
  builder.output(builder.node('MatMul', [hidden, second], {}, 'scores'), [4, CLASSES]);
  return builder.model();
}

function dataset(size: number, sampleShape: readonly number[]): Dataset {
  const random = new Random(2);
  const length = sampleShape.reduce((product, axis) => product * axis, 1);
  return {
    kind: 'npz',
    name: 'numbers',
    size,
    sampleShape,
    samples: Float32Array.from({ length: size * length }, () => random.normal()),
    labels: Int32Array.from({ length: size }, (_, i) => i % CLASSES),
    classNames: ['a', 'b', 'c'],
    origins: undefined,
    skipped: [],
    hash: '',
  };
}

describe('a network that fixes its batch', () => {
  it('is ranked, explained and repaired with any number of samples, and written with its batch', async () => {
    const model = fixedNet();
    const network = await loadNetwork(model, { name: 'net' });
    expect([network.classifier.fixedBatch, fixedBatchOf(network.canonical)]).toEqual([4, undefined]);
    const { samples, remarks } = await explain(network, {
      data: dataset(7, SHAPE),
      criterion: 'integrated-gradients',
    });
    expect([samples, remarks]).toEqual([7, []]);
    const pruned = await prune(network, {
      data: dataset(30, SHAPE),
      ratio: 0.5,
      criterion: 'l2',
      block: 1,
      speed: false,
    });
    expect(pruned.macsFraction).toBe(0.5);
    const { inputs, outputs } = pruned.model.graph;
    expect([inputs[0]?.dims, outputs[0]?.dims]).toEqual([
      [4, ...SHAPE],
      [4, CLASSES],
    ]);
    const session = await createSession(pruned.model, { name: 'pruned' });
    const { scores } = await session.run({ x: tensor(new Float32Array(48), [4, ...SHAPE]) });
    await session.release();
    expect(scores?.dims).toEqual([4, CLASSES]);
  });
});

describe('a network of several inputs', () => {
  it('is pruned from packed samples, and keeps its inputs', async () => {
    const random = new Random(3);
    const builder = new GraphBuilder();
    const x = builder.input('x', ['batch', 4]);
    const site = builder.input('site', ['n'], 7);
    const table = builder.constant(weights(random, 3, 2), 'table');
    const joined = builder.node('Concat', [x, builder.node('Gather', [table, site])], { axis: int(1) });
    const first = builder.constant(weights(random, 6, 8), 'first');
    const hidden = builder.node('Relu', [builder.node('MatMul', [joined, first])]);
    const second = builder.constant(weights(random, 8, CLASSES), 'second');
    builder.output(builder.node('MatMul', [hidden, second], {}, 'scores'), ['batch', CLASSES]);
    const data = dataset(30, [5]);
    for (let i = 0; i < data.size; i++) data.samples[i * 5 + 4] = i % 3;
    for (const criterion of ['lrp-epsilon', 'smoothgrad']) {
      const pruned = await prune(await loadNetwork(builder.model(), { name: 'net' }), {
        data,
        criterion,
        ratio: 0.5,
        block: 1,
        speed: false,
      });
      expect(pruned.model.graph.inputs.map(({ name, elemType }) => [name, elemType])).toEqual([
        ['x', 1],
        ['site', 7],
      ]);
      expect(pruned.parametersFraction).toBeLessThan(0.6);
    }
  });
});
