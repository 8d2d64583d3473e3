// One step of a recurrent layer as nodes of a graph.
// Specification: https://onnx.ai/onnx/operators/onnx__LSTM.html, onnx__GRU.html, onnx__RNN.html
import {
  describeNode,
  floatConstant,
  type GraphBuilder,
  int,
  intAttribute,
  type Node,
  type RecurrentLayer,
} from '../../onnx/internal.ts';
import { BedsideError } from '../../util/index.ts';

/** Hidden state and cell between two steps, `[batch, hidden]`; undefined where they are zero. */
export interface Step {
  readonly hidden: string | undefined;
  readonly cell: string | undefined;
}

/** What a cell needs to write its nodes. */
export interface CellContext {
  readonly builder: GraphBuilder;
  readonly weights: RecurrentWeights;
  readonly hint: string;
}

/** Adds one step: the state after it, from what it reads and the state before. */
export type Cell = (context: CellContext, x: string, before: Step) => Step;

/** The weights of a recurrent layer as those of dense layers, each made once. */
export class RecurrentWeights {
  readonly #builder: GraphBuilder;
  readonly #layer: RecurrentLayer;
  readonly #own: (part: string) => void;
  readonly #made = new Map<string, string>();

  /** @param own called with the name of every dense layer that is added */
  constructor(builder: GraphBuilder, layer: RecurrentLayer, own: (part: string) => void) {
    this.#builder = builder;
    this.#layer = layer;
    this.#own = own;
  }

  /** Hidden units. */
  get units(): number {
    return this.#layer.hidden;
  }

  /**
   * The sum over the step's input, and over the state where there is one, of the given gates, `[batch, gates * hidden]`.
   * Input and state are one row, so that relevance is shared among both by one rule.
   */
  gates(gates: readonly number[], x: string | undefined, state: string | undefined, hint: string): string {
    const parts = [x, state].filter((part) => part !== undefined);
    const row =
      parts.length === 1 ? (parts[0] as string) : this.#builder.node('Concat', parts, { axis: int(1) }, hint);
    const key = `${gates.join()}:${x !== undefined}:${state !== undefined}`;
    const weight = this.#once(`weight:${key}`, () =>
      this.#weight(gates, x !== undefined, state !== undefined),
    );
    const bias = this.#bias(gates, x !== undefined, x === undefined || this.#fusesBias(gates), key);
    const name = this.#builder.node('Gemm', bias ? [row, weight, bias] : [row, weight], {}, `${hint}_sum`);
    this.#own(name);
    return name;
  }

  /** The bias of a gate's recurrent part alone, or undefined. */
  recurrentBias(gate: number): string | undefined {
    return this.#bias([gate], false, true, `recurrent:${gate}`);
  }

  /** The weights of a peephole, `[hidden]`, or undefined. */
  peephole(block: number): string | undefined {
    const { peephole, hidden } = this.#layer;
    if (!peephole) return undefined;
    const data = peephole.data.slice(block * hidden, (block + 1) * hidden);
    return this.#once(`peephole:${block}`, () => this.#builder.constant(floatConstant(data), 'peephole'));
  }

  /** In a GRU that resets behind its map, the bias of the recurrent part of the last gate is reset too. */
  #fusesBias(gates: readonly number[]): boolean {
    const { op, node } = this.#layer;
    return !(op === 'GRU' && gates.includes(2) && intAttribute(node, 'linear_before_reset', 0) !== 0);
  }

  #weight(gates: readonly number[], reads: boolean, recurs: boolean): string {
    const { weight, recurrence, inputs, hidden } = this.#layer;
    const columns = gates.length * hidden;
    const sources = [
      reads && { data: weight.data, width: inputs },
      recurs && { data: recurrence.data, width: hidden },
    ];
    const rows = sources.flatMap((source) => {
      if (!source) return [];
      return Array.from({ length: source.width }, (_, i) =>
        gates.flatMap((gate) =>
          Array.from(
            { length: hidden },
            (_, unit) => source.data[(gate * hidden + unit) * source.width + i] as number,
          ),
        ),
      );
    });
    const data = Float32Array.from({ length: rows.length * columns }, (_, at) => {
      return rows[Math.floor(at / columns)]?.[at % columns] as number;
    });
    return this.#builder.constant(floatConstant(data, [rows.length, columns]), 'gates');
  }

  #bias(gates: readonly number[], ofInput: boolean, ofState: boolean, key: string): string | undefined {
    const { bias, hidden, gates: count } = this.#layer;
    if (!bias) return undefined;
    return this.#once(`bias:${key}:${ofInput}:${ofState}`, () => {
      const data = gates.flatMap((gate) =>
        Array.from({ length: hidden }, (_, unit) => {
          const at = gate * hidden + unit;
          const [own, state] = [bias.data[at] as number, bias.data[count * hidden + at] as number];
          return (ofInput ? own : 0) + (ofState ? state : 0);
        }),
      );
      return this.#builder.constant(floatConstant(data), 'bias');
    });
  }

  #once(key: string, make: () => string): string {
    const known = this.#made.get(key);
    if (known !== undefined) return known;
    const name = make();
    this.#made.set(key, name);
    return name;
  }
}

/**
 * The step of a layer.
 * @param clip bound of the sums before activations; 0 for none
 * @throws BedsideError E_UNSUPPORTED for activations other than those that are understood
 */
export function cellOf(layer: RecurrentLayer, clip: number): Cell {
  const names = activationsOf(layer);
  const bounded = ({ builder, hint }: CellContext, sum: string): string =>
    clip > 0
      ? builder.node('Clip', [sum, builder.scalar(-clip), builder.scalar(clip)], {}, `${hint}_clip`)
      : sum;
  const apply = (context: CellContext, sum: string, index: number, what: string): string =>
    context.builder.node(names[index] as string, [bounded(context, sum)], {}, `${context.hint}_${what}`);
  switch (layer.op) {
    case 'LSTM':
      return lstm(apply, names[2] as string);
    case 'GRU':
      return gru(apply, intAttribute(layer.node, 'linear_before_reset', 0) !== 0, bounded);
    case 'RNN':
      return (context, x, { hidden }) => ({
        hidden: apply(context, context.weights.gates([0], x, hidden, context.hint), 0, 'state'),
        cell: undefined,
      });
  }
}

type Apply = (context: CellContext, sum: string, activation: number, what: string) => string;

/** Gates of an LSTM in the order of its weights: input, output, forget, cell. */
function lstm(apply: Apply, outputActivation: string): Cell {
  return (context, x, before) => {
    const { builder, weights, hint } = context;
    const { hidden } = before;
    const op = (name: string, inputs: string[], what: string): string =>
      builder.node(name, inputs, {}, `${hint}_${what}`);
    const peeked = (sum: string, block: number, cell: string | undefined): string => {
      const peephole = weights.peephole(block);
      return peephole && cell ? op('Add', [sum, op('Mul', [cell, peephole], 'peephole')], 'peeked') : sum;
    };
    const sums = builder.nodes(
      'Split',
      [weights.gates([0, 1, 2], x, hidden, hint), builder.ints(new Array<number>(3).fill(weights.units))],
      { axis: int(1) },
      ['input', 'output', 'forget'].map((what) => `${hint}_${what}`),
    ) as [string, string, string];
    const input = apply(context, peeked(sums[0], 0, before.cell), 0, 'input_gate');
    const update = apply(context, weights.gates([3], x, hidden, hint), 1, 'update');
    let cell = op('Mul', [input, update], 'updated');
    if (before.cell) {
      const forget = apply(context, peeked(sums[2], 2, before.cell), 0, 'forget_gate');
      cell = op('Add', [op('Mul', [forget, before.cell], 'kept'), cell], 'cell');
    }
    const output = apply(context, peeked(sums[1], 1, cell), 0, 'output_gate');
    const shown = op(outputActivation, [cell], 'shown');
    return { hidden: op('Mul', [output, shown], 'hidden'), cell };
  };
}

/** Gates of a GRU in the order of its weights: update, reset, hidden. */
function gru(
  apply: Apply,
  linearBeforeReset: boolean,
  bounded: (context: CellContext, sum: string) => string,
): Cell {
  return (context, x, { hidden }) => {
    const { builder, weights, hint } = context;
    const op = (name: string, inputs: string[], what: string): string =>
      builder.node(name, inputs, {}, `${hint}_${what}`);
    const update = weights.gates([0], x, hidden, hint);
    // The complement of a sigmoid is the sigmoid of the negative, and so still a gate.
    const fresh = apply(
      context,
      op('Mul', [bounded(context, update), builder.scalar(-1)], 'negative'),
      0,
      'fresh_gate',
    );
    const reset =
      hidden || linearBeforeReset
        ? apply(context, weights.gates([1], x, hidden, hint), 0, 'reset_gate')
        : undefined;
    let sum: string;
    if (!linearBeforeReset) {
      const rest = hidden && reset ? op('Mul', [reset, hidden], 'reset') : undefined;
      sum = weights.gates([2], x, rest, hint);
    } else {
      const own = weights.gates([2], x, undefined, hint);
      const bias = weights.recurrentBias(2);
      const state = hidden ? weights.gates([2], undefined, hidden, hint) : bias;
      sum = state && reset ? op('Add', [own, op('Mul', [reset, state], 'reset')], 'sum') : own;
    }
    const candidate = op('Mul', [fresh, apply(context, sum, 1, 'candidate')], 'new');
    if (!hidden) return { hidden: candidate, cell: undefined };
    const keep = apply(context, update, 0, 'keep_gate');
    return { hidden: op('Add', [candidate, op('Mul', [keep, hidden], 'kept')], 'hidden'), cell: undefined };
  };
}

const DEFAULTS = { LSTM: ['Sigmoid', 'Tanh', 'Tanh'], GRU: ['Sigmoid', 'Tanh'], RNN: ['Tanh'] } as const;
/** Activations whose operator has the same defaults; gates must be sigmoids, since the signal takes all. */
const GATES = ['Sigmoid', 'HardSigmoid'];
const SIGNALS = ['Elu', 'HardSigmoid', 'LeakyRelu', 'Relu', 'Sigmoid', 'Tanh'];

/** The names of a layer's activations as operators. */
function activationsOf({ node, op }: RecurrentLayer): readonly string[] {
  const given = node.attributes.get('activations');
  if (!given) return DEFAULTS[op];
  const strings = given.type === 'other' ? given.carried.strings : [];
  const names = strings.map((bytes) => new TextDecoder().decode(bytes));
  const known = names.map((name) => SIGNALS.find((one) => one.toLowerCase() === name.toLowerCase()));
  const parameters = ['activation_alpha', 'activation_beta'].some((name) => node.attributes.has(name));
  const wrong = names.find((_, i) => !known[i] || (op !== 'RNN' && i === 0 && !GATES.includes(known[i])));
  if (wrong === undefined && !parameters && names.length >= DEFAULTS[op].length) return known as string[];
  throw notUnderstood(node, wrong === undefined ? 'with parameters' : `'${wrong}'`);
}

function notUnderstood(node: Node, what: string): BedsideError {
  return new BedsideError(
    'E_UNSUPPORTED',
    `${describeNode(node)}: relevance cannot cross its activations ${what}`,
    {
      hint: 'criteria that read weights or activations (l1, l2, activation, apoz, random) still work',
    },
  );
}
