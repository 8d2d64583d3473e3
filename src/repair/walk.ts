// Walks through a network layer by layer while its weights change behind the walk, and shows values sample by sample.
// What is alive at the cut between done and undone layers is held, so each node runs about once whatever the depth.
import { createSession, type Session, type Tensor, tensor } from '../engine/index.ts';
import type { EngineSettings } from '../engine/internal.ts';
import { trySamples } from '../explain/internal.ts';
import type { Model } from '../onnx/index.ts';
import {
  type BatchPlace,
  batchAxes,
  batchAxisOf,
  extractSubgraph,
  fixedBatchOf,
  type PartShapes,
  partShapes,
  readsOf,
  sampleOf,
  sizeOf,
  soleInput,
} from '../onnx/internal.ts';
import { must } from '../util/index.ts';
import { rowRange } from '../util/internal.ts';
import type { RepairSamples } from './augment.ts';
import { frontiers, type WalkStep } from './frontier.ts';

/** The name and settings of a run over a network. */
export interface NetworkRun extends EngineSettings {
  /** Name of the network in error messages. */
  readonly name: string;
  /** Most bytes of activations that a walk holds between two steps; default 768 MiB. */
  readonly walkBytes?: number | undefined;
}

const WALK_BYTES = 768 * 2 ** 20;
/**
 * Most bytes that one run shows; with more, fewer samples run at once. Allocators get arrays above 32 MiB from the system each
 * time, and touching new pages took a third of the time of the first layers of a ResNet-50 at 224 x 224.
 */
const RUN_BYTES = 24 * 2 ** 20;

const HINT = 'export the model so that each sample is computed by itself, or prune with --no-repair';

/** Receives one sample's values by name; each is laid out as in a batch of one. */
export type Visitor = (sample: number, read: (value: string) => Float32Array) => void;

type Values = Record<string, Tensor>;

/** What walks over one graph have in common. */
interface Route {
  readonly steps: readonly WalkStep[];
  readonly frontiers: readonly (readonly string[])[];
  readonly places: ReadonlyMap<string, BatchPlace>;
  readonly shapes: PartShapes;
  readonly input: string;
  readonly fixed: number | undefined;
  /** In one run, so that what it shows stays below `RUN_BYTES`. */
  readonly mostSamples: number;
}

/**
 * A walk over all samples. A fixed batch size overrides the option; the last batch is then filled up with zeros. Where
 * what is alive exceeds `walkBytes`, the walk holds what it held last, and later steps compute from there again.
 */
export class NetworkWalk {
  readonly #samples: RepairSamples;
  readonly #options: NetworkRun;
  readonly #route: Route;
  readonly #batch: number;
  /** Held values of each batch, and their names. */
  #held: Values[] = [];
  #names: readonly string[] = [];
  #next = 0;

  private constructor(route: Route, samples: RepairSamples, options: NetworkRun) {
    this.#route = route;
    this.#samples = samples;
    this.#options = options;
    this.#batch = route.fixed ?? Math.min(options.batch, route.mostSamples);
  }

  /**
   * @param model with the graph of all models of the walk; only weights of nodes may change, as `steps` say
   * @throws BedsideError E_UNSUPPORTED for a value whose samples cannot be told apart
   */
  static async open(
    model: Model,
    steps: readonly WalkStep[],
    samples: RepairSamples,
    options: NetworkRun,
  ): Promise<NetworkWalk> {
    const places = batchAxes(model);
    for (const value of steps.flatMap(({ values }) => values)) {
      if (places.get(value)?.kind !== 'none') batchAxisOf(places, value, undefined, HINT);
    }
    await trySamples(model, places, options.name);
    return new NetworkWalk(routeOf(model, steps, places), samples, options);
  }

  /** Another walk by the same steps, over other samples and from the start. */
  beside(samples: RepairSamples, options: NetworkRun): NetworkWalk {
    return new NetworkWalk(this.#route, samples, options);
  }

  /** Leaves out the next step: what follows is computed from what is held. */
  skip(): void {
    this.#next++;
  }

  /**
   * Shows the values of the next step, computed with the weights of the given model.
   * @param change what becomes of each part of the model before it runs; it keeps names, and may cut channels
   */
  async visit(model: Model, visit: Visitor, change = (part: Model): Model => part): Promise<void> {
    const { steps, input, fixed } = this.#route;
    const step = must(steps[this.#next], 'a walk has no more steps');
    const keep = this.#route.frontiers[this.#next++] ?? [];
    const { samples, size, sampleShape } = this.#samples;
    const batch = this.#batch;
    const known = new Set([input, ...this.#names]);
    const show = [...new Set(step.values)].filter((value) => !known.has(value));
    const all = [...new Set([...show, ...keep])].filter((value) => !known.has(value));
    const part = all.length > 0 ? this.#part(model, all, change) : undefined;
    const session = part && (await createSession(part.model, { ...this.#options, spinning: false }));
    let hold = true;
    try {
      for (let first = 0, at = 0; first < size; first += batch, at++) {
        const count = Math.min(batch, size - first);
        const given = rowRange(samples, size, first, count);
        const run = fixed ?? count;
        const data = run === count ? given : filled(given, run * sizeOf(sampleShape));
        const old = this.#held[at] ?? {};
        const known: Values = { ...old, [input]: tensor(data, [run, ...sampleShape]) };
        const wanted: readonly string[] = hold ? all : show;
        const found: Values =
          session && part && wanted.length > 0 ? await runPart(session, part.reads, known, wanted) : {};
        const values = { ...known, ...found };
        for (let i = 0; i < count; i++) visit(first + i, (value) => this.#sample(values, value, i));
        const next: Values = Object.fromEntries(
          keep.filter((name) => name !== input).map((name) => [name, values[name] as Tensor]),
        );
        // The first batch tells the size of all.
        if (at === 0) hold = (bytesOf(next) * size) / count <= (this.#options.walkBytes ?? WALK_BYTES);
        if (hold) this.#held[at] = next;
      }
    } finally {
      await session?.release();
    }
    if (hold) this.#names = keep.filter((name) => name !== input);
  }

  /** The part of the model between what is held and some values, and which of the held values it reads. */
  #part(
    model: Model,
    values: readonly string[],
    change: (part: Model) => Model,
  ): { model: Model; reads: readonly string[] } {
    const { input, shapes } = this.#route;
    const part = extractSubgraph(model, [input, ...this.#names], values, shapes);
    const read = new Set(part.graph.nodes.flatMap(readsOf));
    const inputs = part.graph.inputs.filter(({ name }) => read.has(name));
    const changed = change({ ...part, graph: { ...part.graph, inputs } });
    return { model: changed, reads: inputs.map(({ name }) => name) };
  }

  #sample(values: Values, value: string, i: number): Float32Array {
    const found = values[value];
    const { data, dims } = must(found?.type === 'float32' ? found : undefined, `'${value}' is not float32`);
    const place = this.#route.places.get(value);
    return place?.kind === 'axis' ? sampleOf(data, dims, place, i) : data;
  }
}

/**
 * Runs the part of a model that the values need, and shows them sample by sample. The model's input can be read too. A
 * fixed batch size overrides the option; the last batch is then filled up with zeros.
 * @throws BedsideError E_UNSUPPORTED for a value whose samples cannot be told apart
 */
export async function visitValues(
  model: Model,
  values: readonly string[],
  samples: RepairSamples,
  options: NetworkRun,
  visit: Visitor,
): Promise<void> {
  const walk = await NetworkWalk.open(model, [{ values, changes: [] }], samples, options);
  await walk.visit(model, visit);
}

async function runPart(
  session: Session,
  reads: readonly string[],
  known: Values,
  outputs: readonly string[],
): Promise<Values> {
  const feeds = Object.fromEntries(reads.map((name) => [name, must(known[name], `'${name}' is not held`)]));
  return session.run(feeds, outputs);
}

function routeOf(model: Model, steps: readonly WalkStep[], places: Route['places']): Route {
  const shapes = partShapes(model);
  const shown = steps.map(({ values }) => sampleBytes(values, shapes));
  const one = steps.length === 1;
  return {
    steps,
    frontiers: one ? [[]] : frontiers(model.graph, steps, shapes.types),
    places,
    shapes,
    input: soleInput(model),
    fixed: fixedBatchOf(model),
    mostSamples: Math.max(1, Math.floor(RUN_BYTES / Math.max(1, ...shown))),
  };
}

/** Bytes of some values for one sample; open axes count as 1. */
function sampleBytes(values: readonly string[], { shapes }: PartShapes): number {
  const sizes = [...new Set(values)].map((value) =>
    (shapes.get(value) ?? []).reduce<number>((size, dim) => size * (typeof dim === 'number' ? dim : 1), 4),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}

function bytesOf(values: Values): number {
  return Object.values(values).reduce((sum, { data }) => sum + data.byteLength, 0);
}

function filled(given: Float32Array, length: number): Float32Array {
  const all = new Float32Array(length);
  all.set(given);
  return all;
}
