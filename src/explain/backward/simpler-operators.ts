// Operators that are compositions of others are written out before a pass is built, so that relevance, gradients and
// multipliers cross them by the rules of what they are made of. Definitions: https://onnx.ai/onnx/operators/
import { inferShapes, type Model } from '../../onnx/index.ts';
import {
  cloneModel,
  GraphBuilder,
  int,
  intAttribute,
  intsParameter,
  type Node,
  type OpName,
  opOf,
} from '../../onnx/internal.ts';
import {
  depthToSpace,
  globalNorm,
  groupNormalization,
  instanceNormalization,
  meanVariance,
  pooledNorm,
  spaceToDepth,
  unitNorm,
} from './simpler-definitions.ts';
import { type Definition, first, type Scope } from './simpler-scope.ts';
import { shapeUnknown } from './unknown-shape.ts';

/** Operators that are made of others, beside reductions. */
export const MADE_OF_OTHERS = [
  'DepthToSpace',
  'GlobalLpPool',
  'GroupNormalization',
  'InstanceNormalization',
  'LpNormalization',
  'LpPool',
  'MeanVarianceNormalization',
  'SpaceToDepth',
  'Upsample',
] as const;

/** What each operator is made of, in words. */
export const MADE_OF: Readonly<Record<Reductions | (typeof MADE_OF_OTHERS)[number], string>> = {
  DepthToSpace: 'Reshape and Transpose',
  GlobalLpPool: 'powers, ReduceSum and a root',
  GroupNormalization: 'Reshape, means, Sub, Sqrt, Div, then Mul and Add',
  InstanceNormalization: 'means, Sub, Sqrt, Div, then Mul and Add',
  LpNormalization: 'a norm and Div',
  LpPool: 'powers, AveragePool and a root',
  MeanVarianceNormalization: 'means, Sub, Sqrt and Div',
  ReduceL1: 'Abs and ReduceSum',
  ReduceL2: 'squares, ReduceSum and Sqrt',
  ReduceLogSum: 'ReduceSum and Log',
  ReduceSumSquare: 'squares and ReduceSum',
  SpaceToDepth: 'Reshape and Transpose',
  Upsample: 'Resize',
};

type Reductions = 'ReduceL1' | 'ReduceL2' | 'ReduceLogSum' | 'ReduceSumSquare';

/** Upsample is gone from the operator sets that passes are built in. */
const DEFINITIONS: { readonly [K in OpName]?: Definition } = {
  DepthToSpace: depthToSpace,
  GlobalLpPool: globalNorm,
  GroupNormalization: groupNormalization,
  InstanceNormalization: instanceNormalization,
  LpNormalization: unitNorm,
  LpPool: pooledNorm,
  MeanVarianceNormalization: meanVariance,
  ReduceL1: (scope, node) => sum(scope, node, scope.op('Abs', [first(node)])),
  ReduceL2: (scope, node) => scope.op('Sqrt', [sumOfSquares(scope, node)]),
  ReduceLogSum: (scope, node) => scope.op('Log', [sum(scope, node, first(node))]),
  ReduceSumSquare: sumOfSquares,
  SpaceToDepth: spaceToDepth,
};

/**
 * The same model with every operator of `MADE_OF` written out. Names of values stay.
 * @throws BedsideError E_UNSUPPORTED where a definition needs a shape that is not known
 */
export function withSimplerOperators(model: Model): Model {
  if (!model.graph.nodes.some((node) => definitionOf(node))) return model;
  const result = cloneModel(model);
  const { graph } = result;
  const shapes = inferShapes(model, 1);
  const builder = new GraphBuilder(graph);
  const scope: Scope = {
    builder,
    opset: model.opsets.get('') ?? model.opsets.get('ai.onnx') ?? 0,
    shape(value) {
      const shape = shapes.get(value);
      if (!shape) throw shapeUnknown(value);
      return shape;
    },
    op: (op, inputs, attributes = {}) =>
      builder.node(
        op,
        inputs.map((input) => (typeof input === 'number' ? builder.scalar(input) : input)),
        attributes,
      ),
  };
  const nodes = graph.nodes;
  graph.nodes = [];
  for (const node of nodes) {
    const define = definitionOf(node);
    if (!define) {
      graph.nodes.push(node);
      continue;
    }
    const made = define(scope, node);
    const last = graph.nodes.find(({ outputs }) => outputs[0] === made);
    if (last) last.outputs = [node.outputs[0] as string];
  }
  return result;
}

function definitionOf(node: Node): Definition | undefined {
  const op = opOf(node);
  return op && DEFINITIONS[op];
}

/** The sum of a value along a reduction's axes. */
function sum({ builder, op }: Scope, node: Node, value: string): string {
  const axes = intsParameter(builder.graph, node, 1, 'axes');
  return op('ReduceSum', axes ? [value, builder.ints(axes)] : [value], {
    keepdims: int(intAttribute(node, 'keepdims', 1)),
    noop_with_empty_axes: int(intAttribute(node, 'noop_with_empty_axes', 0)),
  });
}

function sumOfSquares(scope: Scope, node: Node): string {
  return sum(scope, node, scope.op('Mul', [first(node), first(node)]));
}
