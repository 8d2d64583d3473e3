// Checks that a manifest, its model and its weights describe the same network.
import type { Grouping } from '../channels/index.ts';
import type { Model } from '../onnx/index.ts';
import { nonFiniteWeight, sizeOf } from '../onnx/internal.ts';
import { BedsideError } from '../util/index.ts';
import { firstNonFinite, tellNonFinite } from '../util/internal.ts';
import { lowRankShape, RECURRENT_PARTS } from './correction.ts';
import { rangedValues } from './eight-bit.ts';
import type { BundleGroup, BundleManifest, Share } from './manifest.ts';
import type { StoredTensor } from './safetensors.ts';
import {
  keptChannels,
  keptDims,
  type Positions,
  type RecurrentLayout,
  recurrentDims,
  recurrentLayouts,
  tableBiasLength,
  tableDims,
  type WeightLayout,
  weightLayouts,
} from './weight-layout.ts';
import {
  tableBias,
  tableWeight,
  variantDown,
  variantHeadBias,
  variantHeadWeight,
  variantRanges,
  variantRecurrent,
  variantScale,
  variantShift,
  variantUp,
} from './weight-names.ts';

/** Shares are fractions of whole numbers of channels. */
const EPSILON = 1e-6;

/** A manifest with its model and weights. */
export interface Described {
  readonly manifest: Omit<BundleManifest, 'model' | 'weights'> & {
    readonly model: Pick<BundleManifest['model'], 'input' | 'output'>;
  };
  readonly model: Model;
  readonly grouping: Grouping;
  readonly tensors: ReadonlyMap<string, StoredTensor>;
}

/**
 * Checks the manifest's groups, layers, shares, stages, input and output against the model, and that all repaired
 * weights and corrections exist, with their shapes, and are finite.
 * @throws BedsideError E_BUNDLE with the first disagreement
 */
export function assertAgreement(parts: Described, path: string): void {
  for (const found of disagreements(parts)) {
    throw new BedsideError('E_BUNDLE', `${path}: ${found}`, { hint: 'pack the model again' });
  }
}

function* disagreements(parts: Described): Generator<string> {
  const views = weightLayouts(parts.model, parts.grouping);
  yield* ofSignature(parts);
  yield* ofGroups(parts);
  yield* ofLayers(parts, views);
  yield* ofStages(parts);
  yield* ofTables(parts, views);
  yield* ofVariants(parts, views);
  yield* ofRanges(parts);
  yield* ofNumbers(parts);
}

function* ofNumbers({ model, tensors }: Described): Generator<string> {
  const found = nonFiniteWeight(model);
  if (found !== undefined) yield found;
  for (const [name, { data, dims }] of tensors) {
    const at = firstNonFinite(data);
    if (at >= 0) yield `tensor '${name}' of the weights is ${tellNonFinite(data, at, dims)}`;
  }
}

/** Ranges belong to values of the network, and hold 0. */
function* ofRanges({ manifest, model, tensors }: Described): Generator<string> {
  const names = rangedValues(manifest);
  if (names.length === 0) return;
  const known = new Set(model.graph.nodes.flatMap(({ outputs }) => outputs));
  for (const { name } of model.graph.inputs) known.add(name);
  const foreign = names.find((name) => !known.has(name));
  if (foreign !== undefined) yield `eightBit names '${foreign}', which is no value of the network`;
  const measured = manifest.variants.flatMap(({ eightBit }, index) => (eightBit ? [index] : []));
  for (const index of manifest.variants.keys()) {
    const name = variantRanges(index);
    const ranges = tensors.get(name);
    if (!ranges && measured.includes(index))
      yield `variant ${index} was measured in eight bits, but has no '${name}'`;
    if (!ranges) continue;
    yield* differs(`the shape of '${name}'`, ranges.dims.join(), `${names.length},2`);
    const wrong = names.findIndex((_, row) => {
      const [low = 1, high = -1] = ranges.data.subarray(2 * row, 2 * row + 2);
      return low > 0 || high < 0;
    });
    if (wrong >= 0) yield `the range of '${names[wrong]}' in '${name}' does not hold 0`;
  }
}

function* ofSignature({ manifest, model, grouping }: Described): Generator<string> {
  const { input, output } = manifest.model;
  const { inputs, outputs } = model.graph;
  const real = inputs.filter(({ name }) => !model.graph.constants.has(name));
  yield* differs('model.input.name', input.name, real.map(({ name }) => name).join());
  yield* differs('model.input.shape', input.shape.join(), grouping.shapes.get(input.name)?.slice(1).join());
  yield* differs('model.output.name', output.name, outputs[0]?.name);
  const logits = grouping.shapes.get(output.name);
  if (logits) yield* differs('model.output.classes', output.classes, sizeOf(logits.slice(1)));
}

function* ofGroups({ manifest, grouping }: Described): Generator<string> {
  yield* differs('the number of groups', manifest.groups.length, grouping.groups.length);
  for (const { id, channels, layers } of manifest.groups) {
    const group = grouping.groups[id];
    yield* differs(`groups[${id}].channels`, channels, group?.channels);
    yield* differs(`groups[${id}].layers`, layers.join(), group?.layers.join());
  }
}

function* ofLayers(
  { manifest, model, grouping }: Described,
  views: ReadonlyMap<string, WeightLayout>,
): Generator<string> {
  const names = manifest.layers.map((layer) => layer.name);
  const recurrent = recurrentLayouts(model, grouping);
  const expected = model.graph.nodes.flatMap(({ name }) =>
    views.has(name) || recurrent.has(name) ? [name] : [],
  );
  yield* differs('the list of layers', names.join(), expected.join());
  for (const [i, layer] of manifest.layers.entries()) {
    const own = recurrent.get(layer.name);
    if (own) {
      if (layer.tables) yield `layer '${layer.name}' is recurrent: expected no tables`;
      yield* ofShares(`layers[${i}].reads`, layer.reads, own.inputs);
      yield* ofShares(`layers[${i}].inputs`, layer.inputs, own.inputs);
      yield* ofShares(`layers[${i}].outputs`, layer.outputs, own.outputs);
    }
    const view = views.get(layer.name);
    if (!view) continue;
    const [bias, outputs] = [view.bias?.data.length ?? 1, view.outputs.group.length];
    if (bias !== 1 && bias !== outputs) {
      yield `the bias of layer '${layer.name}' has ${bias} entries: expected 1 or ${outputs}`;
    }
    yield* ofShares(`layers[${i}].reads`, layer.reads, view.inputs);
    yield* ofShares(`layers[${i}].inputs`, layer.inputs, view.depthwise ? NOTHING : view.inputs);
    yield* ofShares(`layers[${i}].outputs`, layer.outputs, view.outputs);
  }
}

function* ofStages({ manifest, model, grouping }: Described): Generator<string> {
  const nodes = manifest.stages.flatMap((stage) => stage.nodes).join();
  yield* differs('the nodes of all stages', nodes, model.graph.nodes.map(({ name }) => name).join());
  for (const [i, { output, outputShares }] of manifest.stages.entries()) {
    yield* ofShares(`stages[${i}].outputShares`, outputShares, grouping.values.get(output) ?? NOTHING);
  }
}

const NOTHING: Positions = { group: new Int32Array(0), unit: new Int32Array(0) };

function* ofShares(at: string, shares: readonly Share[], { group }: Positions): Generator<string> {
  const counts = new Map<number, number>();
  for (const id of group) if (id >= 0) counts.set(id, (counts.get(id) ?? 0) + 1);
  for (const { group: id, share } of shares) {
    const expected = (counts.get(id) ?? 0) / Math.max(1, group.length);
    if (Math.abs(share - expected) > EPSILON)
      yield* differs(`${at}: the share of group ${id}`, share, expected);
    counts.delete(id);
  }
  const [missing] = counts.keys();
  if (missing !== undefined) yield `${at} does not list group ${missing}, which the model has there`;
}

function* ofTables(
  { manifest, tensors }: Described,
  views: ReadonlyMap<string, WeightLayout>,
): Generator<string> {
  const { groups, ratios } = manifest;
  for (const { name, tables } of manifest.layers) {
    const view = views.get(name);
    if (!view || !tables) continue;
    for (let level = 1; level < ratios.length; level++) {
      yield* hasShape(tensors, tableWeight(name, level), tableDims(view, groups, level));
      if (view.bias) yield* hasShape(tensors, tableBias(name, level), [tableBiasLength(view, groups, level)]);
    }
  }
}

function* ofVariants(
  { manifest, model, grouping, tensors }: Described,
  views: ReadonlyMap<string, WeightLayout>,
): Generator<string> {
  const recurrent = recurrentLayouts(model, grouping);
  for (const [i, { levels, corrected }] of manifest.variants.entries()) {
    if (!corrected) continue;
    const length = keptChannels(views, manifest.groups, levels);
    yield* hasShape(tensors, variantScale(i), [length]);
    yield* hasShape(tensors, variantShift(i), [length]);
    yield* ofLowRank(i, levels, manifest.groups, tensors, views);
    yield* ofRecurrent(i, levels, manifest.groups, tensors, recurrent);
    const head = [...views.values()].at(-1);
    if (!head || !tensors.has(variantHeadWeight(i))) continue;
    yield* hasShape(tensors, variantHeadWeight(i), keptDims(head, manifest.groups, levels));
    if (head.bias) yield* hasShape(tensors, variantHeadBias(i), [head.outputs.group.length]);
  }
}

function* ofLowRank(
  variant: number,
  levels: readonly number[],
  groups: readonly BundleGroup[],
  tensors: ReadonlyMap<string, StoredTensor>,
  views: ReadonlyMap<string, WeightLayout>,
): Generator<string> {
  for (const [name, view] of views) {
    const [down, up] = [variantDown(variant, name), variantUp(variant, name)];
    if (!tensors.has(down) && !tensors.has(up)) continue;
    const rank = tensors.get(up)?.dims[1] ?? 1;
    const shapes = lowRankShape(view, groups, levels, rank);
    if (shapes) {
      yield* hasShape(tensors, up, shapes.up);
      yield* hasShape(tensors, down, shapes.down);
    } else yield `tensors '${down}' and '${up}' are for a layer that cannot have them, or of rank 0`;
  }
}

/** Weights of a recurrent layer come together, as large as the layer is at the levels. */
function* ofRecurrent(
  variant: number,
  levels: readonly number[],
  groups: readonly BundleGroup[],
  tensors: ReadonlyMap<string, StoredTensor>,
  layouts: ReadonlyMap<string, RecurrentLayout>,
): Generator<string> {
  for (const [name, dims] of recurrentDims(layouts, groups, levels)) {
    const names = RECURRENT_PARTS.map((part) => variantRecurrent(variant, name, part));
    if (!names.some((tensor) => tensors.has(tensor))) continue;
    for (const [i, tensor] of names.entries()) yield* hasShape(tensors, tensor, dims[i] ?? []);
  }
}

function* hasShape(
  tensors: ReadonlyMap<string, StoredTensor>,
  name: string,
  dims: readonly number[],
): Generator<string> {
  const found = tensors.get(name);
  if (!found) yield `the weights have no tensor '${name}'`;
  else if (found.dims.join() !== dims.join()) {
    yield `tensor '${name}' has the shape [${found.dims.join(', ')}]: expected [${dims.join(', ')}]`;
  }
}

function* differs<T>(what: string, manifest: T, model: T | undefined): Generator<string> {
  if (manifest !== model) yield `${what} is '${manifest}' in the manifest and '${model}' in the model`;
}
