// The typed graph of an ONNX model: what every other part reads and rewrites.
// Whatever it does not model (doc strings, metadata, unknown types) travels in `carried` and is written back.
// Specification: https://onnx.ai/onnx/repo-docs/IR.html
import type {
  AttributeProto,
  GraphProto,
  ModelProto,
  NodeProto,
  TensorProto,
  ValueInfoProto,
} from './codec/onnx_pb.ts';

/** A tensor stored in the model. Row-major; `data.length` is the product of `dims`. */
export type Constant =
  | {
      readonly type: 'float32';
      readonly dims: readonly number[];
      readonly data: Float32Array;
      carried?: TensorProto;
    }
  | {
      readonly type: 'int64';
      readonly dims: readonly number[];
      readonly data: BigInt64Array;
      carried?: TensorProto;
    }
  | {
      readonly type: 'other';
      readonly elemType: number;
      readonly dims: readonly number[];
      carried: TensorProto;
    };

/** An attribute of a node, tagged by its ONNX type. `other` (graphs, sparse tensors, types) is carried through. */
export type Attribute =
  | { readonly type: 'int'; readonly value: bigint }
  | { readonly type: 'float'; readonly value: number }
  | { readonly type: 'string'; readonly value: string }
  | { readonly type: 'ints'; readonly value: readonly bigint[] }
  | { readonly type: 'floats'; readonly value: readonly number[] }
  | { readonly type: 'tensor'; readonly value: Constant }
  | { readonly type: 'other'; readonly carried: AttributeProto };

/** One operation. A missing optional input is the empty string. */
export interface Node {
  name: string;
  op: string;
  domain: string;
  inputs: string[];
  outputs: string[];
  attributes: Map<string, Attribute>;
  carried?: NodeProto;
}

/** A dimension: a size, a symbol such as `batch`, or unknown. */
export type Dim = number | string | undefined;

/** A graph input, output or annotated intermediate value. `dims` is undefined when the rank is unknown. */
export interface Value {
  name: string;
  elemType: number;
  dims: readonly Dim[] | undefined;
  carried?: ValueInfoProto;
}

/** Nodes in topological order, and the tensors they read. */
export interface Graph {
  name: string;
  /** Real inputs only: a name that is also in `constants` is an initializer with a default (IR < 4). */
  inputs: Value[];
  outputs: Value[];
  nodes: Node[];
  constants: Map<string, Constant>;
  carried?: GraphProto;
}

/** A model: a graph, and the operator-set version of each domain (`''` is the standard one). */
export interface Model {
  irVersion: number;
  opsets: Map<string, number>;
  graph: Graph;
  carried?: ModelProto;
}

/** ONNX element types (TensorProto.DataType) that are named here. */
export const ELEM = {
  float32: 1,
  uint8: 2,
  int8: 3,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  float64: 11,
  bfloat16: 16,
} as const;

/** Whether an element type has fractions; others are whole numbers and flags. */
export function isFloating(elemType: number): boolean {
  const { float32, float16, float64, bfloat16 } = ELEM;
  return elemType === float32 || elemType === float16 || elemType === float64 || elemType === bfloat16;
}

/** Attribute constructors. */
export const int = (value: number | bigint): Attribute => ({ type: 'int', value: BigInt(value) });
export const float = (value: number): Attribute => ({ type: 'float', value });
export const string = (value: string): Attribute => ({ type: 'string', value });
export const ints = (value: readonly (number | bigint)[]): Attribute => ({
  type: 'ints',
  value: value.map(BigInt),
});
export const floats = (value: readonly number[]): Attribute => ({ type: 'floats', value });

/** A float32 constant; `dims` defaults to one axis. */
export function floatConstant(data: Float32Array | readonly number[], dims?: readonly number[]): Constant {
  const array = data instanceof Float32Array ? data : Float32Array.from(data);
  return { type: 'float32', dims: dims ?? [array.length], data: array };
}

/** An int64 constant; `dims` defaults to one axis. */
export function intConstant(data: readonly (number | bigint)[], dims?: readonly number[]): Constant {
  return { type: 'int64', dims: dims ?? [data.length], data: BigInt64Array.from(data, BigInt) };
}

/** The number of elements of a shape; 0 where an axis is empty, however large the others are. */
export function sizeOf(dims: readonly number[]): number {
  return dims.includes(0) ? 0 : dims.reduce((product, dim) => product * dim, 1);
}

/** A copy whose node list, node contents and maps may be changed freely; tensor data is shared. */
export function cloneModel(model: Model): Model {
  return {
    ...model,
    opsets: new Map(model.opsets),
    graph: {
      ...model.graph,
      inputs: model.graph.inputs.map((value) => ({ ...value })),
      outputs: model.graph.outputs.map((value) => ({ ...value })),
      nodes: model.graph.nodes.map(cloneNode),
      constants: new Map(model.graph.constants),
    },
  };
}

/** A copy of a node that may be changed freely. */
export function cloneNode(node: Node): Node {
  return {
    ...node,
    inputs: [...node.inputs],
    outputs: [...node.outputs],
    attributes: new Map(node.attributes),
  };
}

/** The node that computes each value. */
export function producers(graph: Graph): Map<string, Node> {
  const map = new Map<string, Node>();
  for (const node of graph.nodes) for (const name of node.outputs) if (name) map.set(name, node);
  return map;
}

/** The nodes that read each value, in execution order; a node that reads a value twice is listed twice. */
export function consumers(graph: Graph): Map<string, Node[]> {
  const map = new Map<string, Node[]>();
  for (const node of graph.nodes) {
    for (const name of node.inputs) {
      if (!name) continue;
      const list = map.get(name);
      if (list) list.push(node);
      else map.set(name, [node]);
    }
  }
  return map;
}
