// The interface of a network: its one input, its scores and what they are for, and the batch size if the model fixes one.
import type { InputContract } from '../data/index.ts';
import type { InputPart } from '../data/internal.ts';
import type { Tensor } from '../engine/index.ts';
import { inferShapes, type Model } from '../onnx/index.ts';
import {
  type BatchPlace,
  batchAxes,
  type Dim,
  ELEM,
  fixedBatchOf,
  isBatchFirst,
  metadataOf,
  packedInputs,
  sizeOf,
  type Value,
} from '../onnx/internal.ts';
import { BedsideError, formatBytes } from '../util/index.ts';
import { CONTRACT_KEY, type ScoreForm } from '../util/internal.ts';
import { assertTaskFits, lastNode, type OutputFacts, taskOfOutput } from './task-of-output.ts';

/** Most bytes that one run may read. A model that fixes more is damaged, or not made for samples. */
const MOST_BYTES = 2 ** 31;

/** The interface of a model that has one float32 input `[batch, ...]` and scores `[batch, ...]`. */
export interface Classifier extends ScoreForm {
  readonly input: string;
  /** Shape of one sample, without the batch axis. */
  readonly sampleShape: readonly number[];
  /** The first output, with the scores. */
  readonly output: string;
  /** Whether its contract says so; otherwise it is what the output is usually for. */
  readonly taskSaid: boolean;
  /** The inputs of a network with several, of which `input` is the packed one. */
  readonly inputs?: readonly InputPart[] | undefined;
  /** The batch size that the model fixes, or undefined when it takes any. */
  readonly fixedBatch: number | undefined;
  /** Whether its channels are scored with an open batch all the same. */
  readonly scoredOpen?: boolean | undefined;
  /** Sampling rate of the signals that the model reads, in Hz, where its metadata gives it (`sampling_rate`). */
  readonly samplingRate?: number | undefined;
  /** What is known of its input and scores beside the graph, where its metadata keeps it (`bedside.contract`). */
  readonly contract?: InputContract | undefined;
}

/**
 * Reads the interface of a network.
 * @param name name of the model in error messages
 * @throws BedsideError E_UNSUPPORTED when the model is not a network with one float32 input and rows of scores, or cannot
 * have the task that its metadata says; the message describes it
 * @throws BedsideError as `inferShapes`
 */
export function describeClassifier(model: Model, name: string): Classifier {
  const { inputs, outputs } = model.graph;
  const [input] = inputs;
  const [output] = outputs;
  if (!input || inputs.length !== 1) {
    throw unsupported(`${name} has ${inputs.length} inputs (${names(inputs)}), expected one`);
  }
  if (!output) throw unsupported(`${name} has no output`);
  if (input.elemType !== ELEM.float32) {
    throw unsupported(
      `${name}: input '${input.name}' has element type ${input.elemType}, expected float32 (1)`,
    );
  }
  if (!input.dims || input.dims.length < 2) {
    throw unsupported(`${name}: input '${input.name}' is ${shapeText(input.dims)}, expected [batch, ...]`);
  }
  const shapes = inferShapes(model, 1);
  const sampleShape = shapes.get(input.name)?.slice(1) ?? [];
  const fixedBatch = fixedBatchOf(model);
  const bytes = 4 * sizeOf([fixedBatch ?? 1, ...sampleShape]);
  if (!(bytes <= MOST_BYTES)) {
    const shape = shapeText([fixedBatch ?? 1, ...sampleShape]);
    throw unsupported(
      `${name} reads ${shape} at once, ${formatBytes(bytes)}`,
      'export it with a free batch axis and the size of one sample',
    );
  }
  const rows = fixedBatch ?? 1;
  const outputShape = rowShape(shapes.get(output.name) ?? output.dims, rows);
  if (!outputShape) {
    const shape = shapes.get(output.name) ?? output.dims;
    const message =
      `${name}: output '${output.name}' is ${shapeText(shape)} for a batch of ${rows}, ` +
      `expected [${fixedBatch ?? 'batch'}, ...] with one row for each sample`;
    const other = outputs.slice(1).find((value) => rowShape(shapes.get(value.name) ?? value.dims, rows));
    throw unsupported(
      message,
      other && `output '${other.name}' would fit: export the model with it as its first`,
    );
  }
  const samplingRate = samplingRateOf(model);
  const contract = keptContract(model);
  const parts = packedInputs(model);
  assertApart(model, output.name, name);
  return {
    input: input.name,
    sampleShape,
    output: output.name,
    ...taskFields(model, { name: output.name, shape: outputShape }, name),
    fixedBatch,
    ...(parts && { inputs: parts }),
    ...(samplingRate !== undefined && { samplingRate }),
    ...(contract && { contract }),
  };
}

/** The task that the metadata says, or that the output is usually for, and what follows from it. */
function taskFields(
  model: Model,
  { name: output, shape }: Pick<OutputFacts, 'name' | 'shape'>,
  name: string,
): Pick<
  Classifier,
  'task' | 'taskSaid' | 'outputShape' | 'scores' | 'classes' | 'probabilities' | 'exclusive'
> {
  const last = lastNode(model, output)?.op;
  const said = keptContract(model)?.task;
  const task = said ?? taskOfOutput(shape, last);
  assertTaskFits(task, { name: output, shape, last }, name);
  const channels = shape.length === 1 && task === 'segmentation' ? 1 : (shape[0] ?? 1);
  const scores = sizeOf([...shape]);
  return {
    task,
    taskSaid: said !== undefined,
    outputShape: shape,
    scores,
    classes: { binary: 2, segmentation: Math.max(2, channels) }[task as string] ?? scores,
    probabilities: last === 'Softmax' || last === 'Sigmoid',
    exclusive: task === 'segmentation' ? channels > 1 && last !== 'Sigmoid' : task === 'single-label',
  };
}

/**
 * The contract that a model keeps in its metadata. Who loads models and bundles checks it field by field first; what is
 * no contract counts as none here.
 */
export function keptContract(model: Model): InputContract | undefined {
  const text = metadataOf(model, CONTRACT_KEY);
  if (text === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as InputContract) : undefined;
  } catch {
    return undefined;
  }
}

/** Refuses a model whose scores of a sample depend on the rest of its batch, or lie on another axis. */
function assertApart(model: Model, output: string, name: string): void {
  let place: BatchPlace | undefined;
  try {
    place = batchAxes(model).get(output);
  } catch (error) {
    // A model that takes single samples has no others to depend on.
    if (!BedsideError.is(error)) throw error;
  }
  if (place?.kind === 'unknown' && place.mixes) {
    throw unsupported(
      `${name}: the scores of a sample depend on the others in its batch: ${place.node} ${place.reason}`,
      'export the model so that each sample is computed by itself, or with a batch of 1',
    );
  }
  if (place?.kind === 'axis' && !isBatchFirst(place)) {
    throw unsupported(`${name}: output '${output}' does not have one row for each sample on its first axis`);
  }
}

/** The key of a model's metadata under which `prune` and `pack` keep the sampling rate. */
export const SAMPLING_RATE = 'sampling_rate';

/** Names of the same key in other tools. */
const RATE_KEYS = [SAMPLING_RATE, 'sample_rate', 'sampling_frequency', 'fs'];

function samplingRateOf(model: Model): number | undefined {
  const rates = RATE_KEYS.map((key) => Number(metadataOf(model, key) ?? Number.NaN));
  return rates.find((rate) => rate > 0 && Number.isFinite(rate));
}

/** The shape of one sample's row of an output `[batch, ...]`; undefined where it is not known, or not by rows. */
function rowShape(dims: readonly Dim[] | undefined, batch: number): number[] | undefined {
  if (!dims || dims.length === 0) return undefined;
  const [rows, ...shape] = dims;
  if (typeof rows === 'number' && rows !== batch) return undefined;
  return shape.every((size): size is number => typeof size === 'number' && size >= 1) ? shape : undefined;
}

/**
 * Refuses an output whose shape is not the declared one: its rows would be assigned to the wrong samples.
 * @throws BedsideError E_UNSUPPORTED
 */
export function assertScores(
  given: Tensor,
  batch: number,
  { output, outputShape }: Classifier,
  name: string,
): void {
  const expected = [batch, ...outputShape];
  if (given.dims.join() === expected.join()) return;
  throw unsupported(
    `${name}: output '${output}' is ${shapeText(given.dims)} for a batch of ${batch}, expected ${shapeText(expected)}`,
  );
}

function unsupported(message: string, hint?: string): BedsideError {
  return new BedsideError('E_UNSUPPORTED', message, {
    hint:
      hint ??
      'a network with one float32 input, and one row of scores for each sample in its first output, is needed',
  });
}

function names(values: readonly Value[]): string {
  return values.map((value) => value.name).join(', ') || 'none';
}

function shapeText(dims: readonly Dim[] | undefined): string {
  return dims ? `[${dims.map((dim) => dim ?? '?').join(', ')}]` : 'of unknown rank';
}
