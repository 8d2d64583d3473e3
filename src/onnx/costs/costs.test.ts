import { describe, expect, it } from 'vitest';
import { GraphBuilder } from '../builder.ts';
import { floatConstant, int, ints, sizeOf } from '../graph.ts';
import { findStages } from '../stages.ts';
import { SHARED_MODELS, sharedModel } from '../test-support/models.ts';
import { modelCosts } from './costs.ts';

const zeros = (builder: GraphBuilder, ...dims: number[]): string =>
  builder.constant(floatConstant(new Float32Array(sizeOf(dims)), dims), 'w');

/** A residual network: conv, relu, [conv, relu, conv] + skip, relu, pool, flatten, linear. */
function residual(batch: number | string = 'N') {
  const builder = new GraphBuilder();
  builder.input('x', [batch, 1, 8, 8]);
  const pads = { pads: ints([1, 1, 1, 1]) };
  const stem = builder.node(
    'Relu',
    [builder.node('Conv', ['x', zeros(builder, 4, 1, 3, 3), zeros(builder, 4)], pads, 'c1')],
    {},
    'r1',
  );
  const first = builder.node(
    'Relu',
    [builder.node('Conv', [stem, zeros(builder, 6, 4, 3, 3)], pads, 'c2')],
    {},
    'r2',
  );
  const second = builder.node('Conv', [first, zeros(builder, 4, 6, 3, 3)], pads, 'c3');
  const sum = builder.node('Relu', [builder.node('Add', [second, stem], {}, 'sum')], {}, 'r3');
  const pool = builder.node('MaxPool', [sum], { kernel_shape: ints([2, 2]), strides: ints([2, 2]) }, 'pool');
  const flat = builder.node('Flatten', [pool], {}, 'flat');
  builder.output(builder.node('Gemm', [flat, zeros(builder, 64, 3), zeros(builder, 3)], {}, 'y'), [batch, 3]);
  builder.constant(floatConstant([1, 2, 3]), 'unread');
  return builder.model();
}

describe('modelCosts', () => {
  it.each([
    ['open', 'N'],
    ['fixed', 5],
  ])('counts one sample by hand, with an %s batch', (_, batch) => {
    const costs = modelCosts(residual(batch));
    // c1: 4*64 outputs * 9; c2: 6*64 * 4*9; c3: 4*64 * 6*9; linear: 3 * 64.
    expect(costs.macs).toBe(256 * 9 + 384 * 36 + 256 * 54 + 192);
    expect(costs.parameters).toBe(36 + 4 + 216 + 216 + 192 + 3);
    // c1 r1 c2 r2 c3 sum r3 pool flat y, in floats.
    expect(costs.activationBytes).toBe(4 * (256 + 256 + 384 + 384 + 256 + 256 + 256 + 64 + 64 + 3));
    // While r2 is made: r1 (kept for the sum), c2 and r2.
    expect(costs.peakBytes).toBe(4 * (256 + 384 + 384));
    expect(costs.nodes.find((node) => node.name === 'c2')).toEqual({
      name: 'c2',
      op: 'Conv',
      macs: 384 * 36,
      parameters: 216,
      outputBytes: 4 * 384,
    });
    expect(costs.unknown).toEqual([]);
  });

  it('counts groups, strides, transposed convolutions and matrix products', () => {
    const builder = new GraphBuilder();
    builder.input('x', ['N', 4, 10]);
    const depthwise = builder.node('Conv', ['x', zeros(builder, 4, 1, 3)], {
      group: int(4),
      strides: ints([2]),
    });
    const up = builder.node('ConvTranspose', [depthwise, zeros(builder, 4, 2, 3)], { strides: ints([2]) });
    builder.output(builder.node('MatMul', [up, zeros(builder, 9, 5)]), undefined);
    // Depthwise: 4*4 outputs * 3. Transposed: 4*4 inputs * 2*3. Product: 2*5 outputs * 9.
    expect(modelCosts(builder.model()).nodes.map((node) => node.macs)).toEqual([48, 96, 90]);
  });

  it('divides a fixed batch out where another output has none, and leaves out what nothing depends on', () => {
    const builder = new GraphBuilder();
    builder.input('x', [4, 3]);
    const y = builder.node('MatMul', ['x', zeros(builder, 3, 5)], {}, 'y');
    builder.node('MatMul', [y, zeros(builder, 5, 7)], {}, 'dead');
    builder.output(y, [4, 5]);
    builder.output(builder.node('ReduceMean', [y], { axes: ints([0]) }, 'mean'), [1, 5]);
    const costs = modelCosts(builder.model());
    expect([costs.macs, costs.nodes.map(({ macs }) => macs)]).toEqual([15, [15, 0, 0]]);
  });

  it('says which nodes it cannot size', () => {
    const builder = new GraphBuilder();
    builder.input('x', ['N', 4]);
    builder.output(builder.node('Relu', [builder.node('Odd', ['x'])]), undefined);
    expect(modelCosts(builder.model()).unknown).toEqual(["Odd 'odd'", "Relu 'relu'"]);
  });

  it.skipIf(SHARED_MODELS.length === 0)(
    'counts the parameters of the shared models (needs the shared folder)',
    () => {
      const expected: Record<string, number> = {
        'ecg-resnet1d': 0.49e6,
        'medical-mnist-vgg16': 3.7e6,
        'medical-mnist-resnet18': 11.2e6,
      };
      for (const name of SHARED_MODELS) {
        const costs = modelCosts(sharedModel(name));
        expect(Math.abs(costs.parameters / (expected[name] ?? 0) - 1)).toBeLessThan(0.02);
        expect(costs.macs).toBeGreaterThan(costs.parameters);
      }
    },
  );
});

describe('findStages', () => {
  it('cuts where one value crosses, keeps residual blocks whole, and gives trailing nodes to the stage before', () => {
    const model = residual();
    const stages = findStages(model);
    expect(stages.map((stage) => stage.nodes)).toEqual([
      ['c1', 'r1'],
      ['c2', 'r2', 'c3', 'sum', 'r3', 'pool', 'flat'],
      ['y'],
    ]);
    expect(stages.map((stage) => stage.output)).toEqual(['r1', 'flat', 'y']);
    expect(stages.map((stage) => stage.macs)).toEqual([256 * 9, 384 * 36 + 256 * 54, 192]);
    expect(stages.map((stage) => stage.weightBytes)).toEqual([4 * 40, 4 * 432, 4 * 195]);
    expect(stages.map((stage) => stage.outputBytes)).toEqual([4 * 256, 4 * 64, 4 * 3]);
    expect(stages.map((stage) => stage.index)).toEqual([0, 1, 2]);
  });

  it('does not cut where the input is still needed, or an early output is pending', () => {
    const builder = new GraphBuilder();
    builder.input('x', ['N', 2, 5]);
    const a = builder.node('Conv', ['x', zeros(builder, 2, 2, 1)], {}, 'a');
    const b = builder.node('Conv', [a, zeros(builder, 2, 2, 1)], {}, 'b');
    const c = builder.node('Add', [b, 'x'], {}, 'c');
    const d = builder.node('Conv', [c, zeros(builder, 2, 2, 1)], {}, 'd');
    builder.output(a, undefined);
    builder.output(d, undefined);
    expect(findStages(builder.model()).map((stage) => stage.nodes)).toEqual([['a', 'b', 'c', 'd']]);
    builder.graph.outputs = builder.graph.outputs.slice(1);
    expect(findStages(builder.model()).map((stage) => stage.nodes)).toEqual([['a', 'b', 'c'], ['d']]);
  });

  it.skipIf(SHARED_MODELS.length === 0)(
    'covers the shared models once, in order (needs the shared folder)',
    () => {
      for (const name of SHARED_MODELS) {
        const model = sharedModel(name);
        const stages = findStages(model);
        expect(stages.flatMap((stage) => stage.nodes)).toEqual(model.graph.nodes.map((node) => node.name));
        expect(stages.reduce((sum, stage) => sum + stage.macs, 0)).toBe(modelCosts(model).macs);
        expect(stages.every((stage) => stage.macs > 0 && stage.weightBytes > 0)).toBe(true);
        expect(stages.at(-1)?.output).toBe('logits');
      }
    },
  );
});
