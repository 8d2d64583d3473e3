// What a bundle holds runs sample by sample: one output, an open batch, the same scores; or it is refused.
import { describe, expect, it } from 'vitest';
import { createSession, tensor } from '../engine/index.ts';
import { Net, normals } from '../explain/test-support/nets.ts';
import { canonicalModel, type Model } from '../onnx/index.ts';
import { fixedBatchOf, floatConstant, int, intConstant, ints } from '../onnx/internal.ts';
import { runnable, withFirstOutput } from './runnable.ts';

const SHAPE = [2, 6, 6];
const SIZE = 72;
const DATA = { samples: normals(6 * SIZE, 4), size: 6 };

/** A batch that the input declares fixed; a target of a reshape as exporters write it, with the batch inside. */
function network(batch: number, middle: (net: Net, x: string) => string = (_net, x) => x): Model {
  const net = new Net(SHAPE, 3);
  const input = net.builder.graph.inputs[0];
  if (input) input.dims = [batch, ...SHAPE];
  const maps = middle(net, net.relu(net.conv(net.input, 2, 4, { pads: [1, 1, 1, 1] })));
  const flat = net.op('Reshape', [maps, net.builder.constant(intConstant([batch, 144]))]);
  const scores = net.gemm(flat, 144, 3);
  net.builder.output(scores, [batch, 3]);
  return canonicalModel(net.builder.model());
}

async function run(model: Model, samples: Float32Array, rows: number): Promise<Float32Array> {
  const session = await createSession(model, { name: 'test' });
  try {
    const output = model.graph.outputs[0]?.name ?? '';
    const found = (await session.run({ input: tensor(samples, [rows, ...SHAPE]) }))[output];
    return found?.data as Float32Array;
  } finally {
    await session.release();
  }
}

describe('a fixed batch', () => {
  it.each([1, 4])('of %i is left open, and every sample keeps its scores', async (batch) => {
    const fixed = network(batch);
    const { model, freedBatch } = await runnable(fixed, 'net', DATA);
    expect([freedBatch, fixedBatchOf(model)]).toEqual([batch, undefined]);
    const expected = await run(fixed, DATA.samples.subarray(0, batch * SIZE), batch);
    for (let i = 0; i < batch; i++) {
      const alone = await run(model, DATA.samples.subarray(i * SIZE, (i + 1) * SIZE), 1);
      alone.forEach((value, k) => {
        expect(value).toBeCloseTo(expected[i * 3 + k] as number, 4);
      });
    }
    const all = await run(model, DATA.samples, 6);
    expect(all).toHaveLength(18);
    all.subarray(0, batch * 3).forEach((value, i) => {
      expect(value).toBeCloseTo(expected[i] as number, 4);
    });
  });

  it('of a recurrent layer with first states of zeros for each sample is left open, too', async () => {
    const net = new Net(SHAPE, 3);
    const input = net.builder.graph.inputs[0];
    if (input) input.dims = [4, ...SHAPE];
    const steps = net.op('Reshape', [net.input, net.builder.constant(intConstant([4, 12, 6]))]);
    const zeros = (): string => net.builder.constant(floatConstant(new Float32Array(20), [1, 4, 5]));
    const [w, r] = [net.weights([1, 20, 6]), net.weights([1, 20, 5])];
    const turned = net.op('Transpose', [steps], { perm: ints([1, 0, 2]) });
    const states = net.op('LSTM', [turned, w, r, '', '', zeros(), zeros()], { hidden_size: int(5) });
    const back = net.op('Transpose', [states], { perm: ints([2, 0, 1, 3]) });
    const flat = net.op('Reshape', [back, net.builder.constant(intConstant([4, 60]))]);
    net.builder.output(net.gemm(flat, 60, 3), [4, 3]);
    const fixed = canonicalModel(net.builder.model());
    const { model, freedBatch } = await runnable(fixed, 'net', DATA);
    expect([freedBatch, fixedBatchOf(model)]).toEqual([4, undefined]);
  });

  it('above 1 is refused where a sample is told by the others of its batch', async () => {
    const mixed = network(4, (net, x) => {
      const mean = net.op('ReduceMean', [x], { axes: ints([0]), keepdims: int(1) });
      return net.op('Sub', [x, mean]);
    });
    await expect(runnable(mixed, 'net.onnx', DATA)).rejects.toMatchObject({
      code: 'E_UNSUPPORTED',
      message: expect.stringMatching(/^net\.onnx.*(depend on the others in its batch|other scores)/),
    });
  });

  it('above 1 is refused where a size cannot follow it', async () => {
    const tied = network(4, (net, x) => net.op('Add', [x, net.weights([4, 4, 6, 6])]));
    await expect(runnable(tied, 'net.onnx', DATA)).rejects.toMatchObject({
      code: 'E_UNSUPPORTED',
      message: expect.stringMatching(/fixes a batch of 4/),
    });
  });
});

describe('outputs behind the first', () => {
  it('are left out with what only they need, and the first stays as it is', async () => {
    const net = new Net(SHAPE, 5);
    const shared = net.relu(net.conv(net.input, 2, 4, { pads: [1, 1, 1, 1] }));
    const scores = net.gemm(net.op('Flatten', [shared]), 144, 3);
    const aside = net.gemm(net.op('Flatten', [net.relu(net.conv(shared, 4, 2))]), 32, 3);
    net.builder.output(scores, ['batch', 3]);
    net.builder.output(aside, ['batch', 3]);
    const both = canonicalModel(net.builder.model());
    const { model, dropped } = withFirstOutput(both);
    expect(model.graph.outputs.map(({ name }) => name)).toEqual([scores]);
    expect(dropped.outputs).toEqual([aside]);
    expect(dropped.nodes).toHaveLength(4);
    expect(model.graph.nodes).toHaveLength(both.graph.nodes.length - 4);
    expect(both.graph.outputs).toHaveLength(2);
    expect(await run(model, DATA.samples, 6)).toEqual(await run(both, DATA.samples, 6));
  });

  it('of a network with one leave it as it is', () => {
    const one = network(2);
    expect(withFirstOutput(one)).toEqual({ model: one, dropped: { outputs: [], nodes: [] } });
  });
});
