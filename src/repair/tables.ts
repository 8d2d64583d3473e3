// Repair tables of a bundle: repaired weights of every layer for each level of its inputs, with the rows of all its
// outputs. A network at any level vector is assembled by picking tables and slicing rows.
import type { BundleGroup } from '../bundle/internal.ts';
import { type Grouping, sliceModel } from '../channels/index.ts';
import type { Model } from '../onnx/index.ts';
import { hasOneOutputPerGroup, sizeOf, type WeightedLayer, weightedLayers } from '../onnx/internal.ts';
import { must } from '../util/index.ts';
import { Random } from '../util/internal.ts';
import { copiesOf, repairSamples } from './augment.ts';
import { DraftBundle, type LayerTable } from './draft-bundle.ts';
import { type Matrix, Products } from './products.ts';
import { ReferenceWalk, type RefitTask } from './reference-activations.ts';
import { fromMatrices, type LayerFit, type LayerProblem, weightMatrices } from './refit.ts';
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
import { RowMemory } from './row-memory.ts';
import { type SamplePositions, samplePositionsOf } from './sample-positions.ts';
import { TableNetworks } from './table-networks.ts';
import { Fitters } from './threads/fitters.ts';

/** How tables are fitted. */
export interface TableOptions extends RepairOptions {
  /** How many networks supply the inputs of each table; default 8. */
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
 * tables made so far (`TableNetworks`). All of them have that level at the layer's input: the first is uniform; in the
 * others the remaining groups are near that level, or anywhere. Such a table holds at any level vector; one that is fitted in the
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
  const copies = copiesOf(options.calibration.size);
  const settings = { ...REPAIR_DEFAULTS, networks: 8, copies, ...defined(options) };
  const { seed, maxPositions, onProgress } = settings;
  const draft = new DraftBundle(model, grouping, groups);
  const samples = repairSamples(options.calibration, settings.copies, new Random(seed));
  const cut = all(draft.levels).map((level) => {
    const keep = draft.keepAt(draft.groups.map(() => level));
    return new Map(weightedLayers(sliceModel(model, grouping, keep)).map((layer) => [layer.name, layer]));
  });
  const tasks = tabledLayers(model, draft, cut).map((layer, index): RefitTask => {
    const sampled = samplePositionsOf(layer, samples, maxPositions, seed + index);
    return { layer, sampled, values: [layer.output] };
  });
  const reference = await ReferenceWalk.open(model, tasks, samples, settings);
  const products = await Products.create(settings.threads);
  const fitters = new Fitters(products, settings.threads);
  const tables: LayerTable[] = [];
  const repairs: TableRepair[] = [];
  try {
    const run = { ...settings, parts: settings.networks, samples, cut, random: new Random(seed) };
    const networks = await TableNetworks.open(draft, tasks, run);
    const memory = cut.slice(1).map(() => ({ own: new RowMemory(), shared: new RowMemory(true) }));
    const parts = { draft, networks, memory, fitters };
    // Searches for a strength start where that of the layer before was found.
    let start: number | undefined;
    for (const { layer, sampled } of tasks) {
      const answers = await reference.valuesAt(layer.name, layer.output);
      const fits = await fitLevels(parts, layer, { sampled, answers, start });
      start = fits[0]?.strength || start;
      const made = fits.map(({ weights }, at) => tableOf(layer, at + 1, weights));
      for (const [at, fit] of fits.entries()) {
        repairs.push({ ...repairOf(layer, sampled, fit), level: at + 1 });
      }
      onProgress?.(repairs.length, tasks.length * (draft.levels - 1));
      draft.add(made);
      tables.push(...made);
    }
  } finally {
    await fitters.release();
    await products.release();
  }
  return { tables, repairs };
}

/** What all layers are fitted with. */
interface FitParts {
  readonly draft: DraftBundle;
  readonly networks: TableNetworks;
  /** For inputs at each level above 0. */
  readonly memory: readonly { readonly own: RowMemory; readonly shared: RowMemory }[];
  readonly fitters: Fitters;
}

/** Fits one layer at every level above 0. Inputs of the next levels are collected while those before them are fitted. */
async function fitLevels(
  { draft, networks, memory, fitters }: FitParts,
  layer: WeightedLayer,
  given: {
    readonly sampled: SamplePositions;
    readonly answers: Float32Array;
    readonly start: number | undefined;
  },
): Promise<LayerFit[]> {
  const { sampled, answers } = given;
  networks.come(layer);
  const problemAt = async (level: number): Promise<LayerProblem> => {
    const positions = draft.positionsAt(level);
    const rows = (hasOneOutputPerGroup(layer) && positions(layer.output)) || all(layer.channels);
    const weights = weightMatrices(layer, positions(layer.input), rows);
    const { own, shared } = must(memory[level - 1], `level ${level}`);
    const x = await networks.inputsAt(
      layer,
      level,
      sampled,
      fitters.sends(weights, sampled.rows) ? shared : own,
    );
    const y = targetRows(answers, layer.channels, rows, x.length, undefined);
    return { name: layer.name, x, y, weights, fitRows: sampled.fitRows };
  };
  const first = fitters.fit(await problemAt(1), given.start);
  const fits = [first];
  for (let level = 2; level < draft.levels; level++) {
    // An error is told where all of them are awaited.
    fits.at(-1)?.catch(() => undefined);
    const problem = await problemAt(level);
    // Fewer inputs say less of each other, so they want no stronger ridge.
    fits.push(
      first.then(({ refit, strength }) =>
        fitters.fit({ ...problem, startsAtMost: refit }, strength || given.start),
      ),
    );
  }
  return Promise.all(fits);
}

/** Layers that get tables: those that read units of a group, unless a cut changes how their convolution is grouped. */
function tabledLayers(
  model: Model,
  draft: DraftBundle,
  cut: readonly ReadonlyMap<string, WeightedLayer>[],
): WeightedLayer[] {
  return repairable(weightedLayers(model)).filter(
    (layer) =>
      draft.readsOf(layer.name).length > 0 &&
      (hasOneOutputPerGroup(layer) || cut.every((layers) => layers.get(layer.name)?.groups === layer.groups)),
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
