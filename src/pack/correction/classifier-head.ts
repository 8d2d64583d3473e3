// Refits the classifier head of a network put together from tables toward the unpruned logits.
import type { Correction } from '../../bundle/internal.ts';
import type { WeightedLayer } from '../../onnx/internal.ts';
import {
  fitLayer,
  fromMatrices,
  type Matrix,
  type Products,
  type RepairSamples,
  weightMatrices,
} from '../../repair/internal.ts';

/** A refitted classifier head, and the mean squared difference of held-out logits with it. */
export interface RefitClassifierHead {
  readonly head: NonNullable<Correction['head']>;
  readonly error: number;
}

/**
 * Refits the last dense layer on its inputs `[samples, in]` toward `logits` `[samples, classes]`. Returns undefined
 * where no ridge lowers the held-out error.
 */
export async function refitClassifierHead(
  layer: WeightedLayer,
  read: Float32Array,
  logits: Float32Array,
  { size, fitSize }: RepairSamples,
  products: Products,
): Promise<RefitClassifierHead | undefined> {
  const inputs = read.length / size;
  const [weights] = weightMatrices(layer) as [Matrix];
  const x = { rows: size, columns: weights.rows, data: new Float64Array(size * weights.rows).fill(1) };
  for (let s = 0; s < size; s++) {
    for (let i = 0; i < inputs; i++) x.data[s * x.columns + i] = read[s * inputs + i] as number;
  }
  const y = { rows: size, columns: logits.length / size, data: Float64Array.from(logits) };
  const fit = await fitLayer(
    { name: layer.name, x: [x], y: [y], weights: [weights], fitRows: fitSize },
    products,
    undefined,
  );
  if (!fit.refit) return undefined;
  const scale = fit.errorBefore > 0 ? fit.errorAfter / fit.errorBefore : 1;
  const { weight, bias } = fromMatrices(layer, fit.weights);
  return {
    // `fit.weights` saw the held-out rows, so the error is taken from the fit without them.
    error: scale * heldOutError(x, weights, y, fitSize),
    head: {
      weight: { dims: layer.weightDims, data: weight },
      bias: bias && { dims: [bias.length], data: bias },
    },
  };
}

/** Mean squared difference of held-out outputs with these weights. */
function heldOutError(x: Matrix, weights: Matrix, y: Matrix, fitSize: number): number {
  const classes = weights.columns;
  let sum = 0;
  for (let s = fitSize; s < x.rows; s++) {
    for (let o = 0; o < classes; o++) {
      let value = 0;
      for (let i = 0; i < x.columns; i++) {
        value += (x.data[s * x.columns + i] as number) * (weights.data[i * classes + o] as number);
      }
      sum += (value - (y.data[s * classes + o] as number)) ** 2;
    }
  }
  return sum / ((x.rows - fitSize) * classes);
}
