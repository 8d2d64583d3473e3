// The parts of attention in the slow twin: products of two computed values, softmax and layer normalisation, written
// from their definitions, and their relevance from Achtibat et al., ICML 2024.
import type { Model } from '../../onnx/index.ts';
import type { Node } from '../../onnx/internal.ts';
import { floatOf, intOf } from './attributes.ts';
import { broadcastDims, broadcastPosition, type Doubles, flatOf, positions, zeros } from './positions.ts';

const STABILISER = 1e-6;

/** Whether a node is one of these operators. */
export function isAttention(model: Model, node: Node): boolean {
  if (node.op === 'MatMul') return node.inputs.every((name) => !model.graph.constants.has(name));
  return node.op === 'LayerNormalization' || node.op === 'Softmax';
}

/** The output of one of them. */
export function attentionOutput(node: Node, operands: readonly Doubles[]): Doubles {
  const [x, y, z] = operands as [Doubles, Doubles, Doubles | undefined];
  if (node.op === 'MatMul') {
    const { dims, pairs } = products(x, y);
    const result = zeros(dims);
    for (const { out, left, right } of pairs) {
      result.data[out] = (result.data[out] as number) + (x.data[left] as number) * (y.data[right] as number);
    }
    return result;
  }
  const result = zeros(x.dims);
  for (const run of runs(x, axisOf(node, x), node.op === 'Softmax')) {
    const own = run.map((at) => x.data[at] as number);
    if (node.op === 'Softmax') {
      const total = own.reduce((sum, value) => sum + Math.exp(value), 0);
      run.forEach((at, i) => {
        result.data[at] = Math.exp(own[i] as number) / total;
      });
      continue;
    }
    const mean = own.reduce((sum, value) => sum + value, 0) / own.length;
    const variance = own.reduce((sum, value) => sum + (value - mean) ** 2, 0) / own.length;
    const deviation = Math.sqrt(variance + floatOf(node, 'epsilon', 1e-5));
    run.forEach((at, i) => {
      const n = ((own[i] as number) - mean) / deviation;
      result.data[at] = n * (y.data[i] as number) + (z?.data[i] ?? 0);
    });
  }
  return result;
}

/**
 * What the inputs of one of them take of the relevance `r` at its output: `add(input, position, amount)`. Equation 13
 * for products, proposition 3.1 for softmax, the identity for normalisations.
 */
export function attentionBack(
  node: Node,
  operands: readonly Doubles[],
  output: Doubles,
  r: Float64Array,
  add: (input: number, at: number, amount: number) => void,
): void {
  const [x, y] = operands as [Doubles, Doubles];
  if (node.op === 'LayerNormalization') {
    for (const [at, amount] of r.entries()) add(0, at, amount);
    return;
  }
  if (node.op === 'MatMul') {
    for (const { out, left, right } of products(x, y).pairs) {
      const z = output.data[out] as number;
      const share =
        ((x.data[left] as number) * (y.data[right] as number)) / (z + (z >= 0 ? 1 : -1) * STABILISER);
      add(0, left, (share * (r[out] as number)) / 2);
      add(1, right, (share * (r[out] as number)) / 2);
    }
    return;
  }
  for (const run of runs(x, axisOf(node, x), true)) {
    const total = run.reduce((sum, at) => sum + (r[at] as number), 0);
    for (const at of run) {
      const probability = output.data[at] as number;
      if (probability > 0) add(0, at, (x.data[at] as number) * ((r[at] as number) - probability * total));
    }
  }
}

function axisOf(node: Node, { dims }: Doubles): number {
  const axis = intOf(node, 'axis', -1);
  return axis < 0 ? axis + dims.length : axis;
}

/** Flat positions that are normalised together: those of one axis, or of all from it on. */
function runs({ dims }: Doubles, axis: number, single: boolean): number[][] {
  const found = new Map<string, number[]>();
  positions(dims).forEach((position, flat) => {
    const key = position.filter((_, at) => (single ? at !== axis : at < axis)).join();
    found.set(key, [...(found.get(key) ?? []), flat]);
  });
  return [...found.values()];
}

/** Every product of a MatMul: the output it belongs to, and the positions of both factors. */
function products(x: Doubles, y: Doubles) {
  const lead = broadcastDims(x.dims.slice(0, -2), y.dims.slice(0, -2));
  const [rows, inner, columns] = [x.dims.at(-2), x.dims.at(-1), y.dims.at(-1)] as [number, number, number];
  const dims = [...lead, rows, columns];
  const pairs = positions(dims).flatMap((position, out) =>
    Array.from({ length: inner }, (_, k) => {
      const before = position.slice(0, -2);
      const at = ({ dims: own }: Doubles, last: readonly number[]): number =>
        flatOf([...broadcastPosition(before, own.slice(0, -2)), ...last], own);
      const [row, column] = position.slice(-2) as [number, number];
      return { out, left: at(x, [row, k]), right: at(y, [k, column]) };
    }),
  );
  return { dims, pairs };
}
