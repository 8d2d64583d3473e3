// Repair tables of a bundle: repaired weights of every layer for each level of its inputs, with the rows of all its
// outputs. A network at any level vector is assembled by picking tables and slicing rows.
import type { BundleGroup } from '../bundle/index.ts';
import { type Grouping, sliceModel } from '../channels/index.ts';
import type { Model } from '../onnx/index.ts';
import { hasOneOutputPerGroup, sizeOf, type WeightedLayer, weightedLayers } from '../onnx/internal.ts';
import { must } from '../util/index.ts';
import { Random, rowsAt } from '../util/internal.ts';
import { type RepairSamples, repairSamples } from './augment.ts';
import { collectInputs } from './collect.ts';
import { DraftBundle, type LayerTable } from './draft-bundle.ts';
import { type Matrix, Products } from './products.ts';
import { ReferenceActivations, type RefitTask } from './reference-activations.ts';
import { fitLayer, fromMatrices, weightMatrices } from './refit.ts';
import {
  assertEnough,
  defined,
  type LayerRepair,
  REPAIR_DEFAULTS,
  type RepairOptions,
  repairable,
  repairOf,
  targetRows,
} from './repair.ts';
import { type SamplePositions, samplePositionsOf } from './sample-positions.ts';
import type { NetworkRun } from './walk.ts';

/** How tables are fitted. */
export interface TableOptions extends RepairOptions {
  /** How many networks supply the inputs of each table; default 12. */
  readonly networks?: number | undefined;
}

/** The fit of one table. */
export interface TableRepair extends LayerRepair {
  readonly level: number;
}

/** Tables of every layer that can have them, at every level above 0. */
export interface RepairTables {
  readonly tables: readonly LayerTable[];
  readonly repairs: readonly TableRepair[];
}

/**
 * Fits the tables of a network whose units are in order of importance (in the form of `withBiases`). Layers are visited
 * in execution order. A layer's table for a level is fitted on its inputs in several networks, assembled from the
 * tables made so far. All of them have that level at the layer's input: the first is uniform; in the others the
 * remaining groups are near that level, or anywhere. Such a table holds at any level vector; one that is fitted in the
 * uniform network alone does not.
 * @throws BedsideError E_DATA with fewer than two samples
 */
export async function repairTables(
  model: Model,
  grouping: Grouping,
  groups: readonly BundleGroup[],
  options: TableOptions,
): Promise<RepairTables> {
  assertEnough(options.calibration);
  const settings = { ...REPAIR_DEFAULTS, networks: 12, ...defined(options) };
  const { seed, maxPositions, onProgress } = settings;
  const draft = new DraftBundle(model, grouping, groups);
  const samples = repairSamples(options.calibration, settings.copies, new Random(seed));
  const tasks = tabledLayers(model, grouping, draft).map((layer, index): RefitTask => {
    const sampled = samplePositionsOf(layer, samples, maxPositions, seed + index);
    return { layer, sampled, values: [layer.output] };
  });
  const reference = await ReferenceActivations.collect(model, tasks, samples, settings);
  const products = await Products.create(settings.threads);
  const random = new Random(seed);
  const tables: LayerTable[] = [];
  const repairs: TableRepair[] = [];
  try {
    for (const { layer, sampled } of tasks) {
      let start: number | undefined;
      const answers = reference.valuesAt(layer.name, layer.output);
      const made: LayerTable[] = [];
      for (let level = 1; level < draft.levels; level++) {
        const drawn = drawLevelVectors(random, settings.networks, level, draft, layer.name);
        const x = await pooledInputs(draft, drawn, layer, sampled, samples, settings);
        const positions = draft.positionsAt(level);
        const rows = (hasOneOutputPerGroup(layer) && positions(layer.output)) || all(layer.channels);
        const y = targetRows(answers, layer.channels, rows, x.length, undefined);
        const weights = weightMatrices(layer, positions(layer.input), rows);
        const fit = await fitLayer(
          { name: layer.name, x, y, weights, fitRows: sampled.fitRows },
          products,
          start,
        );
        start = fit.strength || start;
        made.push(tableOf(layer, level, fit.weights));
        repairs.push({ ...repairOf(layer, sampled, x[0] as Matrix, fit), level });
        onProgress?.(repairs.length, tasks.length * (draft.levels - 1));
      }
      draft.add(made);
      tables.push(...made);
    }
  } finally {
    await products.release();
  }
  return { tables, repairs };
}

/**
 * Level vectors with one level at a layer's input: first the uniform one, then by turns with the other groups near it
 * or anywhere.
 */
function drawLevelVectors(
  random: Random,
  count: number,
  level: number,
  draft: DraftBundle,
  layer: string,
): number[][] {
  const { levels, groups } = draft;
  const read = new Set(draft.readsOf(layer));
  return Array.from({ length: count }, (_, index) =>
    groups.map(({ id }) => {
      if (index === 0 || read.has(id)) return level;
      if (index % 2 === 0) return random.integer(levels);
      return Math.min(Math.max(level - 1 + random.integer(3), 0), levels - 1);
    }),
  );
}

/** The inputs of a layer at its sample positions, each sample in one of the networks. */
async function pooledInputs(
  draft: DraftBundle,
  mixes: readonly (readonly number[])[],
  layer: WeightedLayer,
  sampled: SamplePositions,
  samples: RepairSamples,
  options: NetworkRun,
): Promise<Matrix[]> {
  let pooled: Matrix[] = [];
  for (const [index, levels] of mixes.entries()) {
    const own = Int32Array.from({ length: samples.size }, (_, i) => i).filter(
      (i) => i % mixes.length === index,
    );
    const model = draft.assemble(levels);
    const cut = must(
      weightedLayers(model).find(({ name }) => name === layer.name),
      `no layer '${layer.name}'`,
    );
    const { x } = await collectInputs(
      model,
      cut,
      some(sampled, own),
      undefined,
      chosen(samples, own),
      options,
    );
    if (pooled.length === 0) {
      pooled = x.map(({ columns }) => ({
        rows: sampled.rows,
        columns,
        data: new Float64Array(sampled.rows * columns),
      }));
    }
    x.forEach(({ data, columns }, g) => {
      const size = sampled.perSample * columns;
      own.forEach((sample, i) => {
        (pooled[g] as Matrix).data.set(data.subarray(i * size, (i + 1) * size), sample * size);
      });
    });
  }
  return pooled;
}

function some(sampled: SamplePositions, samples: Int32Array): SamplePositions {
  const positions = Array.from(samples, (sample) => sampled.positions[sample] as Int32Array);
  return { ...sampled, positions, rows: sampled.perSample * samples.length };
}

function chosen({ samples, size, sampleShape, fitSize }: RepairSamples, indices: Int32Array): RepairSamples {
  const fit = indices.filter((sample) => sample < fitSize).length;
  return { samples: rowsAt(samples, size, indices), size: indices.length, sampleShape, fitSize: fit };
}

/** Layers that get tables: those that read units of a group, unless a cut changes how their convolution is grouped. */
function tabledLayers(model: Model, grouping: Grouping, draft: DraftBundle): WeightedLayer[] {
  const cuts = all(draft.levels).map((level) => {
    const keep = draft.keepAt(draft.groups.map(() => level));
    return new Map(
      weightedLayers(sliceModel(model, grouping, keep)).map((layer) => [layer.name, layer.groups]),
    );
  });
  return repairable(weightedLayers(model)).filter(
    (layer) =>
      draft.readsOf(layer.name).length > 0 &&
      (hasOneOutputPerGroup(layer) || cuts.every((groups) => groups.get(layer.name) === layer.groups)),
  );
}

function tableOf(layer: WeightedLayer, level: number, matrices: readonly Matrix[]): LayerTable {
  const { weight, bias } = fromMatrices(layer, matrices);
  const outputs = matrices.reduce((total, { columns }) => total + columns, 0);
  const dims = layer.weightDims;
  const taps = layer.kind === 'dense' ? [] : dims.slice(2);
  const inputs = weight.length / outputs / sizeOf(taps);
  const weightDims = layer.kind === 'conv' ? [outputs, inputs, ...taps] : [inputs, outputs, ...taps];
  return { layer: layer.name, level, weight, weightDims, bias };
}

function all(n: number): number[] {
  return Array.from({ length: n }, (_, i) => i);
}
