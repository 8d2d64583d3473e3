// One bundle behind the gateway: its deployment on workers, its queue, and what it says of itself.
import { Deployment, type DeploymentOptions, type Journal, type WorkerPool } from '../../app/index.ts';
import type { Bundle } from '../../bundle/index.ts';
import { figureWord, findVariant, taskOf } from '../../bundle/internal.ts';
import { type FloatTensor, tensor } from '../../engine/index.ts';
import { sizeOf } from '../../onnx/internal.ts';
import type { PlanView } from '../../plan/index.ts';
import type { FallbackResult } from '../../run/index.ts';
import { devicesOf } from '../../run/internal.ts';
import { BedsideError, must } from '../../util/index.ts';
import type { InferRequest, Scalar } from '../protocol/infer-request.ts';
import type { InferAnswer, ResponseTensor } from '../protocol/infer-response.ts';
import { EXPLAINED_BY, Explainer } from './explainer.ts';
import { ModelInputs } from './model-inputs.ts';
import { type RequestChoice, readChoice } from './request-choice.ts';
import { type QueueBounds, RequestQueue } from './request-queue.ts';

/** Seconds for which a result shows that the devices answer. */
const READY_SECONDS = 1;

/** Facts of an answer that metrics and the audit log keep. */
export interface Served {
  readonly answer: InferAnswer;
  /** Seconds in the queue, and on the devices. */
  readonly waited: number;
  readonly computed: number;
  readonly results: readonly FallbackResult[];
  readonly variant: number | undefined;
}

/** A bundle that answers requests. */
export class ServedModel {
  readonly name: string;
  /** The first digits of the bundle's hash. */
  readonly version: string;
  readonly bundle: Bundle;
  readonly queue: RequestQueue;
  readonly deployment: Deployment;
  readonly #explainer: Explainer;
  readonly #inputs: ModelInputs;
  #succeeded = Number.NEGATIVE_INFINITY;
  #probe: Promise<boolean> | undefined;

  private constructor(bundle: Bundle, deployment: Deployment, bounds: QueueBounds) {
    this.bundle = bundle;
    this.name = bundle.manifest.name;
    this.version = bundle.sha256.slice(0, 12);
    this.deployment = deployment;
    this.queue = new RequestQueue(bounds);
    this.#explainer = new Explainer(bundle);
    this.#inputs = new ModelInputs(bundle);
  }

  /** Plans, and makes the workers ready. @throws BedsideError as `Deployment.start` */
  static async start(
    pool: WorkerPool,
    options: DeploymentOptions,
    bounds: QueueBounds,
    journal: Journal,
  ): Promise<ServedModel> {
    return new ServedModel(pool.bundle, await Deployment.start(pool, options, journal), bounds);
  }

  /** The model metadata of the protocol. */
  get metadata(): Record<string, unknown> {
    const { manifest } = this.bundle;
    const { output } = manifest.model;
    const { kind, outputShape } = taskOf(manifest);
    const [whole] = manifest.variants;
    return {
      name: this.name,
      versions: [this.version],
      platform: 'bedside',
      inputs: this.#inputs.metadata,
      outputs: [{ name: output.name, datatype: 'FP32', shape: [-1, ...outputShape] }],
      properties: {
        task: kind,
        measure: figureWord(manifest.accuracy),
        ...(whole ? { unpruned: String(whole.accuracy) } : {}),
        preprocessing: manifest.preprocessing.description,
        bundle: this.bundle.sha256,
      },
    };
  }

  /**
   * Answers a request.
   * @param signal says that its sender has gone
   * @throws BedsideError E_REQUEST, E_LEVELS, E_BUSY, E_CANCELLED, E_TOO_LARGE; as `Deployment.infer`
   */
  async infer(request: InferRequest, signal: AbortSignal): Promise<Served> {
    const { manifest } = this.bundle;
    const arrived = performance.now();
    const choice = readChoice(request.parameters, manifest);
    this.#assertOutputs(request, choice);
    const samples = this.#inputs.samplesOf(request.inputs);
    const { result: results, waited } = await this.queue.run(() => {
      const left = choice.deadline && choice.deadline - (performance.now() - arrived) / 1000;
      return this.#compute(samples, choice, left, signal);
    }, signal);
    this.#succeeded = performance.now();
    const relevance = choice.explain ? await this.#explain(samples, results) : [];
    const outputs = [this.#scores(results), ...relevance];
    const wanted = request.outputs;
    const { plan } = must(results[0], 'a result');
    const variant = findVariant(manifest, plan.levels);
    const computed = Math.max(...results.map(({ seconds }) => seconds));
    return {
      answer: {
        ...{ model: this.name, version: this.version, id: request.id },
        parameters: factsOf(results, { waited, computed, variant, explained: choice.explain }),
        outputs: wanted ? outputs.filter(({ name }) => wanted.some((own) => own.name === name)) : outputs,
      },
      ...{ waited, computed, results, variant },
    };
  }

  /**
   * The plan that a request would get now, and why it would be this one.
   * @throws BedsideError E_REQUEST with the reason why there is none
   */
  async preview(parameters: Readonly<Record<string, Scalar>>): Promise<PlanView> {
    const { plan, deadline } = readChoice(parameters, this.bundle.manifest);
    return await this.deployment.preview({ ...plan, deadline });
  }

  /** Whether a real inference through the fabric has succeeded in the last second; it runs one if none has. */
  ready(): Promise<boolean> {
    if (performance.now() - this.#succeeded < 1000 * READY_SECONDS) return Promise.resolve(true);
    this.#probe ??= this.#tryOne().finally(() => {
      this.#probe = undefined;
    });
    return this.#probe;
  }

  /** Lets requests end, then frees what it holds; the workers stay. */
  async close(): Promise<void> {
    await this.queue.drain();
    await this.deployment.close();
    await this.#explainer.close();
  }

  async #tryOne(): Promise<boolean> {
    const { shape } = this.bundle.manifest.model.input;
    const zeros = tensor(new Float32Array(sizeOf(shape)), [1, ...shape]);
    try {
      await this.deployment.infer(zeros, { signal: AbortSignal.timeout(1000 * READY_SECONDS) });
    } catch (error) {
      if (!BedsideError.is(error)) throw error;
      return false;
    }
    this.#succeeded = performance.now();
    return true;
  }

  #compute(
    samples: readonly FloatTensor[],
    { plan }: RequestChoice,
    deadline: number | undefined,
    signal: AbortSignal,
  ): Promise<FallbackResult[]> {
    if (deadline !== undefined && deadline <= 0) {
      throw new BedsideError('E_DEADLINE', 'the deadline passed while the request waited', {
        hint: 'allow more time, or send fewer requests at a time',
      });
    }
    return Promise.all(samples.map((sample) => this.deployment.infer(sample, { ...plan, deadline, signal })));
  }

  #assertOutputs({ outputs }: InferRequest, { explain }: RequestChoice): void {
    const { output } = this.bundle.manifest.model;
    const known = [output.name, ...(explain ? this.#inputs.relevanceNames : [])];
    const other = outputs?.find(({ name }) => !known.includes(name));
    if (!other) return;
    throw new BedsideError('E_REQUEST', `model '${this.name}' has no output '${other.name}'`, {
      hint: `its outputs: ${known.join(', ')}`,
    });
  }

  #scores(results: readonly FallbackResult[]): ResponseTensor {
    const { name } = this.bundle.manifest.model.output;
    return {
      name,
      shape: [results.length, ...taskOf(this.bundle.manifest).outputShape],
      data: joined(results.map(({ logits }) => logits.data)),
    };
  }

  async #explain(
    samples: readonly FloatTensor[],
    results: readonly FallbackResult[],
  ): Promise<ResponseTensor[]> {
    const rows: Float32Array[] = [];
    for (const [i, sample] of samples.entries()) {
      const { levels } = must(results[i], 'a result').plan;
      rows.push(await this.#explainer.relevance(levels, sample.data, sample.dims));
    }
    return this.#inputs.relevanceOf(rows);
  }
}

function joined(parts: readonly Float32Array[]): Float32Array {
  const result = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    result.set(part, at);
    at += part.length;
  }
  return result;
}

/** Facts of an answer as scalars. Of several samples, those of the first plan and of the least sure one. */
function factsOf(
  results: readonly FallbackResult[],
  more: { waited: number; computed: number; variant: number | undefined; explained: boolean },
): Record<string, Scalar> {
  const first = must(results[0], 'a result');
  const margins = results.map(({ margin }) => margin).filter((margin) => !Number.isNaN(margin));
  const taken = results.filter(({ fallback }) => fallback === 'taken').length;
  return {
    levels: first.plan.levels.join(','),
    ...(more.variant === undefined ? {} : { variant: more.variant }),
    devices: devicesOf(first.plan).join(','),
    ...(margins.length > 0 ? { confidence: Math.min(...margins) } : {}),
    fallback: results.length === 1 ? first.fallback : String(taken),
    replanned: results.reduce((sum, { replanned }) => sum + replanned, 0),
    plans: new Set(results.map(({ plan }) => plan.levels.join())).size,
    queue_ms: round(1000 * more.waited),
    compute_ms: round(1000 * more.computed),
    ...(more.explained ? { explained_by: EXPLAINED_BY } : {}),
  };
}

function round(milliseconds: number): number {
  return Math.round(1000 * milliseconds) / 1000;
}
