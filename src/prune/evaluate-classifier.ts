// What a classifier reads and answers: the one input, the scores, and the batch size when the model fixes one.
import { type Dim, ELEM, inferShapes, type Model, type Value } from '../onnx/index.ts';
import { BedsideError } from '../util/index.ts';

/** The interface of a model that has one float32 input `[batch, ...]` and scores `[batch, classes]`. */
export interface Classifier {
  readonly input: string;
  /** Shape of one sample, without the batch axis. */
  readonly sampleShape: readonly number[];
  /** The first output: one score a class. */
  readonly output: string;
  readonly classes: number;
  /** The batch size that the model fixes, or undefined when it takes any. */
  readonly fixedBatch: number | undefined;
}

/**
 * Reads the interface of a classifier.
 * @param name how the model is called in error messages
 * @throws BedsideError E_UNSUPPORTED when the model is not a classifier with one float32 input, saying what it has
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
  const classes = (shapes.get(output.name) ?? output.dims)?.at(-1);
  const rank = (shapes.get(output.name) ?? output.dims)?.length;
  if (rank !== 2 || typeof classes !== 'number' || classes < 2) {
    throw unsupported(
      `${name}: output '${output.name}' is ${shapeText(shapes.get(output.name) ?? output.dims)}, ` +
        'expected [batch, classes] with two classes or more',
    );
  }
  const [batch] = input.dims;
  const fixedBatch = typeof batch === 'number' ? batch : undefined;
  return { input: input.name, sampleShape, output: output.name, classes, fixedBatch };
}

function unsupported(message: string): BedsideError {
  return new BedsideError('E_UNSUPPORTED', message, {
    hint: 'a classifier with one float32 input and one score a class in its first output is needed',
  });
}

function names(values: readonly Value[]): string {
  return values.map((value) => value.name).join(', ') || 'none';
}

function shapeText(dims: readonly Dim[] | undefined): string {
  return dims ? `[${dims.map((dim) => dim ?? '?').join(', ')}]` : 'of unknown rank';
}
