// One bundle behind the gateway: its deployment on workers, its queue, and what it says of itself.
import {
  answerForm,
  Deployment,
  type DeploymentOptions,
  type Journal,
  type PlanChoice,
  type PostedFile,
  type PostedSamples,
  policySha256,
  postedSamples,
  type SolverName,
  type WorkerPool,
} from '../../app/index.ts';
import type { Bundle } from '../../bundle/index.ts';
import { taskOf } from '../../bundle/internal.ts';
import { type FloatTensor, tensor } from '../../engine/index.ts';
import { sizeOf } from '../../onnx/internal.ts';
import type { PlanView } from '../../plan/index.ts';
import type { FallbackResult } from '../../run/index.ts';
import { BedsideError, must } from '../../util/index.ts';
import { joinedRows, type ScoreForm } from '../../util/internal.ts';
import type { InferRequest, Scalar } from '../protocol/infer-request.ts';
import type { InferAnswer, ResponseTensor } from '../protocol/infer-response.ts';
import { AnswerCounts } from './answer-counts.ts';
import { factsOf, fileFacts, planFacts } from './answer-facts.ts';
import { eachWithin } from './each-within.ts';
import { Explainer } from './explainer.ts';
import { assertCount, ModelInputs } from './model-inputs.ts';
import { type RequestChoice, readChoice } from './request-choice.ts';
import { type QueueBounds, RequestQueue } from './request-queue.ts';

/** Seconds for which a result shows that the devices answer. */
const READY_SECONDS = 1;

/** Bounds on a file that is sent: what it unpacks to is bounded by the limit of a body too. */
const MOST_FILES = 1000;
const MOST_PIXELS = 2 ** 26;

/** Files that are read at the same time, and that wait for it: each may take several times its size. */
const READING = { running: 2, waiting: 64 };

/** Samples of a request that the devices have at the same time; all that run stay within what a device takes. */
const AT_ONCE = 64;
const MOST_ON_DEVICES = 1024;

/** What a request is beside its samples. */
type RequestHead = Omit<InferRequest, 'inputs'>;

/** Facts of an answer that metrics and the audit log keep. */
export interface Served {
  readonly answer: InferAnswer;
  /** Seconds in the queue, and on the devices. */
  readonly waited: number;
  readonly computed: number;
  readonly results: readonly FallbackResult[];
  /** Of the first sample; and of each, where it is a measured one. */
  readonly variant: number | undefined;
  readonly variants: readonly (number | undefined)[];
  readonly solver: SolverName;
  /** SHA-256 of the policy's file, where a policy planned. */
  readonly policy: string | undefined;
  /** What it asked for itself. */
  readonly asked: PlanChoice;
}

/** A request once its samples are read. */
interface Asked {
  readonly choice: RequestChoice;
  readonly samples: readonly FloatTensor[];
  /** Milliseconds, on the clock of `performance`. */
  readonly arrived: number;
  /** Facts for the answer about how the samples were read. */
  readonly facts: Readonly<Record<string, Scalar>>;
  /** The span that it is part of. */
  readonly traceparent?: string | undefined;
}

/** A bundle that answers requests. */
export class ServedModel {
  readonly name: string;
  /** The first digits of the bundle's hash. */
  readonly version: string;
  readonly bundle: Bundle;
  readonly queue: RequestQueue;
  readonly deployment: Deployment;
  /** Which variants have answered lately. */
  readonly answers = new AnswerCounts();
  readonly #explainer: Explainer;
  readonly #inputs: ModelInputs;
  readonly #solver: SolverName;
  readonly #atOnce: number;
  readonly #reading = new RequestQueue(READING);
  #succeeded = Number.NEGATIVE_INFINITY;
  #probe: Promise<boolean> | undefined;

  private constructor(bundle: Bundle, deployment: Deployment, bounds: QueueBounds, solver: SolverName) {
    this.#solver = solver;
    this.bundle = bundle;
    this.name = bundle.manifest.name;
    this.version = bundle.sha256.slice(0, 12);
    this.deployment = deployment;
    this.queue = new RequestQueue(bounds);
    this.#atOnce = Math.max(1, Math.min(AT_ONCE, Math.floor(MOST_ON_DEVICES / bounds.running)));
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
    const deployment = await Deployment.start(pool, options, journal);
    return new ServedModel(pool.bundle, deployment, bounds, options.solver ?? 'policy');
  }

  /** The model metadata of the protocol. */
  get metadata(): Record<string, unknown> {
    const { manifest } = this.bundle;
    const { output } = manifest.model;
    const { kind, outputShape } = taskOf(manifest);
    const [whole] = manifest.variants;
    const { classNames } = answerForm(this.bundle);
    return {
      name: this.name,
      versions: [this.version],
      platform: 'bedside',
      inputs: this.#inputs.metadata,
      outputs: [{ name: output.name, datatype: 'FP32', shape: [-1, ...outputShape] }],
      properties: {
        task: kind,
        measure: manifest.accuracy.measure,
        // Properties are texts.
        ...(classNames ? { classes: JSON.stringify(classNames) } : {}),
        ...(whole ? { unpruned: String(Number(whole.accuracy.toPrecision(12))) } : {}),
        preprocessing: manifest.preprocessing.description,
        bundle: this.bundle.sha256,
      },
    };
  }

  /**
   * Answers a request.
   * @param signal says that its sender has gone
   * @param traceparent the span that it is part of
   * @throws BedsideError E_REQUEST, E_LEVELS, E_BUSY, E_CANCELLED, E_TOO_LARGE; as `Deployment.infer`
   */
  async infer(request: InferRequest, signal: AbortSignal, traceparent?: string): Promise<Served> {
    const arrived = performance.now();
    const choice = this.#choiceOf(request);
    const samples = this.#inputs.samplesOf(request.inputs);
    return await this.#answer(request, { choice, samples, arrived, facts: {}, traceparent }, signal);
  }

  /**
   * Answers a request whose samples are a file, prepared as the bundle says.
   * @param maxBytes that an archive may unpack to
   * @param traceparent the span that it is part of
   * @throws BedsideError as `infer`, and as `postedSamples`
   */
  async inferFile(
    file: PostedFile,
    request: RequestHead,
    signal: AbortSignal,
    maxBytes: number,
    traceparent?: string,
  ): Promise<Served> {
    const arrived = performance.now();
    const choice = this.#choiceOf(request);
    const result = await this.readFile(file, signal, maxBytes);
    assertCount(result.samples.size);
    const samples = this.#inputs.rowsOf(result.samples.samples, result.samples.size);
    const facts = fileFacts(result);
    return await this.#answer(request, { choice, samples, arrived, facts, traceparent }, signal);
  }

  /** The samples of a file, prepared as the bundle says. @throws BedsideError E_BUSY, E_CANCELLED; as `postedSamples` */
  async readFile(file: PostedFile, signal: AbortSignal, maxBytes: number): Promise<PostedSamples> {
    const bounds = { maxBytes, maxFiles: MOST_FILES, maxPixels: MOST_PIXELS };
    return (await this.#reading.run(() => postedSamples(this.bundle, file, bounds), signal)).result;
  }

  /** Answers one sample that is read already. @throws BedsideError as `infer` */
  async inferSample(
    sample: FloatTensor,
    parameters: Readonly<Record<string, Scalar>>,
    signal: AbortSignal,
  ): Promise<Served> {
    const request = { id: undefined, outputs: undefined, binary: false, parameters };
    const asked = {
      choice: this.#choiceOf(request),
      samples: [sample],
      arrived: performance.now(),
      facts: {},
    };
    return await this.#answer(request, asked, signal);
  }

  /** The samples of named tensors, each as the network reads it. @throws BedsideError E_REQUEST, E_TOO_LARGE */
  samplesOf(tensors: InferRequest['inputs']): FloatTensor[] {
    return this.#inputs.samplesOf(tensors);
  }

  /** Samples that are read already, each `[1, ...shape]`. @param data `[count, ...shape]` */
  rowsOf(data: Float32Array, count: number): FloatTensor[] {
    return this.#inputs.rowsOf(data, count);
  }

  /** The relevance of one sample for weighted scores. @throws BedsideError E_UNSUPPORTED, saying what has none */
  weightedRelevance(
    levels: readonly number[],
    sample: FloatTensor,
    form: ScoreForm,
    weights: Float32Array,
  ): ReturnType<Explainer['weighted']> {
    return this.#explainer.weighted(levels, sample, form, weights);
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
    return this.probe();
  }

  /** Whether a real inference through the fabric succeeds now. */
  probe(): Promise<boolean> {
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

  /** @throws BedsideError E_REQUEST, E_LEVELS */
  #choiceOf(request: RequestHead): RequestChoice {
    const choice = readChoice(request.parameters, this.bundle.manifest);
    this.#assertOutputs(request, choice);
    return choice;
  }

  async #answer(request: RequestHead, asked: Asked, signal: AbortSignal): Promise<Served> {
    const { choice, arrived, facts, samples } = asked;
    const { result: results, waited } = await this.queue.run(() => {
      const until = choice.deadline === undefined ? undefined : arrived + 1000 * choice.deadline;
      return this.#compute(asked, until, signal);
    }, signal);
    this.#succeeded = performance.now();
    const relevance = choice.explain ? await this.#explain(samples, results) : [];
    const inputs = choice.withInput ? this.#inputs.inputsOf(samples.map(({ data }) => data)) : [];
    const outputs = [this.#scores(results), ...relevance, ...inputs];
    const wanted = request.outputs;
    const variants = results.map(({ plan }) => planFacts(plan, this.bundle.manifest).variant);
    const [variant] = variants;
    this.answers.add(variant, results.length);
    const computed = Math.max(...results.map(({ seconds }) => seconds));
    const { solver = this.#solver } = choice.plan;
    const frozen = this.deployment.frozen?.scope;
    const said = { waited, computed, frozen, explained: choice.explain };
    const own = factsOf(results, said, this.bundle.manifest);
    return {
      answer: {
        ...{ model: this.name, version: this.version, id: request.id },
        parameters: { ...own, ...facts },
        outputs: wanted ? outputs.filter(({ name }) => wanted.some((one) => one.name === name)) : outputs,
      },
      ...{ waited, computed, results, variant, variants, solver },
      policy: solver === 'policy' ? await policySha256() : undefined,
      asked: choice.plan,
    };
  }

  /** @param until when its answer is due, on the clock of `performance` */
  #compute(
    { samples, choice: { plan }, traceparent }: Asked,
    until: number | undefined,
    signal: AbortSignal,
  ): Promise<FallbackResult[]> {
    const run = async (sample: FloatTensor, gone: AbortSignal): Promise<FallbackResult> => {
      const deadline = until === undefined ? undefined : (until - performance.now()) / 1000;
      if (deadline !== undefined && deadline <= 0) {
        throw new BedsideError('E_DEADLINE', 'the deadline passed while the request waited', {
          hint: 'allow more time, or send fewer requests at a time',
        });
      }
      return await this.deployment.infer(sample, { ...plan, deadline, signal: gone, traceparent });
    };
    return eachWithin(samples, this.#atOnce, signal, run);
  }

  #assertOutputs({ outputs }: RequestHead, { explain, withInput }: RequestChoice): void {
    const { output } = this.bundle.manifest.model;
    const known = [
      output.name,
      ...(explain ? this.#inputs.namesOf('relevance') : []),
      ...(withInput ? this.#inputs.namesOf('read') : []),
    ];
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
      data: joinedRows(results.map(({ logits }) => logits.data)),
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
