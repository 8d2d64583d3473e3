// Shapes that no rule gives: which they are, and how measured ones are written into a model.
// What the file declares of them is never looked at here: it may be stale.
import { create } from '@bufbuild/protobuf';
import { BedsideError } from '../../util/index.ts';
import { inferOpen } from '../batch-axis/open-batch.ts';
import { GraphProtoSchema } from '../codec/onnx_pb.ts';
import { writeValue } from '../codec/write.ts';
import { type Dim, type Graph, type Model, type Node, producers, type Value } from '../graph.ts';
import { describeNode, opOf } from '../ops.ts';
import { batchSymbols, inferValues } from './shapes.ts';

/** A value as the engine gave it at one batch size. */
export interface MeasuredShape {
  readonly dims: readonly number[];
  /** ONNX element type. */
  readonly elemType: number;
}

/**
 * Values whose shapes no rule gives, even where those in `given` are known; empty for most models.
 * @throws BedsideError as `inferShapes`
 */
export function valuesWithoutShape(model: Model, given: ReadonlyMap<string, Value> = new Map()): string[] {
  const { shapes } = inferOpen(model, 2, given);
  return model.graph.nodes.flatMap(({ outputs }) => outputs.filter((name) => name && !shapes.has(name)));
}

/**
 * The names whose shapes must be measured first; all others may follow from them. They are outputs of operators without
 * a rule, and of operators whose rule gives up although it knows its inputs' shapes.
 */
export function askedFirst(model: Model, names: readonly string[]): string[] {
  const missing = new Set(names);
  const made = producers(model.graph);
  const ready = (node: Node): boolean => !node.inputs.some((name) => missing.has(name));
  return names.filter((name) => {
    const node = made.get(name);
    return node !== undefined && (opOf(node) === undefined || ready(node));
  });
}

/**
 * A value's declaration from what was measured at two batch sizes: an axis that follows the batch bears the inputs'
 * symbol for it, or a multiple of it; one that changes in another way (with the data) is open.
 */
export function declarationOf(
  graph: Graph,
  name: string,
  [first, second]: readonly [MeasuredShape, MeasuredShape],
  batches: readonly [number, number],
): Value {
  const { elemType } = first;
  if (first.dims.length !== second.dims.length) return { name, elemType, dims: undefined };
  const [symbol = 'batch'] = batchSymbols(graph);
  const dims = first.dims.map((size, axis): Dim => {
    if (size === second.dims[axis]) return size;
    const factor = size / batches[0];
    if (!Number.isInteger(factor) || factor * batches[1] !== second.dims[axis]) return undefined;
    return factor === 1 ? symbol : `${factor}*${symbol}`;
  });
  return { name, elemType, dims };
}

/**
 * The refusal of what needs the shape of a value that has none: names the operator that it ends at, and the way out.
 */
export function unknownShape(model: Model, value: string): BedsideError {
  const { shapes } = inferValues(model, 1);
  const node = model.graph.nodes.find(({ outputs }) => outputs.some((name) => name && !shapes.has(name)));
  const where = node
    ? `: ${describeNode(node)} gives one that no rule knows, or that depends on the data`
    : '';
  return new BedsideError('E_UNSUPPORTED', `the shape of '${value}' is not known${where}`, {
    hint: 'export the model with fixed sizes apart from the batch (onnx.shape_inference shows where they end); from code, load it through withEngineShapes',
  });
}

/**
 * The model with these declarations in the place of what it said of the same values; `forgotten` lose theirs.
 * The model is not changed.
 */
export function withDeclarations(
  model: Model,
  declared: ReadonlyMap<string, Value>,
  forgotten: readonly string[],
): Model {
  const { graph } = model;
  const gone = new Set([...forgotten, ...declared.keys()]);
  const outputs = graph.outputs.map((value): Value => {
    if (!gone.has(value.name)) return value;
    return { ...value, dims: declared.get(value.name)?.dims };
  });
  const isOutput = new Set(outputs.map(({ name }) => name));
  const carried = graph.carried ?? create(GraphProtoSchema);
  const valueInfo = [
    ...carried.valueInfo.filter(({ name = '' }) => !gone.has(name)),
    ...[...declared.values()].filter(({ name }) => !isOutput.has(name)).map(writeValue),
  ];
  return { ...model, graph: { ...graph, outputs, carried: { ...carried, valueInfo } } };
}
