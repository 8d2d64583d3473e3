// Repair after pruning, without retraining. Every layer behind a pruned one is refitted in closed form, in execution
// order, so that on a few unlabelled samples its output is again that of the unpruned layer (layer-wise least squares,
// as in He et al., ICCV 2017, with a ridge toward the sliced weights).

import type { Grouping, KeptUnits } from '../channels/index.ts';
import { keptPositions } from '../channels/internal.ts';
import type { Dataset } from '../data/index.ts';
import type { EngineOptions } from '../engine/index.ts';
import type { Model } from '../onnx/index.ts';
import { recurrentLayer, sampleShapes, type WeightedLayer, weightedLayers } from '../onnx/internal.ts';
import { BedsideError, must } from '../util/index.ts';
import { Random } from '../util/internal.ts';
import { copiesWithin, type RepairSamples, repairSamples } from './augment.ts';
import { InputRows } from './collect.ts';
import type { WalkStep } from './frontier.ts';
import { type Matrix, Products } from './products.ts';
import { refitRecurrent } from './recurrent.ts';
import { type ReferenceMemory, ReferenceWalk } from './reference-activations.ts';
import { fitLayer, fromMatrices, type LayerFit, weightMatrices } from './refit.ts';
import { RowMemory } from './row-memory.ts';
import { type SamplePositions, samplePositionsOf } from './sample-positions.ts';
import { type LayerTarget, orderedTargets } from './targets.ts';
import { refitThroughTime } from './time/refit.ts';
import { type NetworkRun, NetworkWalk, type Visitor } from './walk.ts';
import { setWeights } from './weights.ts';

/** Samples and limits of a repair; `batch` is 16 by default. */
export interface RepairOptions extends EngineOptions {
  /** Name of the model in error messages. */
  readonly name: string;
  /** Samples; labels are not read. */
  readonly calibration: Dataset;
  readonly seed?: number | undefined;
  /** Most output positions that a layer is fitted on, over all samples; bounds memory. Default 8192. */
  readonly maxPositions?: number | undefined;
  /**
   * How many times as many samples are made from the given ones, by mixing and translating them; default 4, 1 for none.
   * Fewer where one pass of the unpruned network over all of them would take more than 4e11 multiply-accumulates.
   */
  readonly copies?: number | undefined;
  /** Whether recurrent layers are refitted through time once all layers are; default true. */
  readonly throughTime?: boolean | undefined;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

/** What repairs of one network on the same samples, with the same copies and seed, have in common. */
export interface SharedReference {
  readonly reference?: ReferenceMemory | undefined;
}

/** The result for one layer. */
export interface LayerRepair {
  readonly layer: string;
  /** Held-out squared error, divided by the variance of the unpruned layer's output. */
  readonly errorBefore: number;
  readonly errorAfter: number;
  /** Rows and unknowns of the regression of each output (within one group of a grouped convolution). */
  readonly rows: number;
  readonly unknowns: number;
  /** False where a refit would not have lowered the held-out error; the layer then keeps its sliced weights. */
  readonly refit: boolean;
  /** Of a recurrent layer: whether it was also refitted through time, and if not, why. */
  readonly throughTime?: { readonly refit: boolean; readonly reason?: string };
}

/** A repaired model. */
export interface RepairResult {
  readonly model: Model;
  readonly layers: readonly LayerRepair[];
  /** How many times as many samples were made as given. */
  readonly copies: number;
}

/** The defaults of `RepairOptions`. */
export const REPAIR_DEFAULTS = {
  batch: 16,
  threads: 1,
  seed: 1,
  maxPositions: 8192,
  copies: 4,
  throughTime: true,
} as const;

/** For comparisons: fewer rows than for the repair itself, but enough to tell networks apart. */
export const QUICK_REPAIR = { maxPositions: 2048, copies: 2 } as const;

/**
 * Refits a pruned model toward the model that it was cut from. Both must be canonical and use the same names.
 * @param keep the units that the cut kept
 * @param options with a `reference`, for repairs of several cuts alike, which compute the unpruned network's values once
 * @throws BedsideError E_DATA with fewer than two samples: one must be held out
 */
export async function repair(
  original: Model,
  cut: Model,
  grouping: Grouping,
  keep: KeptUnits,
  options: RepairOptions & SharedReference,
): Promise<RepairResult> {
  assertEnough(options.calibration);
  const settings = { ...REPAIR_DEFAULTS, ...defined(options) };
  const { seed, threads, maxPositions, onProgress } = settings;
  const positions = keptPositions(grouping, keep);
  const shapes = sampleShapes(cut);
  const stale = behindPruned(cut, positions);
  const todo = orderedTargets(
    cut,
    repairable(weightedLayers(cut, shapes)).filter((layer) => stale.has(layer.input)),
    shapes,
  );
  const copies = copiesWithin(original, options.calibration.size, settings.copies);
  const samples = repairSamples(options.calibration, copies, new Random(seed));
  const uncut = new Map(weightedLayers(original).map((layer) => [layer.name, layer]));
  const tasks = todo.map(({ layer, target }, index) => {
    const whole = must(uncut.get(layer.name), `no layer '${layer.name}' in the uncut model`);
    return {
      cut: layer,
      target,
      layer: whole,
      sampled: samplePositionsOf(whole, samples, maxPositions, seed + index),
      values: [target.value],
    };
  });
  const recurrent = touchedRecurrent(cut, grouping, positions, stale);
  const products = await Products.create(threads);
  const common = { original, positions, samples, settings, products };
  const twice = settings.throughTime ? recurrent : [];
  const closed = tasks.length + recurrent.length;
  const total = closed + twice.length;
  try {
    const told = (done: number): void => onProgress?.(done, total);
    const repaired = await refitInOrder({ ...common, told }, cut, tasks, recurrent);
    let { model } = repaired;
    const through = new Map<string, LayerRepair['throughTime']>();
    for (const [index, { name, kept, at }] of twice.entries()) {
      const onShare = (share: number): void => told(closed + index + share);
      const models = { original, cut: model };
      const found = await refitThroughTime(models, name, kept, products, { ...settings, onShare });
      const refit = 'model' in found;
      through.set(name, refit ? { refit } : { refit, reason: found.reason });
      if (refit)
        model = (await refitInOrder(common, found.model, tasksBehind(found.model, tasks, at), [])).model;
      told(closed + index + 1);
    }
    return {
      model,
      copies,
      layers: repaired.layers.map((layer) => {
        const throughTime = through.get(layer.layer);
        return throughTime ? { ...layer, throughTime } : layer;
      }),
    };
  } finally {
    await products.release();
  }
}

/** What layers are refitted with. */
interface RefitParts {
  readonly original: Model;
  readonly positions: (value: string) => number[] | undefined;
  readonly samples: RepairSamples;
  readonly settings: NetworkRun & SharedReference & { readonly seed: number; readonly maxPositions: number };
  readonly products: Products;
  readonly told?: (done: number) => void;
}

/** One layer to refit: as it is now, as the unpruned network has it, and what it is fitted to. */
interface LayerTask {
  readonly cut: WeightedLayer;
  readonly layer: WeightedLayer;
  readonly target: LayerTarget;
  readonly sampled: SamplePositions;
  readonly values: readonly string[];
}

/** The tasks of the layers behind a place, with the weights that they have by now. */
function tasksBehind(model: Model, tasks: readonly LayerTask[], at: number): LayerTask[] {
  const now = new Map(weightedLayers(model).map((layer) => [layer.name, layer]));
  return tasks
    .filter(({ cut }) => placeOf(model, cut.name) > at)
    .map((task) => ({ ...task, cut: now.get(task.cut.name) ?? task.cut }));
}

/** Refits layers in execution order, each on what the network gives it by then. */
async function refitInOrder(
  { original, positions, samples, settings, products, told }: RefitParts,
  cut: Model,
  tasks: readonly LayerTask[],
  touched: ReturnType<typeof touchedRecurrent>,
): Promise<Omit<RepairResult, 'copies'>> {
  const recurrent = [...touched];
  const places = tasks.map(({ layer }) => placeOf(cut, layer.name));
  const reference = await ReferenceWalk.open(original, tasks, samples, settings, settings.reference);
  const walk = await NetworkWalk.open(cut, stepsOf(tasks, places, recurrent), samples, settings);
  const memory = { x: new RowMemory(), y: new RowMemory() };
  let model = cut;
  const repairs: LayerRepair[] = [];
  let start: number | undefined;
  /** Recurrent layers before a node, in execution order. */
  const refitBefore = async (end: number): Promise<void> => {
    for (let next = recurrent[0]; next && next.at < end; next = recurrent[0]) {
      recurrent.shift();
      const models = { original, cut: model };
      const own = { ...settings, seed: settings.seed + tasks.length + next.at };
      const found = await refitRecurrent(models, next.name, next.kept, samples, products, own);
      model = found.model;
      const { errorBefore, errorAfter, rows, unknowns, refit } = found;
      repairs.push({ layer: next.name, errorBefore, errorAfter, rows, unknowns, refit });
      told?.(repairs.length);
    }
  };
  for (const [index, { cut: layer, layer: whole, target, sampled }] of tasks.entries()) {
    await refitBefore(places[index] as number);
    const run = (visit: Visitor): Promise<void> => walk.visit(model, visit);
    const { x, minus } = await InputRows.collect(layer, sampled, target.minus, run, memory.x);
    const kept = positions(layer.output) ?? Array.from({ length: layer.channels }, (_, c) => c);
    const answers = await reference.valuesAt(layer.name, target.value);
    const y = targetRows(answers, whole.channels, kept, x.length, minus, memory.y);
    const problem = { name: layer.name, x, y, weights: weightMatrices(layer), fitRows: sampled.fitRows };
    const fit = await fitLayer(problem, products, start);
    // Neighbouring layers need similar strengths, so the search starts at the last one.
    start = fit.strength || start;
    if (fit.refit) {
      const { weight, bias } = fromMatrices(layer, fit.weights);
      model = setWeights(model, layer, weight, bias);
    }
    repairs.push(repairOf(layer, sampled, fit));
    told?.(repairs.length);
  }
  await refitBefore(cut.graph.nodes.length);
  return { model, layers: repairs };
}

function placeOf({ graph }: Model, name: string): number {
  return graph.nodes.findIndex((node) => node.name === name);
}

/** What is read to refit each layer, and what changes then: the layer, and recurrent layers before the next one. */
function stepsOf(
  tasks: readonly { readonly cut: WeightedLayer; readonly target: LayerTarget }[],
  places: readonly number[],
  recurrent: readonly { readonly name: string; readonly at: number }[],
): WalkStep[] {
  const before = recurrent.map(({ name, at }) => ({ name, task: places.findIndex((place) => at < place) }));
  return tasks.map(({ cut: layer, target: { minus } }, index) => ({
    values: minus === undefined ? [layer.input] : [layer.input, minus],
    changes: [layer.name, ...before.flatMap(({ name, task }) => (task === index + 1 ? [name] : []))],
  }));
}

/** Recurrent layers that read or lost channels, by the position of their nodes, with the units that they keep. */
function touchedRecurrent(
  { graph }: Model,
  { values }: Grouping,
  positions: (value: string) => number[] | undefined,
  stale: ReadonlySet<string>,
): { name: string; at: number; kept: readonly number[] }[] {
  return graph.nodes.flatMap((node, at) => {
    const units = node.outputs.find(Boolean) ?? '';
    if (!recurrentLayer(graph, node) || !(stale.has(node.inputs[0] ?? '') || positions(units))) return [];
    const all = Array.from({ length: values.get(units)?.group.length ?? 0 }, (_, unit) => unit);
    return [{ name: node.name, at, kept: positions(units) ?? all }];
  });
}

/** @throws BedsideError E_DATA with fewer than two samples: one must be held out */
export function assertEnough(calibration: Dataset): void {
  if (calibration.size >= 2) return;
  throw new BedsideError('E_DATA', `${calibration.name}: ${calibration.size} sample to repair from, need 2`, {
    hint: 'give more calibration samples, or prune with --no-repair',
  });
}

/** Layers that a repair can refit by one regression: all but recurrent ones, and transposed convolutions in groups. */
export function repairable(layers: readonly WeightedLayer[]): WeightedLayer[] {
  return layers.filter(
    ({ kind, groups }) => kind !== 'recurrent' && (kind !== 'conv-transpose' || groups === 1),
  );
}

/** The given options without undefined ones, which would hide defaults. */
export function defined<T extends object>(options: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given) as { [K in keyof T]: Exclude<T[K], undefined> };
}

/** Values that differ from the unpruned model's: all behind a layer that lost channels. */
function behindPruned(model: Model, positions: (value: string) => number[] | undefined): Set<string> {
  const stale = new Set<string>();
  for (const node of model.graph.nodes) {
    const touched = node.inputs.some((name) => stale.has(name));
    for (const name of node.outputs) if (touched || positions(name)) stale.add(name);
  }
  return stale;
}

/** `[rows, outputs]` of each convolution group: the kept channels of the unpruned network, less the other branch. */
export function targetRows(
  answers: Float32Array,
  channels: number,
  kept: readonly number[],
  groups: number,
  minus: Float32Array | undefined,
  memory = new RowMemory(),
): Matrix[] {
  const rows = answers.length / channels;
  const outputs = kept.length / groups;
  const all = memory.take(rows * kept.length);
  return Array.from({ length: groups }, (_, g) => {
    const data = all.subarray(g * rows * outputs, (g + 1) * rows * outputs);
    for (let row = 0; row < rows; row++) {
      for (let o = 0; o < outputs; o++) {
        const c = g * outputs + o;
        const off = minus ? (minus[row * kept.length + c] as number) : 0;
        data[row * outputs + o] = (answers[row * channels + (kept[c] as number)] as number) - off;
      }
    }
    return { rows, columns: outputs, data };
  });
}

/** The report of one layer's fit. */
export function repairOf(
  layer: WeightedLayer,
  { rows }: SamplePositions,
  { weights, errorBefore, errorAfter, refit }: LayerFit,
): LayerRepair {
  const unknowns = must(weights[0], 'weights').rows;
  return { layer: layer.name, errorBefore, errorAfter, rows, unknowns, refit };
}
