// Turns a network into the one that a bundle holds, which workers run sample by sample: one output and an open batch.
import { createSession, type Session, tensor } from '../engine/index.ts';
import { type Classifier, describeClassifier } from '../evaluate/internal.ts';
import type { Model } from '../onnx/index.ts';
import { canonicalGraph, cloneModel, fixedBatchOf, freeBatch, removeDead } from '../onnx/internal.ts';
import { BedsideError, messageOf, must } from '../util/index.ts';
import { assertFiniteRows, rowRange } from '../util/internal.ts';

/** A network as a bundle holds it, and what it leaves out of the file. */
export interface Runnable {
  readonly model: Model;
  /** Outputs after the first, and the nodes that only they need. */
  readonly dropped: { readonly outputs: readonly string[]; readonly nodes: readonly string[] };
  /** The batch size that the file fixes and the bundle opens. */
  readonly freedBatch: number | undefined;
}

/** Samples of a dataset. */
interface Samples {
  readonly samples: Float32Array;
  readonly size: number;
}

/**
 * Keeps the first output of a canonical model, and opens its batch if that changes no scores. To check this, samples
 * run through the given model, and through the open one, one at a time and in larger batches.
 * @throws BedsideError E_UNSUPPORTED for a fixed batch above 1 that cannot be opened, since workers run single samples
 */
export async function runnable(model: Model, name: string, data: Samples): Promise<Runnable> {
  const { model: sole, dropped } = withFirstOutput(model);
  const fixed = fixedBatchOf(sole);
  if (fixed === undefined || data.size === 0) return { model: sole, dropped, freedBatch: undefined };
  const open = await opened(sole, name, data);
  if (typeof open !== 'string') return { model: open, dropped, freedBatch: fixed };
  // A fixed batch of 1 already fits single samples.
  if (fixed === 1) return { model: sole, dropped, freedBatch: undefined };
  throw new BedsideError(
    'E_UNSUPPORTED',
    `${name} fixes a batch of ${fixed}, and with an open one ${open}: workers run one sample at a time`,
    { hint: 'export the model with a free batch axis (dynamic_axes), or a batch of 1' },
  );
}

/** Removes the outputs after the first, and the nodes that only they need. */
export function withFirstOutput(model: Model): Pick<Runnable, 'model' | 'dropped'> {
  const [first, ...others] = model.graph.outputs;
  if (!first || others.length === 0) return { model, dropped: { outputs: [], nodes: [] } };
  const result = cloneModel(model);
  result.graph.outputs = [must(result.graph.outputs[0], 'an output')];
  removeDead(result.graph);
  const left = new Set(result.graph.nodes.map(({ name }) => name));
  return {
    model: result,
    dropped: {
      outputs: others.map(({ name }) => name),
      nodes: model.graph.nodes.flatMap((node) => (left.has(node.name) ? [] : [node.name])),
    },
  };
}

/** Largest difference between scores, as a share of the largest score: other kernels sum in another order. */
const TOLERANCE = 1e-4;
/** Most samples that are tried, and the batch sizes that the open network runs them in. */
const TRIED = 8;
const OPEN_BATCHES = [1, 3, 7] as const;

/** The network with an open batch, or in words what goes wrong with it. */
async function opened(fixed: Model, name: string, data: Samples): Promise<Model | string> {
  const classifier = describeClassifier(fixed, name);
  const size = must(classifier.fixedBatch, 'a fixed batch');
  const count = Math.max(size, Math.min(TRIED, data.size)) + 1;
  const expected = await scoresOf(fixed, classifier, name, repeated(data, count), size, true);
  const scale = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  try {
    const open = canonicalGraph(freeBatch(fixed));
    for (const batch of [...OPEN_BATCHES, size]) {
      const given = await scoresOf(open, classifier, name, repeated(data, count), batch, false);
      const far = given.findIndex(
        (value, i) => !(Math.abs(value - (expected[i] as number)) <= TOLERANCE * scale),
      );
      if (far >= 0)
        return `it gives sample ${Math.floor(far / classifier.scores)} other scores in a batch of ${batch}`;
    }
    return open;
  } catch (error) {
    if (!BedsideError.is(error)) throw error;
    return `it does not run (${messageOf(error)})`;
  }
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
