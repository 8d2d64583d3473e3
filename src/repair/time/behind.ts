// What a network makes of the states of one of its recurrent layers: the values at its end, and the derivative of their
// squared error by the states. Values that pass by the layer (its other direction, a shortcut) are held as they are.
import { AttributionPass } from '../../explain/index.ts';
import { inferShapes, type Model } from '../../onnx/index.ts';
import {
  batchAxes,
  cloneModel,
  ELEM,
  extractSubgraph,
  GraphBuilder,
  int,
  ints,
  isAlone,
  type Node,
  opOf,
  partShapes,
  readsOf,
  sizeOf,
  stringAttribute,
  upgradeOpset,
} from '../../onnx/internal.ts';
import { BedsideError, must } from '../../util/index.ts';
import type { NetworkRun } from '../walk.ts';

/** Operators at the end of a network that are left out: their inputs tell more about a difference. */
const ENDS = ['Softmax', 'LogSoftmax', 'Sigmoid'];
const STATES = 'bedside_states';

/** The value that is compared with that of the unpruned network: the output, or what a final softmax or sigmoid reads. */
export function comparedValue({ graph }: Model): string {
  const output = must(graph.outputs[0], 'an output').name;
  const node = graph.nodes.find(({ outputs }) => outputs.includes(output));
  return (node && ENDS.includes(opOf(node) ?? '') && node.inputs[0]) || output;
}

/** A value that passes by the layer, laid out as in a batch of one. */
interface Beside {
  readonly name: string;
  readonly dims: readonly number[];
  /** The axis of the samples. */
  readonly axis: number;
}

/** The part of a network behind a recurrent layer. It must be released. */
export class BehindLayer {
  readonly #pass: AttributionPass;
  readonly #states: number;
  readonly #batch: number;
  /** Values that pass by the layer, in the order in which `error` takes them. */
  readonly beside: readonly string[];

  private constructor(pass: AttributionPass, states: number, beside: readonly string[], batch: number) {
    this.#pass = pass;
    this.#states = states;
    this.#batch = batch;
    this.beside = beside;
  }

  /**
   * Opens it, or says why the end cannot be followed back to the states.
   * @param name of a layer in canonical form
   */
  static async open(
    given: Model,
    name: string,
    { steps, units }: { readonly steps: number; readonly units: number },
    { threads, batch, name: modelName }: NetworkRun,
  ): Promise<BehindLayer | { readonly reason: string }> {
    try {
      const part = behind(given, name, steps, units);
      if ('reason' in part) return part;
      const pass = await AttributionPass.create(part.model, {
        attribution: { kind: 'gradient' },
        layers: [],
        wantInput: true,
        start: 'loss',
        form: VALUES,
        threads,
        modelName,
      });
      return new BehindLayer(pass, steps * units, part.beside, batch);
    } catch (error) {
      if (!BedsideError.is(error, 'E_UNSUPPORTED') && !BedsideError.is(error, 'E_MODEL')) throw error;
      return { reason: `what lies behind it has no derivative here (${error.message})` };
    }
  }

  /**
   * Half the squared error of all values, and its derivative by the states.
   * @param states `[samples, steps, units]`
   * @param beside the values that pass by, `[samples, all of them]`
   * @param wanted `[samples, values]`
   */
  async error(states: Float32Array, beside: Float32Array, wanted: Float32Array) {
    const row = this.#states;
    const samples = states.length / row;
    const passing = beside.length / samples;
    const values = wanted.length / samples;
    const gradient = new Float32Array(states.length);
    let sum = 0;
    for (let first = 0; first < samples; first += BATCH_FACTOR * this.#batch) {
      const count = Math.min(BATCH_FACTOR * this.#batch, samples - first);
      const target = wanted.subarray(first * values, (first + count) * values);
      const read = new Float32Array(count * (row + passing));
      for (let i = 0; i < count; i++) {
        const sample = first + i;
        read.set(states.subarray(sample * row, (sample + 1) * row), i * (row + passing));
        read.set(beside.subarray(sample * passing, (sample + 1) * passing), i * (row + passing) + row);
      }
      const { logits, input } = await this.#pass.run(read, [count, row + passing], target);
      const slope = must(input, 'a derivative');
      for (let i = 0; i < count; i++) {
        const from = i * (row + passing);
        gradient.set(slope.subarray(from, from + row), (first + i) * row);
      }
      for (let i = 0; i < target.length; i++) sum += ((logits[i] as number) - (target[i] as number)) ** 2;
    }
    return { half: sum / 2, gradient };
  }

  async release(): Promise<void> {
    await this.#pass.release();
  }
}

/** States are few values, so batches are larger than those of samples. */
const BATCH_FACTOR = 8;

/** The error is that of the values themselves, whatever they are for. */
const VALUES = {
  task: 'regression',
  outputShape: [],
  scores: 1,
  classes: 1,
  exclusive: false,
  probabilities: false,
} as const;

/** The nodes behind a layer. Their input is a row of its states `[steps, units]` and of the values that pass by it. */
function behind(
  given: Model,
  name: string,
  steps: number,
  units: number,
): { readonly model: Model; readonly beside: readonly string[] } | { readonly reason: string } {
  const shapes = inferShapes(given, 1);
  const model = cloneModel(upgradeOpset(given, (value) => shapes.get(value)));
  const { graph } = model;
  const at = graph.nodes.findIndex((node) => node.name === name);
  const node = must(graph.nodes[at], `node '${name}'`);
  const [all, last, cell] = node.outputs;
  const target = comparedValue(model);
  const { later, reads } = following(model, node, target);
  if (cell && reads.has(cell)) return { reason: 'its cells are read too' };
  const found = besideOf(
    model,
    [...reads].filter((value) => !node.outputs.includes(value)),
  );
  if ('reason' in found) return found;
  const { beside } = found;
  graph.nodes = [];
  const builder = new GraphBuilder(graph);
  const sizes = [steps * units, ...beside.map(({ dims }) => sizeOf(dims))];
  const row = builder.input(STATES, ['batch', sizes.reduce((sum, size) => sum + size, 0)]);
  let from = 0;
  const parts = sizes.map((size) => {
    from += size;
    const ends = [from - size, from, 1].map((index) => builder.ints([index]));
    return builder.node('Slice', [row, ...ends], {}, 'part_of_row');
  });
  const states = builder.node('Reshape', [must(parts[0], 'states'), builder.ints([-1, steps, units])], {});
  const rows = builder.node('Transpose', [states], { perm: ints([1, 0, 2]) }, 'steps_first');
  const every = builder.node('Unsqueeze', [rows, builder.ints([1])], {}, 'all_steps');
  const final = stringAttribute(node, 'direction', 'forward') === 'reverse' ? 0 : steps - 1;
  const one = builder.node('Gather', [rows, builder.ints([final])], { axis: int(0) }, 'last_state');
  const stands = new Map([
    [all, every],
    [last, one],
    ...beside.map(
      (value, index) => [value.name, placed(builder, parts[index + 1] as string, value)] as const,
    ),
  ]);
  for (const reader of later) {
    reader.inputs = reader.inputs.map((value) => (value && stands.get(value)) || value);
    graph.nodes.push(reader);
  }
  return { model: extractSubgraph(model, [STATES], [target]), beside: beside.map((value) => value.name) };
}

/** The nodes between a layer and a value, and what they read that none of them makes. */
function following({ graph }: Model, layer: Node, target: string): { later: Node[]; reads: Set<string> } {
  const stale = new Set(layer.outputs.filter(Boolean));
  const later: Node[] = [];
  for (const node of graph.nodes) {
    if (node === layer || !readsOf(node).some((value) => stale.has(value))) continue;
    later.push(node);
    for (const value of node.outputs) stale.add(value);
  }
  const needed = new Set([target]);
  const used = later.toReversed().filter((node) => {
    if (!node.outputs.some((value) => needed.has(value))) return false;
    for (const value of readsOf(node)) needed.add(value);
    return true;
  });
  const made = new Set(used.flatMap(({ outputs }) => outputs));
  const reads = [...needed].filter((value) => !made.has(value) && !graph.constants.has(value));
  return { later: used.toReversed(), reads: new Set(reads) };
}

/** The values that pass by a layer, if a row of a batch can hold them. */
function besideOf(
  model: Model,
  names: readonly string[],
): { readonly beside: readonly Beside[] } | { readonly reason: string } {
  if (names.length === 0) return { beside: [] };
  const places = batchAxes(model);
  const shapes = inferShapes(model, 1);
  const { types } = partShapes(model);
  const beside: Beside[] = [];
  for (const name of names) {
    const [place, dims] = [places.get(name), shapes.get(name)];
    const isKnown = place?.kind === 'axis' && isAlone(place) && dims && types.get(name) === ELEM.float32;
    if (!isKnown)
      return { reason: `its readers also need '${name}', which is not a float32 value of each sample` };
    beside.push({ name, dims, axis: place.axis });
  }
  const size = beside.reduce((sum, { dims }) => sum + sizeOf(dims), 0);
  if (size <= MOST_BESIDE) return { beside };
  return { reason: `${size} numbers of each sample pass by it, more than ${MOST_BESIDE}` };
}

/** Most numbers of a sample that may pass by a layer: all samples are held. */
const MOST_BESIDE = 65_536;

/** A value out of its part of a row, with the samples on its own axis. */
function placed(builder: GraphBuilder, part: string, { dims, axis }: Beside): string {
  const rest = dims.filter((_, index) => index !== axis);
  const rows = builder.node('Reshape', [part, builder.ints([-1, ...rest])], {});
  if (axis === 0) return rows;
  const perm = dims.map((_, index) => (index === axis ? 0 : index < axis ? index + 1 : index));
  return builder.node('Transpose', [rows], { perm: ints(perm) });
}
