// Weights that are not finite are told by tensor, node and place, wherever a model keeps them.
import { create } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { GraphBuilder } from './builder.ts';
import { readModel, writeModel } from './codec/codec.ts';
import { TensorProtoSchema } from './codec/onnx_pb.ts';
import { assertFiniteWeights, nonFiniteWeight } from './finite-weights.ts';
import { type Constant, ELEM, float, floatConstant, floats, type Model } from './graph.ts';

const BAD = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];

/** `op` on the input and constants, as the whole network; read back from its bytes. */
function network(op: string, constants: readonly Constant[], attributes = {}): Model {
  const builder = new GraphBuilder();
  const x = builder.input('x', ['batch', 2]);
  const inputs = constants.map((constant, i) => builder.constant(constant, `c${i}`));
  builder.output(builder.node(op, [x, ...inputs], attributes, 'node'), ['batch', 2]);
  return readModel(writeModel(builder.model()), 'test');
}

const two = (a: number, b: number): Constant => floatConstant([a, b]);
const square = (value: number): Constant => floatConstant([1, 2, value, 4], [2, 2]);

function raw(elemType: number, bytes: Uint8Array): Constant {
  const carried = create(TensorProtoSchema, { dims: [2n, 2n], dataType: elemType, rawData: bytes });
  return { type: 'other', elemType, dims: [2, 2], carried };
}

describe('weights that are not finite', () => {
  it('are told by tensor, node and place', () => {
    expect(nonFiniteWeight(network('MatMul', [square(3)]))).toBeUndefined();
    for (const bad of BAD) {
      const model = network('MatMul', [square(bad)]);
      expect(nonFiniteWeight(model)).toMatch(/tensor 'c0', which MatMul '\w+' reads, is -?\w+ at \[1, 0\]/);
      expect(() => assertFiniteWeights(model, 'net.onnx')).toThrow(
        expect.objectContaining({ code: 'E_MODEL', message: expect.stringContaining('net.onnx') }),
      );
    }
  });

  it('are looked for in biases, gains and statistics of batch normalisation', () => {
    const norm = (at: number, value: number) => {
      const constants = [0, 1, 2, 3].map((i) => two(1, i === at ? value : 1));
      return nonFiniteWeight(network('BatchNormalization', constants));
    };
    expect(norm(0, 2)).toBeUndefined();
    for (let at = 0; at < 4; at++) for (const bad of BAD) expect(norm(at, bad)).toContain(`'c${at}'`);
    expect(norm(3, -1)).toMatch(/variance of channel 1/);
    expect(nonFiniteWeight(network('Gemm', [square(3), two(0, Number.NaN)]))).toContain("'c1'");
    expect(nonFiniteWeight(network('Mul', [two(1, Number.POSITIVE_INFINITY)]))).toContain("'c0'");
  });

  it('are looked for in half floats, doubles and attributes too', () => {
    const half = (bits: number) => raw(ELEM.float16, new Uint8Array(Uint16Array.of(1, 2, bits, 4).buffer));
    const double = (value: number) =>
      raw(ELEM.float64, new Uint8Array(Float64Array.of(1, 2, value, 4).buffer));
    expect(nonFiniteWeight(network('MatMul', [half(0x7bff)]))).toBeUndefined();
    expect(nonFiniteWeight(network('MatMul', [half(0x7e00)]))).toContain('NaN at [1, 0]');
    expect(nonFiniteWeight(network('MatMul', [half(0xfc00)]))).toContain('-Infinity at [1, 0]');
    expect(nonFiniteWeight(network('MatMul', [double(3)]))).toBeUndefined();
    expect(nonFiniteWeight(network('MatMul', [double(Number.NaN)]))).toContain('NaN at [1, 0]');
    expect(nonFiniteWeight(network('LeakyRelu', [], { alpha: float(Number.NaN) }))).toContain("'alpha'");
    expect(nonFiniteWeight(network('Foo', [], { list: floats([1, Number.NaN]) }))).toContain("'list'");
  });

  it('leave infinity where it is a bound or a mask, but not NaN', () => {
    expect(nonFiniteWeight(network('Add', [two(0, Number.NEGATIVE_INFINITY)]))).toBeUndefined();
    expect(nonFiniteWeight(network('Max', [two(0, Number.NEGATIVE_INFINITY)]))).toBeUndefined();
    expect(nonFiniteWeight(network('Add', [two(0, Number.NaN)]))).toContain("'c0'");
  });
});
