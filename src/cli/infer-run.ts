// Samples through a plan on workers, each answer beside that of one machine.
import { assembleModel, type Bundle, findVariant } from '../bundle/index.ts';
import type { Dataset } from '../data/index.ts';
import { createSession, type Session, tensor } from '../engine/index.ts';
import { argmax } from '../prune/index.ts';
import type { FloatTensor, Replan, Requester, RunPlan } from '../run/index.ts';
import { BedsideError, must } from '../util/index.ts';

/** How samples run. */
export interface InferRun {
  readonly bundle: Bundle;
  readonly requester: Requester;
  readonly plan: RunPlan;
  readonly replan: Replan;
  /** Seconds. */
  readonly deadline: number;
  /** No further request is sent once it is aborted; the one that runs ends. */
  readonly signal: AbortSignal;
  readonly onProgress: (done: number, total: number) => void;
}

/** What came of it. */
export interface Inferred {
  readonly n: number;
  readonly predictions: Int32Array;
  /** The expected classes: labels, or without any what the unpruned network says. */
  readonly expected: Int32Array;
  /** Seconds of each request. */
  readonly seconds: readonly number[];
  /** Of logits to those of one machine at the same levels. */
  readonly maxDifference: number;
  /** How often a request was planned anew. */
  readonly replanned: number;
  /** Requests without a result at their deadline; not among the `n`. */
  readonly missed: number;
}

/**
 * Runs samples one after another.
 * @throws BedsideError E_DEADLINE when no sample had its result in time; what else ends a request
 */
export async function inferAll(run: InferRun, dataset: Dataset): Promise<Inferred> {
  const { bundle, requester, replan, deadline, signal } = run;
  const single = new SingleMachine(bundle);
  const unpruned = bundle.manifest.groups.map(() => 0);
  const stride = dataset.samples.length / dataset.size;
  const [predictions, expected, seconds]: [number[], number[], number[]] = [[], [], []];
  let [maxDifference, replanned] = [0, 0];
  const missed: Error[] = [];
  let { plan } = run;
  try {
    for (let at = 0; at < dataset.size && !signal.aborted; at++) {
      const sample = dataset.samples.slice(at * stride, (at + 1) * stride);
      const input = tensor(sample, [1, ...dataset.sampleShape]) as FloatTensor;
      const answer = await requester.infer(input, plan, { replan, deadline }).catch((error: unknown) => {
        if (!BedsideError.is(error, 'E_DEADLINE')) throw error;
        missed.push(error);
      });
      run.onProgress(at + 1, dataset.size);
      if (!answer) continue;
      plan = answer.plan;
      replanned += answer.replanned;
      seconds.push(answer.seconds);
      const logits = answer.logits.data;
      const same = await single.run(plan.levels, input);
      maxDifference = Math.max(maxDifference, largestDifference(logits, same));
      predictions.push(argmax(logits));
      expected.push(dataset.labels?.[at] ?? argmax(await single.run(unpruned, input)));
    }
  } finally {
    await single.close();
  }
  if (predictions.length === 0 && missed[0]) throw missed[0];
  return {
    n: predictions.length,
    missed: missed.length,
    predictions: Int32Array.from(predictions),
    expected: Int32Array.from(expected),
    seconds,
    maxDifference,
    replanned,
  };
}

/** The network on one machine, at any levels. */
class SingleMachine {
  readonly #bundle: Bundle;
  readonly #sessions = new Map<string, Session>();

  constructor(bundle: Bundle) {
    this.#bundle = bundle;
  }

  async run(levels: readonly number[], input: FloatTensor): Promise<Float32Array> {
    const { manifest } = this.#bundle;
    const key = levels.join();
    let session = this.#sessions.get(key);
    if (!session) {
      const correction = findVariant(manifest, levels);
      session = await createSession(assembleModel(this.#bundle, levels, { correction }), {
        name: manifest.name,
      });
      this.#sessions.set(key, session);
    }
    const { input: from, output: to } = manifest.model;
    const output = must((await session.run({ [from.name]: input }))[to.name], 'an output');
    if (output.type === 'float32') return output.data;
    throw new BedsideError('E_UNSUPPORTED', `bundle '${manifest.name}' gives ${output.type}, not float32`);
  }

  async close(): Promise<void> {
    for (const session of this.#sessions.values()) await session.release();
  }
}

function largestDifference(a: Float32Array, b: Float32Array): number {
  if (a.length !== b.length) return Number.POSITIVE_INFINITY;
  return a.reduce((most, value, i) => Math.max(most, Math.abs(value - (b[i] ?? Number.NaN))), 0);
}
