// Measured seconds of layers and stages at pairs of levels, on this machine. Opening a session takes longer than
// running it, so only distinct counts are measured, of many levels a coarser grid, and single layers stand for stages
// that hold no other.
import { cpus } from 'node:os';
import type { BundleLayer, BundleManifest, MeasuredOn } from '../../bundle/index.ts';
import type { Grouping } from '../../channels/index.ts';
import { batchAxes, fixedBatchOf, type Model } from '../../onnx/index.ts';
import { must } from '../../util/index.ts';
import { type Fineness, implausible, type TimeGrid, tableFrom, timeGridOf } from './time-grid.ts';
import { keepAt, layerSubgraphs, sliceSubgraph, stageSubgraph, withSamples } from './timed-subgraphs.ts';
import { expectedSeconds, isTimeable, medianSeconds, type TimingOptions } from './timing.ts';

/** How seconds are measured. */
export interface LayerTimingOptions extends Pick<TimingOptions, 'name' | 'batch' | 'threads'> {
  /** About how long measuring may take, in seconds; grids become coarser for it, down to corners. Default 30. */
  readonly maxSeconds?: number | undefined;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

/** Layers and stages with their seconds, where and how they were measured, and how much of it was. */
export interface TimedLayers extends Pick<BundleManifest, 'layers' | 'stages'> {
  readonly measured: MeasuredOn;
  /** Graphs that were timed, and entries of all tables that follow from them. */
  readonly timed: number;
  readonly entries: number;
}

type Groups = BundleManifest['groups'];

/** From the finest to the coarsest. */
const FINENESS: readonly Fineness[] = [
  { size: Number.POSITIVE_INFINITY, diagonal: true },
  { size: 4, diagonal: true },
  { size: 3, diagonal: true },
  { size: 3, diagonal: false },
  { size: 2, diagonal: false },
];

/**
 * Fills in the seconds of what `describeModel` says. A layer is timed with the unweighted nodes up to the next, with
 * the groups that it reads and does not give at one level, all others at another. Times are medians over turns with the
 * other levels of the same layer; what took longer than something larger is timed again, and where it still does, both
 * get their mean; what calling the engine costs is part of them. A layer
 * that reads what is not float32 has none.
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
  const works = worksOf(model, grouping, described, samples);
  const grids = await affordableGrids(works, grouping, options);
  const tables = new Map<TimingTask, number[][]>();
  for (const [index, work] of works.entries()) {
    const grid = must(grids[index], 'a grid');
    const cuts = grid.pairs.map((pair) => cutOf(work, grouping, pair));
    const values = await medianSeconds(cuts, options);
    const doubtful = implausible(grid, values);
    const again = await medianSeconds(
      doubtful.map((at) => must(cuts[at], 'a cut')),
      options,
    );
    for (const [i, at] of doubtful.entries()) values[at] = Math.min(values[at] ?? 0, again[i] ?? 0);
    tables.set(
      work,
      tableFrom(grid, values).map((row) => row.map(wholeNanoseconds)),
    );
    options.onProgress?.(index + 1, works.length);
  }
  const tableOf = (layer: string | undefined): number[][] | undefined =>
    [...tables].find(([work]) => work.layer !== undefined && work.layer === layer)?.[1];
  const secondsOf = (stage: BundleManifest['stages'][number]): number[] | undefined => {
    const own = [...tables].find(([work]) => work.stage === stage.index)?.[1];
    const only = stage.layers.length === 1 ? tableOf(stage.layers[0]) : undefined;
    return own?.[0] ?? only?.map((row, level) => row[level] ?? 0);
  };
  const levels = groups[0]?.counts.length ?? 1;
  return {
    layers: layers.map((layer) => ({ ...layer, ...some(tableOf(layer.name)) })),
    stages: stages.map((stage) => ({ ...stage, ...some(secondsOf(stage)) })),
    measured: measuredOn(options),
    timed: grids.reduce((sum, { pairs }) => sum + pairs.length, 0),
    entries: works.reduce((sum, { layer }) => sum + (layer === undefined ? levels : levels * levels), 0),
  };
}

/** A table to measure: of a layer, by two levels, or of a whole stage, by one. */
interface TimingTask {
  readonly layer?: string;
  readonly stage?: number;
  readonly part: Model;
  /** Counts of all groups that it has to do with, by level: those at the first level, and those at the second. */
  readonly inputs: readonly (readonly number[])[];
  readonly outputs: readonly (readonly number[])[];
  readonly keep: (pair: readonly [number, number]) => ReturnType<typeof keepAt>;
}

function worksOf(
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
      { layer: layer.name, ...workOf(withSamples(part, places, samples), grouping, groups, readOnly(layer)) },
    ];
  });
  // A stage of one layer is that layer's part.
  const ofStages = stages
    .filter((stage) => stage.layers.length !== 1)
    .map(
      (stage): TimingTask => ({
        stage: stage.index,
        ...workOf(stageSubgraph(model, stage), grouping, groups, new Set()),
      }),
    );
  return [...ofLayers, ...ofStages].filter(({ part }) => isTimeable(part));
}

function workOf(
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
    keep: ([input, output]) => keepAt(groups, (id) => (first.has(id) ? input : output)),
  };
}

/** Groups that a layer reads; one that it gives as well is at the level of what it gives. */
function readOnly({ reads, outputs }: BundleLayer): ReadonlySet<number> {
  const given = new Set(outputs.map(({ group }) => group));
  return new Set(reads.map(({ group }) => group).filter((group) => !given.has(group)));
}

function groupsIn({ graph }: Model, { values }: Grouping): ReadonlySet<number> {
  const names = [...graph.inputs.map(({ name }) => name), ...graph.nodes.flatMap(({ outputs }) => outputs)];
  return new Set(names.flatMap((name) => [...new Set(values.get(name)?.group)]));
}

function cutOf({ part, keep }: TimingTask, grouping: Grouping, pair: readonly [number, number]): Model {
  return sliceSubgraph(part, grouping, keep(pair));
}

/** The finest grids that can be measured in time, judged by opening and running each unpruned part once. */
async function affordableGrids(
  works: readonly TimingTask[],
  grouping: Grouping,
  options: LayerTimingOptions & Pick<TimingOptions, 'samples'>,
): Promise<TimeGrid[]> {
  const { maxSeconds = 30 } = options;
  const gridsOf = (fineness: Fineness): TimeGrid[] =>
    works.map(({ inputs, outputs }) => timeGridOf(inputs, outputs, fineness));
  let grids: TimeGrid[] = [];
  const each: number[] = [];
  for (const fineness of FINENESS) {
    grids = gridsOf(fineness);
    if (each.length === 0) {
      // What is the same at every level needs no choice.
      if (grids.every(({ pairs }) => pairs.length <= 1)) return grids;
      for (const work of works) each.push(await expectedSeconds(cutOf(work, grouping, [0, 0]), options));
    }
    if (grids.reduce((sum, grid, at) => sum + costOf(grid, each[at] ?? 0), 0) <= maxSeconds) return grids;
  }
  return grids;
}

/** Seconds that a grid takes, given those of its largest entry. */
function costOf({ pairs, inputs, outputs }: TimeGrid, largest: number): number {
  const share = ({ sizes, classes }: TimeGrid['inputs'], level: number): number =>
    (sizes[classes[level] ?? 0] ?? 0) / (sizes[0] || 1) || 1;
  return pairs.reduce(
    (sum, [input, output]) => sum + largest * (0.2 + 0.8 * share(inputs, input) * share(outputs, output)),
    0,
  );
}

/** What is below is noise, and long to write. */
function wholeNanoseconds(seconds: number): number {
  return Math.max(1, Math.round(seconds * 1e9)) / 1e9;
}

function some<S>(seconds: S | undefined): { readonly seconds?: S } {
  return seconds === undefined ? {} : { seconds };
}

/** The processor of this machine, as bundles name where they were measured. */
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
