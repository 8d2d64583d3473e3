// Shape inference for a given batch size. Concrete numbers only: symbols other than the batch are refused.
import { BedsideError } from '../../util/index.ts';
import { readValue } from '../codec/read.ts';
import { elemTypeOf } from '../codec/tensor-read.ts';
import { type Constant, type Dim, ELEM, type Graph, type Model, type Node, type Value } from '../graph.ts';
import { COMPARISON_OPS, LOGIC_OPS, TEST_OPS } from '../op-families.ts';
import { intAttribute, type OpName, opOf } from '../ops.ts';
import { type Inferred, NotKnown, ShapeContext } from './context.ts';
import { evaluateNode } from './evaluate.ts';
import { constantOfNode, type Known, knownOf } from './known.ts';
import { SHAPE_RULES } from './rules.ts';

/** Enough for any shape arithmetic, too little to evaluate weights. */
const SHAPE_LIMIT = 4096;
/** Elements of all values known in one walk together (64 MiB as doubles), so that a long graph of them stays small. */
const KNOWN_TOTAL = 2 ** 23;
/** Axes that a value may have: more than any engine takes, few enough for long lists of shapes. */
const MAX_RANK = 64;

/**
 * The shape of every value (inputs and constants too) when the inputs' first, symbolic, axis is `batch`.
 * Outputs of operators without a rule have the shape that the model declares, else they and what follows are left
 * out. What a file declares may be stale: `withEngineShapes` puts what the engine gives in its place.
 * @throws BedsideError E_UNSUPPORTED for an input with another symbolic axis, E_MODEL where shapes contradict
 */
export function inferShapes(model: Model, batch: number): Map<string, number[]> {
  return inferValues(model, batch).shapes;
}

/**
 * Shapes, element types, and the values that depend on shapes and small constants alone.
 * @param given what is taken where no rule gives a shape: what the model declares, unless said otherwise
 */
export function inferValues(
  model: Model,
  batch: number,
  limit = SHAPE_LIMIT,
  given?: ReadonlyMap<string, Value>,
): Inferred {
  const { graph } = model;
  const inferred: Inferred = { shapes: new Map(), types: new Map(), known: new Map() };
  const symbols = batchSymbols(graph);
  for (const [name, constant] of graph.constants) addConstant(inferred, name, constant);
  for (const { dims, values } of graph.carried?.sparseInitializer ?? []) {
    if (values?.name) inferred.shapes.set(values.name, dims.map(Number));
    if (values?.name) inferred.types.set(values.name, values.dataType ?? 0);
  }
  for (const input of graph.inputs) {
    if (input.elemType === 0) continue; // not a tensor
    inferred.shapes.set(input.name, inputShape(input, batch, symbols));
    inferred.types.set(input.name, input.elemType);
  }
  let declared = given;
  let room = KNOWN_TOTAL;
  // A batch of one must not look like an axis that is always 1.
  const fixed = typeof graph.inputs[0]?.dims?.[0] === 'number';
  const bare = batch === 1 && !fixed && graph.nodes.some(isBareSqueeze);
  const open = bare ? inferValues(model, 2, limit, given).shapes : undefined;
  for (const node of graph.nodes) {
    const op = opOf(node);
    if (op) inferNode(op, new ShapeContext(graph, node, Math.min(limit, room), inferred), inferred);
    const wide = open && isBareSqueeze(node) ? open.get(node.inputs[0] ?? '') : undefined;
    const shape = wide && inferred.shapes.get(node.inputs[0] ?? '');
    if (shape?.length === wide?.length && shape) {
      inferred.shapes.set(
        node.outputs[0] ?? '',
        shape.filter((_, axis) => wide?.[axis] !== 1),
      );
    }
    room -= inferred.known.get(node.outputs[0] ?? '')?.data.length ?? 0;
    for (const name of node.outputs) {
      if (!name || inferred.shapes.has(name)) continue;
      declared ??= declarations(graph);
      const value = declared.get(name);
      if (!value) continue;
      const shape = declaredShape(value.dims, batch, symbols);
      if (shape) inferred.shapes.set(name, shape);
      inferred.types.set(name, value.elemType);
    }
  }
  return inferred;
}

/** The numbers of small values that follow from shapes and constants, with a batch of one. */
export function knownValues(model: Model): Map<string, number[]> {
  const { known } = inferValues(model, 1);
  return new Map([...known].map(([name, { data }]) => [name, Array.from(data)]));
}

/** Whether a node is a Squeeze that names no axes. */
export function isBareSqueeze(node: Node): boolean {
  return opOf(node) === 'Squeeze' && !node.inputs[1] && !node.attributes.has('axes');
}

/** The shapes of `inferShapes`, with the axes that follow the batch as the inputs' symbol for it, or `batch`. */
export function symbolicShapes(model: Model): Map<string, Dim[]> {
  const [two, three] = [inferShapes(model, 2), inferShapes(model, 3)];
  const [batch = 'batch'] = batchSymbols(model.graph);
  const result = new Map<string, Dim[]>();
  for (const [name, shape] of two) {
    const other = three.get(name);
    if (other?.length !== shape.length) continue;
    const symbol = (size: number, axis: number): Dim =>
      size === other[axis] ? size : size === 2 && other[axis] === 3 ? batch : undefined;
    result.set(name, shape.map(symbol));
  }
  return result;
}

/**
 * The result of a node whose inputs are all constants, or undefined when it is not evaluated or larger than `limit`.
 */
export function evaluateConstant(model: Model, node: Node, limit: number): Known | undefined {
  const op = opOf(node);
  const [output] = node.outputs;
  if (!op || !output) return undefined;
  const { constants } = model.graph;
  const inferred: Inferred = { shapes: new Map(), types: new Map(), known: new Map() };
  for (const name of node.inputs) {
    const constant = constants.get(name);
    if (constant) addConstant(inferred, name, constant);
  }
  inferNode(op, new ShapeContext(model.graph, node, limit, inferred), inferred);
  return inferred.known.get(output);
}

function addConstant(inferred: Inferred, name: string, constant: Constant): void {
  inferred.shapes.set(name, [...constant.dims]);
  inferred.types.set(name, elemTypeOf(constant));
}

function inferNode(op: OpName, context: ShapeContext, inferred: Inferred): void {
  const { node } = context;
  let shapes: (number[] | undefined)[];
  try {
    shapes = SHAPE_RULES[op](context);
  } catch (error) {
    if (error instanceof NotKnown) return;
    throw error;
  }
  node.outputs.forEach((name, index) => {
    const shape = shapes[index];
    if (!name || !shape) return;
    if (shape.length > MAX_RANK) throw context.wrong(`its output would have ${shape.length} axes`);
    if (shape.some((size) => !Number.isSafeInteger(size) || size < 0)) {
      throw context.wrong(`its output would have shape [${shape}]`);
    }
    inferred.shapes.set(name, [...shape]);
    inferred.types.set(name, outputType(op, context, index));
  });
  const [name] = node.outputs;
  const [dims] = shapes;
  if (!name || !dims) return;
  const known = evaluateNode(op, context, dims, outputType(op, context, 0));
  if (known) inferred.known.set(name, known);
}

function outputType(op: OpName, context: ShapeContext, output: number): number {
  const { node } = context;
  if (BOOLEAN.has(op)) return ELEM.bool;
  switch (op) {
    case 'Cast':
      return intAttribute(node, 'to', ELEM.float32);
    case 'ArgMax':
    case 'ArgMin':
    case 'Shape':
    case 'Size':
      return ELEM.int64;
    case 'Constant':
      return constantType(node);
    case 'ConstantOfShape': {
      const value = node.attributes.get('value');
      return value?.type === 'tensor' ? (knownOf(value.value)?.elemType ?? ELEM.float32) : ELEM.float32;
    }
    case 'MaxPool':
      return output === 1 ? ELEM.int64 : context.elemType(0);
    case 'Dropout':
      return output === 1 ? ELEM.bool : context.elemType(0);
    case 'Where':
      return context.elemType(1);
    default:
      return context.elemType(0);
  }
}

const BOOLEAN: ReadonlySet<string> = new Set([...COMPARISON_OPS, ...LOGIC_OPS, ...TEST_OPS]);

function constantType(node: Node): number {
  const constant = constantOfNode(node);
  if (!constant) return ELEM.float32;
  return elemTypeOf(constant);
}

/** The names of the inputs' first axes where they are open; `batch` where one has no name. */
export function batchSymbols(graph: Graph): Set<string> {
  const symbols = new Set<string>();
  for (const { dims } of graph.inputs) {
    if (!dims || dims.length === 0 || typeof dims[0] === 'number') continue;
    symbols.add(dims[0] ?? 'batch');
  }
  return symbols;
}

/**
 * The shapes of the inputs alone, at a batch size.
 * @throws BedsideError E_UNSUPPORTED as `inferShapes`
 */
export function inputShapes({ graph }: Model, batch: number): Map<string, number[]> {
  const symbols = batchSymbols(graph);
  return new Map(graph.inputs.map((input) => [input.name, inputShape(input, batch, symbols)]));
}

function inputShape(input: Value, batch: number, symbols: ReadonlySet<string>): number[] {
  if (!input.dims) {
    throw new BedsideError('E_UNSUPPORTED', `input '${input.name}' declares no shape`, {
      hint: 'export the model with its input sizes, only the batch left open',
    });
  }
  const twice = input.dims.filter((dim, axis) => axis > 0 && dim !== undefined && dim === input.dims?.[0]);
  if (typeof twice[0] === 'string') {
    throw new BedsideError(
      'E_UNSUPPORTED',
      `input '${input.name}' is [${input.dims.map((dim) => dim ?? '?').join(', ')}]: '${twice[0]}' is the batch and the size of other axes`,
      { hint: 'export the model with fixed sizes apart from the batch, which needs a name of its own' },
    );
  }
  return input.dims.map((dim, axis) => {
    if (typeof dim === 'number') return dim;
    if (axis === 0 || (dim !== undefined && symbols.has(dim))) return batch;
    throw new BedsideError(
      'E_UNSUPPORTED',
      `input '${input.name}': axis ${axis} (${dim ?? 'unnamed'}) has no fixed size, expected only the batch to be open`,
      { hint: 'export the model with fixed sizes apart from the batch' },
    );
  });
}

function declarations(graph: Graph): Map<string, Value> {
  const map = new Map<string, Value>();
  for (const proto of graph.carried?.valueInfo ?? []) {
    const value = readValue(proto, graph.name);
    map.set(value.name, value);
  }
  for (const value of graph.outputs) if (!map.has(value.name)) map.set(value.name, value);
  return map;
}

function declaredShape(
  dims: readonly Dim[] | undefined,
  batch: number,
  symbols: ReadonlySet<string>,
): number[] | undefined {
  const shape = dims?.map((dim) => {
    if (typeof dim !== 'string') return dim;
    if (symbols.has(dim)) return batch;
    // Where other axes are merged with the batch: `4*N`.
    const [, factor, symbol = ''] = /^(\d+)\*(.+)$/.exec(dim) ?? [];
    return factor !== undefined && symbols.has(symbol) ? Number(factor) * batch : dim;
  });
  return shape?.every((dim): dim is number => typeof dim === 'number') ? shape : undefined;
}
