import { describe, expect, it } from 'vitest';
import { createSession, tensor } from '../../engine/index.ts';
import { Random } from '../../util/internal.ts';
import { GraphBuilder } from '../builder.ts';
import { canonicalModel } from '../canonical/canonical.ts';
import { type Constant, ELEM, floatConstant, int, ints, type Model, sizeOf } from '../graph.ts';
import { constantOfKnown } from '../shapes/known.ts';
import { dequantised } from './dequantise.ts';
import { formOf } from './form.ts';

const INT8 = 3;
const INT32 = 6;
const SHAPE = [3, 1, 6, 6];

/** A network in the making, with weights of eight bits whose numbers are remembered. */
class Quantised {
  readonly builder = new GraphBuilder();
  readonly random: Random;
  readonly input: string;

  constructor(seed: number) {
    this.random = new Random(seed);
    this.input = this.builder.input('x', ['batch', ...SHAPE.slice(1)]);
  }

  integers(elemType: number, dims: readonly number[], values: ArrayLike<number>, hint = 'q'): string {
    const data = Float64Array.from(values);
    return this.builder.constant(constantOfKnown({ elemType, dims, data }) as Constant, hint);
  }

  scale(...values: number[]): string {
    return this.builder.constant(floatConstant(values, values.length === 1 ? [] : [values.length]), 'scale');
  }

  weight(dims: readonly number[], elemType = INT8): string {
    const low = elemType === INT8 ? -127 : 0;
    const values = Float64Array.from({ length: sizeOf(dims) }, () => low + this.random.integer(255));
    return this.integers(elemType, dims, values, 'w');
  }

  zero(value: number, elemType: number = ELEM.uint8): string {
    return this.integers(elemType, [], [value], 'zero');
  }

  /** Quantised and back: all that the network says of its activations. */
  pair(value: string, scale: number, zero: number): string {
    const parameters = [this.scale(scale), this.zero(zero)];
    const quantised = this.builder.node('QuantizeLinear', [value, ...parameters]);
    return this.builder.node('DequantizeLinear', [quantised, ...parameters]);
  }

  contrib(op: string, inputs: readonly string[], attributes = {}): string {
    const value = this.builder.node(op, inputs, attributes);
    const node = this.builder.graph.nodes.at(-1);
    if (node) node.domain = 'com.microsoft';
    return value;
  }

  model(output: string, classes: number, opset = 17): Model {
    this.builder.output(output, ['batch', classes]);
    const model = this.builder.model(opset);
    model.opsets.set('com.microsoft', 1);
    return model;
  }
}

const NETS: Readonly<Record<string, () => Model>> = {
  // No ReLU: the range of the unsigned integers is one.
  'pairs around convolutions of per-channel weights'() {
    const net = new Quantised(1);
    const scales = net.scale(0.004, 0.002, 0.006, 0.003);
    const zeros = net.integers(INT8, [4], [0, 0, 0, 0]);
    const w = net.builder.node('DequantizeLinear', [net.weight([4, 1, 3, 3]), scales, zeros], {
      axis: int(0),
    });
    const bias = net.integers(INT32, [4], [100, -200, 50, 0]);
    const b = net.builder.node('DequantizeLinear', [bias, net.scale(0.002)]);
    const conv = net.builder.node('Conv', [net.pair(net.input, 0.02, 128), w, b], {
      pads: ints([1, 1, 1, 1]),
    });
    const pooled = net.builder.node('MaxPool', [net.pair(conv, 0.01, 0)], { kernel_shape: ints([2, 2]) });
    const flat = net.builder.node('Flatten', [pooled]);
    const v = net.builder.node('DequantizeLinear', [net.weight([100, 3]), net.scale(0.002)]);
    return net.model(net.pair(net.builder.node('Gemm', [flat, v]), 0.05, 120), 3);
  },
  'integers moved between the pairs'() {
    const net = new Quantised(2);
    const parameters = [net.scale(0.02), net.zero(100)];
    const quantised = net.builder.node('QuantizeLinear', [net.input, ...parameters]);
    const pooled = net.builder.node('MaxPool', [quantised], {
      kernel_shape: ints([2, 2]),
      strides: ints([2, 2]),
    });
    const flat = net.builder.node('Reshape', [pooled, net.builder.ints([-1, 9])]);
    const back = net.builder.node('DequantizeLinear', [flat, ...parameters]);
    const v = net.builder.node('DequantizeLinear', [net.weight([9, 3]), net.scale(0.01), net.zero(3, INT8)]);
    return net.model(net.builder.node('MatMul', [back, v]), 3);
  },
  'operators of integers'() {
    const net = new Quantised(3);
    const [xs, xz, ys, yz] = [net.scale(0.02), net.zero(128), net.scale(0.03), net.zero(0)];
    const x = net.builder.node('QuantizeLinear', [net.input, xs, xz]);
    const ws = net.scale(0.004, 0.005, 0.006, 0.007);
    const wz = net.integers(INT8, [4], [0, 0, 0, 0]);
    const b = net.integers(INT32, [4], [900, -500, 50, 0]);
    const conv = net.builder.node('QLinearConv', [x, xs, xz, net.weight([4, 1, 3, 3]), ws, wz, ys, yz, b]);
    const mean = net.contrib('QLinearGlobalAveragePool', [conv, ys, yz, ys, yz]);
    const flat = net.builder.node('Flatten', [mean]);
    const [gs, gz] = [net.scale(0.02), net.zero(100)];
    const c = net.integers(INT32, [5], [10, 20, -30, 0, 5]);
    const gemm = net.contrib(
      'QGemm',
      [flat, ys, yz, net.weight([5, 4]), net.scale(0.006), net.zero(0, INT8), c, gs, gz],
      { transB: int(1) },
    );
    const sum = net.contrib('QLinearAdd', [gemm, gs, gz, gemm, gs, gz, net.scale(0.04), net.zero(90)]);
    return net.model(net.builder.node('DequantizeLinear', [sum, net.scale(0.04), net.zero(90)]), 5);
  },
  'scales that are found as it runs'() {
    const net = new Quantised(4);
    const dynamic = (value: string): string[] =>
      net.builder.nodes('DynamicQuantizeLinear', [value], {}, ['y', 'y_scale', 'y_zero']);
    const [x = '', xs = '', xz = ''] = dynamic(net.input);
    const conv = net.builder.node('ConvInteger', [x, net.weight([4, 1, 3, 3]), xz, net.zero(0, INT8)]);
    const wide = net.builder.node('Cast', [conv], { to: int(ELEM.float32) });
    const maps = net.builder.node('Mul', [wide, net.builder.node('Mul', [xs, net.scale(0.003)])]);
    const flat = net.builder.node('Flatten', [net.builder.node('Relu', [maps])]);
    const [f = '', fs = '', fz = ''] = dynamic(flat);
    const product = net.builder.node('MatMulInteger', [
      f,
      net.weight([64, 3], ELEM.uint8),
      fz,
      net.zero(120),
    ]);
    const float = net.builder.node('Cast', [product], { to: int(ELEM.float32) });
    return net.model(net.builder.node('Mul', [float, net.builder.node('Mul', [fs, net.scale(0.004)])]), 3);
  },
};

const INPUT = new Random(9);
const X = Float32Array.from({ length: sizeOf(SHAPE) }, () => 0.8 * INPUT.normal());

async function run(model: Model): Promise<Float32Array> {
  const session = await createSession(model, { name: 'net', optimization: 'disabled' });
  const { [model.graph.outputs[0]?.name ?? '']: found } = await session.run({ x: tensor(X, SHAPE) });
  await session.release();
  return found?.data as Float32Array;
}

describe('dequantised', () => {
  it.each(Object.entries(NETS))('gives what the integers give, but for rounding: %s', async (_, make) => {
    const model = make();
    const expected = await run(model);
    const floats = dequantised(model, 'net');
    expect(formOf(floats)?.dequantised).toBe(true);
    const most = expected.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0);
    expect(most).toBeGreaterThan(0.1);
    for (const form of [floats, canonicalModel(floats)]) {
      const integers = form.graph.nodes.filter(({ op }) => /Integer|Quantize|QLinear|QGemm/.test(op));
      expect(integers).toEqual([]);
      const given = await run(form);
      given.forEach((value, i) => {
        expect(Math.abs(value - (expected[i] as number))).toBeLessThan(0.06 * most);
      });
    }
  });

  it('keeps weights exactly, with no activations quantised', async () => {
    const net = new Quantised(5);
    const scales = net.scale(0.01, 0.02, 0.03);
    const zeros = net.integers(INT8, [3], [1, -2, 3]);
    const v = net.builder.node('DequantizeLinear', [net.weight([36, 3]), scales, zeros], { axis: int(1) });
    const model = net.model(net.builder.node('MatMul', [net.builder.node('Flatten', [net.input]), v]), 3);
    const expected = await run(model);
    expect(Array.from(await run(dequantised(model, 'net')))).toEqual(
      Array.from(expected, (value) => expect.closeTo(value, 4)),
    );
  });

  it('refuses what it has no form for, by name', () => {
    const net = new Quantised(6);
    const parameters = [net.scale(0.02), net.zero(0)];
    const quantised = net.builder.node('QuantizeLinear', [net.input, ...parameters]);
    const soft = net.contrib('QLinearSoftmax', [quantised, ...parameters, ...parameters]);
    const model = net.model(net.builder.node('DequantizeLinear', [soft, ...parameters]), 3);
    expect(() => dequantised(model, 'net')).toThrow(
      "net: QLinearSoftmax 'qlinearsoftmax' computes with eight bits",
    );
    const other = new Quantised(7);
    const q = other.builder.node('QuantizeLinear', [other.input, other.scale(1), other.zero(0)]);
    const compared = other.builder.node('Equal', [q, q]);
    const cast = other.builder.node('Cast', [compared], { to: int(ELEM.float32) });
    expect(() => dequantised(other.model(cast, 36), 'net')).toThrow('it reads quantised numbers');
  });

  it('leaves a model of float32 as it is', () => {
    const builder = new GraphBuilder();
    builder.output(builder.node('Relu', [builder.input('x', ['batch', 4])]), ['batch', 4]);
    const model = builder.model();
    expect(dequantised(model, 'net')).toBe(model);
  });
});
