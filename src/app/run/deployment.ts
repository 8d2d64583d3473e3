// A bundle that runs on a pool of workers: planned, and planned again when devices or times change.
import type { Bundle } from '../../bundle/index.ts';
import { taskOf } from '../../bundle/internal.ts';
import { tensor } from '../../engine/index.ts';
import { fixedBatchOf, sizeOf } from '../../onnx/internal.ts';
import type { Fleet, PlanView, PrivacyPreset } from '../../plan/index.ts';
import { completeRequest, type PinScope } from '../../plan/internal.ts';
import {
  Coordinator,
  type FallbackResult,
  type FloatTensor,
  inferWithFallback,
  type RunPlan,
} from '../../run/index.ts';
import { assertConfidence, Batcher, type DeviceReport, type Fallback } from '../../run/internal.ts';
import { BedsideError, must } from '../../util/index.ts';
import { unlessAborted } from '../abort.ts';
import type { SolverName } from '../planners.ts';
import { type Journal, journalOf, type Reporter } from '../reporter.ts';
import { readReports } from './measure-devices.ts';
import { type PlanChange, planOnDrift, planOnReturn, unprunedFallback } from './plan-changes.ts';
import { type PlanChoice, type PlanLine, PlanLines } from './plan-lines.ts';
import type { WorkerPool } from './pool.ts';
import { type LeftOut, ReadyPlans } from './ready-plans.ts';
import { Replanner, type ReplannerOptions } from './replanner.ts';

/** How requests are planned and run. Figures that are absent here are taken from the fleet, then from the defaults. */
export interface DeploymentOptions {
  /** Default `policy`. */
  readonly solver?: SolverName | undefined;
  /** `certified` (default): a measured variant; a list: the level of each group. */
  readonly levels?: 'certified' | readonly number[] | undefined;
  /** Seconds from a request to its result. */
  readonly deadline?: number | undefined;
  /** Least accuracy, in [0, 1]. */
  readonly accuracyFloor?: number | undefined;
  /** The share of data that untrusted devices may see. */
  readonly privacy?: PrivacyPreset | undefined;
  /** Whether workers time every stage first; default: those whose times are not known. */
  readonly measure?: boolean | undefined;
  /** Plan again when requests take much longer or shorter than the first ones did. */
  readonly adapt?: boolean | undefined;
  /** The part of the first plan that every later plan keeps. */
  readonly freeze?: PinScope | undefined;
  /**
   * Answers that are less sure than this run again unpruned, in [0, 1]: of one label the two likeliest classes are closer,
   * of several the least sure one is closer to its threshold, of a mask its positions are on average.
   */
  readonly fallbackMargin?: number | undefined;
  /** Most requests that run as one batch; default: each runs alone. */
  readonly batch?: number | undefined;
  /** Seconds that the first request of a batch waits for others; default 0.005. */
  readonly batchWindow?: number | undefined;
}

/** One sample: its values, or a tensor `[1, …]`. */
export type Sample = Float32Array | FloatTensor;

/** What one request asks for. */
export interface RequestOptions extends PlanChoice {
  /** Once aborted, the request ends with E_CANCELLED. */
  readonly signal?: AbortSignal | undefined;
}

/** Seconds that the first request of a batch waits unless told otherwise. */
export const BATCH_WINDOW = 0.005;

/**
 * A bundle that runs on a pool of workers. A lost device, one that is back, and (with `adapt`) changed times change its plan.
 * `await using` or `close` ends what runs; the pool stays open.
 */
export class Deployment implements AsyncDisposable {
  readonly #pool: WorkerPool;
  readonly #options: DeploymentOptions;
  readonly #journal: Journal;
  readonly #planner: Replanner;
  readonly #coordinator: Coordinator;
  readonly #batcher: Batcher | undefined;
  readonly #changes: readonly PlanChange[];
  readonly #lines: PlanLines;
  /** Seconds. */
  readonly #deadline: number;
  #leftOut: readonly LeftOut[] = [];
  #fallback: () => Fallback | undefined = () => undefined;
  #first: PlanView | undefined;
  #plan: RunPlan | undefined;
  #turn: Promise<unknown> = Promise.resolve();

  /**
   * Nothing runs before `prepare`.
   * @throws BedsideError E_LEVELS for levels that the bundle does not have; E_UNSUPPORTED as `assertRunnable`, and for a
   *   fallback of a task whose answers have no confidence
   */
  constructor(pool: WorkerPool, options: DeploymentOptions = {}, reporter?: Reporter | Journal) {
    const { bundle, fleet } = pool;
    assertRunnable(bundle, options);
    if (options.fallbackMargin !== undefined) assertConfidence(taskOf(bundle.manifest));
    const replanning = replannerOptions(fleet, options);
    this.#pool = pool;
    this.#options = options;
    this.#journal = journalOf(reporter);
    this.#planner = new Replanner(bundle.manifest, fleet, replanning);
    this.#deadline = replanning.request.deadline;
    this.#coordinator = new Coordinator(pool.clientName, bundle);
    this.#lines = new PlanLines({
      ...{ manifest: bundle.manifest, dir: bundle.dir, base: replanning },
      ...{ coordinator: this.#coordinator, journal: this.#journal },
    });
    const { batch, batchWindow = BATCH_WINDOW } = options;
    if (batch !== undefined) {
      this.#batcher = new Batcher(this.#coordinator, { most: batch, window: batchWindow });
    }
    const returned = planOnReturn(this.#planner, this.#coordinator, this.#journal);
    this.#changes = [
      returned,
      ...(options.adapt ? [planOnDrift(this.#planner, this.#coordinator, this.#journal)] : []),
    ];
  }

  /**
   * Plans, and prepares the workers.
   * @throws BedsideError E_REQUEST when there is no plan; E_FABRIC when workers do not start; E_LOST or E_DEVICE when the device
   *   that has the input is not ready; as the constructor
   */
  static async start(
    pool: WorkerPool,
    options: DeploymentOptions = {},
    reporter?: Reporter | Journal,
  ): Promise<Deployment> {
    const deployment = new Deployment(pool, options, reporter);
    try {
      await deployment.check();
      await deployment.connect();
      await deployment.prepare();
      return deployment;
    } catch (error) {
      await deployment.close();
      throw error;
    }
  }

  /** The plan of the next request; undefined before `prepare`. */
  get plan(): RunPlan | undefined {
    return this.#plan;
  }

  /** The plan that `prepare` made. */
  get firstPlan(): PlanView {
    return must(this.#first, 'a prepared deployment');
  }

  /** The devices of the pool that take part, with the times that they have measured. */
  get fleet(): Fleet {
    return this.#planner.fleet;
  }

  /** Devices that took no part because they were not ready. */
  get leftOut(): readonly LeftOut[] {
    return this.#leftOut;
  }

  /** Devices that are lost now. */
  get lost(): string[] {
    const out = new Set(this.#leftOut.map(({ device }) => device));
    return [...this.#coordinator.lost.keys()].filter((name) => !out.has(name));
  }

  /** Batches of more than one request. */
  get batches(): number {
    return this.#batcher?.batches ?? 0;
  }

  /**
   * Plans before any worker starts, unless workers measure first.
   * @throws BedsideError E_REQUEST when there is no plan, with the reason
   */
  async check(): Promise<void> {
    if (this.#measuring.length > 0) return;
    const view = await this.#journal.during('planning', () => this.#planner.plan());
    if (!view) throw await this.#planner.refusal(this.#pool.bundle.dir);
  }

  /**
   * Joins the workers, and starts them if they do not run.
   * @throws BedsideError E_FABRIC
   */
  async connect(): Promise<void> {
    await this.#coordinator.join(await this.#pool.open(this.#journal));
  }

  /**
   * Has workers measure if they must, plans, and makes all devices of the plan ready.
   * @throws as `start`; the signal's reason once it is aborted
   */
  async prepare(signal: AbortSignal = new AbortController().signal): Promise<void> {
    const ready = await unlessAborted(this.#prepared(signal), signal);
    if (!ready) throw signal.reason;
    this.#first = ready.view;
    this.#plan = ready.view;
    this.#fallback = ready.fallback;
  }

  /**
   * Runs one sample.
   * @param options a deadline in seconds (default: that of the deployment); with a planner, levels or a floor of its own the
   * request gets a plan of its own, which is kept ready for others that ask for the same
   * @returns scores, the plan that gave them, and how sure they are
   * @throws BedsideError E_DEADLINE without a result in time; E_LOST when no plan without a lost device is left; E_CANCELLED;
   *   E_REQUEST when there is no plan for what it asks; E_LEVELS; E_NOT_FINITE; E_DATA for a sample that does not fit or is
   *   not finite
   */
  async infer(sample: Sample, options: RequestOptions = {}): Promise<FallbackResult> {
    const input = this.#inputOf(sample);
    const { deadline, signal, ...choice } = options;
    if (Object.values(choice).some((own) => own !== undefined)) {
      const line = await this.#lines.line(choice, this.fleet);
      return await this.#ask(input, { deadline, signal }, line);
    }
    const answer = await this.#ask(input, { deadline, signal });
    this.#follow([answer]).catch((error: Error) => this.#journal.note(`the plan stays: ${error.message}`));
    return answer;
  }

  /**
   * The plan that a request would get now, neither prepared nor run.
   * @throws BedsideError E_REQUEST with the reason why there is none; E_LEVELS
   */
  async preview(choice: PlanChoice = {}): Promise<PlanView> {
    const { planner, plan } = this.#lines.preview(choice, this.fleet);
    const view = await plan;
    if (!view) throw await planner.refusal(this.#pool.bundle.dir);
    return view;
  }

  /**
   * Runs samples at the same time, then changes the plan if that is due.
   * @returns for each sample its answer, or the error E_DEADLINE
   * @throws errors as `infer`, but E_DEADLINE
   */
  async inferTogether(
    samples: readonly Sample[],
  ): Promise<{ readonly answers: readonly (FallbackResult | BedsideError)[]; readonly adapted: boolean }> {
    const answers = await Promise.all(
      samples.map((sample) =>
        this.#ask(this.#inputOf(sample)).catch((error: unknown) => {
          if (BedsideError.is(error, 'E_DEADLINE')) return error;
          throw error;
        }),
      ),
    );
    const adapted = await this.#follow(
      answers.filter((answer): answer is FallbackResult => !BedsideError.is(answer)),
    );
    return { answers, adapted };
  }

  /** Reports of the devices that are not lost. */
  reports(): Promise<DeviceReport[]> {
    return readReports(this.#coordinator, this.#planner.fleet);
  }

  async close(): Promise<void> {
    await this.#coordinator.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Devices that measure before planning. */
  get #measuring(): readonly string[] {
    const { measure } = this.#options;
    if (measure) return this.#planner.fleet.devices.map(({ name }) => name);
    return measure === undefined ? this.#pool.unmeasured : [];
  }

  async #prepared(signal: AbortSignal) {
    const parts = {
      planner: this.#planner,
      coordinator: this.#coordinator,
      plans: new ReadyPlans(this.#planner, this.#coordinator, this.#journal, signal),
    };
    const { plans, planner } = parts;
    this.#leftOut = plans.leftOut;
    const devices = this.#measuring;
    if (devices.length > 0) {
      const { reports, failed } = await this.#journal.during('workers time their stages', (progress) =>
        this.#pool.measure(this.#coordinator, devices, (done, total) => progress.update(done, total)),
      );
      planner.learn(reports);
      plans.leave(failed);
    }
    const { dir } = this.#pool.bundle;
    const view = await plans.ready(
      () => this.#journal.during('planning', () => planner.plan()),
      () => planner.refusal(dir),
    );
    return { view, fallback: await unprunedFallback(parts, dir, this.#options.fallbackMargin) };
  }

  async #ask(
    input: FloatTensor,
    { deadline = this.#deadline, signal }: Pick<RequestOptions, 'deadline' | 'signal'> = {},
    line?: PlanLine,
  ): Promise<FallbackResult> {
    const { planner, plan } = line ?? {
      planner: this.#planner,
      plan: must(this.#plan, 'a prepared deployment'),
    };
    const replan = (lost: ReadonlySet<string>) => {
      this.#journal.note(`lost: ${[...lost].join(', ')}; planning for the devices that are left`);
      return planner.plan(lost);
    };
    const asker = this.#batcher ?? this.#coordinator;
    const task = taskOf(this.#pool.bundle.manifest);
    const options = { replan, deadline, signal };
    const answer = await inferWithFallback(
      asker,
      input,
      plan,
      options,
      line?.fixed ? undefined : this.#fallback(),
      task,
    );
    if (answer.fallback === 'taken' || answer.plan === plan) return answer;
    if (line) line.plan = answer.plan;
    else this.#plan = answer.plan;
    return answer;
  }

  /** Changes the plan if that is due after these answers; one change at a time. */
  #follow(answers: readonly FallbackResult[]): Promise<boolean> {
    const turn = this.#turn.then(async () => {
      for (const change of this.#changes) {
        const plan = await change(answers);
        if (!plan) continue;
        this.#plan = plan;
        return true;
      }
      return false;
    });
    this.#turn = turn.catch(() => {});
    return turn;
  }

  #inputOf(sample: Sample): FloatTensor {
    if (!(sample instanceof Float32Array)) return sample;
    const { shape } = this.#pool.bundle.manifest.model.input;
    const size = sizeOf(shape);
    if (sample.length === size) return tensor(sample, [1, ...shape]) as FloatTensor;
    throw new BedsideError('E_DATA', `the sample has ${sample.length} values, not ${size}`, {
      hint: `the network reads samples of shape ${shape.join(' x ')}`,
    });
  }
}

/**
 * Refuses networks that workers cannot run sample by sample.
 * @throws BedsideError E_UNSUPPORTED for a network that fixes a batch of several samples, or any batch where requests are batched
 */
export function assertRunnable({ model, dir }: Bundle, { batch }: Pick<DeploymentOptions, 'batch'>): void {
  const fixed = fixedBatchOf(model);
  if (fixed === undefined) return;
  if (fixed > 1) {
    throw new BedsideError(
      'E_UNSUPPORTED',
      `the network of ${dir} fixes a batch of ${fixed}: workers run one sample`,
      { hint: 'pack the model again: its batch is left open where that changes nothing' },
    );
  }
  if (batch === undefined) return;
  throw new BedsideError(
    'E_UNSUPPORTED',
    `the network fixes its batch at ${fixed}: requests cannot run together`,
    { hint: 'leave out --batch, or export the network with a batch of any size' },
  );
}

/** The request of these options: figures that are absent are the fleet's, then the defaults. */
function replannerOptions(
  fleet: Fleet,
  { solver = 'policy', levels = 'certified', freeze, deadline, accuracyFloor, privacy }: DeploymentOptions,
): ReplannerOptions {
  const fixed = levels === 'certified' ? undefined : levels;
  const own = { deadline, accuracyFloor: fixed ? 0 : accuracyFloor, privacy, levels: 'certified' as const };
  return { request: completeRequest(own, fleet.request), solver, levels: fixed, freeze };
}
