// Samples through a plan on workers, each answer beside that of one machine.
import { assembleModel, type Bundle, findVariant } from '../bundle/index.ts';
import type { Dataset } from '../data/index.ts';
import { createSession, type Session, tensor } from '../engine/index.ts';
import {
  type Fallback,
  type FallbackResult,
  type FloatTensor,
  type InferenceClient,
  inferWithFallback,
  type Replan,
  type RunPlan,
} from '../run/index.ts';
import { argmax, assertFiniteRows, BedsideError, must } from '../util/index.ts';

/** How samples run. */
export interface InferRun {
  readonly bundle: Bundle;
  readonly asker: InferenceClient;
  readonly plan: RunPlan;
  readonly replan: Replan;
  /** Samples asked for at a time. */
  readonly together: number;
  /** What becomes of unsure answers; asked for each time, as devices may be lost. */
  readonly fallback: () => Fallback | undefined;
  /** Another plan after these answers, where times have changed. */
  readonly adapt: (answers: readonly FallbackResult[]) => Promise<RunPlan | undefined>;
  /** Seconds. */
  readonly deadline: number;
  /** No further request is sent once it is aborted; what runs ends. */
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
  /** Unsure answers that ran again unpruned. */
  readonly fallbacks: number;
  /** Unsure answers that stood for want of time, or of a second result. */
  readonly unsure: number;
  /** How often the plan was changed because times had. */
  readonly adapted: number;
  /** Requests without a result at their deadline; not among the `n`. */
  readonly missed: number;
}

/**
 * Runs samples, `together` at a time.
 * @throws BedsideError E_DEADLINE when no sample had its result in time; what else ends a request
 */
export async function inferAll(run: InferRun, dataset: Dataset): Promise<Inferred> {
  const { bundle, signal, together } = run;
  const single = new SingleMachine(bundle);
  const unpruned = bundle.manifest.groups.map(() => 0);
  const [predictions, expected, seconds]: [number[], number[], number[]] = [[], [], []];
  let [maxDifference, replanned, fallbacks, unsure, adapted] = [0, 0, 0, 0, 0];
  const missed: Error[] = [];
  let { plan } = run;
  try {
    for (let from = 0; from < dataset.size && !signal.aborted; from += together) {
      const inputs = inputsOf(dataset, from, Math.min(together, dataset.size - from));
      const answers = await Promise.all(inputs.map((input) => ask(run, input, plan, missed)));
      run.onProgress(Math.min(from + together, dataset.size), dataset.size);
      for (const [at, answer] of answers.entries()) {
        if (!answer) continue;
        if (answer.fallback !== 'taken') plan = answer.plan;
        replanned += answer.replanned;
        if (answer.fallback === 'taken') fallbacks++;
        else if (answer.fallback !== 'none') unsure++;
        seconds.push(answer.seconds);
        const input = must(inputs[at], 'an input');
        const logits = answer.logits.data;
        const same = await single.run(answer.plan.levels, input);
        maxDifference = Math.max(maxDifference, largestDifference(logits, same));
        predictions.push(argmax(logits));
        expected.push(dataset.labels?.[from + at] ?? argmax(await single.run(unpruned, input)));
      }
      const other = await run.adapt(answers.filter((answer) => answer !== undefined));
      if (other) adapted++;
      plan = other ?? plan;
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
    ...{ seconds, maxDifference, replanned, fallbacks, unsure, adapted },
  };
}

/** One sample's answer; undefined, and noted, when its deadline passed. */
function ask(
  { asker, replan, deadline, fallback }: InferRun,
  input: FloatTensor,
  plan: RunPlan,
  missed: Error[],
): Promise<FallbackResult | undefined> {
  return inferWithFallback(asker, input, plan, { replan, deadline }, fallback()).catch((error: unknown) => {
    if (!BedsideError.is(error, 'E_DEADLINE')) throw error;
    missed.push(error);
    return undefined;
  });
}

function inputsOf(dataset: Dataset, from: number, count: number): FloatTensor[] {
  const stride = dataset.samples.length / dataset.size;
  return Array.from({ length: count }, (_, at) => {
    const sample = dataset.samples.slice((from + at) * stride, (from + at + 1) * stride);
    return tensor(sample, [1, ...dataset.sampleShape]) as FloatTensor;
  });
}

/** The network on one machine, at any levels. */
export class SingleMachine {
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
    if (output.type === 'float32') {
      const rows = output.dims[0] ?? 1;
      assertFiniteRows(output.data, rows, output.data.length / rows, (row) => {
        return `bundle '${manifest.name}': the scores of sample ${row} of a run on one machine`;
      });
      return output.data;
    }
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
