// The linear maps inside a recurrent layer as matrices: what they read at some steps, their sums, and their weights.
import { intAttribute, type RecurrentLayer } from '../onnx/internal.ts';
import type { Matrix } from './products.ts';

/** What a recurrent layer reads in one sample, and its states after each step; both `[steps, ...]`. */
export interface Sequence {
  readonly x: Float32Array;
  readonly h: Float32Array;
  readonly inputs: number;
  readonly hidden: number;
  readonly steps: number;
  readonly isReverse: boolean;
}

/** A map to some gates: what it sums over. */
export interface GateMap {
  readonly gates: readonly number[];
  readonly readsInput: boolean;
  /** The state of the step before, that state times the reset gate, or nothing. */
  readonly reads: 'state' | 'reset-state' | 'nothing';
}

/** The maps of a layer. A GRU that resets behind its map has two of their own for its last gate. */
export function mapsOf({ op, node }: Pick<RecurrentLayer, 'op' | 'node'>): readonly GateMap[] {
  const plain = (gates: readonly number[]): GateMap => ({ gates, readsInput: true, reads: 'state' });
  if (op === 'LSTM') return [plain([0, 1, 2, 3])];
  if (op === 'RNN') return [plain([0])];
  if (intAttribute(node, 'linear_before_reset', 0) === 0) {
    return [plain([0, 1]), { gates: [2], readsInput: true, reads: 'reset-state' }];
  }
  return [
    plain([0, 1]),
    { gates: [2], readsInput: true, reads: 'nothing' },
    { gates: [2], readsInput: false, reads: 'state' },
  ];
}

/** The sums of every map of a layer at some steps of every sample, for the kept units, `[rows, gates * kept]`. */
export function recurrentSums(
  layer: RecurrentLayer,
  sequences: readonly Sequence[],
  positions: readonly Int32Array[],
  kept: readonly number[],
): Matrix[] {
  return mapsOf(layer).map((map) => {
    const x = readBy(layer, map, sequences, sequences, positions);
    const w = weightsOf(layer, map);
    const columns = map.gates.flatMap((_, g) => kept.map((unit) => g * layer.hidden + unit));
    const data = new Float64Array(x.rows * columns.length);
    for (let row = 0; row < x.rows; row++) {
      columns.forEach((column, c) => {
        let sum = 0;
        for (let i = 0; i < x.columns; i++) {
          sum += (x.data[row * x.columns + i] as number) * (w.data[i * w.columns + column] as number);
        }
        data[row * columns.length + c] = sum;
      });
    }
    return { rows: x.rows, columns: columns.length, data };
  });
}

/** What every map of a layer reads at some steps, with a 1 for the bias, and its weights with the bias last. */
export function gateMaps(
  layer: RecurrentLayer,
  inputs: readonly Sequence[],
  states: readonly Sequence[],
  positions: readonly Int32Array[],
): {
  readonly x: Matrix;
  readonly weights: Matrix;
  readonly readsInput: boolean;
  readonly readsState: boolean;
}[] {
  return mapsOf(layer).map((map) => ({
    x: readBy(layer, map, inputs, states, positions),
    weights: weightsOf(layer, map),
    readsInput: map.readsInput,
    readsState: map.reads !== 'nothing',
  }));
}

function readBy(
  layer: RecurrentLayer,
  { readsInput, reads }: GateMap,
  inputs: readonly Sequence[],
  states: readonly Sequence[],
  positions: readonly Int32Array[],
): Matrix {
  const perSample = positions[0]?.length ?? 0;
  const [own, back] = [readsInput ? layer.inputs : 0, reads === 'nothing' ? 0 : layer.hidden];
  const columns = own + back + 1;
  const rows = perSample * positions.length;
  const data = new Float64Array(rows * columns);
  const resets = reads === 'reset-state' ? resetGate(layer) : undefined;
  positions.forEach((steps, sample) => {
    const [input, state] = [inputs[sample] as Sequence, states[sample] as Sequence];
    steps.forEach((t, k) => {
      const row = (sample * perSample + k) * columns;
      for (let i = 0; i < own; i++) data[row + i] = input.x[t * input.inputs + i] as number;
      const before = t + (input.isReverse ? 1 : -1);
      if (back > 0 && before >= 0 && before < state.steps) {
        const h = state.h.subarray(before * back, (before + 1) * back);
        const gate = resets?.(input.x.subarray(t * input.inputs, (t + 1) * input.inputs), h);
        for (let i = 0; i < back; i++)
          data[row + own + i] = (h[i] as number) * (gate ? (gate[i] as number) : 1);
      }
      data[row + columns - 1] = 1;
    });
  });
  return { rows, columns, data };
}

/** The reset gate of a GRU with this layer's weights. */
function resetGate(layer: RecurrentLayer): (x: Float32Array, h: Float32Array) => Float64Array {
  const { data, columns } = weightsOf(layer, { gates: [1], readsInput: true, reads: 'state' });
  return (x, h) => {
    const read = [...x, ...h, 1];
    return Float64Array.from({ length: columns }, (_, unit) => {
      const sum = read.reduce((total, value, i) => total + value * (data[i * columns + unit] as number), 0);
      return 1 / (1 + Math.exp(-sum));
    });
  };
}

/** `[unknowns, gates * hidden]`: weights of the input, of the state, and the bias. */
function weightsOf(layer: RecurrentLayer, { gates, readsInput, reads }: GateMap): Matrix {
  const { weight, recurrence, bias, inputs, hidden } = layer;
  const [own, back] = [readsInput ? inputs : 0, reads === 'nothing' ? 0 : hidden];
  const columns = gates.length * hidden;
  const rows = own + back + 1;
  const data = new Float64Array(rows * columns);
  gates.forEach((gate, g) => {
    for (let unit = 0; unit < hidden; unit++) {
      const [from, to] = [gate * hidden + unit, g * hidden + unit];
      for (let i = 0; i < own; i++) data[i * columns + to] = weight.data[from * inputs + i] as number;
      for (let i = 0; i < back; i++)
        data[(own + i) * columns + to] = recurrence.data[from * hidden + i] as number;
      const ofInput = readsInput ? (bias?.data[from] ?? 0) : 0;
      const ofState = reads === 'nothing' ? 0 : (bias?.data[layer.gates * hidden + from] ?? 0);
      data[(rows - 1) * columns + to] = ofInput + ofState;
    }
  });
  return { rows, columns, data };
}

/** Weights, recurrence and bias of a layer, from the matrices of its maps. */
export function packGates(layer: RecurrentLayer, fitted: readonly Matrix[], apart: boolean) {
  const { inputs, hidden, gates: count } = layer;
  const weight = layer.weight.data.slice();
  const recurrence = layer.recurrence.data.slice();
  const bias = new Float32Array(2 * count * hidden);
  mapsOf(layer).forEach(({ gates, readsInput, reads }, m) => {
    const { data, columns, rows } = fitted[m] as Matrix;
    const [own, back] = [readsInput ? inputs : 0, reads === 'nothing' ? 0 : hidden];
    gates.forEach((gate, g) => {
      for (let unit = 0; unit < hidden; unit++) {
        const [to, from] = [gate * hidden + unit, g * hidden + unit];
        for (let i = 0; i < own; i++) weight[to * inputs + i] = data[i * columns + from] as number;
        for (let i = 0; i < back; i++)
          recurrence[to * hidden + i] = data[(own + i) * columns + from] as number;
        // Where both maps of a gate have a bias, each keeps its own place; otherwise one place holds the sum.
        const place = apart && !readsInput ? count * hidden + to : to;
        bias[place] = data[(rows - 1) * columns + from] as number;
      }
    });
  });
  return { weight, recurrence, bias };
}
