// The eight-bit form of a graph from ranges that were stored: a stage of a bundle at any levels. Nothing is fitted here;
// weights are rounded for each output channel, so that a channel has the same integers in a part of the stage as in all.
import type { Model } from '../onnx/index.ts';
import {
  cloneModel,
  constantOfKnown,
  ELEM,
  float,
  floatConstant,
  GraphBuilder,
  type Node,
  removeDead,
  weightedLayers,
} from '../onnx/internal.ts';
import { weightMatrices } from '../repair/internal.ts';
import { BedsideError, must } from '../util/index.ts';
import { type Steps, scaleOfRange, type ValueRange, type ValueScale } from '../util/internal.ts';
import { type QuantizedLayer, WEIGHT_LIMITS } from './integers.ts';
import { roundedTable } from './layer-weights.ts';
import { WALL_SLOPE } from './operators.ts';
import { type IntegerPlaces, integerPlaces, type KeptFloat } from './places.ts';
import { withLeastOpset } from './quantize-model.ts';
import { writeQuantized } from './write.ts';

/** What of a graph would have eight bits. */
export interface EightBitPlaces {
  /** Names of the layers with integer weights. */
  readonly layers: readonly string[];
  /** Names of the values whose ranges are needed. */
  readonly values: readonly string[];
  readonly kept: readonly KeptFloat[];
}

/** What of a graph can have eight bits, without the layers that are kept in float32. */
export function eightBitPlaces(
  model: Model,
  keepFloat: ReadonlyMap<string, string> = new Map(),
): EightBitPlaces {
  const { layers, values, kept } = integerPlaces(withLeastOpset(model), keepFloat);
  return { layers, values: sourcesOf(values), kept };
}

/** Consecutive stages as one graph, and the values that one stage gives and a later one reads. */
export interface JoinedStages {
  readonly model: Model;
  readonly joints: readonly string[];
}

/** An eight-bit form that takes its input as uint8: the numbers that they mean are those that it would round anyway. */
export function withUint8Input(form: Model, scale: ValueScale): Model {
  const result = cloneModel(form);
  const builder = new GraphBuilder(result.graph);
  const input = must(result.graph.inputs[0], 'an input');
  const { nodes, constants } = result.graph;
  const integers = builder.fresh(`${input.name}_integers`);
  const step = builder.constant(floatConstant([scale.scale], []), `${input.name}_step`);
  const zero = builder.fresh(`${input.name}_zero`);
  constants.set(
    zero,
    must(constantOfKnown({ elemType: ELEM.uint8, dims: [], data: Float64Array.of(scale.zero) }), 'a zero'),
  );
  // What rounded the input gets the integers; what reads numbers gets what they mean.
  const rounds = new Set(
    nodes.filter(({ op, inputs }) => op === 'QuantizeLinear' && inputs[0] === input.name),
  );
  const given = new Set([...rounds].map(({ outputs }) => outputs[0]));
  const kept = nodes.filter((node) => !rounds.has(node));
  for (const node of kept) node.inputs = node.inputs.map((name) => (given.has(name) ? integers : name));
  const meaning: Node = {
    ...{ name: `${integers}_meaning`, op: 'DequantizeLinear', domain: '', attributes: new Map() },
    ...{ inputs: [integers, step, zero], outputs: [input.name] },
  };
  result.graph.nodes = [meaning, ...kept];
  result.graph.inputs = [{ ...input, name: integers, elemType: ELEM.uint8 }];
  removeDead(result.graph);
  return result;
}

/**
 * Consecutive stages in their eight-bit forms, as one graph in QDQ form that gives what the forms give one after the other.
 * Integers end at every joint: a sum there is computed in float32, as at the end of a stage.
 * Each layer is a step.
 * @throws BedsideError as `eightBitForm`
 */
export function* eightBitStages(
  { model, joints }: JoinedStages,
  layers: ReadonlySet<string>,
  ranges: ReadonlyMap<string, ValueRange>,
  reduced: boolean,
): Steps<Model> {
  const walled = cloneModel(model);
  const builder = new GraphBuilder(walled.graph);
  const behind = new Map(joints.map((joint) => [joint, builder.fresh(`${joint}_joint`)]));
  walled.graph.nodes = walled.graph.nodes.flatMap((node) => {
    node.inputs = node.inputs.map((name) => behind.get(name) ?? name);
    return [node, ...node.outputs.flatMap((name) => wallOf(name, behind.get(name)))];
  });
  const known = new Map(ranges);
  for (const [joint, name] of behind) {
    const range = ranges.get(joint);
    if (range) known.set(name, range);
  }
  return yield* eightBitForm(walled, layers, known, reduced);
}

function wallOf(from: string, to: string | undefined): Node[] {
  if (to === undefined) return [];
  const attributes = new Map([['alpha', float(WALL_SLOPE)]]);
  return [{ name: `${to}_wall`, op: 'LeakyRelu', domain: '', inputs: [from], outputs: [to], attributes }];
}

/**
 * A graph in its eight-bit form, in QDQ form. Each layer is a step, since rounding millions of weights takes a while.
 * @param layers names of the layers that compute in eight bits; others of the graph stay in float32
 * @param ranges by value
 * @param reduced whether weights have seven bits, for processors whose integer products overflow (`saturates`)
 * @throws BedsideError E_BUNDLE when a range is missing
 */
export function* eightBitForm(
  given: Model,
  layers: ReadonlySet<string>,
  ranges: ReadonlyMap<string, ValueRange>,
  reduced: boolean,
): Steps<Model> {
  const model = withLeastOpset(given);
  const weighted = weightedLayers(model);
  const others = weighted.filter(({ name }) => !layers.has(name)).map(({ name }) => name);
  const places = integerPlaces(model, new Map(others.map((name) => [name, 'as packed'])));
  const sources = sourcesOf(places.values);
  const missing = sources.find((name) => !ranges.has(name));
  if (missing !== undefined) {
    throw new BedsideError('E_BUNDLE', `there is no range for the eight bits of '${missing}'`, {
      hint: 'pack the model again',
    });
  }
  const values = new Map(
    sources.map((name) => {
      const bounds = places.values.get(name)?.bounds;
      const { low, high } = must(ranges.get(name), 'a range');
      return [
        name,
        scaleOfRange(
          bounds ? { low: Math.max(low, bounds.low), high: Math.min(high, bounds.high) } : { low, high },
        ),
      ];
    }),
  );
  const limit = reduced ? WEIGHT_LIMITS.reduced : WEIGHT_LIMITS.full;
  const tables = new Map<string, QuantizedLayer>();
  for (const layer of weighted) {
    if (!places.layers.includes(layer.name)) continue;
    const step = must(values.get(sourceOf(places, layer.input)), 'a scale').scale;
    tables.set(layer.name, roundedTable(layer, weightMatrices(layer), { step, limit }));
    yield;
  }
  return writeQuantized(model, places, { values, layers: tables });
}

function sourceOf({ values }: IntegerPlaces, value: string): string {
  return must(values.get(value), `'${value}' is not quantised`).source;
}

function sourcesOf(values: IntegerPlaces['values']): string[] {
  return [...new Set([...values.values()].map(({ source }) => source))];
}
