// Small random networks for the tests of explaining: a builder with weights drawn by a seed, and random samples.
import type { Attribute, Model } from '../../onnx/index.ts';
import { floatConstant, GraphBuilder, int, ints, sizeOf } from '../../onnx/internal.ts';
import { Random } from '../../util/internal.ts';

export interface ConvOptions {
  readonly kernel?: readonly number[];
  readonly stride?: number;
  readonly pads?: readonly number[];
  readonly dilation?: number;
  readonly group?: number;
  readonly bias?: boolean;
  readonly outputPadding?: readonly number[];
}

/** A network under construction; every method returns the name of the value it makes. */
export class Net {
  readonly builder = new GraphBuilder();
  readonly random: Random;
  readonly input: string;

  /** @param sample the shape of one sample */
  constructor(sample: readonly number[], seed = 1) {
    this.random = new Random(seed);
    this.input = this.builder.input('input', ['batch', ...sample]);
  }

  /** A constant of normal numbers. */
  weights(dims: readonly number[], scale = 1): string {
    const data = Float32Array.from({ length: sizeOf(dims) }, () => this.random.normal() * scale);
    return this.builder.constant(floatConstant(data, dims), 'weights');
  }

  op(op: string, inputs: readonly string[], attributes: Record<string, Attribute> = {}, name = op): string {
    return this.builder.node(op, inputs, attributes, name);
  }

  relu(x: string): string {
    return this.op('Relu', [x]);
  }

  /** A 2-D convolution unless the kernel says otherwise; weights scaled to keep activations near 1. */
  conv(x: string, inChannels: number, channels: number, options: ConvOptions = {}): string {
    const { kernel = [3, 3], group = 1, bias = true } = options;
    const dims = [channels, inChannels / group, ...kernel];
    const scale = 1 / Math.sqrt(sizeOf(dims.slice(1)));
    const inputs = [x, this.weights(dims, scale), ...(bias ? [this.weights([channels], 0.3)] : [])];
    return this.op('Conv', inputs, convAttributes(options, kernel));
  }

  convTranspose(x: string, inChannels: number, channels: number, options: ConvOptions = {}): string {
    const { kernel = [3, 3], group = 1, bias = true } = options;
    const dims = [inChannels, channels / group, ...kernel];
    const inputs = [x, this.weights(dims, 0.4), ...(bias ? [this.weights([channels], 0.3)] : [])];
    return this.op('ConvTranspose', inputs, convAttributes(options, kernel));
  }

  /** A dense layer of `[batch, features]`. */
  gemm(x: string, features: number, channels: number, bias = true): string {
    const w = this.weights([channels, features], 1 / Math.sqrt(features));
    return this.op('Gemm', [x, w, ...(bias ? [this.weights([channels], 0.3)] : [])], { transB: int(1) });
  }

  /** Flattens `features` values and ends the network with a dense layer. */
  classify(x: string, features: number, classes = 4, bias = true): Model {
    return this.finish(this.gemm(this.op('Flatten', [x]), features, classes, bias), classes);
  }

  finish(logits: string, classes = 4, opset = 17): Model {
    this.builder.output(logits, ['batch', classes]);
    return this.builder.model(opset);
  }
}

/** Normal numbers. */
export function normals(count: number, seed: number): Float32Array {
  const random = new Random(seed);
  return Float32Array.from({ length: count }, () => random.normal());
}

function convAttributes(options: ConvOptions, kernel: readonly number[]): Record<string, Attribute> {
  const all = (value: number): Attribute => ints(kernel.map(() => value));
  return {
    kernel_shape: ints(kernel),
    ...(options.stride ? { strides: all(options.stride) } : {}),
    ...(options.pads ? { pads: ints(options.pads) } : {}),
    ...(options.dilation ? { dilations: all(options.dilation) } : {}),
    ...(options.group ? { group: int(options.group) } : {}),
    ...(options.outputPadding ? { output_padding: ints(options.outputPadding) } : {}),
  };
}
