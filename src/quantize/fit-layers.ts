// Quantises layers in execution order: each is fitted to what the float network gives there, on what it will really read,
// with everything before it rounded already.
import type { Grouping, KeptUnits } from '../channels/index.ts';
import { keptPositions } from '../channels/internal.ts';
import type { Model } from '../onnx/index.ts';
import { sampleShapes, type WeightedLayer, weightedLayers } from '../onnx/internal.ts';
import {
  fitLayer,
  fromMatrices,
  InputRows,
  type Matrix,
  type NetworkRun,
  NetworkWalk,
  orderedTargets,
  Products,
  ReferenceWalk,
  type RefitTask,
  type RepairSamples,
  samplePositionsOf,
  setWeights,
  targetRows,
  variancesOf,
  weightMatrices,
} from '../repair/internal.ts';
import { must } from '../util/index.ts';
import { scaleOfRange, type ValueScale } from '../util/internal.ts';
import { chooseRange, type RangeChoice, roundedRows } from './choose-range.ts';
import {
  dividedStatistics,
  dividedTable,
  equalisableValues,
  scaledUnknowns,
  withDividedOutputs,
} from './equalise.ts';
import type { QuantizedLayer } from './integers.ts';
import { heldOutError, heldRows, type LayerRows, roundLayer } from './layer-weights.ts';
import type { IntegerPlaces } from './places.ts';
import { meanSquareLost, RANGE_METHODS, type RangeMethod, rangeBy } from './ranges.ts';
import { type RoundedModel, withRoundings, withScale } from './rounded-model.ts';
import type { SplitStatistics } from './statistics.ts';

/** A layer whose held-out error is below this share of the variance is near enough: a refit would gain nothing. */
const NEAR = 1e-3;

/** The network that the layers are fitted to, where it is not the one that is quantised: the one before pruning. */
export interface FitReference {
  readonly model: Model;
  readonly grouping: Grouping;
  readonly keep: KeptUnits;
}

/** How layers are fitted. */
export interface FitOptions extends NetworkRun {
  readonly seed: number;
  readonly maxPositions: number;
  /** Whether channels may be equalised. */
  readonly equalise: boolean;
  /** Whether weights are refit before they are rounded. */
  readonly refit: boolean;
  readonly reference: FitReference | undefined;
  /** The largest magnitude of a weight's integer. */
  readonly limit: number;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

/** What was chosen for one layer. */
export interface LayerQuantization {
  readonly layer: string;
  /** How the range of what it reads was chosen. */
  readonly range: RangeMethod;
  /** Whether the channels that it reads were equalised. */
  readonly equalised: boolean;
  readonly refit: boolean;
  readonly biasCorrected: boolean;
  /** Held-out squared error, divided by the variance of what the float layer gives, with all before it rounded. */
  readonly error: number;
}

/** The integers of a network, and the float32 weights that layers have without rounding. */
export interface FittedLayers {
  readonly values: ReadonlyMap<string, ValueScale>;
  readonly layers: ReadonlyMap<string, QuantizedLayer>;
  readonly chosen: readonly LayerQuantization[];
  /** The network with fitted weights that are not rounded, for layers that go back to float32. */
  readonly unrounded: Model;
}

/**
 * Chooses scales and integers.
 * @throws BedsideError E_NOT_FINITE for values or weights that are; as `visitValues`
 */
export async function fitLayers(
  model: Model,
  places: IntegerPlaces,
  statistics: ReadonlyMap<string, SplitStatistics>,
  samples: RepairSamples,
  options: FitOptions,
): Promise<FittedLayers> {
  const products = await Products.create(options.threads);
  try {
    const fit = await LayerFit.open(model, places, statistics, { samples, options, products });
    return await fit.run();
  } finally {
    await products.release();
  }
}

interface Setting {
  readonly samples: RepairSamples;
  readonly options: FitOptions;
  readonly products: Products;
}

interface FitTask extends RefitTask {
  /** The layer as it is now, before it is quantised; `layer` is that of the reference. */
  readonly own: WeightedLayer;
  readonly value: string;
  readonly minus: string | undefined;
  readonly kept: readonly number[];
  /** The layer whose output channels may be divided to equalise what this one reads. */
  readonly giver: string | undefined;
}

/** The walks through both networks, and what is fitted on the way. */
interface Walks {
  readonly tasks: readonly FitTask[];
  readonly rounded: RoundedModel;
  readonly walk: NetworkWalk;
  readonly reference: ReferenceWalk;
}

class LayerFit {
  readonly #places: IntegerPlaces;
  readonly #statistics: ReadonlyMap<string, SplitStatistics>;
  readonly #setting: Setting;
  readonly #walks: Walks;
  readonly #scales = new Map<string, ValueScale>();
  readonly #choices = new Map<string, RangeChoice>();
  readonly #tables = new Map<string, QuantizedLayer>();
  readonly #chosen: LayerQuantization[] = [];
  /** Values and weights as their integers mean them. */
  #rounded: Model;
  #unrounded: Model;
  #strength: number | undefined;

  private constructor(
    model: Model,
    places: IntegerPlaces,
    statistics: ReadonlyMap<string, SplitStatistics>,
    setting: Setting,
    walks: Walks,
  ) {
    this.#places = places;
    this.#statistics = statistics;
    this.#setting = setting;
    this.#walks = walks;
    this.#rounded = walks.rounded.model;
    this.#unrounded = model;
  }

  static async open(
    model: Model,
    places: IntegerPlaces,
    statistics: ReadonlyMap<string, SplitStatistics>,
    setting: Setting,
  ): Promise<LayerFit> {
    const { samples, options } = setting;
    const tasks = fitTasks(model, places, setting);
    const reference = await ReferenceWalk.open(options.reference?.model ?? model, tasks, samples, options);
    const rounded = withRoundings(model, places);
    const chosen = new Set<string>();
    const steps = tasks.map(({ own, minus, giver }) => {
      const source = places.values.get(own.input)?.source ?? own.input;
      const roundings = chosen.has(source) ? [] : (rounded.roundings.get(source)?.nodes ?? []);
      chosen.add(source);
      const values = minus === undefined ? [own.input] : [own.input, minus];
      return { values, changes: [own.name, ...roundings, ...(giver === undefined ? [] : [giver])] };
    });
    const walk = await NetworkWalk.open(rounded.model, steps, samples, options);
    return new LayerFit(model, places, statistics, setting, { tasks, rounded, walk, reference });
  }

  async run(): Promise<FittedLayers> {
    this.#chooseUnread();
    for (const [at, task] of this.#walks.tasks.entries()) {
      await this.#fit(task);
      this.#setting.options.onProgress?.(at + 1, this.#walks.tasks.length);
    }
    return {
      values: this.#scales,
      layers: this.#tables,
      chosen: this.#chosen,
      unrounded: this.#unrounded,
    };
  }

  /** Values that no layer reads have the range with the smallest error of their own on held-out samples. */
  #chooseUnread(): void {
    const read = new Set(this.#walks.tasks.map(({ own }) => this.#sourceOf(own.input)));
    for (const { source } of this.#places.values.values()) {
      if (read.has(source) || this.#scales.has(source)) continue;
      const { fit, held, all } = this.#statisticsOf(source);
      const bounds = this.#places.values.get(source)?.bounds;
      let [found, least] = [RANGE_METHODS[0] as RangeMethod, Number.POSITIVE_INFINITY];
      for (const method of RANGE_METHODS) {
        const lost = meanSquareLost(held.values, rangeBy(method, fit, bounds));
        if (lost < least) [found, least] = [method, lost];
      }
      this.#setScale(source, scaleOfRange(rangeBy(found, all, bounds)));
    }
  }

  #setScale(source: string, scale: ValueScale): void {
    this.#scales.set(source, scale);
    this.#rounded = withScale(this.#rounded, this.#walks.rounded.roundings.get(source), scale);
  }

  async #fit(task: FitTask): Promise<void> {
    const { options, products } = this.#setting;
    const { own } = task;
    const source = this.#sourceOf(own.input);
    const collected = await this.#rowsOf(task);
    const isRounded = this.#scales.has(source);
    if (!isRounded) await this.#chooseRange(source, task, collected);
    const choice = this.#choices.get(source);
    const { before, rows } = equalised(own, collected, choice?.factors);
    const scale = must(this.#scales.get(source), `no scale for '${source}'`);
    const isBorn = this.#places.values.get(own.input)?.born === true;
    const read = isRounded && isBorn ? rows : { ...rows, x: rows.x.map((x) => roundedRows(x, own, scale)) };
    const scaled = variance(read.y) || 1;
    const problem = { name: own.name, ...read, weights: before };
    const fit =
      options.refit && (await this.#errorOf(before, read)) > NEAR * scaled
        ? await fitLayer(problem, products, this.#strength)
        : undefined;
    this.#strength = fit?.strength || this.#strength;
    const weights = fit?.weights ?? before;
    const found = await roundLayer(own, weights, read, { step: scale.scale, limit: options.limit, products });
    this.#tables.set(own.name, found.table);
    this.#chosen.push({
      layer: own.name,
      range: choice?.method ?? 'min-max',
      equalised: choice?.factors !== undefined,
      refit: fit?.refit ?? false,
      biasCorrected: found.biasCorrected,
      error: found.error / scaled,
    });
    this.#rounded = withWeights(this.#rounded, own, found.weights);
    if (fit?.refit || choice?.factors) this.#unrounded = withWeights(this.#unrounded, own, weights);
  }

  #errorOf(weights: readonly Matrix[], { x, y, fitRows }: LayerRows): Promise<number> {
    return heldOutError(weights, heldRows(x, fitRows), heldRows(y, fitRows), this.#setting.products);
  }

  async #rowsOf({ own, layer, sampled, value, minus, kept }: FitTask): Promise<LayerRows> {
    const found = await InputRows.collect(own, sampled, minus, (visit) =>
      this.#walks.walk.visit(this.#rounded, visit),
    );
    const answers = await this.#walks.reference.valuesAt(layer.name, value);
    const y = targetRows(answers, layer.channels, kept, found.x.length, found.minus);
    return { x: found.x, y, fitRows: sampled.fitRows };
  }

  async #chooseRange(source: string, { own, giver }: FitTask, rows: LayerRows): Promise<void> {
    const { products, options } = this.#setting;
    const statistics = this.#statisticsOf(source);
    const bounds = this.#places.values.get(source)?.bounds;
    const setting = { statistics, bounds, products, limit: options.limit, equalise: giver !== undefined };
    const choice = await chooseRange(own, weightMatrices(own), rows, setting);
    this.#choices.set(source, choice);
    const { factors } = choice;
    if (factors && giver !== undefined) this.#divide(giver, factors);
    this.#setScale(
      source,
      scaleOfRange(rangeBy(choice.method, dividedStatistics(statistics.all, factors), bounds)),
    );
  }

  /** Divides what a layer that is done gives; its integers stay. */
  #divide(layer: string, by: Float64Array): void {
    this.#tables.set(layer, dividedTable(must(this.#tables.get(layer), `'${layer}' is not quantised`), by));
    this.#rounded = withDividedOutputs(this.#rounded, layer, by);
    this.#unrounded = withDividedOutputs(this.#unrounded, layer, by);
  }

  #sourceOf(value: string): string {
    return must(this.#places.values.get(value), `'${value}' is not quantised`).source;
  }

  #statisticsOf(source: string): SplitStatistics {
    return must(this.#statistics.get(source), `no statistics of '${source}'`);
  }
}

/** Layers in the order in which they are fitted, with what each is fitted to. */
function fitTasks(model: Model, places: IntegerPlaces, { samples, options }: Setting): FitTask[] {
  const shapes = sampleShapes(model);
  const names = new Set(places.layers);
  const own = weightedLayers(model, shapes).filter(({ name }) => names.has(name));
  const { reference } = options;
  const uncut = reference && new Map(weightedLayers(reference.model).map((layer) => [layer.name, layer]));
  const givers = options.equalise ? equalisableValues(model, places, own) : new Map<string, WeightedLayer>();
  const positions = reference && keptPositions(reference.grouping, reference.keep);
  return orderedTargets(model, own, shapes).map(({ layer, target }, index) => {
    const whole = uncut ? must(uncut.get(layer.name), `no layer '${layer.name}' in the uncut model`) : layer;
    return {
      own: layer,
      layer: whole,
      sampled: samplePositionsOf(whole, samples, options.maxPositions, options.seed + index),
      values: [target.value],
      ...{ value: target.value, minus: target.minus },
      giver: givers.get(layer.input)?.name,
      kept: positions?.(layer.output) ?? Array.from({ length: layer.channels }, (_, c) => c),
    };
  });
}

/** A layer's weights and rows where the channels that it reads are divided. */
function equalised(
  own: WeightedLayer,
  rows: LayerRows,
  factors: Float64Array | undefined,
): { before: readonly Matrix[]; rows: LayerRows } {
  const before = weightMatrices(own);
  if (!factors) return { before, rows };
  return {
    before: scaledUnknowns(own, before, 'rows', (c) => factors[c] as number),
    rows: { ...rows, x: scaledUnknowns(own, rows.x, 'columns', (c) => 1 / (factors[c] as number)) },
  };
}

function variance(matrices: readonly Matrix[]): number {
  const all = matrices.flatMap((matrix) => Array.from(variancesOf(matrix)));
  return all.reduce((sum, value) => sum + value, 0) / Math.max(1, all.length);
}

function withWeights(model: Model, layer: WeightedLayer, matrices: readonly Matrix[]): Model {
  const { weight, bias } = fromMatrices(layer, matrices);
  return setWeights(model, layer, weight, bias);
}
