// The networks whose values repair tables are fitted on. Each has its own level vector and its own part of the samples,
// and all are walked through once, while the tables of the layers behind the walk are made.
import type { WeightedLayer } from '../onnx/internal.ts';
import { must } from '../util/index.ts';
import { type Random, rowsAt } from '../util/internal.ts';
import type { RepairSamples } from './augment.ts';
import { InputRows } from './collect.ts';
import type { DraftBundle } from './draft-bundle.ts';
import type { Matrix } from './products.ts';
import type { RefitTask } from './reference-activations.ts';
import type { RowMemory } from './row-memory.ts';
import type { SamplePositions } from './sample-positions.ts';
import { type NetworkRun, NetworkWalk } from './walk.ts';

/** Most bytes of activations that all networks hold together between two layers. */
const WALK_BYTES = 768 * 2 ** 20;

/** One network: its levels, its samples, and how far it has come. */
interface TableNetwork {
  readonly levels: readonly number[];
  /** Indices among all samples. */
  readonly own: Int32Array;
  readonly samples: RepairSamples;
  readonly walk: NetworkWalk;
}

/** How often networks are drawn: those that walk on know only tables that were fitted on their own samples. */
const DRAWS = 2;

/** Samples and settings of networks. */
interface TableRun extends NetworkRun {
  /** Into how many parts the samples are divided; each is seen by one network for every level. */
  readonly parts: number;
  readonly samples: RepairSamples;
  /** The layers by name when all groups are at a level, for each level. */
  readonly cut: readonly ReadonlyMap<string, WeightedLayer>[];
  readonly random: Random;
}

/** Walks through networks at several level vectors, layer by layer. */
export class TableNetworks {
  readonly #draft: DraftBundle;
  readonly #layers: readonly string[];
  readonly #options: TableRun;
  readonly #start: NetworkWalk;
  #networks: readonly TableNetwork[] = [];
  #done = 0;

  private constructor(draft: DraftBundle, layers: readonly string[], options: TableRun, start: NetworkWalk) {
    this.#draft = draft;
    this.#layers = layers;
    this.#options = options;
    this.#start = start;
  }

  /** @param tasks layers that get tables, in execution order */
  static async open(
    draft: DraftBundle,
    tasks: readonly RefitTask[],
    options: TableRun,
  ): Promise<TableNetworks> {
    const steps = tasks.map(({ layer }) => ({ values: [layer.input], changes: [layer.name] }));
    const start = await NetworkWalk.open(draft.unpruned, steps, options.samples, options);
    return new TableNetworks(
      draft,
      tasks.map(({ layer }) => layer.name),
      options,
      start,
    );
  }

  /** Networks at new levels, each with another part of the samples, that have come to the next layer. */
  #draw(): TableNetwork[] {
    const { parts, random, samples } = this.#options;
    const vectors = levelVectors(this.#draft, this.#layers, parts, random);
    const walkBytes = WALK_BYTES / vectors.reduce((sum, { length }) => sum + length, 0);
    const shuffled = random.shuffle(Int32Array.from({ length: samples.size }, (_, i) => i));
    return vectors.flatMap((list, part) => {
      const own = shuffled.filter((_, i) => i % parts === part).sort();
      if (own.length === 0) return [];
      const chosen = chosenOf(samples, own);
      const settings = { ...this.#options, batch: own.length, walkBytes };
      return list.map((levels) => {
        const walk = this.#start.beside(chosen, settings);
        for (let step = 0; step < this.#done; step++) walk.skip();
        return { levels, own, samples: chosen, walk };
      });
    });
  }

  /** Comes to the next layer, which must be that of the next task. */
  come(layer: WeightedLayer): void {
    if (this.#done % Math.ceil(this.#layers.length / DRAWS) === 0) this.#networks = this.#draw();
    this.#done++;
    for (const { walk } of this.#networksAt(layer, 0)) walk.skip();
  }

  /**
   * What the layer that it has come to reads at a level above 0, `[rows, unknowns]` for each convolution group: each sample
   * in a network that has this level at the layer's input. Each level must be asked for once.
   */
  async inputsAt(
    layer: WeightedLayer,
    level: number,
    sampled: SamplePositions,
    memory: RowMemory,
  ): Promise<readonly Matrix[]> {
    const cut = must(this.#options.cut[level]?.get(layer.name), `no layer '${layer.name}'`);
    const rows = InputRows.empty(cut, sampled, undefined, memory);
    for (const { levels, own, walk } of this.#networksAt(layer, level)) {
      await walk.visit(
        this.#draft.unpruned,
        (sample, value) => rows.add(own[sample] as number, value),
        (part) => this.#draft.assemblePart(part, levels),
      );
    }
    return rows.x;
  }

  #networksAt({ name }: WeightedLayer, level: number): TableNetwork[] {
    const [read = -1] = this.#draft.readsOf(name);
    return this.#networks.filter(({ levels }) => levels[read] === level);
  }
}

/**
 * Level vectors for each part of the samples. In every part each group has each level once, so each layer finds a network
 * for every level that it reads. Groups that a layer reads together have equal levels. The first part has uniform
 * vectors; by turns with these, groups are anywhere, or near each other.
 */
function levelVectors(
  draft: DraftBundle,
  layers: readonly string[],
  parts: number,
  random: Random,
): number[][][] {
  const { levels, groups } = draft;
  const readTogether = together(
    groups.map(({ id }) => id),
    layers.map((layer) => draft.readsOf(layer)),
  );
  const all = Array.from({ length: levels }, (_, level) => level);
  return Array.from({ length: parts }, (_, part) => {
    const orders = new Map<number, readonly number[]>();
    for (const id of readTogether.values()) {
      if (orders.has(id)) continue;
      if (part === 0) orders.set(id, all);
      else orders.set(id, part % 2 === 0 ? [...random.shuffle(Int32Array.from(all))] : near(all, random));
    }
    const vectors = all.map((slot) =>
      groups.map(({ id }) => must(orders.get(readTogether.get(id) as number)?.[slot], 'a level')),
    );
    return vectors.filter((vector) => vector.some((level) => level > 0));
  });
}

/** An order in which two thirds of the levels have changed places with a neighbour. */
function near(levels: readonly number[], random: Random): number[] {
  const order = [...levels];
  for (let at = 0; at + 1 < order.length; at++) {
    if (random.uniform() < 0.5) continue;
    [order[at], order[at + 1]] = [order[at + 1] as number, order[at] as number];
    at++;
  }
  return order;
}

/** For each item, the least of those that it shares a set with, directly or through others. */
function together(items: readonly number[], sets: readonly (readonly number[])[]): Map<number, number> {
  const least = new Map(items.map((item) => [item, item]));
  for (const set of sets) {
    const found = new Set(set.map((item) => least.get(item) as number));
    const target = Math.min(...found);
    for (const [item, own] of least) if (found.has(own)) least.set(item, target);
  }
  return least;
}

function chosenOf(
  { samples, size, sampleShape, fitSize }: RepairSamples,
  indices: Int32Array,
): RepairSamples {
  const fit = indices.filter((sample) => sample < fitSize).length;
  return { samples: rowsAt(samples, size, indices), size: indices.length, sampleShape, fitSize: fit };
}
