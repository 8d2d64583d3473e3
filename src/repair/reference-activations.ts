// The unpruned network's values at the positions where its layers are fitted: computed once, for any number of repairs.
import type { Model } from '../onnx/index.ts';
import type { WeightedLayer } from '../onnx/internal.ts';
import { must } from '../util/index.ts';
import type { RepairSamples } from './augment.ts';
import { Unfolding } from './rows.ts';
import type { SamplePositions } from './sample-positions.ts';
import { type NetworkRun, NetworkWalk } from './walk.ts';

/**
 * A layer of the unpruned network to refit, its positions, and the values to fit it to (all shaped like its output).
 */
export interface RefitTask {
  readonly layer: WeightedLayer;
  readonly sampled: SamplePositions;
  readonly values: readonly string[];
}

/** Most bytes of values that `ReferenceWalk` has at once. */
const CHUNK_BYTES = 256 * 2 ** 20;

/** Values of the unpruned network at the positions of its layers. */
export class ReferenceActivations {
  readonly #values = new Map<string, Float32Array>();

  private constructor() {}

  /** Runs the unpruned network over the samples once. */
  static async collect(
    model: Model,
    tasks: readonly RefitTask[],
    samples: RepairSamples,
    options: NetworkRun,
  ): Promise<ReferenceActivations> {
    const values = tasks.flatMap((task) => task.values);
    const walk = await NetworkWalk.open(model, [{ values, changes: [] }], samples, options);
    return ReferenceActivations.next(walk, model, tasks);
  }

  /** The next step of a walk, which shows the values of these tasks. */
  static async next(
    walk: NetworkWalk,
    model: Model,
    tasks: readonly RefitTask[],
  ): Promise<ReferenceActivations> {
    const reference = new ReferenceActivations();
    const wanted = tasks.flatMap(({ layer, sampled, values }) => {
      const unfolding = new Unfolding(layer);
      return [...new Set(values)].map((value) => {
        const rows = new Float32Array(sampled.rows * layer.channels);
        reference.#values.set(keyOf(layer.name, value), rows);
        return { layer, sampled, value, unfolding, rows };
      });
    });
    await walk.visit(model, (sample, read) => {
      for (const { layer, sampled, value, unfolding, rows } of wanted) {
        const data = read(value);
        const positions = sampled.positions[sample] as Int32Array;
        positions.forEach((position, k) => {
          const at = (sample * sampled.perSample + k) * layer.channels;
          for (let c = 0; c < layer.channels; c++) {
            rows[at + c] = unfolding.channelAt(data, c, position);
          }
        });
      }
    });
    return reference;
  }

  /** A value at a layer's positions, `[rows, channels]`. */
  valuesAt(layer: string, value: string): Float32Array {
    return must(this.#values.get(keyOf(layer, value)), `'${value}' was not collected for '${layer}'`);
  }
}

/** Most bytes of values that a `ReferenceMemory` keeps. */
const KEPT_BYTES = 512 * 2 ** 20;

/**
 * Keeps the unpruned network's values from one repair to the next. For repairs that share the unpruned network, samples,
 * copies and seed; where they fit other layers or places, or the values would be too many, each computes its own.
 */
export class ReferenceMemory {
  #key = '';
  #chunks: ReferenceActivations[] = [];

  /** The values by chunk, as far as they are known; the caller adds those that it computes. */
  chunksFor(tasks: readonly RefitTask[]): ReferenceActivations[] | undefined {
    if (tasks.reduce((sum, task) => sum + bytesOf(task), 0) > KEPT_BYTES) return undefined;
    const key = JSON.stringify(
      tasks.map(({ layer, values, sampled }) => [layer.name, values, sampled.perSample, sampled.seed]),
    );
    if (key !== this.#key) [this.#key, this.#chunks] = [key, []];
    return this.#chunks;
  }
}

/**
 * The unpruned network's values for layers in the order in which they are refitted, a bounded number of bytes at a time.
 * Every value must follow from its own layer and those before it.
 */
export class ReferenceWalk {
  readonly #model: Model;
  readonly #chunks: readonly (readonly RefitTask[])[];
  readonly #chunkOf: ReadonlyMap<string, number>;
  readonly #walk: NetworkWalk;
  /** Values that stay; undefined where none do. */
  readonly #known: ReferenceActivations[] | undefined;
  #made = 0;
  #present: ReferenceActivations | undefined;

  private constructor(
    model: Model,
    chunks: readonly (readonly RefitTask[])[],
    walk: NetworkWalk,
    known: ReferenceActivations[] | undefined,
  ) {
    this.#model = model;
    this.#chunks = chunks;
    this.#chunkOf = new Map(
      chunks.flatMap((tasks, at) => tasks.map(({ layer }) => [layer.name, at] as const)),
    );
    this.#walk = walk;
    this.#known = known;
  }

  static async open(
    model: Model,
    tasks: readonly RefitTask[],
    samples: RepairSamples,
    options: NetworkRun,
    memory?: ReferenceMemory,
  ): Promise<ReferenceWalk> {
    const chunks = chunksOf(tasks);
    const steps = chunks.map((chunk, at) => ({
      values: chunk.flatMap(({ values }) => values),
      // Weights stay as they are; later layers count as changing, so that nothing behind them is computed before its turn.
      changes: (chunks[at + 1] ?? []).map(({ layer }) => layer.name),
    }));
    const walk = await NetworkWalk.open(model, steps, samples, options);
    return new ReferenceWalk(model, chunks, walk, memory?.chunksFor(tasks));
  }

  /** A value at a layer's positions, `[rows, channels]`. Layers must be asked for in order. */
  async valuesAt(layer: string, value: string): Promise<Float32Array> {
    const chunk = must(this.#chunkOf.get(layer), `no reference for '${layer}'`);
    const known = this.#known?.[chunk];
    if (known) return known.valuesAt(layer, value);
    while (this.#made <= chunk) {
      // Freed before the next one is made.
      this.#present = undefined;
      const at = this.#made++;
      const tasks = must(this.#chunks[at], 'a chunk of layers');
      this.#present = await ReferenceActivations.next(this.#walk, this.#model, tasks);
      if (this.#known?.length === at) this.#known.push(this.#present);
    }
    return must(this.#present, 'reference values').valuesAt(layer, value);
  }
}

function chunksOf(tasks: readonly RefitTask[]): RefitTask[][] {
  const chunks: RefitTask[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const task of tasks) {
    const own = bytesOf(task);
    if (bytes + own > CHUNK_BYTES) {
      chunks.push([]);
      bytes = 0;
    }
    bytes += own;
    chunks.at(-1)?.push(task);
  }
  return chunks;
}

function bytesOf({ sampled, layer, values }: RefitTask): number {
  return 4 * sampled.rows * layer.channels * values.length;
}

function keyOf(layer: string, value: string): string {
  return JSON.stringify([layer, value]);
}
