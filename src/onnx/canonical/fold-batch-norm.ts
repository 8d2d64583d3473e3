// Merges batch normalisation at inference, y = scale * x + shift per channel, into the weights beside it.
import {
  cloneModel,
  consumers,
  float,
  floatConstant,
  type Graph,
  type Model,
  type Node,
  producers,
  sizeOf,
} from '../graph.ts';
import { groupsOf, outputChannels, weightAxes } from '../layers/layer-layout.ts';
import { NameAllocator } from '../names.ts';
import { floatAttribute, intAttribute, intsAttribute, opOf, stringAttribute } from '../ops.ts';
import { floatData, forgetShapes, pinnedValues, removeDead } from '../surgery.ts';

/**
 * The model with every BatchNormalization merged that follows, as its only reader, a Conv, ConvTranspose or Gemm, or
 * that directly precedes, as its only input's maker, a Conv without padding or a Gemm. Others stay. Outputs are equal
 * up to rounding.
 */
export function foldBatchNorm(model: Model): Model {
  const result = cloneModel(model);
  const { graph } = result;
  const uses = new Uses(graph);
  for (const node of graph.nodes) {
    const affine = affineOf(graph, node);
    if (affine) mergeForward(uses, node, affine) || mergeBackward(uses, node, affine);
  }
  graph.nodes = graph.nodes.filter((node) => !uses.gone.has(node));
  removeDead(graph);
  const made = new Set<string>();
  for (const node of graph.nodes) for (const name of node.outputs) made.add(name);
  forgetShapes(graph, made);
  return result;
}

/**
 * The maker and the readers of each value, kept up to date while nodes are removed, so that a long graph is walked
 * once.
 */
export class Uses {
  readonly graph: Graph;
  readonly names: NameAllocator;
  readonly makers: Map<string, Node>;
  readonly gone = new Set<Node>();
  readonly #readers: Map<string, Node[]>;
  readonly #pinned: ReadonlySet<string>;

  constructor(graph: Graph) {
    this.graph = graph;
    this.names = NameAllocator.of(graph);
    this.makers = producers(graph);
    this.#readers = consumers(graph);
    this.#pinned = pinnedValues(graph);
  }

  /** The only node that reads a value, if nothing else relies on it. */
  onlyReader(value: string): Node | undefined {
    const readers = this.#readers.get(value);
    return readers?.length === 1 && !this.#pinned.has(value) ? readers[0] : undefined;
  }

  /** A layer takes over the output of the normalisation, or another node, behind it. */
  takeOutput(layer: Node, norm: Node, input: string, output: string): void {
    layer.outputs = layer.outputs.map((name) => (name === input ? output : name));
    this.makers.delete(input);
    this.makers.set(output, layer);
    this.#readers.delete(input);
    this.gone.add(norm);
  }

  /** A layer reads what the normalisation before it read. */
  takeInput(layer: Node, norm: Node, input: string, output: string): void {
    layer.inputs = layer.inputs.map((name) => (name === output ? input : name));
    const readers = this.#readers.get(input) ?? [];
    this.#readers.set(
      input,
      readers.map((reader) => (reader === norm ? layer : reader)),
    );
    this.#readers.delete(output);
    this.makers.delete(output);
    this.gone.add(norm);
  }
}

/** A batch normalisation as its per-channel affine map. */
export interface Affine {
  readonly scale: Float64Array;
  readonly shift: Float64Array;
}

/** The affine map of an inference BatchNormalization with constant parameters; undefined for any other node. */
export function affineOf(graph: Graph, node: Node): Affine | undefined {
  if (opOf(node) !== 'BatchNormalization' || node.outputs.slice(1).some(Boolean)) return undefined;
  // spatial = 0 (operator sets 7 and 8) normalises every position on its own.
  if (intAttribute(node, 'training_mode', 0) !== 0 || intAttribute(node, 'spatial', 1) === 0)
    return undefined;
  const [gamma, beta, mean, variance] = node.inputs.slice(1).map((name) => floatData(graph, name)?.data);
  if (!gamma || !beta || !mean || !variance) return undefined;
  const epsilon = floatAttribute(node, 'epsilon', 1e-5);
  const scale = Float64Array.from(gamma, (value, c) => value / Math.sqrt((variance[c] ?? 0) + epsilon));
  const shift = Float64Array.from(beta, (value, c) => value - (mean[c] ?? 0) * (scale[c] ?? 0));
  return { scale, shift };
}

/** Merges into the layer that makes the normalised value, if nothing else reads that value. */
function mergeForward(uses: Uses, norm: Node, affine: Affine): boolean {
  const [input] = norm.inputs;
  const [output] = norm.outputs;
  const layer = input ? uses.makers.get(input) : undefined;
  if (!layer || !input || !output || uses.onlyReader(input) !== norm) return false;
  if (opOf(layer) === 'MatMul' || !mergeIntoLayer(uses, layer, affine)) return false;
  uses.takeOutput(layer, norm, input, output);
  return true;
}

/**
 * Merges y = scale * x + shift, with one scale and one shift for each output channel, into the weights and the bias of
 * a layer. A layer without a bias gets one; the caller then turns a MatMul of two axes into a Gemm. The caller also
 * makes sure that nothing else reads the layer.
 */
export function mergeIntoLayer(uses: Uses, layer: Node, affine: Affine): boolean {
  const { graph } = uses;
  const weight = floatData(graph, layer.inputs[1]);
  const channels = affine.scale.length;
  if (!weight || (opOf(layer) === 'MatMul' && weight.dims.length !== 2)) return false;
  const axis = weightAxes(layer)?.out;
  if (axis === undefined || outputChannels(layer, weight.dims) !== channels) return false;
  const groups = opOf(layer) === 'ConvTranspose' ? groupsOf(layer) : 1;
  const bias = biasOf(graph, layer, channels);
  if (!bias) return false;
  // ConvTranspose keeps the outputs of each group of inputs on axis 1.
  const perGroup = channels / groups;
  const inputsPerGroup = (weight.dims[0] ?? 1) / groups;
  // Weights without a factor stay the tensor that they are.
  const plain = affine.scale.every((value) => value === 1);
  const scaled = (): Float32Array =>
    mapAxis(weight, axis, (value, c, first) => {
      const group = groups > 1 ? Math.floor(first / inputsPerGroup) : 0;
      return value * (affine.scale[group * perGroup + c] ?? 0);
    });
  setWeights(
    uses,
    layer,
    plain ? undefined : scaled(),
    bias.map((value, c) => value * (affine.scale[c] ?? 0) + (affine.shift[c] ?? 0)),
    weight.dims,
  );
  return true;
}

/** Merges into the only layer that reads the normalised value. */
function mergeBackward(uses: Uses, norm: Node, affine: Affine): boolean {
  const { graph } = uses;
  const [input] = norm.inputs;
  const [output] = norm.outputs;
  const layer = output ? uses.onlyReader(output) : undefined;
  if (!layer || !input || !output || layer.inputs[0] !== output) return false;
  const weight = floatData(graph, layer.inputs[1]);
  const op = opOf(layer);
  if (
    !weight ||
    (op === 'Conv' ? !isUnpadded(layer) : op !== 'Gemm' || intAttribute(layer, 'transA', 0) !== 0)
  ) {
    return false;
  }
  const { out: outAxis, in: inAxis } = weightAxes(layer) ?? { out: 0, in: 1 };
  const groups = groupsOf(layer);
  const outputs = weight.dims[outAxis] ?? 0;
  const perGroup = weight.dims[inAxis] ?? 0;
  if (perGroup * groups !== affine.scale.length) return false;
  const bias = biasOf(graph, layer, outputs);
  if (!bias) return false;
  const alpha = op === 'Gemm' ? floatAttribute(layer, 'alpha', 1) : 1;
  const inner = sizeOf(weight.dims.slice(2));
  const scaled = new Float32Array(weight.data.length);
  weight.data.forEach((value, index) => {
    const row = Math.floor(index / (inner * (weight.dims[1] ?? 1)));
    const column = Math.floor(index / inner) % (weight.dims[1] ?? 1);
    const [o, i] = outAxis === 0 ? [row, column] : [column, row];
    const channel = Math.floor(o / (outputs / groups)) * perGroup + i;
    scaled[index] = value * (affine.scale[channel] ?? 0);
    bias[o] = (bias[o] ?? 0) + alpha * value * (affine.shift[channel] ?? 0);
  });
  setWeights(uses, layer, scaled, bias, weight.dims);
  uses.takeInput(layer, norm, input, output);
  return true;
}

function isUnpadded(layer: Node): boolean {
  const auto = stringAttribute(layer, 'auto_pad', 'NOTSET');
  if (auto !== 'NOTSET' && auto !== '') return auto === 'VALID';
  return (intsAttribute(layer, 'pads') ?? []).every((pad) => pad === 0);
}

/** The bias that a layer adds to each output channel (Gemm's beta applied), or undefined if it is not of that form. */
function biasOf(graph: Graph, layer: Node, channels: number): Float64Array | undefined {
  if (!layer.inputs[2]) return new Float64Array(channels);
  const bias = floatData(graph, layer.inputs[2]);
  if (!bias) return undefined;
  const beta = opOf(layer) === 'Gemm' ? floatAttribute(layer, 'beta', 1) : 1;
  const isRow = bias.dims.slice(0, -1).every((dim) => dim === 1);
  if (!isRow || (bias.data.length !== channels && bias.data.length !== 1)) return undefined;
  return Float64Array.from(
    { length: channels },
    (_, c) => beta * (bias.data[bias.data.length === 1 ? 0 : c] ?? 0),
  );
}

function setWeights(
  { graph, names }: Uses,
  layer: Node,
  weight: Float32Array | undefined,
  bias: Float64Array,
  dims: readonly number[],
): void {
  const [input = '', oldWeight = ''] = layer.inputs;
  const biasName = layer.inputs[2] || `${oldWeight}_bias`;
  let newWeight = oldWeight;
  if (weight) {
    newWeight = names.fresh(`${oldWeight}_folded`);
    graph.constants.set(newWeight, floatConstant(weight, dims));
  }
  const newBias = names.fresh(`${biasName}_folded`);
  graph.constants.set(newBias, floatConstant(Float32Array.from(bias)));
  layer.inputs = [input, newWeight, newBias];
  if (layer.attributes.has('beta')) layer.attributes.set('beta', float(1));
}

/** Maps every element, given its index on `axis` and on the first axis. */
function mapAxis(
  tensor: { dims: readonly number[]; data: Float32Array },
  axis: number,
  map: (value: number, index: number, first: number) => number,
): Float32Array {
  const inner = sizeOf(tensor.dims.slice(axis + 1));
  const size = tensor.dims[axis] ?? 1;
  const perFirst = sizeOf(tensor.dims.slice(1));
  return tensor.data.map((value, i) => map(value, Math.floor(i / inner) % size, Math.floor(i / perFirst)));
}
