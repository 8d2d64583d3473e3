// Bundles of small networks, with tables that are no repair but can be told apart: level L multiplies by `factor(L)`.
import { findGroups, type Grouping } from '../../channels/index.ts';
import { type Constant, findStages, type Model, modelCosts } from '../../onnx/index.ts';
import {
  floatConstant,
  isDepthwise,
  layerLayout,
  type Stage,
  sizeOf,
  sliceAxis,
} from '../../onnx/internal.ts';
import { must } from '../../util/index.ts';
import { Random } from '../../util/internal.ts';
import type { Bundle } from '../bundle.ts';
import { lowRankShape, RECURRENT_PARTS } from '../correction.ts';
import {
  type BundleLayer,
  type BundleManifest,
  type BundleStage,
  type ManifestParts,
  type Share,
  TASKED_VERSION,
  UNTASKED_VERSION,
  type Variant,
} from '../manifest.ts';
import type { StoredTensor } from '../safetensors.ts';
import { keptAt, keptChannels, recurrentDims, recurrentLayouts, weightLayouts } from '../weight-layout.ts';
import {
  tableBias,
  tableWeight,
  variantDown,
  variantRecurrent,
  variantScale,
  variantShift,
  variantUp,
} from '../weight-names.ts';
import type { BundleContents } from '../write.ts';

export const RATIOS: readonly number[] = [0, 0.25, 0.5, 0.7];

/** What a table of a level is times the unpruned weights, in these tests. */
export const factor = (level: number): number => 1 + 0.2 * level;

export interface ContentsOptions {
  /** Vectors of levels of further variants, each with a random correction. */
  readonly variants?: readonly (readonly number[])[];
  /** Whether times are made up: proportional to what is kept, half as much again for whole stages. */
  readonly seconds?: boolean;
  readonly name?: string;
}

/** A bundle of a network as it is, its units taken as ordered. */
export function contentsOf(model: Model, options: ContentsOptions = {}): BundleContents {
  const grouping = findGroups(model);
  const groups = grouping.groups.map(({ id, channels, layers }) => ({
    id,
    channels,
    layers,
    counts: RATIOS.map((ratio) => Math.max(1, channels - Math.floor(ratio * channels))),
  }));
  const stages = findStages(model);
  const [input, output] = [must(model.graph.inputs[0], 'input'), must(model.graph.outputs[0], 'output')];
  const layers = layersOf(model, grouping, stages, options);
  const variants = [groups.map(() => 0), ...(options.variants ?? [])];
  const manifest: ManifestParts = {
    name: options.name ?? 'test',
    model: {
      source: { file: 'test.onnx', sha256: '0'.repeat(64) },
      input: { name: input.name, shape: must(grouping.shapes.get(input.name), 'shape').slice(1) },
      output: { name: output.name, classes: 3 },
    },
    preprocessing: { kind: 'tensors', description: 'random numbers' },
    ratios: RATIOS,
    groups,
    layers,
    stages: stagesOf(model, grouping, stages, layers, options),
    accuracy: {
      unpruned: 0.9,
      measure: 'accuracy',
      loss: groups.map(() => RATIOS.map((ratio) => ratio ** 2)),
      maxError: 0.01,
      meanError: 0.002,
      fitted: 10,
      checked: 5,
    },
    variants: variants.map(
      (levels, i): Variant => ({
        levels,
        corrected: i > 0,
        accuracy: 0.9,
        lowerBound: 0.8,
        agreement: 0.95,
        recall: [0.9, null, 0.8],
        macs: 1,
        weightBytes: 1,
        crossingBytes: 1,
      }),
    ),
    provenance: {
      criterion: 'l1',
      dataset: 'random',
      calibration: 8,
      validation: 8,
      labelled: true,
      seed: 1,
      created: '2026-01-01T00:00:00.000Z',
      versions: { bedside: '0.1.0' },
    },
  };
  return { manifest, model, tensors: tensorsOf(manifest, model, grouping) };
}

function layersOf(
  model: Model,
  grouping: Grouping,
  stages: readonly Stage[],
  options: ContentsOptions,
): BundleLayer[] {
  const costs = new Map(modelCosts(model).nodes.map((node) => [node.name, node]));
  const bytes = (value: string): number => 4 * sizeOf(grouping.shapes.get(value) ?? []);
  const recurrent = recurrentLayouts(model, grouping);
  return model.graph.nodes.flatMap((node): BundleLayer[] => {
    const stage = stages.findIndex(({ nodes }) => nodes.includes(node.name));
    const own = recurrent.get(node.name);
    if (own) {
      const { layer, inputs, outputs } = own;
      const features = Math.max(0, inputs.group.length - layer.hidden);
      const reads = sharesIn(inputs.group);
      return [
        {
          ...{ name: node.name, stage, inputs: reads, reads, outputs: sharesIn(outputs.group) },
          macs: must(costs.get(node.name), node.name).macs,
          weightBytes: 4 * layer.gates * layer.hidden * (features + layer.hidden),
          biasBytes: 8 * layer.gates * layer.hidden,
          inputBytes: bytes(node.inputs[0] ?? ''),
          outputBytes: bytes(node.outputs.find(Boolean) ?? ''),
          tables: false,
        },
      ];
    }
    const layout = layerLayout(model.graph, node, (name) => grouping.shapes.get(name));
    if (!layout) return [];
    const [data, result] = [node.inputs[layout.data] ?? '', node.outputs[0] ?? ''];
    const size = (at: number | undefined): number =>
      at === undefined ? 0 : 4 * sizeOf(model.graph.constants.get(node.inputs[at] ?? '')?.dims ?? []);
    const reads = sharesOf(grouping, data);
    const layer: BundleLayer = {
      name: node.name,
      stage,
      inputs: isDepthwise(layout) ? [] : reads,
      outputs: sharesOf(grouping, result),
      macs: must(costs.get(node.name), node.name).macs,
      weightBytes: size(layout.weight),
      biasBytes: size(layout.bias),
      inputBytes: bytes(data),
      outputBytes: bytes(result),
      reads,
      tables: reads.length > 0,
      ...(options.seconds
        ? { seconds: RATIOS.map((a, i) => RATIOS.map((b, o) => (1 - a) * (1 - b) * 1e-3 + 1e-5 * (i + o))) }
        : {}),
    };
    return [layer];
  });
}

function stagesOf(
  model: Model,
  grouping: Grouping,
  stages: readonly Stage[],
  layers: readonly BundleLayer[],
  options: ContentsOptions,
): BundleStage[] {
  const input = must(model.graph.inputs[0], 'input').name;
  return stages.map((stage, index) => ({
    index,
    nodes: stage.nodes,
    layers: layers.filter((layer) => layer.stage === index).map((layer) => layer.name),
    input: index === 0 ? input : must(stages[index - 1], 'stage').output,
    output: stage.output,
    outputBytes: stage.outputBytes,
    outputShares: sharesOf(grouping, stage.output),
    otherBytes: 16,
    split: 'none' as const,
    ...(options.seconds
      ? {
          seconds: RATIOS.map(
            (ratio) =>
              1.5e-3 * (1 - ratio) ** 2 * Math.max(1, layers.filter((l) => l.stage === index).length),
          ),
        }
      : {}),
  }));
}

/** A bundle as it would be opened, without files. */
export function bundleOf(model: Model, options: ContentsOptions = {}): Bundle {
  const { manifest, tensors } = contentsOf(model, options);
  return { dir: '', sha256: '', manifest: manifestOf(manifest), model, grouping: findGroups(model), tensors };
}

/** The manifest with made-up files. */
export function manifestOf(parts: ManifestParts): BundleManifest {
  const file = { sha256: '0'.repeat(64), bytes: 1 };
  return {
    format: 'bedside-bundle',
    version: parts.task ? TASKED_VERSION : UNTASKED_VERSION,
    ...parts,
    model: { file: 'model.onnx', ...file, ...parts.model },
    weights: { file: 'weights.safetensors', ...file },
  };
}

function sharesOf(grouping: Grouping, value: string): Share[] {
  return sharesIn(grouping.values.get(value)?.group ?? new Int32Array());
}

function sharesIn(groups: Int32Array): Share[] {
  const counts = new Map<number, number>();
  for (const id of groups) if (id >= 0) counts.set(id, (counts.get(id) ?? 0) + 1);
  return [...counts]
    .sort(([a], [b]) => a - b)
    .map(([group, count]) => ({
      group,
      share: count / groups.length,
    }));
}

function tensorsOf(parts: ManifestParts, model: Model, grouping: Grouping): Map<string, StoredTensor> {
  const { groups, layers, variants } = parts;
  const views = weightLayouts(model, grouping);
  const tensors = new Map<string, StoredTensor>();
  for (const { name, tables } of layers) {
    if (!tables) continue;
    const view = must(views.get(name), name);
    for (let level = 1; level < RATIOS.length; level++) {
      const along = keptAt(view.along, groups, () => level);
      tensors.set(tableWeight(name, level), scaled(sliceAxis(view.weight, view.axis, along), factor(level)));
      if (!view.bias) continue;
      const rows = view.depthwise
        ? keptAt(view.outputs, groups, () => level)
        : [...view.outputs.group.keys()];
      const { data } = view.bias;
      const bias = floatConstant(rows.map((row) => data[data.length === 1 ? 0 : row] as number));
      tensors.set(tableBias(name, level), scaled(bias, factor(level)));
    }
  }
  const random = new Random(7);
  for (const [i, { levels, corrected }] of variants.entries()) {
    if (!corrected) continue;
    const length = keptChannels(views, groups, levels);
    const draw = (mean: number): StoredTensor => ({
      dims: [length],
      data: Float32Array.from({ length }, () => mean + 0.3 * random.normal()),
    });
    tensors.set(variantScale(i), draw(1));
    tensors.set(variantShift(i), draw(0));
    for (const [at, [name, view]] of [...views].entries()) {
      const shapes = lowRankShape(view, groups, levels, 1 + (at % 2));
      // Not every layer has one.
      if (!shapes || at % 4 === 3) continue;
      tensors.set(variantDown(i, name), noise(shapes.down, random));
      tensors.set(variantUp(i, name), noise(shapes.up, random));
    }
  }
  for (const [i, { levels, corrected }] of variants.entries()) {
    if (!corrected) continue;
    for (const [name, dims] of recurrentDims(recurrentLayouts(model, grouping), groups, levels)) {
      const draw = (at: number): StoredTensor => noise(must(dims[at], 'a shape'), random);
      const parts = RECURRENT_PARTS.map((part, at) => [variantRecurrent(i, name, part), draw(at)] as const);
      for (const [tensor, values] of parts) tensors.set(tensor, values);
    }
  }
  return tensors;
}

function noise(dims: readonly number[], random: Random): StoredTensor {
  return { dims, data: Float32Array.from({ length: sizeOf(dims) }, () => 0.3 * random.normal()) };
}

function scaled(constant: Constant, by: number): StoredTensor {
  if (constant.type !== 'float32') throw new Error('float32 only');
  return { dims: constant.dims, data: constant.data.map((value) => value * by) };
}

/** A random level for each group. */
export function randomLevels(manifest: Pick<BundleManifest, 'groups'>, random: Random): number[] {
  return manifest.groups.map(() => random.integer(RATIOS.length));
}
