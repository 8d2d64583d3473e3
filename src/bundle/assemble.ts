// Assembles the network of a level vector from a bundle: prefixes of channels, repaired weights picked layer by layer,
// and a correction of each layer. Nothing is fitted here.
import { sliceModel } from '../channels/index.ts';
import { keptPositions } from '../channels/internal.ts';
import type { Constant, Model } from '../onnx/index.ts';
import {
  floatConstant,
  GraphBuilder,
  type Node,
  RECURRENT_INPUTS,
  readsOf,
  recurrentOp,
} from '../onnx/internal.ts';
import { BedsideError, must } from '../util/index.ts';
import type { Assembly } from './bundle.ts';
import {
  addLowRank,
  type Correction,
  correctedBias,
  RECURRENT_PARTS,
  type RecurrentWeights,
  scaledWeight,
  storedCorrection,
} from './correction.ts';
import { keptUnitsAt, levelsKey } from './levels.ts';
import { repairedBias, repairedWeight } from './repaired.ts';
import type { StoredTensor } from './safetensors.ts';
import { keptAt, keptChannels, type WeightLayout, weightLayouts } from './weight-layout.ts';

/** How a network is assembled. */
export interface AssembleOptions {
  /** A correction, or the index of the variant whose stored correction is used (if it has one); default none. */
  readonly correction?: Correction | number | undefined;
}

/**
 * The network with each group at its level. Only kept parts are copied; the bundle is not changed.
 * @throws BedsideError E_LEVELS for levels that the bundle does not have, or that are not those of the variant;
 * E_BUNDLE for a correction that does not fit
 */
export function assembleModel(
  bundle: Assembly,
  levels: readonly number[],
  options: AssembleOptions = {},
): Model {
  const { manifest, grouping } = bundle;
  const keep = keptUnitsAt(manifest, levels);
  const correction = correctionOf(bundle, levels, options.correction);
  const model = sliceModel(bundle.model, grouping, keep);
  const own = new OwnConstants(model);
  const nodes = new Map(model.graph.nodes.map((node) => [node.name, node]));
  const views = weightLayouts(bundle.model, grouping);
  let from = 0;
  for (const layer of manifest.layers) {
    const node = must(nodes.get(layer.name), `layer '${layer.name}'`);
    if (recurrentOp(node)) {
      // Without weights of their own for these levels, recurrent layers are sliced only.
      const weights = correction?.recurrent?.get(layer.name);
      if (weights) own.writeRecurrent(node, weights);
      continue;
    }
    const view = must(views.get(layer.name), `layer '${layer.name}'`);
    const kept = keptAt(view.outputs, manifest.groups, (group) => levels[group] as number);
    let weight = layer.tables ? repairedWeight(bundle, view, layer, levels, kept) : undefined;
    let bias = layer.tables ? repairedBias(bundle, view, layer, levels, kept) : undefined;
    if (correction?.head && layer === manifest.layers.at(-1)) {
      weight = sameSize(correction.head.weight, weight ?? own.read(node, view.layout.weight), 'last weight');
      bias = correction.head.bias;
    }
    if (correction) {
      const [scale, shift] = [correction.scale, correction.bias].map((all) =>
        all.subarray(from, from + kept.length),
      ) as [Float32Array, Float32Array];
      weight = scaledWeight(view, weight ?? own.read(node, view.layout.weight), scale);
      const change = correction.lowRank?.get(layer.name);
      if (change) addLowRank(view, layer.name, weight, manifest.groups, levels, change);
      bias = correctedBias(view, layer.name, bias ?? own.readBias(node, view), scale, shift);
      from += kept.length;
    }
    if (weight) own.write(node, view.layout.weight, weight);
    if (bias) own.write(node, must(view.layout.bias, `bias of '${layer.name}'`), bias);
  }
  return model;
}

/**
 * As `assembleModel`, for a part of the bundle's model (from `extractSubgraph`): its own layers alone, with the shapes of
 * its inputs and outputs as they are at these levels.
 * @param bundle with all layers
 */
export function assemblePart(
  part: Model,
  bundle: Assembly,
  levels: readonly number[],
  options: AssembleOptions = {},
): Model {
  const { manifest, grouping } = bundle;
  const own = new Set(part.graph.nodes.map(({ name }) => name));
  const layers = manifest.layers.filter(({ name }) => own.has(name));
  const model = assembleModel({ ...bundle, model: part, manifest: { ...manifest, layers } }, levels, options);
  const positions = keptPositions(grouping, keptUnitsAt(manifest, levels));
  for (const value of [...model.graph.inputs, ...model.graph.outputs]) {
    const axis = grouping.values.get(value.name)?.axis;
    const kept = positions(value.name);
    if (kept) value.dims = value.dims?.map((dim, at) => (at === axis ? kept.length : dim));
  }
  return model;
}

function correctionOf(
  bundle: Assembly,
  levels: readonly number[],
  given: AssembleOptions['correction'],
): Correction | undefined {
  const { manifest, tensors, grouping, model } = bundle;
  if (given === undefined) return undefined;
  let correction: Correction;
  if (typeof given === 'number') {
    const variant = manifest.variants[given];
    if (!variant || levelsKey(variant.levels) !== levelsKey(levels)) {
      const has = variant ? `has the levels ${variant.levels.join()}` : 'does not exist';
      throw new BedsideError(
        'E_LEVELS',
        `variant ${given} of bundle '${manifest.name}' ${has}, not ${levels.join()}`,
        {
          hint: 'ask for the levels of a variant with findVariant',
        },
      );
    }
    if (!variant.corrected) return undefined;
    correction = storedCorrection(tensors, given, manifest.layers);
  } else {
    correction = given;
  }
  const wanted = keptChannels(weightLayouts(model, grouping), manifest.groups, levels);
  for (const name of ['scale', 'bias'] as const) {
    const values = correction[name];
    if (values.length === wanted) continue;
    throw new BedsideError(
      'E_BUNDLE',
      `a correction's ${name} has ${values.length} entries, expected ${wanted}`,
      {
        hint: 'give one for each kept output channel of every layer, in the order of the manifest',
      },
    );
  }
  return correction;
}

function sameSize(given: StoredTensor, stands: StoredTensor, what: string): StoredTensor {
  if (given.dims.join() === stands.dims.join()) return given;
  throw new BedsideError(
    'E_BUNDLE',
    `a correction's ${what} is [${given.dims.join(', ')}], expected [${stands.dims.join(', ')}]`,
    { hint: 'it must have the channels that stay at these levels' },
  );
}

/** Constants of one node, changed without affecting their other readers. */
class OwnConstants {
  readonly #model: Model;
  readonly #builder: GraphBuilder;
  readonly #uses = new Map<string, number>();

  constructor(model: Model) {
    this.#model = model;
    this.#builder = new GraphBuilder(model.graph);
    const { nodes, outputs } = model.graph;
    for (const name of [...nodes.flatMap(readsOf), ...outputs.map((value) => value.name)]) {
      this.#uses.set(name, (this.#uses.get(name) ?? 0) + 1);
    }
  }

  read(node: Node, input: number): StoredTensor {
    const name = node.inputs[input] ?? '';
    const constant: Constant | undefined = this.#model.graph.constants.get(name);
    if (constant?.type !== 'float32')
      throw new BedsideError('E_INTERNAL', `internal: '${name}' is no float32 constant`);
    return constant;
  }

  readBias(node: Node, view: WeightLayout): StoredTensor | undefined {
    return view.layout.bias === undefined ? undefined : this.read(node, view.layout.bias);
  }

  /** @throws BedsideError E_BUNDLE when weights do not fit the layer as it was cut */
  writeRecurrent(node: Node, weights: RecurrentWeights): void {
    for (const part of RECURRENT_PARTS) {
      const input = RECURRENT_INPUTS[part];
      const stands = node.inputs[input] ? this.read(node, input) : weights[part];
      const given = sameSize(weights[part], stands, `${part} of '${node.name}'`);
      if (node.inputs[input]) this.write(node, input, given);
      else
        node.inputs[input] = this.#builder.constant(
          floatConstant(given.data, given.dims),
          `${node.name}.${part}`,
        );
    }
  }

  write(node: Node, input: number, tensor: StoredTensor): void {
    const name = node.inputs[input] ?? '';
    const constant = floatConstant(tensor.data, tensor.dims);
    const uses = this.#uses.get(name) ?? 0;
    if (uses === 1) {
      this.#model.graph.constants.set(name, constant);
      return;
    }
    this.#uses.set(name, uses - 1);
    const copy = this.#builder.constant(constant, name);
    this.#uses.set(copy, 1);
    node.inputs[input] = copy;
  }
}
