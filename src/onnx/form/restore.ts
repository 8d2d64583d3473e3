// A model in the one form, as its file has it: its own inputs and outputs, in their order.
import { must } from '../../util/index.ts';
import { cloneModel, type Dim, type Graph, type Model, producers, type Value } from '../graph.ts';
import { forgetShapes, removeDead } from '../surgery.ts';
import { type Form, type FormInput, formOf, withoutForm } from './form.ts';

/**
 * The model with the inputs and outputs of its file, as the note in its metadata says; the model itself where it has no
 * note. What was cut or repaired in between stays.
 */
export function restoredModel(model: Model): Model {
  const form = formOf(model);
  if (!form) return model;
  const result = cloneModel(withoutForm(model));
  if (form.inputs) restoreInputs(result.graph, form.inputs);
  if (form.outputs) restoreOutputs(result.graph, form.outputs);
  return result;
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
