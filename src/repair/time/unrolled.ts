// A recurrent layer over all steps of many samples, in float64, and the derivative of its states by its weights
// (backpropagation through time). The large products run on the engine.
import { intAttribute, RECURRENT_INPUTS, type RecurrentLayer } from '../../onnx/internal.ts';
import { must } from '../../util/index.ts';
import { rowsOf } from '../factor.ts';
import type { Matrix, Products } from '../products.ts';
import { type GateMap, mapsOf } from '../recurrent-maps.ts';
import {
  gruCandidateBackward,
  gruForward,
  gruGates,
  gruResetBackward,
  lstmBackward,
  lstmForward,
  rnnBackward,
  rnnForward,
  type StepBack,
} from './cells.ts';

/** All steps of all samples; the rows of a matrix are samples within steps, in the order of processing. */
export interface TimeRun {
  /** `[steps * samples, units]` */
  readonly states: Matrix;
  /** Derivative by the weights of every map, from the derivative by all states (which is used up). */
  backward(states: Float64Array): Promise<Matrix[]>;
}

/** Why a layer cannot be run here; undefined if it can. */
export function whyNotUnrolled({
  node,
  op,
  batchFirst,
  directions,
  peephole,
}: RecurrentLayer): string | undefined {
  if (batchFirst || directions !== 1) return 'it is not one direction with its steps first';
  if (peephole) return 'it has peepholes';
  if (node.inputs[RECURRENT_INPUTS.lengths]) return 'its sequences have lengths of their own';
  if (node.inputs[RECURRENT_INPUTS.state] || node.inputs[RECURRENT_INPUTS.cell])
    return 'it starts from states that are given';
  if (node.attributes.has('clip')) return 'its gates are clipped';
  if (intAttribute(node, 'input_forget', 0) !== 0) return 'its input and forget gates are coupled';
  const given = node.attributes.get('activations');
  if (given === undefined) return undefined;
  const names = given.type === 'other' ? given.carried.strings : [];
  const used = names.map((bytes) => new TextDecoder().decode(bytes).toLowerCase()).join();
  return used === USUAL[op] ? undefined : `its activations are ${used}`;
}

const USUAL = { LSTM: 'sigmoid,tanh,tanh', GRU: 'sigmoid,tanh', RNN: 'tanh' } as const;

/**
 * Runs a layer.
 * @param weights of each of its maps, as `gateMaps` gives them
 * @param x what it reads, `[steps * samples, inputs]`
 */
export async function runThroughTime(
  layer: RecurrentLayer,
  weights: readonly Matrix[],
  x: Matrix,
  samples: number,
  products: Products,
): Promise<TimeRun> {
  const run = new Run(layer, weights, x, samples, products);
  await run.forward();
  return run;
}

class Run implements TimeRun {
  readonly #op: RecurrentLayer['op'];
  readonly #maps: readonly GateMap[];
  readonly #weights: readonly Matrix[];
  readonly #x: Matrix;
  readonly #samples: number;
  readonly #steps: number;
  readonly #units: number;
  readonly #products: Products;
  /** Sums of each map, which become its gates; `[steps * samples, gates * units]`. */
  readonly #gates: Matrix[] = [];
  /** With one step more: the first is before all steps. */
  readonly #states: Matrix;
  readonly #cells: Matrix;
  readonly #squashed: Matrix;
  /** What the reset gate made of the states before. */
  readonly #reset: Matrix;

  constructor(
    { op, hidden, node }: RecurrentLayer,
    weights: readonly Matrix[],
    x: Matrix,
    samples: number,
    products: Products,
  ) {
    this.#op = op;
    this.#maps = mapsOf({ op, node });
    this.#weights = weights;
    this.#x = x;
    this.#samples = samples;
    this.#steps = x.rows / samples;
    this.#units = hidden;
    this.#products = products;
    this.#states = zeros(x.rows + samples, hidden);
    this.#cells = zeros(op === 'LSTM' ? x.rows + samples : 0, hidden);
    this.#squashed = zeros(op === 'LSTM' ? x.rows : 0, hidden);
    this.#reset = zeros(op === 'GRU' ? x.rows : 0, hidden);
  }

  get states(): Matrix {
    return rowsOf(this.#states, this.#samples, this.#states.rows);
  }

  async forward(): Promise<void> {
    for (const [m, map] of this.#maps.entries()) this.#gates.push(await this.#ofInput(m, map));
    for (let t = 0; t < this.#steps; t++) {
      const state = this.#step(this.#states, t + 1);
      const before = this.#step(this.#states, t);
      const [first, second, third] = this.#gates.map((gates) => this.#step(gates, t));
      if (t > 0) await this.#addState(0, first, before);
      const gates = must(first, 'gates').data;
      if (this.#op === 'LSTM') {
        const [value, squashed] = [this.#step(this.#cells, t + 1).data, this.#step(this.#squashed, t).data];
        lstmForward(this.#units, gates, this.#step(this.#cells, t).data, { value, squashed }, state.data);
      } else if (this.#op === 'RNN') rnnForward(gates, state.data);
      else {
        const reset = this.#step(this.#reset, t);
        gruGates(this.#units, gates, before.data, reset.data);
        if (t > 0) await (third ? this.#addState(2, third, before) : this.#addState(1, second, reset));
        const candidate = must(second, 'a candidate').data;
        gruForward(this.#units, gates, candidate, third?.data, { before: before.data, state: state.data });
      }
    }
  }

  async backward(states: Float64Array): Promise<Matrix[]> {
    const sums = this.#gates.map(({ rows, columns }) => zeros(rows, columns));
    const carried = new Float64Array(this.#samples * this.#units);
    const all = { rows: this.#x.rows, columns: this.#units, data: states };
    for (let t = this.#steps - 1; t >= 0; t--) {
      const state = this.#step(all, t).data;
      const own = sums.map((matrix) => this.#step(matrix, t));
      const back: StepBack = { units: this.#units, state, sums: must(own[0], 'sums').data };
      const before = await this.#back(t, back, own, carried);
      if (t > 0) add(this.#step(all, t - 1).data, before);
    }
    const found: Matrix[] = [];
    for (const [m, map] of this.#maps.entries())
      found.push(await this.#ofWeights(map, must(sums[m], 'sums')));
    return found;
  }

  /** One step back: the derivative by the state before it. */
  async #back(
    t: number,
    back: StepBack,
    sums: readonly Matrix[],
    carried: Float64Array,
  ): Promise<Float64Array> {
    const [first, second, third] = sums;
    const gates = this.#gates.map((matrix) => this.#step(matrix, t).data);
    const before = this.#step(this.#states, t).data;
    const own = must(gates[0], 'gates');
    if (this.#op === 'LSTM') {
      lstmBackward(back, own, this.#step(this.#cells, t).data, this.#step(this.#squashed, t).data, carried);
      return this.#throughState(0, first);
    }
    if (this.#op === 'RNN') {
      rnnBackward(back, this.#step(this.#states, t + 1).data);
      return this.#throughState(0, first);
    }
    const candidateSums = must(second, 'sums').data;
    const direct = new Float64Array(before.length);
    gruCandidateBackward(back, own, must(gates[1], 'a candidate'), before, {
      candidateSums,
      carried: direct,
    });
    if (third) {
      third.data.set(candidateSums);
      gruResetBackward(back, own, must(gates[2], 'a map'), third.data);
      add(direct, await this.#throughState(2, third));
    } else {
      const product = await this.#throughState(1, second);
      gruResetBackward(back, own, before, product);
      add(direct, product);
    }
    add(direct, await this.#throughState(0, first));
    return direct;
  }

  #step(matrix: Matrix, t: number): Matrix {
    return rowsOf(matrix, t * this.#samples, (t + 1) * this.#samples);
  }

  /** The part of a map's sums that does not depend on states. */
  async #ofInput(m: number, { readsInput }: GateMap): Promise<Matrix> {
    const w = must(this.#weights[m], 'weights');
    const { rows, columns } = this.#x;
    const sums = readsInput
      ? await this.#products.ab(this.#x, rowsOf(w, 0, columns))
      : zeros(rows, w.columns);
    const bias = rowsOf(w, w.rows - 1, w.rows).data;
    for (let i = 0; i < sums.data.length; i += w.columns) {
      for (let c = 0; c < w.columns; c++)
        sums.data[i + c] = (sums.data[i + c] as number) + (bias[c] as number);
    }
    return sums;
  }

  async #addState(m: number, sums: Matrix | undefined, state: Matrix): Promise<void> {
    add(must(sums, 'sums').data, (await this.#products.ab(state, this.#ofState(m))).data);
  }

  async #throughState(m: number, sums: Matrix | undefined): Promise<Float64Array> {
    return (await this.#products.abt(must(sums, 'sums'), this.#ofState(m))).data;
  }

  /** `[units, gates * units]` */
  #ofState(m: number): Matrix {
    const w = must(this.#weights[m], 'weights');
    return rowsOf(w, w.rows - 1 - this.#units, w.rows - 1);
  }

  /** Derivative by the weights of a map, from that by its sums. */
  async #ofWeights({ readsInput, reads }: GateMap, sums: Matrix): Promise<Matrix> {
    const parts: Float64Array[] = [];
    if (readsInput) parts.push((await this.#products.atb(this.#x, sums)).data);
    if (reads !== 'nothing') {
      const states = reads === 'state' ? rowsOf(this.#states, 0, sums.rows) : this.#reset;
      parts.push((await this.#products.atb(states, sums)).data);
    }
    const bias = new Float64Array(sums.columns);
    for (let i = 0; i < sums.data.length; i += sums.columns) {
      for (let c = 0; c < sums.columns; c++) bias[c] = (bias[c] as number) + (sums.data[i + c] as number);
    }
    parts.push(bias);
    const data = new Float64Array(parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of parts) {
      data.set(part, at);
      at += part.length;
    }
    return { rows: data.length / sums.columns, columns: sums.columns, data };
  }
}

function zeros(rows: number, columns: number): Matrix {
  return { rows, columns, data: new Float64Array(rows * columns) };
}

function add(to: Float64Array, what: Float64Array): void {
  for (let i = 0; i < to.length; i++) to[i] = (to[i] as number) + (what[i] as number);
}
