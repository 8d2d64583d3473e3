// Post-training static quantisation of a canonical network, with a few unlabelled samples and no retraining.
import type { Dataset } from '../data/index.ts';
import type { EngineOptions } from '../engine/index.ts';
import type { Model } from '../onnx/index.ts';
import { sampleShapes, sizeOf, upgradeOpset, weightedLayers } from '../onnx/internal.ts';
import { REPAIR_DEFAULTS, type RepairSamples, repairSamples } from '../repair/internal.ts';
import { BedsideError, must } from '../util/index.ts';
import { nearestNames, Random } from '../util/internal.ts';
import { equalisableValues } from './equalise.ts';
import { type FitReference, type FittedLayers, fitLayers, type LayerQuantization } from './fit-layers.ts';
import { WEIGHT_LIMITS } from './integers.ts';
import { type IntegerPlaces, integerPlaces, type KeptFloat } from './places.ts';
import { HeldOutScores, withinBudget } from './sensitivity.ts';
import { batchWithin, type SplitStatistics, valueStatistics } from './statistics.ts';
import { type QuantizationTables, writeQuantized } from './write.ts';

/** Samples, limits and choices of a quantisation. */
export interface QuantizeOptions extends EngineOptions {
  /** Name of the model in error messages. */
  readonly name: string;
  /** Samples; labels are not read. */
  readonly calibration: Dataset;
  readonly seed?: number | undefined;
  /** Most output positions that a layer is fitted on, over all samples; bounds memory. Default 4096. */
  readonly maxPositions?: number | undefined;
  /** How many times as many samples are made from the given ones; default 2. */
  readonly copies?: number | undefined;
  /** Whether weights are refit to what their layer reads in eight bits before they are rounded; default true. */
  readonly refit?: boolean | undefined;
  /** Whether channels around depthwise layers are equalised where held-out samples gain; default true. */
  readonly equalise?: boolean | undefined;
  /** Layers that stay in float32: their names, or `first` and `last`. */
  readonly keepFloat?: readonly string[] | undefined;
  /**
   * Squared difference of the held-out scores, as a share of their variance, up to which eight bits may change them; layers
   * go back to float32 until it is met. Default 0.01.
   */
  readonly budget?: number | undefined;
  /** The network before pruning, which layers are fitted to; default the network itself. */
  readonly reference?: FitReference | undefined;
  /**
   * Whether weights have seven bits, so that engines that add two products in 16 bits compute them exactly; default: see
   * `saturates`.
   */
  readonly reducedRange?: boolean | undefined;
  readonly onProgress?: ((step: string, done: number, total: number) => void) | undefined;
}

/** A network with integers. */
export interface QuantizedModel {
  /** In QDQ form, float32 at its input and outputs. */
  readonly model: Model;
  /** Layers with integer weights, in execution order. */
  readonly layers: readonly LayerQuantization[];
  readonly layersKeptFloat: readonly KeptFloat[];
  /** Squared difference of the scores on held-out samples, as a share of their variance. */
  readonly distance: number;
  /** The same before layers went back to float32. */
  readonly distanceWithAll: number;
  readonly tables: QuantizationTables;
}

/** Fewer than for a repair: rounding changes less than pruning. */
const DEFAULTS = { ...REPAIR_DEFAULTS, maxPositions: 4096, copies: 2 } as const;

/** Default of `QuantizeOptions.budget`. */
export const DEFAULT_BUDGET = 0.01;

/** Scales for each channel came with this operator set. */
const LEAST_OPSET = 13;

/**
 * Quantises a canonical model: weights to int8 with a scale for each output channel, activations to uint8 with one scale.
 * @throws BedsideError E_UNSUPPORTED where no layer can have eight bits; E_DATA with fewer than two samples, or where all give
 *   every layer the same numbers; E_USAGE for a layer to keep that there is not; E_NOT_FINITE
 */
export async function quantizeModel(given: Model, options: QuantizeOptions): Promise<QuantizedModel> {
  const { name, calibration } = options;
  if (calibration.size < 2) {
    throw new BedsideError(
      'E_DATA',
      `${calibration.name}: ${calibration.size} sample to quantise from, need 2`,
      {
        hint: 'give more calibration samples',
      },
    );
  }
  const model = withLeastOpset(given);
  const byChoice = keptByChoice(model, options.keepFloat ?? [], name);
  const wanted = integerPlaces(model, byChoice);
  if (wanted.layers.length === 0) throw nothingToQuantize(wanted, name);
  const { seed, threads, batch, maxPositions, copies } = { ...DEFAULTS, ...withoutUndefined(options) };
  const samples = repairSamples(calibration, copies, new Random(seed));
  const run = { name, threads, batch };
  options.onProgress?.('reading activations', 0, 1);
  const statistics = await statisticsOf(model, wanted, samples, { ...run, seed });
  const keepFloat = withUntoldFloat(model, wanted, statistics, byChoice);
  const places = integerPlaces(model, keepFloat);
  if (places.layers.length === 0) throw nothingTold(calibration.name);
  options.onProgress?.('reading activations', 1, 1);
  const fitted = (equalise: boolean): Promise<FittedLayers> =>
    fitLayers(model, places, statistics, samples, {
      ...{ ...run, seed, maxPositions, equalise },
      refit: options.refit ?? true,
      reference: options.reference,
      limit: options.reducedRange ? WEIGHT_LIMITS.reduced : WEIGHT_LIMITS.full,
      onProgress: (done, total) => options.onProgress?.('quantising layers', done, total),
    });
  const scores = await HeldOutScores.open(model, samples, run);
  const all = await fitted(options.equalise ?? true);
  const plain = all.chosen.some(({ equalised }) => equalised) ? await fitted(false) : undefined;
  const best = plain && (await isNearer(plain, all, keepFloat, scores)) ? plain : all;
  return await withSensitiveLayersFloat({ places, fitted: best, keepFloat }, scores, options);
}

/** Whether one network comes nearer to the float network than another: layers that gain alone may lose together. */
async function isNearer(
  one: FittedLayers,
  other: FittedLayers,
  keepFloat: ReadonlyMap<string, string>,
  scores: HeldOutScores,
): Promise<boolean> {
  const distanceOf = (fitted: FittedLayers): Promise<number> =>
    scores.distance(
      writeQuantized(fitted.unrounded, integerPlaces(fitted.unrounded, keepFloat), {
        values: fitted.values,
        layers: fitted.layers,
      }),
    );
  return (await distanceOf(one)) < (await distanceOf(other));
}

interface Fitted {
  readonly places: IntegerPlaces;
  readonly fitted: FittedLayers;
  readonly keepFloat: ReadonlyMap<string, string>;
}

async function withSensitiveLayersFloat(
  { places, fitted, keepFloat }: Fitted,
  scores: HeldOutScores,
  options: QuantizeOptions,
): Promise<QuantizedModel> {
  const { budget = DEFAULT_BUDGET, onProgress } = options;
  const written = (kept: ReadonlyMap<string, string>) => {
    const own = kept.size === keepFloat.size ? places : integerPlaces(fitted.unrounded, kept);
    const tables = { values: scalesFor(own, places, fitted), layers: fitted.layers };
    return {
      places: own,
      tables,
      model: writeQuantized(fitted.unrounded, integerPlaces(fitted.unrounded, kept), tables),
    };
  };
  const distanceWithAll = await scores.distance(written(keepFloat).model);
  const byError = fitted.chosen.toSorted((a, b) => b.error - a.error).map(({ layer }) => layer);
  let tried = 0;
  const found = await withinBudget(
    byError,
    { keepFloat, distance: distanceWithAll },
    budget,
    async (kept) => {
      const whole = written(kept);
      onProgress?.('measuring layers', Math.min(++tried, byError.length), byError.length);
      return whole.places.layers.length === 0 ? Number.POSITIVE_INFINITY : await scores.distance(whole.model);
    },
  );
  const last = written(found.keepFloat);
  const layers = fitted.chosen.filter(({ layer }) => last.places.layers.includes(layer));
  const order = new Map(last.places.layers.map((layer, at) => [layer, at]));
  return {
    model: last.model,
    layers: layers.toSorted((a, b) => (order.get(a.layer) ?? 0) - (order.get(b.layer) ?? 0)),
    layersKeptFloat: last.places.kept,
    distance: found.distance,
    distanceWithAll,
    tables: last.tables,
  };
}

/** Scales by the sources that values have now; a value that is no longer moved integers has the scale that it had. */
function scalesFor(
  own: IntegerPlaces,
  all: IntegerPlaces,
  { values }: FittedLayers,
): QuantizationTables['values'] {
  const sources = new Set([...own.values.values()].map(({ source }) => source));
  return new Map(
    [...sources].map((source) => {
      const before = must(all.values.get(source), `'${source}' was not quantised`).source;
      return [source, must(values.get(before), `no scale for '${before}'`)];
    }),
  );
}

async function statisticsOf(
  model: Model,
  places: IntegerPlaces,
  samples: RepairSamples,
  run: { readonly name: string; readonly threads: number; readonly batch: number; readonly seed: number },
): Promise<ReadonlyMap<string, SplitStatistics>> {
  const shapes = sampleShapes(model);
  const sources = [...new Set([...places.values.values()].map(({ source }) => source))];
  const sizes = sources.map((source) => sizeOf(shapes.get(source) ?? []));
  const givers = equalisableValues(model, places, weightedLayers(model, shapes));
  const channels = new Map([...givers].map(([value, giver]) => [value, giver.channels]));
  const limited = { ...run, batch: batchWithin(run.batch, sizes) };
  return await valueStatistics(model, sources, samples, limited, channels);
}

/** The layers that options keep in float32, by name. */
function keptByChoice(model: Model, wanted: readonly string[], name: string): ReadonlyMap<string, string> {
  const { layers } = integerPlaces(model);
  const kept = new Map<string, string>();
  for (const word of wanted) {
    const layer = word === 'first' ? layers[0] : word === 'last' ? layers.at(-1) : word;
    if (layer !== undefined && layers.includes(layer)) kept.set(layer, 'by choice');
    else {
      throw new BedsideError('E_USAGE', `${name} has no layer '${word}' that could have eight bits`, {
        hint: `the nearest names: ${nearestNames(word, layers, 3).join(', ') || 'none'}; or \`first\`, \`last\``,
      });
    }
  }
  return kept;
}

/** Besides those kept by choice, the layers that read the same numbers in every sample: their range would be a guess. */
function withUntoldFloat(
  { graph }: Model,
  { layers, values }: IntegerPlaces,
  statistics: ReadonlyMap<string, SplitStatistics>,
  byChoice: ReadonlyMap<string, string>,
): ReadonlyMap<string, string> {
  const kept = new Map(byChoice);
  for (const { name, inputs } of graph.nodes) {
    if (!layers.includes(name)) continue;
    const { source } = must(values.get(inputs[0] ?? ''), `what '${name}' reads`);
    if (statistics.get(source)?.isSame) kept.set(name, UNTOLD);
  }
  return kept;
}

const UNTOLD = 'it reads the same numbers in every calibration sample, which tell no range';

function nothingTold(data: string): BedsideError {
  return new BedsideError(
    'E_DATA',
    `${data}: every layer reads the same numbers in all calibration samples`,
    {
      hint: 'ranges of eight bits need samples that differ, as those will that the network is used on',
    },
  );
}

function nothingToQuantize({ kept }: IntegerPlaces, name: string): BedsideError {
  const why = kept.slice(0, 3).map((one) => `${one.name}: ${one.reason}`);
  return new BedsideError('E_UNSUPPORTED', `${name} has no layer that can have eight bits`, {
    hint:
      why.length > 0
        ? `what stays in float32: ${why.join('; ')}`
        : 'convolutions and dense layers with stored float32 weights can have eight bits',
  });
}

/** The model with an operator set that has scales for each channel. */
export function withLeastOpset(model: Model): Model {
  const opset = model.opsets.get('') ?? model.opsets.get('ai.onnx') ?? 0;
  if (opset >= LEAST_OPSET) return model;
  const shapes = sampleShapes(model);
  return upgradeOpset(model, (value) => shapes.get(value));
}

function withoutUndefined<T extends object>(options: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given) as { [K in keyof T]: Exclude<T[K], undefined> };
}
