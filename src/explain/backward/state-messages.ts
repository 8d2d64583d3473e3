// The messages at the hidden states of unrolled recurrent layers, gathered for their read-outs: a recurrent layer is read
// out like a convolution over its steps.
import { int, type WeightedLayer } from '../../onnx/internal.ts';
import type { BackwardContext, BackwardMessage } from './context.ts';
import type { UnrolledLayer } from './unroll-recurrent.ts';

/** Gathers the messages of all steps. */
export class StateMessages {
  readonly #context: BackwardContext;
  readonly #layers: readonly UnrolledLayer[];
  readonly #states: ReadonlySet<string>;
  readonly #taken = new Map<string, string>();

  constructor(context: BackwardContext, layers: readonly UnrolledLayer[]) {
    this.#context = context;
    this.#layers = layers;
    this.#states = new Set(layers.flatMap(({ states }) => states));
  }

  /** Keeps the message if it is at a hidden state; the message to go on with. */
  take(value: string, message: BackwardMessage | undefined): BackwardMessage | undefined {
    if (!message || !this.#states.has(value)) return message;
    const whole = this.#context.materialise(message);
    this.#taken.set(value, whole);
    return { value: whole, base: undefined, zeroWhere: undefined };
  }

  /** Each layer that a message reached, as a weighted layer with `[batch, steps, units]`, and its message. */
  finish(): { readonly layer: WeightedLayer; readonly message: BackwardMessage }[] {
    const { builder } = this.#context;
    return this.#layers.flatMap((unrolled) => {
      const { name, states, all } = unrolled;
      if (!states.some((state) => this.#taken.has(state))) return [];
      const rows = states.map(
        (state) => this.#taken.get(state) ?? builder.node('Mul', [state, builder.scalar(0)], {}, 'none'),
      );
      const joined = builder.node('Concat', rows, { axis: int(1) }, `${name}_messages`);
      const shape = builder.ints([0, states.length, unrolled.units]);
      const value = builder.node('Reshape', [joined, shape], {}, `${name}_messages`);
      const layer = readable(unrolled, all, this.#context.shape(all));
      return [{ layer, message: { value, base: undefined, zeroWhere: undefined } }];
    });
  }
}

/** The hidden states as the output of a weighted layer, for read-outs. */
function readable({ name, units }: UnrolledLayer, output: string, shape: readonly number[]): WeightedLayer {
  return {
    name,
    node: { name, op: 'Concat', domain: '', inputs: [], outputs: [output], attributes: new Map() },
    input: '',
    output,
    inputShape: [],
    outputShape: shape,
    channelAxis: 2,
    channels: units,
    groups: 1,
    kernelSize: 1,
    kind: 'recurrent',
    weight: new Float32Array(0),
    weightDims: [0, units],
    bias: undefined,
    conv: undefined,
  };
}
