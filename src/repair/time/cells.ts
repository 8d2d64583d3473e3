// One step of a recurrent layer for many samples at once: from the sums before its gates to the state, and the derivative
// back to those sums. Arrays are row-major: gates `[samples, gates * units]`, cells and states `[samples, units]`.
// Specification: https://onnx.ai/onnx/operators/onnx__LSTM.html, onnx__GRU.html, onnx__RNN.html

/** A cell's value and its hyperbolic tangent after a step. */
export interface Cell {
  readonly value: Float64Array;
  readonly squashed: Float64Array;
}

/** Turns the sums of an LSTM's gates (input, output, forget, candidate) into the gates, in place. */
export function lstmForward(
  units: number,
  gates: Float64Array,
  before: Float64Array,
  { value: cell, squashed }: Cell,
  state: Float64Array,
): void {
  for (let row = 0, at = 0; row < gates.length; row += 4 * units) {
    for (let u = row; u < row + units; u++, at++) {
      const i = sigmoid(gates[u] as number);
      const o = sigmoid(gates[u + units] as number);
      const f = sigmoid(gates[u + 2 * units] as number);
      const g = tanh(gates[u + 3 * units] as number);
      const c = f * (before[at] as number) + i * g;
      const s = tanh(c);
      gates[u] = i;
      gates[u + units] = o;
      gates[u + 2 * units] = f;
      gates[u + 3 * units] = g;
      cell[at] = c;
      squashed[at] = s;
      state[at] = o * s;
    }
  }
}

/** What a step's derivative reads, and where it goes. */
export interface StepBack {
  readonly units: number;
  /** Derivative by the state after the step. */
  readonly state: Float64Array;
  /** Derivative by the sums of gates. */
  readonly sums: Float64Array;
}

/** @param carried derivative by the cell: after the step when called, before it on return */
export function lstmBackward(
  { units, state, sums }: StepBack,
  gates: Float64Array,
  before: Float64Array,
  squashed: Float64Array,
  carried: Float64Array,
): void {
  for (let row = 0, at = 0; row < gates.length; row += 4 * units) {
    for (let u = row; u < row + units; u++, at++) {
      const i = gates[u] as number;
      const o = gates[u + units] as number;
      const f = gates[u + 2 * units] as number;
      const g = gates[u + 3 * units] as number;
      const s = squashed[at] as number;
      const dh = state[at] as number;
      const dc = (carried[at] as number) + dh * o * (1 - s * s);
      sums[u] = dc * g * i * (1 - i);
      sums[u + units] = dh * s * o * (1 - o);
      sums[u + 2 * units] = dc * (before[at] as number) * f * (1 - f);
      sums[u + 3 * units] = dc * i * (1 - g * g);
      carried[at] = dc * f;
    }
  }
}

/** The state of a simple recurrent layer. */
export function rnnForward(sums: Float64Array, state: Float64Array): void {
  for (let at = 0; at < sums.length; at++) state[at] = tanh(sums[at] as number);
}

export function rnnBackward({ state, sums }: StepBack, after: Float64Array): void {
  for (let at = 0; at < sums.length; at++) {
    sums[at] = (state[at] as number) * (1 - (after[at] as number) ** 2);
  }
}

/** Gates of a GRU in place of their sums: update and reset; `reset` becomes the state before times the reset gate. */
export function gruGates(
  units: number,
  gates: Float64Array,
  before: Float64Array,
  reset: Float64Array,
): void {
  for (let row = 0, at = 0; row < gates.length; row += 2 * units) {
    for (let u = 0; u < units; u++, at++) {
      gates[row + u] = sigmoid(gates[row + u] as number);
      const r = sigmoid(gates[row + units + u] as number);
      gates[row + units + u] = r;
      reset[at] = r * (before[at] as number);
    }
  }
}

/**
 * The candidate in place of its sum, and the state.
 * @param own the map of the state alone, which the reset gate multiplies; undefined where that reads the reset state
 */
export function gruForward(
  units: number,
  gates: Float64Array,
  candidate: Float64Array,
  own: Float64Array | undefined,
  { before, state }: { readonly before: Float64Array; readonly state: Float64Array },
): void {
  for (let row = 0, at = 0; row < gates.length; row += 2 * units) {
    for (let u = 0; u < units; u++, at++) {
      const z = gates[row + u] as number;
      const sum = candidate[at] as number;
      const n = tanh(own ? sum + (gates[row + units + u] as number) * (own[at] as number) : sum);
      candidate[at] = n;
      state[at] = (1 - z) * n + z * (before[at] as number);
    }
  }
}

/** Derivative by the candidate's sum, and by the update gate's; `carried` is that by the state before, so far. */
export function gruCandidateBackward(
  { units, state, sums }: StepBack,
  gates: Float64Array,
  candidate: Float64Array,
  before: Float64Array,
  { candidateSums, carried }: { readonly candidateSums: Float64Array; readonly carried: Float64Array },
): void {
  for (let row = 0, at = 0; row < gates.length; row += 2 * units) {
    for (let u = 0; u < units; u++, at++) {
      const z = gates[row + u] as number;
      const n = candidate[at] as number;
      const dh = state[at] as number;
      candidateSums[at] = dh * (1 - z) * (1 - n * n);
      sums[row + u] = dh * ((before[at] as number) - n) * z * (1 - z);
      carried[at] = dh * z;
    }
  }
}

/**
 * Derivative by the reset gate's sum, from that by the gate times `read`: the state before, or its own map.
 * @param product derivative by the product; on return that by `read`
 */
export function gruResetBackward(
  { units, sums }: Pick<StepBack, 'units' | 'sums'>,
  gates: Float64Array,
  read: Float64Array,
  product: Float64Array,
): void {
  for (let row = 0, at = 0; row < gates.length; row += 2 * units) {
    for (let u = 0; u < units; u++, at++) {
      const r = gates[row + units + u] as number;
      const d = product[at] as number;
      sums[row + units + u] = d * (read[at] as number) * r * (1 - r);
      product[at] = d * r;
    }
  }
}

function sigmoid(sum: number): number {
  return 1 / (1 + Math.exp(-sum));
}

/** Several times as fast as `Math.tanh`, and within a rounding error of 1. */
function tanh(sum: number): number {
  return 2 / (1 + Math.exp(-2 * sum)) - 1;
}
