// A model that fixes its batch, with the batch open, if a trial on samples shows that no sample's scores change.
import { createSession, type Session, tensor } from '../engine/index.ts';
import type { Model } from '../onnx/index.ts';
import { canonicalGraph, freeBatch, sizeOf, wholePositions } from '../onnx/internal.ts';
import { BedsideError, messageOf, must } from '../util/index.ts';
import { assertFiniteRows, Random, rowRange } from '../util/internal.ts';
import { type Classifier, describeClassifier } from './classifier.ts';

/** Largest difference between scores, as a share of the largest score: other kernels sum in another order. */
const TOLERANCE = 1e-4;

/** Samples of a dataset. */
interface Samples {
  readonly samples: Float32Array;
  readonly size: number;
}

/** How much is tried. */
interface Trial {
  /** Most samples. */
  readonly most: number;
  /** The batch sizes that the open network runs them in, besides the fixed one. */
  readonly batches: readonly number[];
}

/** Enough to be sure of a network that is packed once and runs for long. */
const THOROUGH: Trial = { most: 8, batches: [1, 3, 7] };

/** Numbers like those of a normalised sample, for a trial without data; 0 where whole numbers and flags stand. */
export function madeSamples(model: Model, { sampleShape }: Classifier, size: number): Samples {
  const random = new Random(1);
  const length = sizeOf(sampleShape);
  const samples = Float32Array.from({ length: size * length }, () => random.normal());
  for (const { start, end } of wholePositions(model)) {
    for (let at = 0; at < size; at++) samples.fill(0, at * length + start, at * length + end);
  }
  return { samples, size };
}

/**
 * The network with an open batch, of a canonical model that fixes it; or in words what goes wrong with it.
 * @param name name of the model in messages
 * @throws BedsideError as `createSession`, for the model as it is
 */
export async function openedBatch(
  fixed: Model,
  name: string,
  data: Samples,
  { most, batches }: Trial = THOROUGH,
): Promise<Model | string> {
  const classifier = describeClassifier(fixed, name);
  const size = must(classifier.fixedBatch, 'a fixed batch');
  const count = Math.max(size, Math.min(most, data.size)) + 1;
  const expected = await scoresOf(fixed, classifier, name, repeated(data, count), size, true);
  const scale = expected.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0);
  const differs = async (open: Model): Promise<string | undefined> => {
    for (const batch of [...batches, size]) {
      const given = await scoresOf(open, classifier, name, repeated(data, count), batch, false);
      const far = given.findIndex(
        (value, i) => !(Math.abs(value - (expected[i] as number)) <= TOLERANCE * scale),
      );
      if (far >= 0)
        return `it gives sample ${Math.floor(far / classifier.scores)} other scores in a batch of ${batch}`;
    }
    return undefined;
  };
  let first: string | undefined;
  for (const by of ['sizes', 'places'] as const) {
    try {
      const open = canonicalGraph(freeBatch(fixed, by));
      const wrong = await differs(open);
      if (wrong === undefined) return open;
      first ??= wrong;
    } catch (error) {
      if (!BedsideError.is(error)) throw error;
      first ??= `it does not run (${messageOf(error)})`;
    }
  }
  return first ?? 'it does not run';
}

/** The first `count` samples, starting over where there are too few. */
function repeated({ samples, size }: Samples, count: number): Float32Array[] {
  return Array.from({ length: count }, (_, i) => rowRange(samples, size, i % size));
}

/** Scores of samples, batch by batch. With `whole`, the last batch is filled up with the first samples. */
async function scoresOf(
  model: Model,
  { input, output, sampleShape, outputShape, scores: size }: Classifier,
  name: string,
  samples: readonly Float32Array[],
  batch: number,
  whole: boolean,
): Promise<Float32Array> {
  const session: Session = await createSession(model, { name });
  const scores = new Float32Array(samples.length * size);
  try {
    for (let first = 0; first < samples.length; first += batch) {
      const count = Math.min(batch, samples.length - first);
      const rows = whole ? batch : count;
      const stride = samples[0]?.length ?? 0;
      const data = new Float32Array(rows * stride);
      for (let i = 0; i < rows; i++)
        data.set(must(samples[(first + i) % samples.length], 'a sample'), i * stride);
      const found = (await session.run({ [input]: tensor(data, [rows, ...sampleShape]) }, [output]))[output];
      if (found?.type !== 'float32' || found.dims.join() !== [rows, ...outputShape].join()) {
        throw new BedsideError(
          'E_UNSUPPORTED',
          `output '${output}' is [${found?.dims ?? ''}] for a batch of ${rows}`,
        );
      }
      assertFiniteRows(found.data, rows, size, (i) => `${name}: the scores of sample ${first + i}`);
      scores.set(found.data.subarray(0, count * size), first * size);
    }
  } finally {
    await session.release();
  }
  return scores;
}
