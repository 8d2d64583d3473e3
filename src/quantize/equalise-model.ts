// Equalises channels of a float32 network before it is packed, so that every level and variant has equalised eight-bit
// forms: the network answers as before.
import type { Dataset } from '../data/index.ts';
import type { Model } from '../onnx/index.ts';
import { sampleShapes, sizeOf, type WeightedLayer, weightedLayers } from '../onnx/internal.ts';
import {
  copiesOf,
  fromMatrices,
  type NetworkRun,
  repairSamples,
  setWeights,
  weightMatrices,
} from '../repair/internal.ts';
import { must } from '../util/index.ts';
import { atOnce, Random } from '../util/internal.ts';
import { calibratedRanges } from './calibrate.ts';
import { equalisableValues, equalisingFactors, scaledUnknowns, withDividedOutputs } from './equalise.ts';
import { integerPlaces } from './places.ts';
import { withLeastOpset } from './quantize-model.ts';
import { saturates } from './saturates.ts';
import { HeldOutScores } from './sensitivity.ts';
import { batchWithin, valueStatistics } from './statistics.ts';
import { eightBitForm, eightBitPlaces } from './stored-ranges.ts';

/** Channels are equalised where that leaves less than this share of the error of the scores. */
const GAIN = 0.9;

/** A network, and the layers whose inputs were equalised. */
export interface EqualisedModel {
  readonly model: Model;
  readonly layers: readonly string[];
}

/**
 * The model with channels around depthwise layers equalised, where its scores in eight bits then come nearer to those in
 * float32 on held-out samples; otherwise the model as it is. Only values behind a Relu or nothing: a Clip would cut other
 * samples elsewhere. Exact at every level, since a channel is divided in one layer and made up for in the next.
 * @param calibration unlabelled samples
 * @throws BedsideError as `calibratedRanges`
 */
export async function equaliseModel(
  model: Model,
  calibration: Dataset,
  run: NetworkRun & { readonly seed: number },
): Promise<EqualisedModel> {
  const candidate = await dividedModel(model, calibration, run);
  if (candidate.layers.length === 0) return candidate;
  const samples = repairSamples(calibration, 1, new Random(run.seed));
  const scores = await HeldOutScores.open(model, samples, run);
  const errorOf = async (of: Model): Promise<number> => {
    const { layers, values } = eightBitPlaces(of);
    const ranges = await calibratedRanges(of, values, calibration, run);
    return await scores.distance(atOnce(eightBitForm(of, new Set(layers), ranges, await saturates())));
  };
  const gains = (await errorOf(candidate.model)) < GAIN * (await errorOf(model));
  return gains ? candidate : { model, layers: [] };
}

/** The model with all channels divided that can be. */
async function dividedModel(
  given: Model,
  calibration: Dataset,
  run: NetworkRun & { readonly seed: number },
): Promise<EqualisedModel> {
  const based = withLeastOpset(given);
  const places = integerPlaces(based);
  const givers = [...equalisableValues(based, places, weightedLayers(based))].filter(([value]) => {
    const { bounds } = must(places.values.get(value), `'${value}'`);
    return bounds === undefined || bounds.high === Number.POSITIVE_INFINITY;
  });
  if (givers.length === 0) return { model: given, layers: [] };
  const channels = new Map(givers.map(([value, giver]) => [value, giver.channels]));
  const names = [...channels.keys()];
  const samples = repairSamples(calibration, copiesOf(calibration.size), new Random(run.seed));
  const shapes = sampleShapes(given);
  const batch = batchWithin(
    run.batch,
    names.map((name) => sizeOf(shapes.get(name) ?? [])),
  );
  const statistics = await valueStatistics(given, names, samples, { ...run, batch }, channels);
  let model = given;
  const equalised: string[] = [];
  for (const [value, giver] of givers) {
    const { all } = must(statistics.get(value), `statistics of '${value}'`);
    const factors = all.channels && equalisingFactors(all.channels, 1);
    if (!factors) continue;
    const reader = must(readerOf(weightedLayers(model, shapes), value), `a layer that reads '${value}'`);
    const matrices = scaledUnknowns(reader, weightMatrices(reader), 'rows', (c) => factors[c] as number);
    const { weight, bias } = fromMatrices(reader, matrices);
    model = setWeights(withDividedOutputs(model, giver.name, factors), reader, weight, bias);
    equalised.push(reader.name);
  }
  return { model, layers: equalised };
}

function readerOf(layers: readonly WeightedLayer[], value: string): WeightedLayer | undefined {
  return layers.find(({ input }) => input === value);
}
