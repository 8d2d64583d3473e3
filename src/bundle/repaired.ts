// Builds one layer's weight and bias from its tables: the column of each input channel comes from the table of its
// group's level.
import { must } from '../util/index.ts';
import type { Assembly, AssemblyLayer } from './bundle.ts';
import type { Share } from './manifest.ts';
import type { StoredTensor } from './safetensors.ts';
import { around, keptAt, tableDims, type WeightLayout } from './weight-layout.ts';
import { tableBias, tableWeight } from './weight-names.ts';

/** Consecutive entries of an axis, and the tensor that they come from. */
interface Run {
  readonly data: Float32Array;
  /** Length of the tensor's axis. */
  readonly size: number;
  readonly from: number;
  length: number;
}

/**
 * The weight at these levels; undefined when all its inputs are at level 0, so that the model's own weight stays.
 * @param outputs kept output channels, ascending
 */
export function repairedWeight(
  bundle: Assembly,
  view: WeightLayout,
  layer: AssemblyLayer,
  levels: readonly number[],
  outputs: readonly number[],
): StoredTensor | undefined {
  const weights = levelWeights(layer.reads, levels);
  if ([...weights.keys()].every((level) => level === 0)) return undefined;
  const runs = sourceRuns(bundle, view, layer, levels, weights);
  const { dims } = view.weight;
  const other = 1 - view.axis;
  const inner = around(dims, 1).inner;
  const otherSize = dims[other] as number;
  const others = view.depthwise
    ? [{ from: 0, length: otherSize }]
    : spans(outputs.filter((o) => o < otherSize));
  const count = runs.reduce((sum, run) => sum + run.length, 0);
  const otherCount = others.reduce((sum, span) => sum + span.length, 0);
  const data = new Float32Array(count * otherCount * inner);
  let to = 0;
  const copy = (source: Float32Array, from: number, length: number): void => {
    data.set(source.subarray(from * inner, (from + length) * inner), to);
    to += length * inner;
  };
  if (view.axis === 1) {
    for (const span of others) {
      for (let row = span.from; row < span.from + span.length; row++) {
        for (const run of runs) copy(run.data, row * run.size + run.from, run.length);
      }
    }
  } else {
    for (const run of runs) {
      for (let row = run.from; row < run.from + run.length; row++) {
        for (const span of others) copy(run.data, row * otherSize + span.from, span.length);
      }
    }
  }
  return {
    dims: dims.map((size, axis) => (axis === view.axis ? count : axis === other ? otherCount : size)),
    data,
  };
}

/**
 * The bias at these levels: the mean of the tables' biases, weighted by the shares of the groups at each level; for
 * depthwise layers the bias of each channel. Undefined as for the weight, and where the layer has no bias.
 */
export function repairedBias(
  bundle: Assembly,
  view: WeightLayout,
  layer: AssemblyLayer,
  levels: readonly number[],
  outputs: readonly number[],
): StoredTensor | undefined {
  const { bias } = view;
  const weights = levelWeights(layer.reads, levels);
  if (!bias || [...weights.keys()].every((level) => level === 0)) return undefined;
  const { groups } = bundle.manifest;
  const data = new Float32Array(outputs.length);
  for (const [level, weight] of weights) {
    const source = level === 0 ? bias.data : table(bundle, tableBias(layer.name, level)).data;
    const kept = level > 0 && view.depthwise ? keptAt(view.outputs, groups, () => level) : undefined;
    const rank = kept && new Map(kept.map((position, index) => [position, index]));
    outputs.forEach((output, i) => {
      const own = view.outputs.group[output] as number;
      const part = !view.depthwise || own < 0 ? weight : levels[own] === level ? 1 : 0;
      if (part === 0) return;
      const at = rank ? must(rank.get(output), 'a kept row of a table') : output;
      data[i] = (data[i] as number) + part * (source[source.length === 1 ? 0 : at] as number);
    });
  }
  return {
    dims:
      bias.data.length === 1
        ? [data.length]
        : bias.dims.map((size, i) => (i === bias.dims.length - 1 ? data.length : size)),
    data,
  };
}

/** The levels of a layer's input channels, each with its share of the channels that belong to groups. */
function levelWeights(shares: readonly Share[], levels: readonly number[]): Map<number, number> {
  const weights = new Map<number, number>();
  const total = shares.reduce((sum, { share }) => sum + share, 0);
  for (const { group, share } of shares) {
    const level = levels[group] as number;
    weights.set(level, (weights.get(level) ?? 0) + share / total);
  }
  return weights;
}

/** The origin of the kept entries along the tables' axis, in order. */
function sourceRuns(
  bundle: Assembly,
  view: WeightLayout,
  layer: AssemblyLayer,
  levels: readonly number[],
  weights: ReadonlyMap<number, number>,
): Run[] {
  const { groups } = bundle.manifest;
  const kept = keptAt(view.along, groups, (group) => levels[group] as number);
  const sources = new Map([...weights.keys()].map((level) => [level, sourceOf(bundle, view, layer, level)]));
  const [first] = sources.values();
  const always =
    sources.size === 1 ? undefined : kept.filter((position) => (view.along.group[position] as number) < 0);
  const mean = always && always.length > 0 ? meanOf(view, sources, weights, always) : undefined;
  const runs: Run[] = [];
  for (const position of kept) {
    const group = view.along.group[position] as number;
    const source =
      group < 0 ? (mean ?? must(first, 'a level')) : must(sources.get(levels[group] as number), 'a level');
    const from = must(source.rank(position), 'a kept entry of a table');
    const last = runs.at(-1);
    if (last && last.data === source.data && last.from + last.length === from) last.length++;
    else runs.push({ data: source.data, size: source.size, from, length: 1 });
  }
  return runs;
}

/** A tensor, and where a position on the axis of the whole weight lies in it. */
interface Source {
  readonly data: Float32Array;
  readonly size: number;
  readonly rank: (position: number) => number | undefined;
}

function sourceOf(bundle: Assembly, view: WeightLayout, layer: AssemblyLayer, level: number): Source {
  const { groups } = bundle.manifest;
  if (level === 0) {
    return { data: view.weight.data, size: view.along.group.length, rank: (position) => position };
  }
  return {
    data: table(bundle, tableWeight(layer.name, level)).data,
    size: tableDims(view, groups, level)[view.axis] as number,
    ...ranked(keptAt(view.along, groups, () => level)),
  };
}

/** Entries of channels that always stay, where the groups beside them are at several levels: the weighted mean. */
function meanOf(
  view: WeightLayout,
  sources: ReadonlyMap<number, Source>,
  weights: ReadonlyMap<number, number>,
  positions: readonly number[],
): Source {
  const { outer, inner } = around(view.weight.dims, view.axis);
  const size = positions.length;
  const data = new Float32Array(outer * size * inner);
  for (const [level, source] of sources) {
    const weight = weights.get(level) ?? 0;
    positions.forEach((position, index) => {
      const at = must(source.rank(position), 'an entry that always stays');
      for (let o = 0; o < outer; o++) {
        const [from, to] = [(o * source.size + at) * inner, (o * size + index) * inner];
        for (let i = 0; i < inner; i++) {
          data[to + i] = (data[to + i] as number) + weight * (source.data[from + i] as number);
        }
      }
    });
  }
  return { data, size, ...ranked(positions) };
}

function ranked(positions: readonly number[]): Pick<Source, 'rank'> {
  const ranks = new Map(positions.map((position, index) => [position, index]));
  return { rank: (position) => ranks.get(position) };
}

/** Ascending positions as runs of neighbours. */
function spans(positions: readonly number[]): { from: number; length: number }[] {
  const found: { from: number; length: number }[] = [];
  for (const position of positions) {
    const last = found.at(-1);
    if (last && last.from + last.length === position) last.length++;
    else found.push({ from: position, length: 1 });
  }
  return found;
}

function table(bundle: Assembly, name: string): StoredTensor {
  return must(bundle.tensors.get(name), `tensor '${name}'`);
}
