// Operators that are compositions of others are written out before a pass is built, so that relevance, gradients and
// multipliers cross them by the rules of what they are made of. Definitions: https://onnx.ai/onnx/operators/
import { type Attribute, inferShapes, type Model } from '../../onnx/index.ts';
import {
  cloneModel,
  GraphBuilder,
  int,
  intAttribute,
  ints,
  intsParameter,
  type Node,
  type OpName,
  opOf,
  stringAttribute,
} from '../../onnx/internal.ts';
import { shapeUnknown } from './unknown-shape.ts';

/** The workspace of a definition. */
interface Scope {
  readonly builder: GraphBuilder;
  /** Of a value that the model has, for one sample. */
  readonly shape: (value: string) => readonly number[];
  /** Adds an operation; numbers stand for constants. */
  readonly op: (
    op: string,
    inputs: readonly (string | number)[],
    attributes?: Record<string, Attribute>,
  ) => string;
}

/** Writes a node out; returns the name of the value that stands for its output. */
type Definition = (scope: Scope, node: Node) => string;

/** What each operator is made of, in words. */
export const MADE_OF: ReadonlyMap<OpName, string> = new Map([
  ['DepthToSpace', 'Reshape and Transpose'],
  ['ReduceL1', 'Abs and ReduceSum'],
  ['ReduceL2', 'squares, ReduceSum and Sqrt'],
  ['ReduceLogSum', 'ReduceSum and Log'],
  ['ReduceSumSquare', 'squares and ReduceSum'],
]);

const DEFINITIONS: { readonly [K in OpName]?: Definition } = {
  DepthToSpace: depthToSpace,
  ReduceL1: (scope, node) => sum(scope, node, scope.op('Abs', [first(node)])),
  ReduceL2: (scope, node) => scope.op('Sqrt', [sumOfSquares(scope, node)]),
  ReduceLogSum: (scope, node) => scope.op('Log', [sum(scope, node, first(node))]),
  ReduceSumSquare: sumOfSquares,
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

function first(node: Node): string {
  return node.inputs[0] as string;
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

/** Blocks of channels become blocks of space; `DCR` has the channels of the result innermost, `CRD` outermost. */
function depthToSpace({ builder, op, shape }: Scope, node: Node): string {
  const [, channels = 0, height = 0, width = 0] = shape(first(node));
  const block = intAttribute(node, 'blocksize', 1);
  const depth = channels / (block * block);
  const isDcr = stringAttribute(node, 'mode', 'DCR') === 'DCR';
  const apart = isDcr ? [0, block, block, depth, height, width] : [0, depth, block, block, height, width];
  const perm = isDcr ? [0, 3, 4, 1, 5, 2] : [0, 1, 4, 2, 5, 3];
  const parts = op('Reshape', [first(node), builder.ints(apart)]);
  const turned = op('Transpose', [parts], { perm: ints(perm) });
  return op('Reshape', [turned, builder.ints([0, depth, height * block, width * block])]);
}
