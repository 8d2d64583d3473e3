// The contract of a network's input: what options, a model.json beside the model, and its metadata say, in this order.
import { statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { InputContract } from '../../data/index.ts';
import {
  type ClassMap,
  checkContract,
  contractOfMetadata,
  type ImageWindow,
  isEmptyContract,
  looksLikeContract,
  type MergedContract,
  mergeContracts,
  parseContract,
} from '../../data/internal.ts';
import type { Classifier } from '../../evaluate/internal.ts';
import type { Model } from '../../onnx/index.ts';
import { metadataEntries, withMetadata } from '../../onnx/internal.ts';
import { BedsideError, type TaskKind } from '../../util/index.ts';
import { CONTRACT_KEY, readTextChecked } from '../../util/internal.ts';

/** What options say of a network's input and scores. It goes before a model.json and the model's metadata. */
export interface ContractOptions {
  /** A contract, or the path of one, instead of the model.json beside the model. */
  readonly contract?: string | InputContract | undefined;
  /** Names of the network's classes, in the order of its scores. */
  readonly labels?: readonly string[] | undefined;
  /** Label of the data: index or name of a class of the network; null leaves its samples out. */
  readonly classMap?: ClassMap | undefined;
  /** What the network is for, where it is not what its output suggests. */
  readonly task?: TaskKind | undefined;
  /** The output that is measured and explained; default the first. */
  readonly output?: string | undefined;
  /** Samples a second of the signals that the network reads. */
  readonly samplingRate?: number | undefined;
  /** The values of images that become black and white, before that of a contract or of the files. */
  readonly window?: ImageWindow | undefined;
}

/** A network's contract, where its fields were said, and what to tell about that. */
export interface FoundContract extends MergedContract {
  /** Lines beside the result. */
  readonly notes: readonly string[];
  /** What could not be used. */
  readonly remarks: readonly string[];
}

/**
 * The contract of a model. Of a file's, `NAME.json` beside `NAME.onnx` is read, else `model.json` in its folder.
 * @param name of the model in messages; its path if `isFile`
 * @throws BedsideError E_CONTRACT for a malformed contract or metadata; E_FILE for a file that cannot be read
 */
export async function findContract(
  model: Model,
  name: string,
  isFile: boolean,
  options: ContractOptions,
): Promise<FoundContract> {
  const notes: string[] = [];
  const remarks: string[] = [];
  const said: { source: 'options' | 'model.json' | 'metadata'; contract: InputContract }[] = [];
  said.push({ source: 'options', contract: contractOfOptions(options) });
  const file = await contractFile(name, isFile, options, remarks);
  if (file?.path) notes.push(`contract of the network's input: ${file.path}`);
  if (file) said.push({ source: 'model.json', contract: file.contract });
  const metadata = await contractOfMetadata(metadataEntries(model), name);
  remarks.push(...metadata.remarks);
  said.push({ source: 'metadata', contract: metadata.contract });
  const merged = mergeContracts(said);
  // Fields of several sources may contradict each other.
  const contract = isEmptyContract(merged.contract) ? {} : await checkContract(merged.contract, name);
  assertInputs(model, contract, name);
  return { contract, from: merged.from, notes, remarks };
}

/**
 * The contract that data are read by: what options say, and what the network has. A bundle's stays as it was packed;
 * options go before it for this call.
 * @throws BedsideError as `findContract`
 */
export async function contractForData(
  { contract: kept, classes }: Pick<Classifier, 'contract' | 'classes'>,
  options: ContractOptions,
): Promise<InputContract | undefined> {
  const { labels, classMap, contract, window } = options;
  if ([labels, classMap, contract, window].every((said) => said === undefined)) return kept;
  const file = await contractFile('', false, { contract }, []);
  const merged = mergeContracts([
    { source: 'options', contract: contractOfOptions({ labels, classMap, window }) },
    { source: 'model.json', contract: file?.contract ?? {} },
    { source: 'bundle', contract: kept ?? {} },
  ]);
  const checked = await checkContract(merged.contract, 'the contract');
  assertNamesAll(checked, classes, 'the network');
  return checked;
}

/** The contract that options say field by field. */
function contractOfOptions(options: ContractOptions): InputContract {
  const { labels, classMap, task, output, samplingRate, window } = options;
  return {
    classes: labels,
    classMap,
    task,
    output,
    ...(samplingRate !== undefined && { signal: { samplingRate } }),
    ...(window && { image: { window } }),
  };
}

async function contractFile(
  name: string,
  isFile: boolean,
  { contract }: ContractOptions,
  remarks: string[],
): Promise<{ readonly path?: string; readonly contract: InputContract } | undefined> {
  if (typeof contract === 'object') return { contract: await checkContract(contract, 'the contract') };
  const read = (path: string) => readTextChecked(path, 'contract');
  if (contract !== undefined) {
    return { path: contract, contract: await parseContract(await read(contract), contract) };
  }
  if (!isFile) return undefined;
  const folder = dirname(name);
  const own = `${basename(name).replace(/\.[^.]*$/, '')}.json`;
  for (const path of new Set([join(folder, own), join(folder, 'model.json')])) {
    if (!statSync(path, { throwIfNoEntry: false })?.isFile()) continue;
    const text = await read(path);
    if (await looksLikeContract(text, path)) return { path, contract: await parseContract(text, path) };
    remarks.push(`${path} has no field of a contract: it was not used`);
  }
  return undefined;
}

/** Names of inputs and outputs are the model's own, so that a contract of another model is not taken for this one's. */
function assertInputs(model: Model, { inputs, output }: InputContract, name: string): void {
  const own = model.graph.inputs.map((value) => value.name);
  if (inputs && inputs.join('\n') !== own.join('\n')) {
    throw new BedsideError(
      'E_CONTRACT',
      `the contract names the inputs ${inputs.join(', ')}, and ${name} has ${own.join(', ') || 'none'}`,
      { hint: 'give the contract of this model, or correct its field inputs' },
    );
  }
  const outputs = model.graph.outputs.map((value) => value.name);
  if (output !== undefined && !outputs.includes(output)) {
    throw new BedsideError(
      'E_CONTRACT',
      `${name} has no output '${output}'; its outputs are ${outputs.join(', ')}`,
      { hint: 'correct --output, or the field output of the contract' },
    );
  }
}

/** The model with a contract in its metadata, so that whatever is made of it has it too; unchanged for an empty one. */
export function withContract(model: Model, contract: InputContract): Model {
  return isEmptyContract(contract) ? model : withMetadata(model, CONTRACT_KEY, JSON.stringify(contract));
}

/**
 * The contract without class names from the metadata of other tools that are not as many as the network's classes.
 * @throws BedsideError E_CONTRACT for class names that somebody gave for this network
 */
export function assertClassNames(found: FoundContract, count: number, name: string): FoundContract {
  const { contract, from, remarks } = found;
  const { classes, ...rest } = contract;
  if (!classes || classes.length === count) return found;
  if (from.classes === 'metadata') {
    const { classes: _, ...others } = from;
    const remark = `the model's metadata names ${classes.length} classes, and it has ${count}: not used`;
    return { ...found, contract: rest, from: others, remarks: [...remarks, remark] };
  }
  assertNamesAll(contract, count, name);
  return found;
}

function assertNamesAll({ classes }: InputContract, count: number, name: string): void {
  if (!classes || classes.length === count) return;
  throw new BedsideError(
    'E_CONTRACT',
    `${classes.length} classes are named (${classes.join(', ')}), and ${name} has ${count}`,
    {
      hint: 'name every class of the network, in the order of its scores: --labels, or classes in the contract',
    },
  );
}
