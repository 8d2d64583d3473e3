// The regressions of one layer, one convolution group at a time, and its weights as matrices.
import { hasOneOutputPerGroup, type WeightedLayer } from '../onnx/internal.ts';
import { BedsideError } from '../util/index.ts';
import { firstNonFinite } from '../util/internal.ts';
import { takesBias } from './collect.ts';
import type { Matrix, Products } from './products.ts';
import { solveRidge, startsRoughly } from './ridge.ts';
import { inputsPerGroup } from './rows.ts';
import { SMALL, solveSmall } from './small-ridge.ts';

/** A layer to fit: inputs, targets and current weights of each convolution group. */
export interface LayerProblem {
  /** Name of the layer, for messages. */
  readonly name: string;
  readonly x: readonly Matrix[];
  readonly y: readonly Matrix[];
  /** `[unknowns, outputs]`, with the bias last. */
  readonly weights: readonly Matrix[];
  /** Number of rows that fit while lambda is chosen; they come first. */
  readonly fitRows: number;
  /** As in `RidgeProblem`. */
  readonly startsAtMost?: boolean | undefined;
}

/** Fitted weights, shaped like the given ones. Groups that no lambda improves keep their weights. */
export interface LayerFit {
  readonly weights: readonly Matrix[];
  /** Held-out squared error, divided by the variance of the target. */
  readonly errorBefore: number;
  readonly errorAfter: number;
  readonly refit: boolean;
  /** Strength of the ridge, where the next layer starts; 0 where nothing was fitted. */
  readonly strength: number;
}

/**
 * Fits every group of a layer.
 * @throws BedsideError E_NOT_FINITE for a system, or fitted weights in float32, that are NaN or infinite
 */
export async function fitLayer(
  problem: LayerProblem,
  products: Products,
  start: number | undefined,
): Promise<LayerFit> {
  const groups = problem.x.length;
  // A group's search starts where that of the group before ended, which says nothing of the most.
  const startsAtMost = groups === 1 && problem.startsAtMost;
  let [before, after, variance, strength, refit] = [0, 0, 0, 0, false];
  const weights: Matrix[] = [];
  for (let g = 0; g < groups; g++) {
    const [x, y, current] = [problem.x[g] as Matrix, problem.y[g] as Matrix, problem.weights[g] as Matrix];
    assertFinite(x.data, problem.name, 'what it reads on some sample');
    assertFinite(y.data, problem.name, 'what it should give on some sample');
    const search = { fitRows: problem.fitRows, startsAtMost, start: strength || start };
    const by = startsRoughly(search.start) ? products.rough : products;
    const solution =
      groups > 1 && x.columns + y.columns <= SMALL
        ? solveSmall({ x, y, weights: current, ...search })
        : await solveRidge({ x, residual: await by.minusAb(y, x, current), ...search }, products);
    strength = solution.strength;
    before += solution.errorBefore / groups;
    after += solution.errorAfter / groups;
    variance += varianceOf(y) / groups;
    const { change } = solution;
    refit ||= change !== undefined;
    if (change) {
      const data = current.data.map((w, i) => w + (change.data[i] as number));
      // Weights are stored in float32.
      assertFinite(new Float32Array(data), problem.name, 'a fitted weight');
      weights.push({ ...current, data });
    } else weights.push(current);
  }
  const scale = variance || 1;
  return { weights, errorBefore: before / scale, errorAfter: after / scale, refit, strength };
}

function assertFinite(values: ArrayLike<number>, layer: string, what: string): void {
  if (firstNonFinite(values) < 0) return;
  throw new BedsideError('E_NOT_FINITE', `layer '${layer}' cannot be repaired: ${what} is not finite`, {
    hint: 'the network overflows float32 there; look at how samples are scaled, or prune with --no-repair',
  });
}

/**
 * A layer's weights as `[unknowns, outputs]` for each convolution group, with the bias last if the operator takes one.
 * @param inputs positions of the input channels that stay, over all groups; default all
 * @param outputs positions of the output channels that stay; default all
 */
export function weightMatrices(
  layer: WeightedLayer,
  inputs?: readonly number[],
  outputs?: readonly number[],
): Matrix[] {
  const { groups, kernelSize: taps } = layer;
  const perGroup = inputsPerGroup(layer);
  const hasBias = takesBias(layer);
  const own = outputs ?? range(layer.channels);
  // A depthwise layer that lost channels has lost groups.
  const live = hasOneOutputPerGroup(layer) ? own : range(groups);
  const outputsOf = new Map<number, number[]>(live.map((g) => [g, []]));
  for (const c of own) outputsOf.get(Math.floor(c / (layer.channels / groups)))?.push(c);
  return live.map((g) => {
    const given = outputsOf.get(g) ?? [];
    const read = inputs && perGroup > 1 ? within(inputs, g, perGroup) : range(perGroup);
    const columns = read.length * taps + (hasBias ? 1 : 0);
    const data = new Float64Array(columns * given.length);
    given.forEach((c, o) => {
      read.forEach((i, r) => {
        for (let k = 0; k < taps; k++) {
          // A transposed convolution has its input channels first, as a dense layer does.
          const at =
            layer.kind === 'conv' ? (c * perGroup + i) * taps + k : (i * layer.channels + c) * taps + k;
          data[(r * taps + k) * given.length + o] = layer.weight[at] as number;
        }
      });
      if (hasBias) data[(columns - 1) * given.length + o] = layer.bias?.[c] ?? 0;
    });
    return { rows: columns, columns: given.length, data };
  });
}

/** Weight (laid out as in `WeightedLayer`) and bias of chosen outputs of each group. */
export function fromMatrices(
  layer: WeightedLayer,
  matrices: readonly Matrix[],
  outputsOf: (group: number) => readonly number[] = (g) => range((matrices[g] as Matrix).columns),
): { weight: Float32Array; bias: Float32Array | undefined } {
  const hasBias = takesBias(layer);
  const taps = layer.kernelSize;
  const chosen = matrices.map((_, g) => outputsOf(g));
  const total = chosen.reduce((sum, outputs) => sum + outputs.length, 0);
  const unknowns = (matrices[0] as Matrix).rows - (hasBias ? 1 : 0);
  const weight = new Float32Array(total * unknowns);
  const bias = new Float32Array(hasBias ? total : 0);
  let row = 0;
  matrices.forEach(({ data, columns }, g) => {
    for (const o of chosen[g] as readonly number[]) {
      for (let i = 0, input = 0; i < unknowns; input++) {
        const start = layer.kind === 'conv' ? row * unknowns + i : (input * total + row) * taps;
        for (let tap = 0; tap < taps; tap++, i++) weight[start + tap] = data[i * columns + o] as number;
      }
      if (hasBias) bias[row] = data[unknowns * columns + o] as number;
      row++;
    }
  });
  return { weight, bias: hasBias ? bias : undefined };
}

/** Positions inside one of several equal groups, from positions over all groups. */
function within(positions: readonly number[], group: number, size: number): number[] {
  return positions.filter((p) => Math.floor(p / size) === group).map((p) => p - group * size);
}

function range(n: number): number[] {
  return Array.from({ length: n }, (_, i) => i);
}

function varianceOf(matrix: Matrix): number {
  return variancesOf(matrix).reduce((a, b) => a + b, 0) / matrix.columns;
}

/** The variance of each column. */
export function variancesOf({ data, rows, columns }: Matrix): Float64Array {
  const [sums, squares] = [new Float64Array(columns), new Float64Array(columns)];
  // Row by row, as the numbers lie in memory.
  for (let r = 0, at = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++, at++) {
      const value = data[at] as number;
      sums[c] = (sums[c] as number) + value;
      squares[c] = (squares[c] as number) + value * value;
    }
  }
  return squares.map((square, c) => Math.max(0, square / rows - ((sums[c] as number) / rows) ** 2));
}
