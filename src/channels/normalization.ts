// Layer normalisation over channels. It does not compute each channel alone: its statistics are those of all channels.
// When some are cut, it normalises over those that stay, and masking counts the same way.
import { floatAttribute, type GraphBuilder, intAttribute, type Node, opOf } from '../onnx/internal.ts';
import { normalAxis } from './parameters.ts';
import type { ChannelRule } from './propagation.ts';

/** Channels follow. Those that are normalised go along with their scale and bias, which must be constants. */
export const layerNormalization: ChannelRule = (walk, node) => {
  const [input, ...parameters] = node.inputs;
  const label = walk.label(input);
  if (!label) return walk.freezeInputs(node, 'has computed parameters');
  if (node.outputs.slice(1).some(Boolean)) return walk.freezeInputs(node, 'also gives its statistics');
  const shape = walk.shape(input) ?? [];
  const axis = normalAxis(intAttribute(node, 'axis', -1), shape.length);
  const own = label.axis - axis;
  const fits = (name: string): boolean => {
    const constant = walk.constant(name);
    return constant?.type === 'float32' && constant.dims.length === shape.length - axis;
  };
  if (own >= 0 && !parameters.every((name) => !name || fits(name))) {
    return walk.freezeInputs(node, 'normalises across them with parameters that cannot be cut');
  }
  walk.set(node.outputs[0], label);
};

/** Whether a node normalises over axes that may hold channels. */
export function isNormalization(node: Node): boolean {
  return opOf(node) === 'LayerNormalization';
}

/** What masking knows about the input of a normalisation. */
interface MaskedInput {
  /** Name of a constant of 1 where a channel stays, 0 elsewhere. */
  readonly flags: string;
  /** Share of the channels that stay. */
  readonly share: number;
  readonly shape: readonly number[];
  /** First normalised axis. */
  readonly first: number;
}

/** Writes a normalisation whose statistics are those of the channels that stay, from its definition. */
export function maskedNormalization(
  builder: GraphBuilder,
  node: Node,
  masked: string,
  { flags, share, shape, first }: MaskedInput,
): void {
  const axes = builder.ints(shape.map((_, axis) => axis).slice(first));
  const count = shape.slice(first).reduce((product, size) => product * size, share);
  const op = (name: string, ...inputs: string[]): string => builder.node(name, inputs, {}, 'normalised');
  const mean = (value: string): string => op('Mul', op('ReduceSum', value, axes), builder.scalar(1 / count));
  const centred = op('Mul', op('Sub', masked, mean(masked)), flags);
  const variance = mean(op('Mul', centred, centred));
  const epsilon = builder.scalar(floatAttribute(node, 'epsilon', 1e-5));
  let value = op('Div', centred, op('Sqrt', op('Add', variance, epsilon)));
  const [, scale, bias] = node.inputs;
  if (scale) value = op('Mul', value, scale);
  if (bias) value = op('Add', value, bias);
  builder.graph.nodes.push({ ...node, op: 'Identity', inputs: [value], attributes: new Map() });
}
