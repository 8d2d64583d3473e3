// Writes a network with eight-bit integers as ONNX: QuantizeLinear and DequantizeLinear around every integer node (QDQ),
// which ONNX Runtime fuses into its integer kernels and any other runtime computes in float32.
import type { Model } from '../onnx/index.ts';
import {
  cloneModel,
  float,
  floatConstant,
  forgetShapes,
  GraphBuilder,
  int,
  integerConstant,
  type Node,
  removeDead,
  type WeightedLayer,
  weightedLayers,
} from '../onnx/internal.ts';
import { must } from '../util/index.ts';
import { roundEven, type ValueScale } from '../util/internal.ts';
import type { QuantizedLayer } from './integers.ts';
import { WALL_SLOPE } from './operators.ts';
import type { IntegerPlaces } from './places.ts';

/** All integers of a network: what a bundle can store, and what a file is written from. */
export interface QuantizationTables {
  /** By the source of each scale (`QuantizedValue.source`). */
  readonly values: ReadonlyMap<string, ValueScale>;
  /** By the layer's name. */
  readonly layers: ReadonlyMap<string, QuantizedLayer>;
}

/**
 * The model in QDQ form. Names of inputs, outputs and of all values in float32 stay.
 * @param model of operator set 13 or above, which has scales for each channel
 * @param places as of this very model
 */
export function writeQuantized(model: Model, places: IntegerPlaces, tables: QuantizationTables): Model {
  const result = cloneModel(model);
  new Writer(result, places, tables).run(new Map(weightedLayers(model).map((layer) => [layer.name, layer])));
  return result;
}

class Writer {
  readonly #model: Model;
  readonly #builder: GraphBuilder;
  readonly #places: IntegerPlaces;
  readonly #tables: QuantizationTables;
  /** Nodes that are written with integers, by name of their first output. */
  readonly #integer: ReadonlySet<string>;
  readonly #dequantized = new Map<string, string>();
  readonly #scales = new Map<string, readonly [string, string]>();
  #nodes: Node[] = [];

  constructor(model: Model, places: IntegerPlaces, tables: QuantizationTables) {
    this.#model = model;
    this.#builder = new GraphBuilder(model.graph);
    this.#places = places;
    this.#tables = tables;
    this.#integer = new Set([...places.nodes].map(({ outputs }) => outputs.find(Boolean) ?? ''));
  }

  run(layers: ReadonlyMap<string, WeightedLayer>): void {
    const { graph } = this.#model;
    const { folded, values } = this.#places;
    const dropped = new Set([...folded.values()].map(({ outputs }) => outputs[0]));
    for (const { name } of graph.inputs) if (values.has(name)) this.#round(name);
    for (const node of graph.nodes) {
      if (dropped.has(node.outputs[0])) continue;
      const isInteger = this.#integer.has(node.outputs.find(Boolean) ?? '');
      if (isInteger) this.#writeInteger(node, layers.get(node.name));
      else this.#writeFloat(node);
      for (const output of node.outputs) {
        const value = values.get(output);
        if (value && !value.born) this.#round(output);
      }
    }
    graph.nodes = this.#nodes;
    removeDead(graph);
    forgetShapes(graph, new Set(graph.nodes.flatMap(({ outputs }) => outputs)));
  }

  /** A value in float32 as integers, for the integer nodes that read it. */
  #round(value: string): void {
    const quantized = this.#quantize(value, value);
    this.#dequantized.set(value, this.#dequantize(quantized, value, `${value}_dequantized`));
  }

  /**
   * A node that stays in float32. Between integers the engine would round the weights of a layer by itself, with one scale
   * for all; behind an activation it does not. This one changes nothing, and is fused into the layer.
   */
  #writeFloat(node: Node): void {
    this.#nodes.push(node);
    const [output = ''] = node.outputs;
    if (!ROUNDED_BY_ENGINE.has(node.op) || !this.#places.values.get(node.inputs[0] ?? '')?.born) return;
    const raw = this.#builder.fresh(`${output}_float`);
    node.outputs = [raw];
    this.#nodes.push({
      ...{ name: this.#builder.fresh(`${output}_as_is`), op: 'LeakyRelu', domain: '' },
      ...{ inputs: [raw], outputs: [output], attributes: new Map([['alpha', float(WALL_SLOPE)]]) },
    });
  }

  #writeInteger(node: Node, layer: WeightedLayer | undefined): void {
    const table = layer && this.#tables.layers.get(layer.name);
    node.inputs = node.inputs.map((name) => this.#dequantized.get(name) ?? name);
    if (layer && table) this.#writeWeights(node, layer, table);
    this.#nodes.push(node);
    node.outputs = node.outputs.map((output) => {
      if (!output) return output;
      const name = this.#places.folded.get(output)?.outputs[0] ?? output;
      if (!this.#places.values.get(name)?.born) return output;
      // The name is that of the number as everything behind reads it.
      const raw = this.#builder.fresh(`${name}_raw`);
      this.#dequantize(this.#quantize(raw, name), name, name, true);
      return raw;
    });
  }

  #writeWeights(node: Node, layer: WeightedLayer, { integers, scales, bias }: QuantizedLayer): void {
    const axis = layer.kind === 'dense' ? 1 : 0;
    const weight = this.#builder.constant(
      integerConstant(integers, layer.weightDims),
      `${layer.name}_weight_int8`,
    );
    const scale = this.#builder.constant(floatConstant(scales), `${layer.name}_weight_scale`);
    const zeros = this.#builder.constant(
      integerConstant(new Int8Array(scales.length), [scales.length]),
      `${layer.name}_weight_zero`,
    );
    const read = this.#add('DequantizeLinear', [weight, scale, zeros], `${layer.name}_weight`, axis);
    node.inputs = [node.inputs[0] as string, read];
    if (bias) {
      const given = this.#scaleOf(layer.input).scale;
      const steps = scales.map((own) => Math.fround(given * own));
      const whole = Int32Array.from(bias, (value, c) => roundEven(value / (steps[c] as number)));
      const stored = this.#builder.constant(
        integerConstant(whole, [whole.length]),
        `${layer.name}_bias_int32`,
      );
      const step = this.#builder.constant(floatConstant(steps), `${layer.name}_bias_scale`);
      node.inputs.push(this.#add('DequantizeLinear', [stored, step], `${layer.name}_bias`, 0));
    }
    if (node.op !== 'Gemm') return;
    // `WeightedLayer` has alpha and beta folded in, and the weight as [in, out].
    node.attributes = new Map([
      ['alpha', float(1)],
      ['beta', float(1)],
      ['transA', int(0)],
      ['transB', int(0)],
    ]);
  }

  #scaleOf(value: string): ValueScale {
    const source = must(this.#places.values.get(value), `'${value}' is not quantised`).source;
    return must(this.#tables.values.get(source), `no scale for '${source}'`);
  }

  #quantize(value: string, of: string): string {
    return this.#add('QuantizeLinear', [value, ...this.#parameters(of)], `${of}_uint8`);
  }

  #dequantize(quantized: string, of: string, output: string, exact = false): string {
    return this.#add('DequantizeLinear', [quantized, ...this.#parameters(of)], output, undefined, exact);
  }

  /** Scale and zero point as constants, one pair for all values of a source. */
  #parameters(value: string): readonly [string, string] {
    const { source } = must(this.#places.values.get(value), `'${value}' is not quantised`);
    const known = this.#scales.get(source);
    if (known) return known;
    const { scale, zero } = this.#scaleOf(value);
    const pair = [
      this.#builder.constant(floatConstant([scale], []), `${source}_scale`),
      this.#builder.constant(integerConstant(Uint8Array.of(zero), []), `${source}_zero`),
    ] as const;
    this.#scales.set(source, pair);
    return pair;
  }

  #add(op: string, inputs: readonly string[], hint: string, axis?: number, exact = false): string {
    const output = exact ? hint : this.#builder.fresh(hint);
    this.#nodes.push({
      name: this.#builder.fresh(`${hint}_${op.toLowerCase()}`),
      op,
      domain: '',
      inputs: [...inputs],
      outputs: [output],
      attributes: new Map(axis === undefined ? [] : [['axis', int(axis)]]),
    });
    return output;
  }
}

/** Layers whose float32 weights ONNX Runtime rounds where integers are before and behind them (weight_bias_quantization). */
const ROUNDED_BY_ENGINE: ReadonlySet<string> = new Set(['Conv', 'ConvTranspose', 'Gemm']);
