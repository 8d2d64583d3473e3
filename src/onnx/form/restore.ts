// A model in the one form, as its file has it: its own inputs and outputs, in their order.
import { must } from '../../util/index.ts';
import { typeName } from '../codec/tensor-read.ts';
import {
  cloneModel,
  type Dim,
  ELEM,
  type Graph,
  isFloating,
  type Model,
  producers,
  type Value,
} from '../graph.ts';
import { forgetShapes, removeDead } from '../surgery.ts';
import { type Form, type FormInput, formOf, withoutForm } from './form.ts';
import { inOwnNumbers, NotRestored } from './numbers.ts';

/** A model as its file has it, and what of that could not be kept. */
export interface Restored {
  readonly model: Model;
  readonly remarks: readonly string[];
}

/**
 * The model with the inputs, outputs and numbers of its file, as the note in its metadata says; the model itself where it
 * has no note. What was cut or repaired in between stays.
 */
export function restoredModel(model: Model): Model {
  return restored(model).model;
}

/**
 * The same, with a remark where the numbers of the file could not be kept: the model is then of float32, with the file's
 * inputs and outputs.
 * @param wanted false leaves everything inside float32
 */
export function restored(model: Model, wanted = true): Restored {
  const form = formOf(model);
  if (!form) return { model, remarks: [] };
  const remarks: string[] = [];
  const result = cloneModel(withoutForm(model));
  const { graph } = result;
  if (form.batch !== undefined) fixBatch(graph, form.batch);
  if (form.inputs) restoreInputs(graph, form.inputs);
  if (form.outputs) restoreOutputs(graph, form.outputs);
  if (form.dequantised) remarks.push(`written as float32: the model's own numbers have eight bits`);
  const inputs = new Map(form.inputs?.map(({ name, elemType }) => [name, elemType]));
  const types = { inputs, outputs: form.outputs ?? [] };
  if (!form.numbers) return { model: withTypes(result, types), remarks };
  const name = typeName(form.numbers.elemType);
  try {
    if (wanted) return { model: inOwnNumbers(asFloats(result), form.numbers, types), remarks };
    remarks.push(`written as float32, not ${name} as it came: the engine does not run it so`);
  } catch (error) {
    if (!(error instanceof NotRestored)) throw error;
    remarks.push(`written as float32, not ${name} as it came: ${error.message}`);
  }
  return { model: withTypes(result, types), remarks };
}

/** Inputs with fractions as float32, as everything inside is. */
function asFloats(model: Model): Model {
  for (const value of model.graph.inputs) if (isFloating(value.elemType)) value.elemType = ELEM.float32;
  return model;
}

/** Inputs and outputs of the file's types, with casts between them and the float32 inside. */
function withTypes(model: Model, types: Parameters<typeof inOwnNumbers>[2]): Model {
  const all = [...types.inputs.values(), ...types.outputs.map(({ elemType }) => elemType)];
  if (all.every((type) => type === ELEM.float32 || !isFloating(type))) return model;
  const wide = {
    elemType: ELEM.float32,
    computes: true,
    wide: [],
    stores: { matrices: true, vectors: true },
  };
  return inOwnNumbers(asFloats(model), wide, types);
}

/** Declares the batch again; what reshapes say of it follows the input. */
function fixBatch(graph: Graph, batch: number): void {
  const symbol = graph.inputs[0]?.dims?.[0];
  if (typeof symbol !== 'string') return;
  for (const value of [...graph.inputs, ...graph.outputs]) {
    value.dims = value.dims?.map((dim) => (dim === symbol ? batch : dim));
  }
  forgetShapes(graph);
}

function restoreInputs(graph: Graph, inputs: readonly FormInput[]): void {
  const made = producers(graph);
  const [given] = graph.inputs;
  const read = inputs.filter(({ isRead }) => isRead);
  const gone = new Set(read.map(({ name }) => made.get(name)));
  const single = read.length === 1 ? read[0] : undefined;
  // A cast that changes nothing may have been left out on the way.
  if (single && given && given.name !== single.name && !made.has(single.name)) {
    for (const node of graph.nodes) {
      node.inputs = node.inputs.map((name) => (name === given.name ? single.name : name));
    }
  }
  const names = new Set(read.map(({ name }) => name));
  graph.nodes = graph.nodes.flatMap((node) => {
    if (!gone.has(node)) return [node];
    // A Split makes several inputs; what else it makes leads to others of them.
    node.outputs = node.outputs.map((name) => (names.has(name) ? '' : name));
    return node.outputs.some(Boolean) ? [node] : [];
  });
  const batch = given?.dims?.[0];
  graph.inputs = inputs.map(
    (input): Value => ({ name: input.name, elemType: input.elemType, dims: dimsOf(input, batch) }),
  );
  removeDead(graph);
  forgetShapes(graph, new Set(graph.nodes.flatMap((node) => node.outputs)));
}

/** As declared; open where the batch was opened since. */
function dimsOf({ dims }: FormInput, batch: Dim): Dim[] {
  const declared = dims.map((dim) => dim ?? undefined);
  const isFixed = declared.every((dim) => typeof dim === 'number');
  return isFixed && typeof batch === 'string' ? declared.map((dim, i) => (i === 0 ? batch : dim)) : declared;
}

function restoreOutputs(graph: Graph, outputs: NonNullable<Form['outputs']>): void {
  const present = new Map(graph.outputs.map((value) => [value.name, value]));
  // A bundle holds the explained one alone.
  graph.outputs = outputs.flatMap(({ name }) => (present.has(name) ? [must(present.get(name), name)] : []));
}
