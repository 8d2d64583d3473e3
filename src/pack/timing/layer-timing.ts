// Measures how many seconds layers and stages take on this machine, at pairs of levels. Opening a session takes longer
// than running it, so four things are saved: equal counts are measured once, layers of one shape too, many levels on a
// coarser grid, and a stage of a single layer is not measured again.
import { cpus } from 'node:os';
import type { BundleManifest } from '../../bundle/index.ts';
import { type BundleLayer, firstUnits, type MeasuredOn } from '../../bundle/internal.ts';
import type { Grouping, KeptUnits } from '../../channels/index.ts';
import type { Model } from '../../onnx/index.ts';
import { batchAxes, fixedBatchOf } from '../../onnx/internal.ts';
import { must } from '../../util/index.ts';
import { graphShape } from './graph-shape.ts';
import { type Fineness, implausible, type TimeGrid, tableFrom, timeGridOf } from './time-grid.ts';
import { layerSubgraphs, sliceSubgraph, stageSubgraph, withSamples } from './timed-subgraphs.ts';
import { expectedSeconds, isTimeable, medianSeconds, type TimingOptions } from './timing.ts';

/** How layers are timed. */
export interface LayerTimingOptions extends Pick<TimingOptions, 'name' | 'batch' | 'threads'> {
  /** About how many seconds the timing may take; grids become coarser to fit, down to their corners. Default 12. */
  readonly maxSeconds?: number | undefined;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

/** Layers and stages with their seconds, and how those were measured. */
export interface TimedLayers extends Pick<BundleManifest, 'layers' | 'stages'> {
  readonly measured: MeasuredOn;
  /** Number of graphs that were timed, and of table entries that follow from them. */
  readonly timed: number;
  readonly entries: number;
}

type Groups = BundleManifest['groups'];

/** From finest to coarsest. */
const FINENESS: readonly Fineness[] = [
  { size: Number.POSITIVE_INFINITY, diagonal: true },
  { size: 4, diagonal: true },
  { size: 3, diagonal: true },
  { size: 3, diagonal: false },
  { size: 2, diagonal: false },
];

/**
 * Adds seconds to the layers and stages that `describeModel` lists. A layer is timed together with the nodes up to the
 * next layer. The groups that it reads but does not give are at one level, all others at a second level. Times are
 * medians over turns in which all levels of the layer run, and include the cost of calling the engine. An entry that
 * took longer than a larger one is timed again; if it still does, both get their mean. A layer with inputs that are not
 * float32 gets no seconds.
 * @param model canonical, with the units of every group in order of importance
 * @throws BedsideError as `createSession`
 */
export async function timeLayers(
  model: Model,
  grouping: Grouping,
  described: Pick<BundleManifest, 'groups' | 'layers' | 'stages'>,
  given: LayerTimingOptions,
): Promise<TimedLayers> {
  const { groups, layers, stages } = described;
  const samples = Math.max(1, fixedBatchOf(model) ?? given.batch ?? 1);
  const options = { ...given, samples };
  const tasks = timingTasks(model, grouping, described, samples);
  const grids = await affordableGrids(tasks, grouping, options);
  const tables = new Map<TimingTask, number[][]>();
  const known = new Map<string, number[][]>();
  let timed = 0;
  for (const [index, task] of tasks.entries()) {
    const grid = must(grids[index], 'a grid');
    const cuts = grid.pairs.map((pair) => cutTask(task, grouping, pair));
    const shape = shapesOf(cuts, grid);
    const alike = shape === undefined ? undefined : known.get(shape);
    const table = alike ?? (await timeGrid(grid, cuts, options));
    if (!alike) timed += cuts.length;
    if (shape !== undefined) known.set(shape, table);
    tables.set(task, table);
    options.onProgress?.(index + 1, tasks.length);
  }
  const tableOf = (layer: string | undefined): number[][] | undefined =>
    [...tables].find(([task]) => task.layer !== undefined && task.layer === layer)?.[1];
  const secondsOf = (stage: BundleManifest['stages'][number]): number[] | undefined => {
    const own = [...tables].find(([task]) => task.stage === stage.index)?.[1];
    const only = stage.layers.length === 1 ? tableOf(stage.layers[0]) : undefined;
    return own?.[0] ?? only?.map((row, level) => row[level] ?? 0);
  };
  const levels = groups[0]?.counts.length ?? 1;
  return {
    layers: layers.map((layer) => ({ ...layer, ...some(tableOf(layer.name)) })),
    stages: stages.map((stage) => ({ ...stage, ...some(secondsOf(stage)) })),
    measured: measuredOn(options),
    timed,
    entries: tasks.reduce((sum, { layer }) => sum + (layer === undefined ? levels : levels * levels), 0),
  };
}

/** The seconds of one table. */
async function timeGrid(grid: TimeGrid, cuts: readonly Model[], options: TimingOptions): Promise<number[][]> {
  const values = await medianSeconds(cuts, options);
  const doubtful = implausible(grid, values);
  const again = await medianSeconds(
    doubtful.map((at) => must(cuts[at], 'a cut')),
    options,
  );
  for (const [i, at] of doubtful.entries()) values[at] = Math.min(values[at] ?? 0, again[i] ?? 0);
  return tableFrom(grid, values).map((row) => row.map(wholeNanoseconds));
}

/** What decides the seconds of a table; undefined where graphs cannot be compared. */
function shapesOf(cuts: readonly Model[], grid: TimeGrid): string | undefined {
  const shapes = cuts.map(graphShape);
  return shapes.includes(undefined) ? undefined : JSON.stringify([shapes, grid]);
}

/** One table to measure: by two levels for a layer, by one level for a whole stage. */
interface TimingTask {
  readonly layer?: string;
  readonly stage?: number;
  readonly part: Model;
  /** Counts of the groups at the first level and of those at the second, `[level][group]`. */
  readonly inputs: readonly (readonly number[])[];
  readonly outputs: readonly (readonly number[])[];
  readonly keep: (pair: readonly [number, number]) => KeptUnits;
}

function timingTasks(
  model: Model,
  grouping: Grouping,
  { groups, layers, stages }: Pick<BundleManifest, 'groups' | 'layers' | 'stages'>,
  samples: number,
): TimingTask[] {
  const parts = layerSubgraphs(model, stages);
  const places = batchAxes(model);
  const ofLayers = layers.flatMap((layer): TimingTask[] => {
    const part = parts.get(layer.name);
    if (!part) return [];
    return [
      {
        layer: layer.name,
        ...timingTaskOf(withSamples(part, places, samples), grouping, groups, groupsReadOnly(layer)),
      },
    ];
  });
  // A stage of one layer takes the seconds of that layer.
  const ofStages = stages
    .filter((stage) => stage.layers.length !== 1)
    .map(
      (stage): TimingTask => ({
        stage: stage.index,
        ...timingTaskOf(stageSubgraph(model, stage), grouping, groups, new Set()),
      }),
    );
  return [...ofLayers, ...ofStages].filter(({ part }) => isTimeable(part));
}

function timingTaskOf(
  part: Model,
  grouping: Grouping,
  groups: Groups,
  first: ReadonlySet<number>,
): Omit<TimingTask, 'layer' | 'stage'> {
  const present = groupsIn(part, grouping);
  const counts = (chosen: (id: number) => boolean): number[][] => {
    const own = groups.filter(({ id }) => present.has(id) && chosen(id));
    return (groups[0]?.counts ?? [0]).map((_, level) => own.map((group) => group.counts[level] ?? 0));
  };
  return {
    part,
    inputs: counts((id) => first.has(id)),
    outputs: counts((id) => !first.has(id)),
    keep: ([input, output]) => firstUnits(groups, (id) => (first.has(id) ? input : output)),
  };
}

/** Groups that a layer reads and does not give. */
function groupsReadOnly({ reads, outputs }: BundleLayer): ReadonlySet<number> {
  const given = new Set(outputs.map(({ group }) => group));
  return new Set(reads.map(({ group }) => group).filter((group) => !given.has(group)));
}

function groupsIn({ graph }: Model, { values }: Grouping): ReadonlySet<number> {
  const names = [...graph.inputs.map(({ name }) => name), ...graph.nodes.flatMap(({ outputs }) => outputs)];
  return new Set(names.flatMap((name) => [...new Set(values.get(name)?.group)]));
}

function cutTask({ part, keep }: TimingTask, grouping: Grouping, pair: readonly [number, number]): Model {
  return sliceSubgraph(part, grouping, keep(pair));
}

/** The finest grids that can be measured in time, judged by opening and running each unpruned subgraph once. */
async function affordableGrids(
  tasks: readonly TimingTask[],
  grouping: Grouping,
  options: LayerTimingOptions & Pick<TimingOptions, 'samples'>,
): Promise<TimeGrid[]> {
  const { maxSeconds = 12 } = options;
  const gridsOf = (fineness: Fineness): TimeGrid[] =>
    tasks.map(({ inputs, outputs }) => timeGridOf(inputs, outputs, fineness));
  let grids: TimeGrid[] = [];
  const each: number[] = [];
  for (const fineness of FINENESS) {
    grids = gridsOf(fineness);
    if (each.length === 0) {
      // Nothing to choose where all levels are the same.
      if (grids.every(({ pairs }) => pairs.length <= 1)) return grids;
      const shapes = new Set<string>();
      for (const [index, task] of tasks.entries()) {
        const cut = cutTask(task, grouping, [0, 0]);
        const shape = JSON.stringify([graphShape(cut) ?? index, task.inputs, task.outputs]);
        each.push(shapes.has(shape) ? 0 : await expectedSeconds(cut, options));
        shapes.add(shape);
      }
    }
    if (grids.reduce((sum, grid, at) => sum + costOf(grid, each[at] ?? 0), 0) <= maxSeconds) return grids;
  }
  return grids;
}

/** Seconds that a grid takes, given the seconds of its largest entry. */
function costOf({ pairs, inputs, outputs }: TimeGrid, largest: number): number {
  const share = ({ sizes, classes }: TimeGrid['inputs'], level: number): number =>
    (sizes[classes[level] ?? 0] ?? 0) / (sizes[0] || 1) || 1;
  return pairs.reduce(
    (sum, [input, output]) => sum + largest * (0.2 + 0.8 * share(inputs, input) * share(outputs, output)),
    0,
  );
}

/** Rounds to nanoseconds: finer digits are noise, and long to write. */
function wholeNanoseconds(seconds: number): number {
  return Math.max(1, Math.round(seconds * 1e9)) / 1e9;
}

function some<S>(seconds: S | undefined): { readonly seconds?: S } {
  return seconds === undefined ? {} : { seconds };
}

/** The processor of this machine, as bundles record it. */
export function thisMachine(): string {
  const [first, ...others] = cpus();
  return `${first?.model.trim() ?? 'unknown processor'}, ${others.length + 1} threads`;
}

function measuredOn({ threads = 1, samples }: LayerTimingOptions & { samples: number }): MeasuredOn {
  return {
    machine: thisMachine(),
    provider: 'cpu',
    threads,
    batch: samples,
    date: new Date().toISOString(),
  };
}
