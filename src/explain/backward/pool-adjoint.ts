// The adjoint of average pools and spatial means, for relevance and gradients.
import {
  floatConstant,
  int,
  ints,
  intsParameter,
  type Node,
  opOf,
  poolParameters,
  sizeOf,
} from '../../onnx/internal.ts';
import type { BackwardContext } from './context.ts';
import { apart, positiveAxis } from './shape-adjoints.ts';

/** The adjoint of an AveragePool, GlobalAveragePool or ReduceMean, applied to `value` (shaped like the output). */
export function averagePoolAdjoint(context: BackwardContext, node: Node, value: string): string {
  const { builder } = context;
  const input = node.inputs[0] as string;
  const shape = context.shape(input);
  const output = context.shape(node.outputs[0] as string);
  if (opOf(node) !== 'AveragePool') {
    const count = sizeOf(shape) / sizeOf(output);
    const share = builder.node('Mul', [value, builder.scalar(1 / count)], {}, 'share');
    const kept = keptDims(context, node);
    const column = builder.node(
      'Reshape',
      [share, builder.ints(context.openShape(input, kept, node.outputs[0]))],
      {},
      'share',
    );
    // Broadcasting against zeros of the input's shape spreads the share over the averaged elements.
    return builder.node(
      'Add',
      [builder.node('Mul', [input, builder.scalar(0)], {}, 'zeros'), column],
      {},
      'spread',
    );
  }
  const pool = poolParameters(context.graph, node, [...shape]);
  apart(context, node, input, 1);
  const channels = shape[1] as number;
  const spatial = output.slice(2);
  const counts = windowCounts(shape.slice(2), spatial, pool, pool.countIncludePad);
  const scaled = builder.node(
    'Mul',
    [
      value,
      builder.constant(
        floatConstant(
          counts.map((count) => 1 / count),
          [1, 1, ...spatial],
        ),
        'counts',
      ),
    ],
    {},
    'share',
  );
  const weight = builder.constant(
    floatConstant(new Float32Array(channels * sizeOf(pool.kernel)).fill(1), [channels, 1, ...pool.kernel]),
    'ones',
  );
  const padding = pool.kernel.map(
    (kernel, i) =>
      (shape[2 + i] as number) -
      (((spatial[i] as number) - 1) * (pool.strides[i] as number) +
        (kernel - 1) * (pool.dilations[i] as number) +
        1 -
        (pool.padsBegin[i] as number) -
        (pool.padsEnd[i] as number)),
  );
  return builder.node(
    'ConvTranspose',
    [scaled, weight],
    {
      kernel_shape: ints(pool.kernel),
      strides: ints(pool.strides),
      dilations: ints(pool.dilations),
      // With ceil_mode the last window may extend over the edge; a negative output padding is then cut at the end
      // instead.
      pads: ints([
        ...pool.padsBegin,
        ...pool.padsEnd.map((pad, i) => pad + Math.max(0, -(padding[i] as number))),
      ]),
      output_padding: ints(padding.map((pad) => Math.max(0, pad))),
      group: int(channels),
    },
    'spread',
  );
}

/** The input's shape with averaged axes as 1. */
function keptDims(context: BackwardContext, node: Node): number[] {
  const shape = context.shape(node.inputs[0] as string);
  const given = opOf(node) === 'ReduceMean' ? intsParameter(context.graph, node, 1, 'axes') : undefined;
  const spatial =
    opOf(node) === 'ReduceMean' ? shape.map((_, axis) => axis) : shape.map((_, axis) => axis).slice(2);
  const averaged = new Set((given ?? spatial).map((axis) => positiveAxis(axis, shape.length)));
  return shape.map((size, axis) => (averaged.has(axis) ? 1 : size));
}

function windowCounts(
  input: readonly number[],
  output: readonly number[],
  pool: {
    kernel: readonly number[];
    strides: readonly number[];
    dilations: readonly number[];
    padsBegin: readonly number[];
    padsEnd: readonly number[];
  },
  includePad: boolean,
): Float32Array {
  const perAxis = output.map((size, axis) =>
    Array.from({ length: size }, (_, at) => {
      const begin = at * (pool.strides[axis] as number) - (pool.padsBegin[axis] as number);
      const [low, high] = includePad
        ? [-(pool.padsBegin[axis] as number), (input[axis] as number) + (pool.padsEnd[axis] as number)]
        : [0, input[axis] as number];
      const places = Array.from(
        { length: pool.kernel[axis] as number },
        (_, k) => begin + k * (pool.dilations[axis] as number),
      );
      return places.filter((place) => place >= low && place < high).length;
    }),
  );
  const counts = new Float32Array(sizeOf(output));
  for (let i = 0; i < counts.length; i++) {
    let rest = i;
    let count = 1;
    for (let axis = output.length - 1; axis >= 0; axis--) {
      count *= (perAxis[axis] as number[])[rest % (output[axis] as number)] as number;
      rest = Math.floor(rest / (output[axis] as number));
    }
    counts[i] = count;
  }
  return counts;
}
