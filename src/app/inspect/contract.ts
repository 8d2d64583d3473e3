// The contract of a model as `inspect` shows it: every field that counts, and where it comes from.
import type { InputContract } from '../../data/index.ts';
import { type ImageContract, imageTarget, type SignalContract, signalTarget } from '../../data/internal.ts';
import { type Classifier, describeClassifier } from '../../evaluate/internal.ts';
import type { Model } from '../../onnx/index.ts';
import { BedsideError, type TaskKind } from '../../util/index.ts';
import { type FoundContract, withContract } from '../network/contract.ts';

/** Fields of a contract, and for each where it comes from. */
export interface ContractRow {
  readonly contract: InputContract;
  /**
   * By the path of the field: `options`, `model.json`, `metadata`; `shape` or `output` where the graph tells it; `default`
   * otherwise.
   */
  readonly from: Readonly<Record<string, string>>;
}

/** What is known of a model's input and scores. */
export interface InspectedContract {
  /** Null where the model is not one that commands read. */
  readonly task: TaskKind | null;
  readonly input?: ContractRow;
  readonly output?: ContractRow;
}

/**
 * The contract of a model that is in the form that commands read.
 * @param found what was said of it
 */
export function inspectedContract(model: Model, found: FoundContract, name: string): InspectedContract {
  let classifier: Classifier;
  try {
    classifier = describeClassifier(withContract(model, found.contract), name);
  } catch (error) {
    if (!BedsideError.is(error)) throw error;
    return { task: found.contract.task ?? null };
  }
  return {
    task: classifier.task,
    input: inputRow(classifier, found),
    output: outputRow(classifier, found),
  };
}

function outputRow(
  { task, taskSaid, probabilities }: Classifier,
  { contract, from }: FoundContract,
): ContractRow {
  const { threshold, classes, classMap } = contract;
  const fields = { task, probabilities, threshold, classes, classMap };
  const said = Object.entries(fields).filter(([, value]) => value !== undefined);
  const origin = (field: string): string =>
    from[field] ?? (field === 'task' && taskSaid ? 'metadata' : 'output');
  return {
    contract: Object.fromEntries(said) as InputContract,
    from: Object.fromEntries(said.map(([field]) => [field, origin(field)])),
  };
}

function inputRow(
  { sampleShape, samplingRate, inputs }: Classifier,
  { contract, from }: FoundContract,
): ContractRow {
  const image = inputs ? undefined : imageFields(sampleShape, contract.image, contract.signal !== undefined);
  const signal = inputs || image ? undefined : signalFields(sampleShape, contract.signal, samplingRate);
  const part = image ? 'image' : 'signal';
  const { fields = {}, derived = {} } = image ?? signal ?? {};
  const paths = Object.keys(fields).map((field): [string, string] => {
    const path = `${part}.${field}`;
    return [path, from[path] ?? derived[field] ?? 'default'];
  });
  const own = Object.keys(fields).length > 0 ? { [part]: fields } : {};
  return { contract: own as InputContract, from: Object.fromEntries(paths) };
}

interface PartFields {
  readonly fields: object;
  /** Where fields come from that nobody said and that are no defaults. */
  readonly derived: Readonly<Record<string, string>>;
}

/** All steps of images; undefined for inputs that are none. */
function imageFields(
  shape: readonly number[],
  said: ImageContract | undefined,
  isSignal: boolean,
): PartFields | undefined {
  if (!said && isSignal) return undefined;
  const target = quietly(() => imageTarget(shape, said));
  if (!target || (!said && (target.height === 1 || target.width === 1))) return undefined;
  const defaults: ImageContract = {
    resize: { mode: 'stretch' },
    crop: { mode: 'centre' },
    ...(target.channels === 3 && { colour: 'RGB' }),
    mean: 0,
    deviation: 1,
  };
  return { fields: { ...defaults, ...said, layout: target.layout }, derived: { layout: 'shape' } };
}

/** All steps of recordings; undefined for inputs that are none. */
function signalFields(
  shape: readonly number[],
  said: SignalContract | undefined,
  samplingRate: number | undefined,
): PartFields | undefined {
  const target = quietly(() => signalTarget(shape, said));
  if (!target) return said && { fields: said, derived: {} };
  const before = target.before ?? Math.round((target.length * 100) / 256);
  const defaults: SignalContract = {
    leads: target.leads,
    units: 'mV',
    window: { around: 'beat', before, after: target.length - before },
    normalisation: { kind: 'z-score', per: 'lead', epsilon: 1e-6 },
  };
  const rate = samplingRate ?? 360;
  return {
    fields: { ...defaults, samplingRate: rate, ...said, layout: target.layout },
    derived: { layout: 'shape', ...(samplingRate !== undefined && { samplingRate: 'metadata' }) },
  };
}

function quietly<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if (BedsideError.is(error)) return undefined;
    throw error;
  }
}
