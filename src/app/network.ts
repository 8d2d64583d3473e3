// A network as use cases take it: from a file or made elsewhere, with all of its forms.
import { createHash } from 'node:crypto';
import { withEngineShapes } from '../engine/index.ts';
import { type Classifier, describeClassifier, SAMPLING_RATE } from '../evaluate/index.ts';
import {
  assertFiniteWeights,
  canonicalModel,
  loadModel,
  type Model,
  type ModelCosts,
  modelCosts,
  unmergedModel,
  withMetadata,
  withSqueezeAxes,
} from '../onnx/index.ts';
import { RegularFile } from '../util/index.ts';

/** A classifier with all the forms of it that use cases need. Built once, and handed on whole. */
export interface Network {
  /** The path of its file; how messages call it. */
  readonly name: string;
  /** As the file has it, with the engine's shapes where no rule gives any. */
  readonly original: Model;
  /** Constants folded, every node named, batch normalisation merged. */
  readonly canonical: Model;
  /** The same before batch normalisation was merged. */
  readonly unmerged: Model;
  readonly classifier: Classifier;
  /** Of the model as the file has it. */
  readonly costs: ModelCosts;
}

/** The path of an ONNX file, or a network that is loaded already. */
export type NetworkSource = string | Network;

/**
 * The network of a source.
 * @throws BedsideError as `loadNetwork`
 */
export async function networkOf(
  source: NetworkSource,
  options: { readonly samplingRate?: number } = {},
): Promise<Network> {
  return typeof source === 'string' ? await loadNetwork(source, options) : source;
}

/**
 * Loads a classifier. A sampling rate that is given becomes part of it, so that what is made of it says it as well.
 * @throws BedsideError E_FILE; E_MODEL, also for weights that are not finite; E_UNSUPPORTED when it is not a classifier;
 *   as `withEngineShapes`
 */
export async function loadNetwork(
  path: string,
  { samplingRate }: { readonly samplingRate?: number } = {},
): Promise<Network> {
  const stored = withSqueezeAxes(await withEngineShapes(await loadModel(path), path));
  const model =
    samplingRate === undefined ? stored : withMetadata(stored, SAMPLING_RATE, String(samplingRate));
  const classifier = describeClassifier(model, path);
  assertFiniteWeights(model, path);
  const unmerged = unmergedModel(model);
  const canonical = canonicalModel(unmerged);
  // Folding may leave float32.
  assertFiniteWeights(canonical, path);
  return { name: path, original: model, canonical, unmerged, classifier, costs: modelCosts(model) };
}

/** SHA-256 of a file, in hexadecimal. */
export async function hashFile(path: string): Promise<string> {
  const file = await RegularFile.open(path, 'file');
  try {
    const hash = createHash('sha256');
    for await (const piece of file.pieces(0, file.size)) hash.update(piece);
    return hash.digest('hex');
  } finally {
    await file.close();
  }
}
