// Networks of hospital size with random weights, batch normalisation already folded: for time and memory, not accuracy.
import type { Model } from '../../src/onnx/index.ts';
import { floatConstant, GraphBuilder, int, ints, sizeOf } from '../../src/onnx/internal.ts';
import { Random } from '../../src/util/internal.ts';

/** A network of `[channels, height, width]` to classes, with the shape of a sample. */
export interface Built {
  readonly model: Model;
  readonly sampleShape: readonly number[];
}

interface ConvShape {
  readonly kernel?: number;
  readonly stride?: number;
  readonly group?: number;
  /** Multiplies the weights, so that residual sums keep their size. */
  readonly scale?: number;
}

const CLASSES = 10;

/** Adds layers to a graph; each method returns the value that it makes. */
class Layers {
  readonly builder = new GraphBuilder();
  readonly #random = new Random(1);
  readonly input: string;

  constructor(readonly sampleShape: readonly number[]) {
    this.input = this.builder.input('input', ['batch', ...sampleShape]);
  }

  conv(x: string, from: number, to: number, shape: ConvShape = {}): string {
    const { kernel = 3, stride = 1, group = 1, scale = 1 } = shape;
    const pad = (kernel - 1) >> 1;
    const weight = this.#weight([to, from / group, kernel, kernel], (from / group) * kernel ** 2, scale);
    const bias = this.builder.constant(floatConstant(new Float32Array(to), [to]), 'bias');
    return this.builder.node(
      'Conv',
      [x, weight, bias],
      {
        kernel_shape: ints([kernel, kernel]),
        pads: ints([pad, pad, pad, pad]),
        strides: ints([stride, stride]),
        group: int(group),
      },
      'conv',
    );
  }

  relu(x: string): string {
    return this.builder.node('Relu', [x]);
  }

  relu6(x: string): string {
    return this.builder.node('Clip', [x, this.builder.scalar(0), this.builder.scalar(6)]);
  }

  add(a: string, b: string): string {
    return this.builder.node('Add', [a, b]);
  }

  concat(values: readonly string[]): string {
    return this.builder.node('Concat', values, { axis: int(1) });
  }

  pool(x: string, op: 'MaxPool' | 'AveragePool', size: number, stride: number, pad = 0): string {
    return this.builder.node(op, [x], {
      kernel_shape: ints([size, size]),
      strides: ints([stride, stride]),
      pads: ints([pad, pad, pad, pad]),
    });
  }

  /** A scale and shift of each channel that cannot be folded into a layer. */
  norm(x: string, channels: number): string {
    const constant = (value: number) =>
      this.builder.constant(floatConstant(new Float32Array(channels).fill(value), [channels]), 'norm');
    return this.builder.node(
      'BatchNormalization',
      [x, constant(1), constant(0.1), constant(0), constant(1)],
      {},
    );
  }

  built(x: string, channels: number): Built {
    const flat = this.builder.node('Flatten', [this.builder.node('GlobalAveragePool', [x])]);
    const weight = this.#weight([CLASSES, channels], channels, 1);
    const bias = this.builder.constant(floatConstant(new Float32Array(CLASSES), [CLASSES]), 'bias');
    const logits = this.builder.node('Gemm', [flat, weight, bias], { transB: int(1) }, 'logits');
    this.builder.output(logits, ['batch', CLASSES]);
    return { model: this.builder.model(), sampleShape: this.sampleShape };
  }

  #weight(dims: readonly number[], fanIn: number, scale: number): string {
    const deviation = scale * Math.sqrt(2 / fanIn);
    const data = Float32Array.from({ length: sizeOf(dims) }, () => this.#random.normal() * deviation);
    return this.builder.constant(floatConstant(data, dims), 'weight');
  }
}

/** A chain of equal 3 x 3 convolutions. */
export function chain(depth: number, channels = 32, size = 16): Built {
  const net = new Layers([3, size, size]);
  let x = net.input;
  for (let layer = 0; layer < depth; layer++) x = net.relu(net.conv(x, layer === 0 ? 3 : channels, channels));
  return net.built(x, channels);
}

/** ResNet-50 (He et al., CVPR 2016). */
export function resnet50(size = 224): Built {
  const net = new Layers([3, size, size]);
  let x = net.pool(net.relu(net.conv(net.input, 3, 64, { kernel: 7, stride: 2 })), 'MaxPool', 3, 2, 1);
  let from = 64;
  for (const [stage, blocks] of [3, 4, 6, 3].entries()) {
    const width = 64 * 2 ** stage;
    for (let block = 0; block < blocks; block++) {
      const stride = stage > 0 && block === 0 ? 2 : 1;
      const narrow = net.relu(net.conv(x, from, width, { kernel: 1 }));
      const middle = net.relu(net.conv(narrow, width, width, { stride }));
      const wide = net.conv(middle, width, 4 * width, { kernel: 1, scale: 0.3 });
      const beside = block === 0 ? net.conv(x, from, 4 * width, { kernel: 1, stride }) : x;
      x = net.relu(net.add(wide, beside));
      from = 4 * width;
    }
  }
  return net.built(x, from);
}

/** DenseNet-121 (Huang et al., CVPR 2017). Its normalisations stand before the layers, so they stay nodes. */
export function densenet121(size = 224): Built {
  const net = new Layers([3, size, size]);
  const growth = 32;
  let x = net.pool(net.relu(net.conv(net.input, 3, 64, { kernel: 7, stride: 2 })), 'MaxPool', 3, 2, 1);
  let channels = 64;
  const stages = [6, 12, 24, 16];
  for (const [stage, layers] of stages.entries()) {
    const parts = [x];
    for (let layer = 0; layer < layers; layer++) {
      const all = parts.length === 1 ? x : net.concat(parts);
      const narrow = net.relu(
        net.conv(net.relu(net.norm(all, channels)), channels, 4 * growth, { kernel: 1 }),
      );
      parts.push(net.conv(narrow, 4 * growth, growth));
      channels += growth;
    }
    x = net.relu(net.norm(net.concat(parts), channels));
    if (stage === stages.length - 1) break;
    x = net.pool(net.conv(x, channels, channels / 2, { kernel: 1 }), 'AveragePool', 2, 2);
    channels /= 2;
  }
  return net.built(x, channels);
}

/** MobileNetV2 (Sandler et al., CVPR 2018). */
export function mobilenetV2(size = 64): Built {
  const net = new Layers([3, size, size]);
  let x = net.relu6(net.conv(net.input, 3, 32, { stride: 2 }));
  let from = 32;
  const settings = [
    [1, 16, 1, 1],
    [6, 24, 2, 2],
    [6, 32, 3, 2],
    [6, 64, 4, 2],
    [6, 96, 3, 1],
    [6, 160, 3, 2],
    [6, 320, 1, 1],
  ] as const;
  for (const [expand, to, blocks, first] of settings) {
    for (let block = 0; block < blocks; block++) {
      const stride = block === 0 ? first : 1;
      const width = from * expand;
      const wide = expand === 1 ? x : net.relu6(net.conv(x, from, width, { kernel: 1 }));
      const deep = net.relu6(net.conv(wide, width, width, { stride, group: width }));
      const narrow = net.conv(deep, width, to, { kernel: 1, scale: 0.7 });
      x = stride === 1 && from === to ? net.add(narrow, x) : narrow;
      from = to;
    }
  }
  return net.built(net.relu6(net.conv(x, from, 1280, { kernel: 1 })), 1280);
}
