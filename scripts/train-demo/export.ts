// The trained network as an ONNX model, opset 17: Conv, Relu, Add, GlobalAveragePool, Flatten, Gemm.
import type { Model } from '../../src/onnx/index.ts';
import { floatConstant, GraphBuilder, int, ints } from '../../src/onnx/internal.ts';
import { must } from '../../src/util/index.ts';
import { type Architecture, blockLayers, type ConvLayer, stemLayer } from './network.ts';

/** Input `input` [batch, 1, length], output `logits` [batch, classes]. */
export function exportNetwork(
  net: Architecture,
  weights: ReadonlyMap<string, { dims: number[]; data: Float32Array }>,
): Model {
  const builder = new GraphBuilder({
    name: 'ecg-demo',
    inputs: [],
    outputs: [],
    nodes: [],
    constants: new Map(),
  });
  const values = (name: string): Float32Array => must(weights.get(name), `no weights named '${name}'`).data;
  const conv = (layer: ConvLayer, input: string): string => {
    const { name, kernel, stride, input: from, output: to } = layer;
    const weight = floatConstant(outputFirst(values(`${name}.weight`), kernel * from, to, kernel), [
      to,
      from,
      kernel,
    ]);
    const pad = (kernel - 1) / 2;
    return builder.node(
      'Conv',
      [
        input,
        builder.constant(weight, `${name}.weight`),
        builder.constant(floatConstant(values(`${name}.bias`)), `${name}.bias`),
      ],
      { kernel_shape: ints([kernel]), strides: ints([stride]), pads: ints([pad, pad]) },
      name,
    );
  };
  const relu = (input: string): string => builder.node('Relu', [input], {}, `${input}.relu`);

  let x = relu(conv(stemLayer(net), builder.input('input', ['batch', 1, net.inputLength])));
  for (const index of net.blocks.keys()) {
    const { a, b, shortcut } = blockLayers(net, index);
    const trunk = conv(b, relu(conv(a, x)));
    x = relu(builder.node('Add', [trunk, conv(shortcut, x)], {}, `block${index + 1}.sum`));
  }
  const pooled = builder.node('GlobalAveragePool', [x], {}, 'pool');
  const flat = builder.node('Flatten', [pooled], { axis: int(1) }, 'flatten');
  const last = must(net.blocks.at(-1), 'a network without blocks');
  const head = floatConstant(outputFirst(values('head.weight'), last, net.classes, 1), [net.classes, last]);
  const logits = builder.node(
    'Gemm',
    [
      flat,
      builder.constant(head, 'head.weight'),
      builder.constant(floatConstant(values('head.bias')), 'head.bias'),
    ],
    { transB: int(1) },
    'logits',
  );
  builder.output(logits, ['batch', net.classes]);
  return builder.model();
}

// [kernel, in, out] -> [out, in, kernel]; `rows` is kernel * in.
function outputFirst(data: Float32Array, rows: number, columns: number, kernel: number): Float32Array {
  const inputs = rows / kernel;
  const out = new Float32Array(data.length);
  for (let k = 0; k < kernel; k++) {
    for (let i = 0; i < inputs; i++) {
      for (let o = 0; o < columns; o++)
        out[(o * inputs + i) * kernel + k] = data[(k * inputs + i) * columns + o]!;
    }
  }
  return out;
}
