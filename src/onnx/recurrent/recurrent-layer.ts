// Recurrent layers (LSTM, GRU, RNN) with constant weights seen as one thing: at every step, one linear map of the step's
// input and of the state before it, to the gates of every hidden unit.
// Specification: https://onnx.ai/onnx/operators/onnx__LSTM.html and its siblings
import type { Constant, Graph, Node } from '../graph.ts';
import { constantInput, intAttribute, opOf, stringAttribute } from '../ops.ts';

/** The operators that are recurrent layers. */
export type RecurrentOp = 'LSTM' | 'GRU' | 'RNN';

/** Maps of the input, and of the state, for each hidden unit. */
const GATES: Readonly<Record<RecurrentOp, number>> = { LSTM: 4, GRU: 3, RNN: 1 };

/** Indices of a recurrent node's inputs. */
export const RECURRENT_INPUTS = {
  data: 0,
  weight: 1,
  recurrence: 2,
  bias: 3,
  lengths: 4,
  state: 5,
  cell: 6,
  peephole: 7,
} as const;

type FloatConstant = Extract<Constant, { type: 'float32' }>;

/** A recurrent layer, whose weights are constants. */
export interface RecurrentLayer {
  readonly node: Node;
  readonly op: RecurrentOp;
  readonly gates: number;
  /** 1, or 2 where it runs in both directions. */
  readonly directions: number;
  /** Hidden units of one direction, and features of one step. */
  readonly hidden: number;
  readonly inputs: number;
  /** Whether samples come before steps (`layout` 1). */
  readonly batchFirst: boolean;
  /** `[directions, gates * hidden, inputs]`, `[directions, gates * hidden, hidden]`, `[directions, 2 * gates * hidden]`. */
  readonly weight: FloatConstant;
  readonly recurrence: FloatConstant;
  readonly bias: FloatConstant | undefined;
  /** Weights of the cell in the gates, `[directions, 3 * hidden]`. */
  readonly peephole: FloatConstant | undefined;
}

/** Whether a node is a recurrent operator, whatever its weights. */
export function recurrentOp(node: Node): RecurrentOp | undefined {
  const op = opOf(node);
  return op === 'LSTM' || op === 'GRU' || op === 'RNN' ? op : undefined;
}

/** The recurrent layer that a node is; undefined for other nodes, and where a weight is computed or not float32. */
export function recurrentLayer(graph: Graph, node: Node): RecurrentLayer | undefined {
  const op = recurrentOp(node);
  if (!op) return undefined;
  const at = RECURRENT_INPUTS;
  const floats = (index: number): FloatConstant | undefined => {
    const constant = constantInput(graph, node, index);
    return constant?.type === 'float32' ? constant : undefined;
  };
  const [weight, recurrence] = [floats(at.weight), floats(at.recurrence)];
  if (!weight || !recurrence) return undefined;
  for (const index of [at.bias, at.peephole]) if (node.inputs[index] && !floats(index)) return undefined;
  const gates = GATES[op];
  const [directions = 0, rows = 0, inputs = 0] = weight.dims;
  const hidden = rows / gates;
  const fits =
    weight.dims.length === 3 &&
    directions === directionsOf(node) &&
    recurrence.dims.join() === [directions, rows, hidden].join();
  if (!fits) return undefined;
  return {
    node,
    op,
    gates,
    directions,
    hidden,
    inputs,
    batchFirst: intAttribute(node, 'layout', 0) !== 0,
    weight,
    recurrence,
    bias: floats(at.bias),
    peephole: floats(at.peephole),
  };
}

/** 2 for both directions, otherwise 1. */
export function directionsOf(node: Node): 1 | 2 {
  return stringAttribute(node, 'direction', 'forward') === 'bidirectional' ? 2 : 1;
}

/** For positions of hidden units: the rows of all gates that belong to them, in `blocks` blocks of `hidden` rows. */
export function gateRows(kept: readonly number[], hidden: number, blocks: number): number[] {
  return Array.from({ length: blocks }, (_, block) => kept.map((unit) => block * hidden + unit)).flat();
}

/** The axis of hidden units of each output: all steps `[.., directions, .., hidden]`, last state, last cell. */
export const UNIT_AXES = [3, 2, 2] as const;
