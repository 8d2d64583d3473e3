// A model with several inputs, or with one that is no float32 `[batch, ...]`, as a model with one input of that kind.
// The inputs of a sample stand one after the other in a row, and the graph takes them apart again.
import { BedsideError } from '../../util/index.ts';
import { GraphBuilder } from '../builder.ts';
import { typeName } from '../codec/tensor-read.ts';
import {
  type Attribute,
  cloneModel,
  type Dim,
  ELEM,
  type Graph,
  int,
  ints,
  type Model,
  type Node,
  sizeOf,
  type Value,
} from '../graph.ts';
import { readsOf } from '../order.ts';
import { type FormInput, storedDims, withForm } from './form.ts';

/** Element types of which a float32 number makes one by a cast. */
const CASTABLE: ReadonlySet<number> = new Set([
  ...[ELEM.float32, ELEM.float16, ELEM.bfloat16, ELEM.float64, ELEM.bool],
  ...[2, 3, 4, 5, 6, 7, 12, 13],
]);

/** An input, and the axis on which its samples lie. */
interface Laid extends FormInput {
  readonly value: Value;
  readonly axis: number;
}

/**
 * The same model with one float32 input `[batch, ...]`, or the model itself where it has one. A single input keeps its
 * shape, several become `[batch, total]`. Inputs that nothing reads are left out.
 * @param name name of the model in messages
 * @throws BedsideError E_UNSUPPORTED, naming the input, for one that has no batch axis, other open sizes, or an element
 *   type that no number can be cast to
 */
export function withOneInput(model: Model, name: string): Model {
  const { inputs } = model.graph;
  const [only] = inputs;
  // A model without inputs, or one that reads plain samples already, is left to who describes it.
  const batches = batchNames(model.graph);
  if (!only || (inputs.length === 1 && isPlain(only, batches))) return model;
  const read = namesRead(model.graph);
  const laid = inputs.map((value) => layOut(value, model.graph, batches, read.has(value.name), name));
  const parts = laid.filter(({ isRead }) => isRead);
  const [first] = parts;
  if (!first) return model;
  const result = cloneModel(model);
  const { graph } = result;
  graph.inputs = [];
  if (parts.length === 1 && isPlain(first.value, batches)) graph.inputs = [{ ...first.value }];
  else if (parts.length === 1) fromSingle(graph, first);
  else fromPacked(graph, parts, opsetOf(model));
  unifySymbols(graph, inputs, batchOf(first));
  const noted = laid.map(({ value: _, axis: __, ...input }) => input);
  return withForm(result, { inputs: noted });
}

/** Whether an input is what everything else reads, or is refused there in its own words. */
function isPlain({ elemType, dims }: Value, batches: ReadonlySet<string>): boolean {
  if (elemType !== ELEM.float32) return false;
  return !dims || dims.length < 2 || (batchAxisOf(dims, batches) ?? 0) === 0;
}

/** What inputs and outputs call their first axis. */
function batchNames({ inputs, outputs }: Graph): ReadonlySet<string> {
  return new Set(
    [...inputs, ...outputs].flatMap(({ dims }) => (typeof dims?.[0] === 'string' ? [dims[0]] : [])),
  );
}

function namesRead({ nodes, outputs }: Graph): ReadonlySet<string> {
  const names = new Set(outputs.map((value) => value.name));
  for (const node of nodes) for (const name of readsOf(node)) names.add(name);
  return names;
}

/** The axis of the samples: the first, unless that has a size and another bears the name of a first axis. */
function batchAxisOf(dims: readonly Dim[], batches: ReadonlySet<string>): number | undefined {
  if (dims.length === 0) return undefined;
  const named = dims.findIndex((dim) => typeof dim === 'string' && batches.has(dim));
  return typeof dims[0] === 'number' && named > 0 ? named : 0;
}

function layOut(
  value: Value,
  { inputs }: Graph,
  batches: ReadonlySet<string>,
  isRead: boolean,
  model: string,
): Laid {
  const { name, elemType, dims } = value;
  const told = `${model}: input '${name}'`;
  const noted = { name, elemType, dims: storedDims(dims), isRead, value };
  if (!isRead) return { ...noted, shape: [], axis: 0 };
  if (!dims) {
    throw new BedsideError('E_UNSUPPORTED', `${told} declares no shape`, {
      hint: 'export the model with its input sizes, only the batch left open',
    });
  }
  if (!CASTABLE.has(elemType)) {
    throw new BedsideError(
      'E_UNSUPPORTED',
      `${told} is ${typeName(elemType)}, to which no number can be cast`,
      {
        hint: 'export the model with inputs of numbers',
      },
    );
  }
  const axis = batchAxisOf(dims, batches);
  const text = `[${dims.map((dim) => dim ?? '?').join(', ')}]`;
  if (axis === undefined || !hasBatch(dims, axis, inputs)) {
    throw new BedsideError(
      'E_UNSUPPORTED',
      `${told} ${text} has no batch axis: it is the same for all samples`,
      {
        hint: 'give it a default (an initializer of the same name), or export the model with it as a constant',
      },
    );
  }
  const shape = dims.filter((_, i) => i !== axis);
  if (shape.some((dim) => typeof dim !== 'number')) {
    throw new BedsideError('E_UNSUPPORTED', `${told} is ${text}: only the batch may be open`, {
      hint: 'export the model with fixed sizes apart from the batch',
    });
  }
  return { ...noted, shape: shape as number[], axis };
}

/** Where any input leaves its batch open, all do; otherwise all have the size of the first one's. */
function hasBatch(dims: readonly Dim[], axis: number, inputs: readonly Value[]): boolean {
  if (typeof dims[axis] !== 'number') return true;
  const isOpen = inputs.some((other) => other.dims?.some((dim) => typeof dim !== 'number'));
  return !isOpen && dims[axis] === inputs[0]?.dims?.[0];
}

function batchOf({ value, axis }: Laid): Dim {
  const batch = value.dims?.[axis];
  return typeof batch === 'number' ? batch : (batch ?? 'batch');
}

/** One input of another type, or with its batch on another axis. */
function fromSingle(graph: Graph, input: Laid): void {
  const builder = new GraphBuilder(graph);
  const given = builder.input(`${input.name}_float32`, [batchOf(input), ...input.shape]);
  const made: Node[] = [];
  shaped(builder, made, given, input);
  graph.nodes.unshift(...made);
}

/** Several inputs in one row. */
function fromPacked(graph: Graph, inputs: readonly Laid[], opset: number): void {
  const builder = new GraphBuilder(graph);
  const [first] = inputs as readonly [Laid, ...Laid[]];
  const sizes = inputs.map(({ shape }) => sizeOf(shape));
  const total = sizes.reduce((sum, size) => sum + size, 0);
  const given = builder.input('inputs', [batchOf(first), total]);
  const made: Node[] = [];
  const parts = inputs.map((input) => {
    const isDone = input.shape.length === 1 && input.elemType === ELEM.float32 && input.axis === 0;
    return isDone ? input.name : builder.fresh(`${input.name}_row`);
  });
  const isAttribute = opset < 13;
  made.push({
    name: builder.fresh('split_inputs'),
    op: 'Split',
    domain: '',
    inputs: isAttribute ? [given] : [given, builder.ints(sizes)],
    outputs: parts,
    attributes: new Map<string, Attribute>([
      ['axis', int(1)],
      ...(isAttribute ? [['split', ints(sizes)] as const] : []),
    ]),
  });
  inputs.forEach((input, i) => {
    const part = parts[i] as string;
    if (part === input.name) return;
    if (input.shape.length === 1) shaped(builder, made, part, input);
    else shaped(builder, made, part, input, builder.ints([-1, ...input.shape]));
  });
  graph.nodes.unshift(...made);
}

/** From a row to an input as the file has it: its shape, its axes, its element type. The last step bears its name. */
function shaped(builder: GraphBuilder, made: Node[], from: string, input: Laid, target?: string): void {
  const { name, axis, elemType, shape } = input;
  const steps: { op: string; more: readonly string[]; attributes: Record<string, Attribute> }[] = [];
  if (target !== undefined) steps.push({ op: 'Reshape', more: [target], attributes: {} });
  if (axis !== 0) {
    const perm = shape.map((_, i) => i + 1);
    perm.splice(axis, 0, 0);
    steps.push({ op: 'Transpose', more: [], attributes: { perm: ints(perm) } });
  }
  if (elemType !== ELEM.float32) steps.push({ op: 'Cast', more: [], attributes: { to: int(elemType) } });
  let value = from;
  steps.forEach(({ op, more, attributes }, i) => {
    const output = i === steps.length - 1 ? name : builder.fresh(`${name}_${op.toLowerCase()}`);
    made.push({
      name: builder.fresh(`${op.toLowerCase()}_${name}`),
      op,
      domain: '',
      inputs: [value, ...more],
      outputs: [output],
      attributes: new Map(Object.entries(attributes)),
    });
    value = output;
  });
}

/** Inputs may name their batch each in their own way; outputs follow the one that is left. */
function unifySymbols(graph: Graph, inputs: readonly Value[], batch: Dim): void {
  if (typeof batch !== 'string') return;
  const others = new Set<string>();
  for (const { dims } of inputs) {
    for (const dim of dims ?? []) if (typeof dim === 'string' && dim !== batch) others.add(dim);
  }
  if (others.size === 0) return;
  const renamed = (dim: Dim): Dim => (typeof dim === 'string' && others.has(dim) ? batch : dim);
  for (const output of graph.outputs) if (output.dims) output.dims = output.dims.map(renamed);
  // Declared shapes of other values name the old symbols.
  if (graph.carried) graph.carried = { ...graph.carried, valueInfo: [] };
}

function opsetOf(model: Model): number {
  return model.opsets.get('') ?? model.opsets.get('ai.onnx') ?? 0;
}
