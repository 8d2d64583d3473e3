// The operators of eight-bit numbers, and what each computes in float32.
import { type Attribute, ELEM, floatConstant, int, type Node } from '../graph.ts';
import { intAttribute } from '../ops.ts';
import { constantOfKnown, type Known } from '../shapes/known.ts';
import type { Dequantiser, Quantisation } from './dequantiser.ts';

type Convert = (scope: Dequantiser, node: Node) => void;

/** Bounds of the integer types that values are quantised to. */
const BOUNDS: ReadonlyMap<number, readonly [number, number]> = new Map([
  [2, [0, 255]],
  [3, [-128, 127]],
  [4, [0, 65_535]],
  [5, [-32_768, 32_767]],
]);

/** By operator. */
export const QUANTISED: ReadonlyMap<string, Convert> = new Map<string, Convert>([
  ['QuantizeLinear', quantise],
  ['DequantizeLinear', dequantise],
  ['DynamicQuantizeLinear', quantiseDynamically],
  ['MatMulInteger', (scope, node) => integerProduct(scope, node, 'MatMul')],
  ['ConvInteger', (scope, node) => integerProduct(scope, node, 'Conv')],
  ['QLinearConv', quantisedConvolution],
  ['QLinearMatMul', quantisedProduct],
  ['QGemm', quantisedGemm],
  ['QLinearAdd', (scope, node) => quantisedPair(scope, node, 'Add')],
  ['QLinearMul', (scope, node) => quantisedPair(scope, node, 'Mul')],
  ...['Sigmoid', 'LeakyRelu', 'GlobalAveragePool', 'AveragePool'].map((op): [string, Convert] => [
    `QLinear${op}`,
    (scope, node) => quantisedUnary(scope, node, op),
  ]),
  ['QLinearConcat', quantisedConcat],
  ['MatMulIntegerToFloat', productToFloat],
  ['DynamicQuantizeMatMul', dynamicProduct],
]);

/** The scale and zero point of a whole value, from a node's inputs. */
function quantisation(scope: Dequantiser, node: Node, scaleAt: number): Quantisation {
  const scale = scope.number(node.inputs[scaleAt], 1);
  const zero = scope.number(node.inputs[scaleAt + 1], 0);
  if (scale === undefined || zero === undefined) {
    scope.refuse(node, 'a scale is computed, or another for every channel');
  }
  return { scale, zero };
}

function boundsOf(
  scope: Dequantiser,
  node: Node,
  zero: string | undefined,
  fallback = 2,
): readonly [number, number] {
  const elemType = scope.known(zero)?.elemType ?? fallback;
  return BOUNDS.get(elemType) ?? scope.refuse(node, 'its integers are of another type');
}

function quantise(scope: Dequantiser, node: Node): void {
  const [x = '', , zero] = node.inputs;
  const [y = ''] = node.outputs;
  const own = quantisation(scope, node, 1);
  scope.clip(x, y, own, boundsOf(scope, node, zero, intAttribute(node, 'output_dtype', 2) || 2));
  scope.mark(y, own);
}

function dequantise(scope: Dequantiser, node: Node): void {
  const [x = ''] = node.inputs;
  const [y = ''] = node.outputs;
  const stored = scope.known(x);
  if (stored) {
    if (intAttribute(node, 'block_size', 0) !== 0) scope.refuse(node, 'its scales are for blocks');
    scope.define(y, floats(meant(scope, node, stored, [1, 2], intAttribute(node, 'axis', 1))));
    return;
  }
  const given = scope.quantisationOf(x);
  const own = quantisation(scope, node, 1);
  if (!given) {
    // Integers that the graph reads or counts.
    const wide = scope.add('Cast', [x], scope.fresh(`${x}_float`), [['to', int(ELEM.float32)]]);
    scale(scope, wide, y, own.scale, -own.zero * own.scale);
    return;
  }
  const isSame = given.scale === own.scale && given.zero === own.zero;
  if (isSame) scope.add('Identity', [x], y);
  else scale(scope, x, y, own.scale / given.scale, (given.zero - own.zero) * own.scale);
}

/** `value * factor + offset`. */
function scale(scope: Dequantiser, value: string, output: string, factor: number, offset: number): void {
  const times = (to: string) =>
    scope.add('Mul', [value, scope.constant(floatConstant([factor], []), `${output}_factor`)], to);
  if (offset === 0) times(output);
  else {
    const product = times(scope.fresh(`${output}_product`));
    scope.add('Add', [product, scope.constant(floatConstant([offset], []), `${output}_offset`)], output);
  }
}

/** A scale of 1 and a zero of 0: the integers stand for the numbers themselves. */
function quantiseDynamically(scope: Dequantiser, node: Node): void {
  const [x = ''] = node.inputs;
  const [y = '', s = '', z = ''] = node.outputs;
  scope.alias(y, x);
  scope.define(s, floatConstant([1], []));
  const zero = constantOfKnown({ elemType: ELEM.uint8, dims: [], data: Float64Array.of(0) });
  if (zero) scope.define(z, zero);
}

/** What the integers of a tensor mean, with scales and zero points of the tensor or of each entry of an axis. */
function meant(
  scope: Dequantiser,
  node: Node,
  { dims, data }: Known,
  [scaleAt, zeroAt]: readonly [number | undefined, number],
  axis: number,
): Known {
  const scales = scaleAt === undefined ? ONE : parameter(scope, node, scaleAt, ONE);
  const zeros = parameter(scope, node, zeroAt, ZERO);
  const at = axis < 0 ? axis + dims.length : axis;
  const inner = dims.slice(at + 1).reduce((product, size) => product * size, 1);
  const size = dims[at] ?? 1;
  for (const { length } of [scales, zeros]) {
    if (length !== 1 && length !== size) scope.refuse(node, `it has ${length} scales for an axis of ${size}`);
  }
  const values = data.map((value, i) => {
    const entry = Math.floor(i / inner) % size;
    return (
      (value - (zeros[zeros.length === 1 ? 0 : entry] ?? 0)) * (scales[scales.length === 1 ? 0 : entry] ?? 1)
    );
  });
  return { elemType: ELEM.float32, dims, data: values };
}

const ONE = Float64Array.of(1);
const ZERO = Float64Array.of(0);

function parameter(scope: Dequantiser, node: Node, at: number, fallback: Float64Array): Float64Array {
  const name = node.inputs[at];
  if (!name) return fallback;
  const known = scope.known(name);
  if (!known || known.data.length === 0) scope.refuse(node, `'${name}' is computed`);
  return known.data;
}

function floats({ dims, data }: Known) {
  return floatConstant(Float32Array.from(data), dims);
}

/** A weight as float32, or a computed value that is already. */
function operand(
  scope: Dequantiser,
  node: Node,
  [at, scaleAt, zeroAt]: readonly [number, number, number],
  axis = -1,
): string {
  const name = node.inputs[at] ?? '';
  const stored = scope.known(name);
  if (stored)
    return scope.constant(floats(meant(scope, node, stored, [scaleAt, zeroAt], axis)), `${name}_float`);
  const given = scope.quantisationOf(name);
  const own = quantisation(scope, node, scaleAt);
  if (!given) scope.refuse(node, `'${name}' is of integers`);
  if (given.scale === own.scale && given.zero === own.zero) return name;
  const output = scope.fresh(`${name}_rescaled`);
  scale(scope, name, output, own.scale / given.scale, (given.zero - own.zero) * own.scale);
  return output;
}

/** The product of integers: `(a - a's zero) times (b - b's zero)`, of values whose integers are known by their scale. */
function integerProduct(scope: Dequantiser, node: Node, op: 'MatMul' | 'Conv'): void {
  const [a = '', b = ''] = node.inputs;
  const given = scope.quantisationOf(a);
  const stored = scope.known(b);
  const zero = scope.number(node.inputs[2], 0);
  if (zero === undefined || (given && given.zero !== zero))
    scope.refuse(node, 'its zero point is not that of its input');
  if (!stored && scope.quantisationOf(b))
    scope.refuse(node, 'both of its factors are quantised to scales of their own');
  const axis = op === 'Conv' ? 0 : -1;
  const factor = 1 / (given?.scale ?? 1);
  const right = stored && meant(scope, node, stored, [undefined, 3], axis);
  const weight = right
    ? scope.constant(floats({ ...right, data: right.data.map((value) => value * factor) }), `${b}_float`)
    : b;
  scope.add(op, [a, weight], node.outputs[0] ?? '', node.attributes);
}

/** Adds a node whose result is quantised again. */
function requantised(
  scope: Dequantiser,
  node: Node,
  op: string,
  inputs: readonly string[],
  [scaleAt, attributes]: readonly [number, Iterable<[string, Attribute]>],
): void {
  const [y = ''] = node.outputs;
  const own = quantisation(scope, node, scaleAt);
  const wide = scope.add(op, inputs, scope.fresh(`${y}_float`), attributes);
  scope.clip(wide, y, own, boundsOf(scope, node, node.inputs[scaleAt + 1]));
  scope.mark(y, own);
}

/** A bias of integers has the product of both scales, and no zero point. */
function bias(scope: Dequantiser, node: Node, at: number, [xs, ws]: readonly [number, number]): string[] {
  const name = node.inputs[at];
  if (!name) return [];
  const stored = scope.known(name);
  if (!stored) scope.refuse(node, `'${name}' is computed`);
  const [left] = parameter(scope, node, xs, ONE);
  const right = parameter(scope, node, ws, ONE);
  const data = stored.data.map((value, i) => value * (left ?? 1) * (right[right.length === 1 ? 0 : i] ?? 1));
  return [scope.constant(floats({ ...stored, data }), `${name}_float`)];
}

function quantisedConvolution(scope: Dequantiser, node: Node): void {
  const x = operand(scope, node, [0, 1, 2]);
  const w = operand(scope, node, [3, 4, 5], 0);
  requantised(scope, node, 'Conv', [x, w, ...bias(scope, node, 8, [1, 4])], [6, node.attributes]);
}

function quantisedProduct(scope: Dequantiser, node: Node): void {
  const factors = [operand(scope, node, [0, 1, 2], -2), operand(scope, node, [3, 4, 5])];
  requantised(scope, node, 'MatMul', factors, [6, []]);
}

function quantisedGemm(scope: Dequantiser, node: Node): void {
  const columns = intAttribute(node, 'transB', 0) === 0 ? 1 : 0;
  const inputs = [operand(scope, node, [0, 1, 2]), operand(scope, node, [3, 4, 5], columns)];
  const all = [...inputs, ...bias(scope, node, 6, [1, 4])];
  if (node.inputs[7]) requantised(scope, node, 'Gemm', all, [7, node.attributes]);
  else scope.add('Gemm', all, node.outputs[0] ?? '', node.attributes);
}

function quantisedPair(scope: Dequantiser, node: Node, op: string): void {
  requantised(scope, node, op, [operand(scope, node, [0, 1, 2]), operand(scope, node, [3, 4, 5])], [6, []]);
}

function quantisedUnary(scope: Dequantiser, node: Node, op: string): void {
  if (intAttribute(node, 'channels_last', 0) !== 0) scope.refuse(node, 'its channels are last');
  const attributes = [...node.attributes].filter(([name]) => name !== 'channels_last');
  requantised(scope, node, op, [operand(scope, node, [0, 1, 2])], [3, attributes]);
}

function quantisedConcat(scope: Dequantiser, node: Node): void {
  const inputs: string[] = [];
  for (let at = 2; at < node.inputs.length; at += 3) inputs.push(operand(scope, node, [at, at + 1, at + 2]));
  requantised(scope, node, 'Concat', inputs, [0, node.attributes]);
}

/** Inputs: A, B, the scale of A, that of B, the zero point of A, that of B, and a bias. */
function productToFloat(scope: Dequantiser, node: Node): void {
  const [a = '', b = '', , , , , added] = node.inputs;
  const given = scope.quantisationOf(a);
  const scaleOfA = scope.number(node.inputs[2], 1);
  const stored = scope.known(b);
  if (!stored || scaleOfA === undefined) scope.refuse(node, 'a factor or a scale is computed');
  const right = meant(scope, node, stored, [3, 5], -1);
  const factor = scaleOfA / (given?.scale ?? 1);
  product(scope, node, a, { ...right, data: right.data.map((value) => value * factor) }, added);
}

/** Inputs: A of float32, B, its scale, its zero point, and a bias. */
function dynamicProduct(scope: Dequantiser, node: Node): void {
  const [a = '', b = '', , , added] = node.inputs;
  const stored = scope.known(b);
  if (!stored) scope.refuse(node, `'${b}' is computed`);
  product(scope, node, a, meant(scope, node, stored, [2, 3], -1), added);
}

function product(scope: Dequantiser, node: Node, a: string, weight: Known, added: string | undefined): void {
  const [y = ''] = node.outputs;
  const right = scope.constant(floats(weight), `${y}_weight`);
  if (!added) scope.add('MatMul', [a, right], y);
  else scope.add('Add', [scope.add('MatMul', [a, right], scope.fresh(`${y}_product`)), added], y);
}
