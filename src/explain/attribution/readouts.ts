// Read-outs of a backward pass at each weighted layer's output, for each sample (or group of points) and channel.

import { int, type WeightedLayer } from '../../onnx/internal.ts';
import type { Readout } from '../backward/backward.ts';
import { type BatchFirst, batchFirst } from '../backward/batch-first.ts';
import type { BackwardContext } from '../backward/context.ts';
import { difference } from '../backward/deeplift-choices.ts';

/**
 * `sum`: the message summed over space (relevance); `absolute-sum`: its absolute value summed (gradient size);
 * `times-activation`: sum of gradient x activation; `times-difference`: sum of multiplier x difference from the
 * reference (DeepLIFT). Two read-outs need several points for each sample, consecutive in the batch. `conductance`: the
 * integral of gradient x d(activation) along them by the trapezoid rule (Dhamdhere et al., 2019); `smooth`: absolute
 * sum of the mean gradient over them.
 */
export type ReadoutKind =
  | 'sum'
  | 'absolute-sum'
  | 'times-activation'
  | 'times-difference'
  | { readonly kind: 'conductance' | 'smooth'; readonly points: number };

/** The read-out as nodes of the graph, with the result `[rows, channels]`. */
export function readoutOf(kind: ReadoutKind): Readout {
  if (typeof kind === 'object')
    return kind.kind === 'smooth' ? smooth(kind.points) : conductance(kind.points);
  return (context, layer, message) => {
    const { builder } = context;
    const value = ((): string => {
      switch (kind) {
        case 'sum':
          return message.value;
        case 'absolute-sum':
          return builder.node('Abs', [message.value], {}, 'size');
        case 'times-activation':
          return builder.node('Mul', [message.value, layer.output], {}, 'taylor');
        case 'times-difference':
          return builder.node('Mul', [message.value, difference(context, layer.output)], {}, 'contribution');
      }
    })();
    return spatialSum(context, samplesFirst(context, layer, value));
  };
}

function conductance(points: number): Readout {
  return (context, layer, message) => {
    const { builder } = context;
    const part = (value: string, from: number): string =>
      builder.node(
        'Slice',
        [value, builder.ints([from]), builder.ints([from + points - 1]), builder.ints([1])],
        {},
        'part',
      );
    const first = samplesFirst(context, layer, message.value);
    const gradient = pointwise(context, first, points);
    const activation = pointwise(context, samplesFirst(context, layer, layer.output), points);
    const slope = builder.node('Add', [part(gradient, 0), part(gradient, 1)], {}, 'slope');
    const step = builder.node('Sub', [part(activation, 1), part(activation, 0)], {}, 'step');
    const along = builder.node(
      'Mul',
      [builder.node('Mul', [slope, builder.scalar(0.5)], {}, 'slope'), step],
      {},
      'along',
    );
    const total = builder.node('ReduceSum', [along, builder.ints([1])], { keepdims: int(0) }, 'conductance');
    return spatialSum(context, { ...first, value: total });
  };
}

function smooth(points: number): Readout {
  return (context, layer, message) => {
    const { builder } = context;
    const first = samplesFirst(context, layer, message.value);
    const gradient = pointwise(context, first, points);
    const total = builder.node('ReduceSum', [gradient, builder.ints([1])], { keepdims: int(0) }, 'total');
    const mean = builder.node('Mul', [total, builder.scalar(1 / points)], {}, 'mean');
    return spatialSum(context, { ...first, value: builder.node('Abs', [mean], {}, 'size') });
  };
}

/** A layer's output, or a value shaped like it, with one row for each sample. */
function samplesFirst(context: BackwardContext, layer: WeightedLayer, value: string): BatchFirst {
  const place = context.batchAxis(layer.output);
  return batchFirst(context.builder, value, place, layer.outputShape, layer.channelAxis);
}

/** `[rows * points, ...]` as `[rows, points, ...]`. */
function pointwise(context: BackwardContext, { value, shape }: BatchFirst, points: number): string {
  const dims = [-1, points, ...shape.slice(1)];
  return context.builder.node('Reshape', [value, context.builder.ints(dims)], {}, 'points');
}

/** Sums all axes but the first and the channel axis. */
function spatialSum({ builder }: BackwardContext, { value, shape, channelAxis }: BatchFirst): string {
  const axes = shape.map((_, axis) => axis).filter((axis) => axis !== 0 && axis !== channelAxis);
  if (axes.length === 0) return builder.node('Identity', [value], {}, 'channels');
  return builder.node('ReduceSum', [value, builder.ints(axes)], { keepdims: int(0) }, 'channels');
}
