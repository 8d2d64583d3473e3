// A network as use cases take it: read from a file or made in memory, with all the forms of it that they need.
import { createHash } from 'node:crypto';
import { withEngineShapes } from '../../engine/index.ts';
import { withEngineConstants } from '../../engine/internal.ts';
import { type Classifier, describeClassifier, SAMPLING_RATE } from '../../evaluate/internal.ts';
import { canonicalModel, loadModel, type Model, modelCosts, writeModel } from '../../onnx/index.ts';
import {
  assertFiniteWeights,
  formOf,
  type ModelCosts,
  restoredModel,
  unmergedModel,
  withMetadata,
  withSqueezeAxes,
} from '../../onnx/internal.ts';
import { RegularFile, sha256Of } from '../../util/internal.ts';
import type { Journal } from '../reporter.ts';
import {
  assertClassNames,
  type ContractOptions,
  type FoundContract,
  findContract,
  withContract,
} from './contract.ts';
import { computedForm, formRemarks, inOneForm, withOpenBatch } from './form.ts';

/** A network with all the forms of it that use cases need. Built once, and handed on whole. */
export interface Network {
  /** The path of its file, or the name it was given; messages use it. */
  readonly name: string;
  /** Whether `name` is the path of its file. */
  readonly isFile: boolean;
  /**
   * As the file has it, with shapes from the engine for values that no rule gives a shape. Several inputs are one, and the
   * explained output is the first; `restoredModel` undoes this.
   */
  readonly original: Model;
  /** Constants folded, every node named, batch normalisation merged. */
  readonly canonical: Model;
  /** The same before batch normalisation was merged. */
  readonly unmerged: Model;
  readonly classifier: Classifier;
  /** Costs of the original. */
  readonly costs: ModelCosts;
  /** What is known of its input and scores beside the graph, and where that was said. */
  readonly said: FoundContract;
}

/** The path of an ONNX file, or a network that is loaded already. */
export type NetworkSource = string | Network;

/** How a network is read. What is said becomes part of it, and of every network made of it. */
export type NetworkOptions = ContractOptions;

/**
 * The network of a source.
 * @param journal is told where its contract was found
 * @throws BedsideError as `loadNetwork`
 */
export async function networkOf(
  source: NetworkSource,
  options: NetworkOptions = {},
  journal?: Journal,
): Promise<Network> {
  const network =
    typeof source === 'string' ? await loadNetwork(source, options) : await saidOf(source, options);
  for (const line of network.said.notes) journal?.note(line);
  for (const line of network.said.remarks) journal?.remark(line);
  return network;
}

/** A network that is loaded, with what options say of it. */
async function saidOf(network: Network, options: NetworkOptions): Promise<Network> {
  const { labels, classMap, contract, samplingRate, task, output } = options;
  const silent = [labels, classMap, contract, samplingRate, task, output].every((said) => said === undefined);
  return silent
    ? network
    : await describeNetwork(restoredModel(network.original), network.name, network.isFile, options);
}

/**
 * Loads a network for any task: one label, several labels, values, masks or embeddings.
 * @param source the path of an ONNX file, or a model in memory
 * @param options `name` is how messages call a model in memory; that of a file is its path
 * @throws BedsideError E_FILE; E_MODEL, also for weights that are not finite; E_UNSUPPORTED for inputs or outputs of another form;
 *   as `withEngineShapes` and `findContract`
 */
export async function loadNetwork(
  source: string | Model,
  options: NetworkOptions & { readonly name?: string } = {},
): Promise<Network> {
  const { name = 'the network', ...said } = options;
  return typeof source === 'string'
    ? await describeNetwork(await loadModel(source), source, true, said)
    : await describeNetwork(source, name, false, said);
}

async function describeNetwork(
  model: Model,
  name: string,
  isFile: boolean,
  options: NetworkOptions,
): Promise<Network> {
  const found = await findContract(model, name, isFile, options);
  const stored = withSqueezeAxes(await withEngineShapes(inOneForm(model, name, found.contract.output), name));
  const plain = describeClassifier(withContract(stored, found.contract), name);
  const said = assertClassNames(found, plain.classes, name);
  const kept = withContract(stored, keptFields(said));
  const rate = said.contract.signal?.samplingRate;
  const original = rate === undefined ? kept : withMetadata(kept, SAMPLING_RATE, String(rate));
  const classifier = original === stored && said === found ? plain : describeClassifier(original, name);
  assertFiniteWeights(original, name);
  const computed = await computedForm(original, name);
  const unmerged = await withOpenBatch(await foldedModel(computed, name), name);
  const canonical = canonicalModel(unmerged);
  // Folding may leave float32.
  assertFiniteWeights(canonical, name);
  const told = { ...said, remarks: [...said.remarks, ...formRemarks(canonical)] };
  const opened = formOf(canonical)?.batch !== undefined;
  const described = opened ? { ...classifier, scoredOpen: true } : classifier;
  return {
    name,
    isFile,
    original,
    canonical,
    unmerged,
    classifier: described,
    costs: modelCosts(computed),
    said: told,
  };
}

/** What is kept in the model: all but a sampling rate alone, which has a key of its own. */
function keptFields({ contract, from }: FoundContract): FoundContract['contract'] {
  return Object.keys(from).join() === 'signal.samplingRate' ? {} : contract;
}

/** Constants folded, also those that only the engine evaluates; batch normalisation as it is. */
async function foldedModel(model: Model, name: string): Promise<Model> {
  const folded = unmergedModel(model);
  const evaluated = await withEngineConstants(folded, name);
  return evaluated === folded ? folded : unmergedModel(evaluated);
}

/** SHA-256 of the network's file, or of the file that would be written of it. */
export async function hashNetwork({ name, isFile, original }: Network): Promise<string> {
  if (isFile) return await hashFile(name);
  return sha256Of(writeModel(restoredModel(original)));
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
