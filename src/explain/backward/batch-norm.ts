// In inference, a batch normalisation is a scale and a bias for each channel.
import { constantInput, floatAttribute, floatConstant, type Node } from '../../onnx/internal.ts';
import { BedsideError } from '../../util/index.ts';
import type { BackwardContext } from './context.ts';

/** Adds the scale `gamma / sqrt(variance + epsilon)` as a constant that broadcasts over the node's output. */
export function batchNormScale(context: BackwardContext, node: Node): string {
  const scale = constantInput(context.graph, node, 1);
  const variance = constantInput(context.graph, node, 4);
  if (scale?.type !== 'float32' || variance?.type !== 'float32') {
    throw new BedsideError(
      'E_UNSUPPORTED',
      `BatchNormalization '${node.name}': its parameters are not float32 constants`,
      {
        hint: 'export the model in evaluation mode',
      },
    );
  }
  const epsilon = floatAttribute(node, 'epsilon', 1e-5);
  const factors = scale.data.map((gamma, c) => gamma / Math.sqrt((variance.data[c] as number) + epsilon));
  const rank = context.shape(node.outputs[0] as string).length;
  return context.builder.constant(
    floatConstant(factors, [factors.length, ...new Array<number>(rank - 2).fill(1)]),
    'scale',
  );
}
