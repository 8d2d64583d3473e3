// Graphs of one shape are told by it, others are not.
import { expect, it } from 'vitest';
import { type ConvOptions, Net } from '../../channels/test-support/net.ts';
import { GraphBuilder, intConstant } from '../../onnx/internal.ts';
import { graphShape } from './graph-shape.ts';

function shapeOf(seed: number, { size = 8, channels = 4, ...options }: ConvOptions & Sizes = {}) {
  const net = new Net([2, size, size], seed);
  const x = net.relu(net.conv(`layer${seed}`, net.input, 2, channels, options));
  return graphShape(net.head(x, channels));
}

interface Sizes {
  readonly size?: number;
  readonly channels?: number;
}

it('is the same whatever the names and weights, and another for other sizes and attributes', () => {
  const shape = shapeOf(1);
  expect(shape).toBeTypeOf('string');
  expect(shapeOf(2)).toBe(shape);
  const others = [{ size: 9 }, { channels: 5 }, { stride: 2 }, { kernel: 1 }, { bias: false }];
  const shapes = others.map((options) => shapeOf(1, options));
  expect(new Set([shape, ...shapes]).size).toBe(1 + others.length);
});

it('holds whole numbers, which are sizes', () => {
  const reshaped = (sizes: readonly number[]) => {
    const builder = new GraphBuilder();
    const input = builder.input('x', [4, 6]);
    builder.output(builder.node('Reshape', [input, builder.constant(intConstant(sizes))]), undefined);
    return graphShape(builder.model());
  };
  expect(reshaped([2, 12])).toBe(reshaped([2, 12]));
  expect(reshaped([2, 12])).not.toBe(reshaped([3, 8]));
});

it('holds which value goes where', () => {
  const summed = (twice: boolean) => {
    const builder = new GraphBuilder();
    const [a, b] = [builder.input('a', [3]), builder.input('b', [3])];
    builder.output(builder.node('Sub', twice ? [a, a] : [a, b]), undefined);
    return graphShape(builder.model());
  };
  expect(summed(true)).not.toBe(summed(false));
});
