// What a network makes of the states of one of its recurrent layers: the values at its end, and the derivative of their
// squared error by the states.
import { AttributionPass } from '../../explain/index.ts';
import { inferShapes, type Model } from '../../onnx/index.ts';
import {
  cloneModel,
  extractSubgraph,
  GraphBuilder,
  int,
  ints,
  opOf,
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

/** The part of a network behind a recurrent layer. It must be released. */
export class BehindLayer {
  readonly #pass: AttributionPass;
  readonly #steps: number;
  readonly #units: number;
  readonly #batch: number;

  private constructor(pass: AttributionPass, steps: number, units: number, batch: number) {
    this.#pass = pass;
    this.#steps = steps;
    this.#units = units;
    this.#batch = batch;
  }

  /**
   * Opens it; undefined where the end does not follow from the states alone (it also reads cells, or values before the
   * layer), or an operator on the way has no derivative.
   * @param name of a layer in canonical form
   */
  static async open(
    given: Model,
    name: string,
    { steps, units }: { readonly steps: number; readonly units: number },
    { threads, batch, name: modelName }: NetworkRun,
  ): Promise<BehindLayer | undefined> {
    try {
      const part = behind(given, name, steps, units);
      if (!part) return undefined;
      const pass = await AttributionPass.create(part, {
        attribution: { kind: 'gradient' },
        layers: [],
        wantInput: true,
        start: 'loss',
        form: VALUES,
        threads,
        modelName,
      });
      return new BehindLayer(pass, steps, units, batch);
    } catch (error) {
      if (BedsideError.is(error, 'E_UNSUPPORTED') || BedsideError.is(error, 'E_MODEL')) return undefined;
      throw error;
    }
  }

  /**
   * Half the squared error of all values, and its derivative by the states.
   * @param states `[samples, steps, units]`
   * @param wanted `[samples, values]`
   */
  async error(states: Float32Array, wanted: Float32Array) {
    const row = this.#steps * this.#units;
    const samples = states.length / row;
    const values = wanted.length / samples;
    const gradient = new Float32Array(states.length);
    let sum = 0;
    for (let first = 0; first < samples; first += BATCH_FACTOR * this.#batch) {
      const count = Math.min(BATCH_FACTOR * this.#batch, samples - first);
      const target = wanted.subarray(first * values, (first + count) * values);
      const read = states.subarray(first * row, (first + count) * row);
      const { logits, input } = await this.#pass.run(read, [count, this.#steps, this.#units], target);
      gradient.set(must(input, 'a derivative'), first * row);
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

/** The nodes behind a layer, with its states `[batch, steps, units]` as their input. */
function behind(given: Model, name: string, steps: number, units: number): Model | undefined {
  const shapes = inferShapes(given, 1);
  const model = cloneModel(upgradeOpset(given, (value) => shapes.get(value)));
  const { graph } = model;
  const at = graph.nodes.findIndex((node) => node.name === name);
  const node = must(graph.nodes[at], `node '${name}'`);
  const [all, last, cell] = node.outputs;
  if (cell && graph.nodes.some(({ inputs }) => inputs.includes(cell))) return undefined;
  const rest = graph.nodes.filter((_, index) => index !== at);
  graph.nodes = [];
  const builder = new GraphBuilder(graph);
  const states = builder.input(STATES, ['batch', steps, units]);
  const rows = builder.node('Transpose', [states], { perm: ints([1, 0, 2]) }, 'steps_first');
  const every = builder.node('Unsqueeze', [rows, builder.ints([1])], {}, 'all_steps');
  const final = stringAttribute(node, 'direction', 'forward') === 'reverse' ? 0 : steps - 1;
  const one = builder.node('Gather', [rows, builder.ints([final])], { axis: int(0) }, 'last_state');
  const stands = new Map([
    [all, every],
    [last, one],
  ]);
  for (const reader of rest) {
    reader.inputs = reader.inputs.map((value) => (value && stands.get(value)) || value);
    graph.nodes.push(reader);
  }
  const target = comparedValue(model);
  return extractSubgraph(model, [states], [target]);
}
