// What normalisations, pools by norm and exchanges of channels and space are made of.
import {
  constantInput,
  floatAttribute,
  floatConstant,
  int,
  intAttribute,
  ints,
  intsAttribute,
  type Node,
  poolParameters,
  sizeOf,
  stringAttribute,
} from '../../onnx/internal.ts';
import { positiveAxis } from './shape-adjoints.ts';
import { type Definition, first, type Scope } from './simpler-scope.ts';

/** Blocks of channels become blocks of space; `DCR` has the channels of the result innermost, `CRD` outermost. */
export const depthToSpace: Definition = ({ builder, op, shape }, node) => {
  const [, channels = 0, height = 0, width = 0] = shape(first(node));
  const block = intAttribute(node, 'blocksize', 1);
  const depth = channels / (block * block);
  const isDcr = stringAttribute(node, 'mode', 'DCR') === 'DCR';
  const apart = isDcr ? [0, block, block, depth, height, width] : [0, depth, block, block, height, width];
  const perm = isDcr ? [0, 3, 4, 1, 5, 2] : [0, 1, 4, 2, 5, 3];
  const parts = op('Reshape', [first(node), builder.ints(apart)]);
  const turned = op('Transpose', [parts], { perm: ints(perm) });
  return op('Reshape', [turned, builder.ints([0, depth, height * block, width * block])]);
};

/** The inverse of a DepthToSpace in `DCR` order. */
export const spaceToDepth: Definition = ({ builder, op, shape }, node) => {
  const [, channels = 0, height = 0, width = 0] = shape(first(node));
  const block = intAttribute(node, 'blocksize', 1);
  const [rows, columns] = [height / block, width / block];
  const parts = op('Reshape', [first(node), builder.ints([0, channels, rows, block, columns, block])]);
  const turned = op('Transpose', [parts], { perm: ints([0, 3, 5, 1, 2, 4]) });
  return op('Reshape', [turned, builder.ints([0, channels * block * block, rows, columns])]);
};

/** Every channel of every sample by its own mean and deviation, then a scale and a shift. */
export const instanceNormalization: Definition = (scope, node) => {
  const { length } = scope.shape(first(node));
  const axes = Array.from({ length: length - 2 }, (_, axis) => axis + 2);
  const unit = standardised(scope, first(node), axes, floatAttribute(node, 'epsilon', 1e-5));
  return scaled(scope, node, unit, length);
};

/** The same for groups of neighbouring channels. Scale and shift are one a group up to set 20, one a channel from 21. */
export const groupNormalization: Definition = (scope, node) => {
  const { builder, op, shape } = scope;
  const whole = shape(first(node));
  const groups = intAttribute(node, 'num_groups', 1);
  const width = sizeOf(whole.slice(1)) / groups;
  const grouped = op('Reshape', [first(node), builder.ints([0, groups, width])]);
  const unit = standardised(scope, grouped, [2], floatAttribute(node, 'epsilon', 1e-5));
  const perGroup = (constantInput(builder.graph, node, 1)?.dims[0] ?? whole[1]) !== whole[1];
  const target = builder.ints([0, ...whole.slice(1)]);
  if (perGroup) return op('Reshape', [scaled(scope, node, unit, 3), target]);
  return scaled(scope, node, op('Reshape', [unit, target]), whole.length);
};

/** By mean and deviation along given axes. */
export const meanVariance: Definition = (scope, node) => {
  const rank = scope.shape(first(node)).length;
  const axes = (intsAttribute(node, 'axes') ?? [0, 2, 3]).map((axis) => positiveAxis(axis, rank));
  const { op } = scope;
  const centred = op('Sub', [first(node), mean(scope, first(node), axes)]);
  const deviation = op('Sqrt', [mean(scope, op('Mul', [centred, centred]), axes)]);
  return op('Div', [centred, op('Add', [deviation, 1e-9])]);
};

/** Divided by the norm along one axis. */
export const unitNorm: Definition = ({ builder, op, shape }, node) => {
  const axis = positiveAxis(intAttribute(node, 'axis', -1), shape(first(node)).length);
  const isSum = intAttribute(node, 'p', 2) === 1;
  const powers = isSum ? op('Abs', [first(node)]) : op('Mul', [first(node), first(node)]);
  const total = op('ReduceSum', [powers, builder.ints([axis])], { keepdims: int(1) });
  // Nothing divided by nothing is nothing.
  return op('Div', [first(node), op('Max', [isSum ? total : op('Sqrt', [total]), 1e-30])]);
};

/** The norm of every window. */
export const pooledNorm: Definition = (scope, node) => {
  const { builder, op, shape } = scope;
  const [from, to] = [shape(first(node)).slice(2), shape(node.outputs[0] as string).slice(2)];
  const pool = poolParameters(builder.graph, node, [...shape(first(node))]);
  // Windows over the end count zeros; the average is over whole windows, and times their size.
  const padsEnd = to.map((size, i) => {
    const extent = ((pool.kernel[i] as number) - 1) * (pool.dilations[i] as number) + 1;
    const reach = (size - 1) * (pool.strides[i] as number) + extent;
    return Math.max(pool.padsEnd[i] as number, reach - (from[i] as number) - (pool.padsBegin[i] as number));
  });
  const averages = op('AveragePool', [powers(scope, node)], {
    kernel_shape: ints(pool.kernel),
    strides: ints(pool.strides),
    pads: ints([...pool.padsBegin, ...padsEnd]),
    count_include_pad: int(1),
    ...(pool.dilations.some((step) => step !== 1) && { dilations: ints(pool.dilations) }),
  });
  return root(scope, node, op('Mul', [averages, sizeOf(pool.kernel)]));
};

/** The norm over all of space. */
export const globalNorm: Definition = (scope, node) => {
  const axes = scope.shape(first(node)).flatMap((_, axis) => (axis > 1 ? [axis] : []));
  const total = scope.op('ReduceSum', [powers(scope, node), scope.builder.ints(axes)], { keepdims: int(1) });
  return root(scope, node, total);
};

function powers({ op }: Scope, node: Node): string {
  const p = intAttribute(node, 'p', 2);
  if (p === 2) return op('Mul', [first(node), first(node)]);
  const size = op('Abs', [first(node)]);
  return p === 1 ? size : op('Pow', [size, p]);
}

function root({ op }: Scope, node: Node, value: string): string {
  const p = intAttribute(node, 'p', 2);
  if (p === 2) return op('Sqrt', [value]);
  return p === 1 ? op('Identity', [value]) : op('Pow', [value, 1 / p]);
}

function standardised(scope: Scope, value: string, axes: readonly number[], epsilon: number): string {
  const { op } = scope;
  const centred = op('Sub', [value, mean(scope, value, axes)]);
  const variance = mean(scope, op('Mul', [centred, centred]), axes);
  return op('Div', [centred, op('Sqrt', [op('Add', [variance, epsilon])])]);
}

function mean({ builder, op, opset }: Scope, value: string, axes: readonly number[]): string {
  return opset >= 18
    ? op('ReduceMean', [value, builder.ints(axes)], { keepdims: int(1) })
    : op('ReduceMean', [value], { axes: ints(axes), keepdims: int(1) });
}

/** Times the scale plus the shift of inputs 1 and 2, along axis 1 of a value of `rank` axes. */
function scaled({ builder, op }: Scope, node: Node, value: string, rank: number): string {
  const column = (input: number): string => {
    const constant = constantInput(builder.graph, node, input);
    const ones = new Array<number>(rank - 2).fill(1);
    return constant?.type === 'float32'
      ? builder.constant(floatConstant(constant.data, [constant.data.length, ...ones]), 'column')
      : op('Reshape', [node.inputs[input] as string, builder.ints([-1, ...ones])]);
  };
  return op('Add', [op('Mul', [value, column(1)]), column(2)]);
}
