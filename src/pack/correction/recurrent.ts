// Refits recurrent layers at the levels of a variant, in closed form, as the repair of a pruned network does. The refitted
// weights hold for one level vector alone, so they are part of its correction.
import type { RecurrentWeights, StoredTensor } from '../../bundle/internal.ts';
import type { Grouping, KeptUnits } from '../../channels/index.ts';
import { keptPositions } from '../../channels/internal.ts';
import type { Model } from '../../onnx/index.ts';
import { recurrentLayer } from '../../onnx/internal.ts';
import {
  layerOf,
  Products,
  type RepairSamples,
  refitRecurrent,
  type Sequence,
  sequencesOf,
} from '../../repair/internal.ts';
import { must } from '../../util/index.ts';
import type { CorrectionOptions } from './affine.ts';
import { affordableSamples } from './single-batch.ts';

/** Number of steps at which a layer is fitted, over all samples. */
const POSITIONS = 4096;

/** Most bytes of one layer's weights: each variant stores its own. Larger layers are cut alone. */
export const MOST_BYTES = 2 ** 20;

/** Most bytes of what the unpruned layers read and give, which all variants are fitted to; more is run again each time. */
const MEMORY = 128 * 2 ** 20;

/** Fits weights of recurrent layers for any number of variants of one network. */
export class RecurrentFitter {
  readonly #model: Model;
  readonly #grouping: Grouping;
  readonly #layers: readonly string[];
  readonly #samples: RepairSamples;
  readonly #options: CorrectionOptions;
  readonly #products: Products;
  readonly #unpruned = new Map<string, readonly Sequence[]>();
  #bytes = 0;

  private constructor(
    model: Model,
    grouping: Grouping,
    layers: readonly string[],
    options: CorrectionOptions,
    products: Products,
  ) {
    this.#model = model;
    this.#grouping = grouping;
    this.#layers = layers;
    this.#samples = affordableSamples(model, options.calibration, options.seed);
    this.#options = options;
    this.#products = products;
  }

  /** Undefined for a network without recurrent layers. */
  static async open(
    model: Model,
    grouping: Grouping,
    options: CorrectionOptions,
  ): Promise<RecurrentFitter | undefined> {
    const layers = model.graph.nodes.filter((node) => recurrentLayer(model.graph, node));
    if (layers.length === 0) return undefined;
    const products = await Products.create(options.threads);
    return new RecurrentFitter(
      model,
      grouping,
      layers.map(({ name }) => name),
      options,
      products,
    );
  }

  /**
   * Refits the recurrent layers of a network cut to `keep`, in execution order, toward the unpruned states of the units that
   * stay.
   * @param cut with the corrections of the layers in front of them
   * @returns the weights of the layers whose held-out states come nearer; undefined where none does
   */
  async fit(cut: Model, keep: KeptUnits): Promise<ReadonlyMap<string, RecurrentWeights> | undefined> {
    const positions = keptPositions(this.#grouping, keep);
    const found = new Map<string, RecurrentWeights>();
    let model = cut;
    for (const name of this.#layers) {
      const whole = layerOf(this.#model, name);
      if (bytesOf(weightsOf(model, name)) > MOST_BYTES) continue;
      const units = must(whole.node.outputs.find(Boolean), `an output of '${name}'`);
      const kept = positions(units) ?? Array.from({ length: whole.hidden }, (_, unit) => unit);
      const refit = await refitRecurrent(
        { original: this.#model, cut: model },
        name,
        kept,
        this.#samples,
        this.#products,
        { ...this.#options, maxPositions: POSITIONS, unpruned: await this.#unprunedOf(name) },
      );
      if (!refit.refit) continue;
      model = refit.model;
      found.set(name, weightsOf(model, name));
    }
    return found.size > 0 ? found : undefined;
  }

  async release(): Promise<void> {
    await this.#products.release();
  }

  async #unprunedOf(name: string): Promise<readonly Sequence[]> {
    const known = this.#unpruned.get(name);
    if (known) return known;
    const sequences = await sequencesOf(this.#model, name, this.#samples, this.#options);
    const bytes = sequences.reduce((sum, { x, h }) => sum + x.byteLength + h.byteLength, 0);
    if (this.#bytes + bytes > MEMORY) return sequences;
    this.#bytes += bytes;
    this.#unpruned.set(name, sequences);
    return sequences;
  }
}

function weightsOf(model: Model, name: string): RecurrentWeights {
  const { weight, recurrence, bias, directions, gates, hidden } = layerOf(model, name);
  const rows = 2 * gates * hidden;
  return {
    weight: stored(weight),
    recurrence: stored(recurrence),
    bias: bias ? stored(bias) : { dims: [directions, rows], data: new Float32Array(directions * rows) },
  };
}

function stored({ dims, data }: StoredTensor): StoredTensor {
  return { dims, data };
}

function bytesOf(weights: RecurrentWeights): number {
  return Object.values(weights).reduce((sum: number, { data }: StoredTensor) => sum + data.byteLength, 0);
}
