// A bundle that runs on a pool of workers: planned, and planned again when devices or times change.
import { taskOf } from '../../bundle/internal.ts';
import type { Fleet, PlanView } from '../../plan/index.ts';
import type { PinScope } from '../../plan/internal.ts';
import {
  Coordinator,
  type FallbackResult,
  type FloatTensor,
  inferWithFallback,
  type RunPlan,
} from '../../run/index.ts';
import { assertConfidence, Batcher, type DeviceReport, type Fallback, spanned } from '../../run/internal.ts';
import { BedsideError, must } from '../../util/index.ts';
import { unlessAborted } from '../abort.ts';
import { type Journal, journalOf, type Reporter } from '../reporter.ts';
import {
  assertRunnable,
  BATCH_WINDOW,
  type DeploymentOptions,
  measuring,
  type RequestOptions,
  replannerOptions,
} from './deployment-options.ts';
import { assertChooses, assertFrozenFloor, frozenLost, viewOf } from './frozen.ts';
import { readReports } from './measure-devices.ts';
import { type PlanChange, planOnDrift, planOnReturn, unprunedFallback } from './plan-changes.ts';
import { type PlanChoice, type PlanLine, PlanLines } from './plan-lines.ts';
import type { WorkerPool } from './pool.ts';
import { type LeftOut, ReadyPlans } from './ready-plans.ts';
import { type Pin, Replanner, type ReplannerOptions } from './replanner.ts';
import { inputOf, type Sample } from './sample.ts';

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
  readonly #deadline: number; // Seconds.
  readonly #start: ReplannerOptions;
  #leftOut: readonly LeftOut[] = [];
  #fallback: () => Fallback | undefined = () => undefined;
  #basis: ReplannerOptions;
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
    this.#start = this.#basis = replanning;
    this.#coordinator = new Coordinator(pool.clientName, bundle);
    this.#lines = new PlanLines({
      ...{
        manifest: bundle.manifest,
        dir: bundle.dir,
        base: () => ({ ...replanning, request: this.#planner.request }),
      },
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

  /** How requests are planned that say nothing themselves. With levels, nothing chooses them. */
  get basis(): ReplannerOptions {
    const { request } = this.#planner;
    if (this.#basis.request !== request) this.#basis = { ...this.#start, request };
    return this.#basis;
  }

  /** The floor that it was started with; undefined: by the request's drop. */
  get floorAtStart(): number | undefined {
    return this.#start.request.accuracyFloor;
  }

  /** What is frozen now; undefined: nothing. */
  get frozen(): Pin | undefined {
    return this.#planner.pin;
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

  /** Devices that are lost now or left the fabric, and why. */
  get lostBecause(): ReadonlyMap<string, string> {
    return this.#coordinator.lost;
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
    if (measuring(this.#options, this.#planner.fleet, this.#pool.unmeasured).length > 0) return;
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
    const input = inputOf(sample, this.#pool.bundle.manifest);
    const { deadline, signal, traceparent, ...choice } = options;
    const own = { deadline, signal, traceparent };
    if (this.frozen && choice.levels === undefined) {
      assertFrozenFloor(this.frozen, choice.accuracyFloor);
      return await this.#ask(input, own);
    }
    if (Object.values(choice).some((one) => one !== undefined)) {
      const line = await spanned(traceparent, 'plan', {}, () => this.#lines.line(choice, this.fleet));
      return await this.#ask(input, own, line);
    }
    const answer = await this.#ask(input, own);
    this.#follow([answer]).catch((error: Error) => this.#journal.note(`the plan stays: ${error.message}`));
    return answer;
  }

  /**
   * The plan that a request would get now, neither prepared nor run.
   * @throws BedsideError E_REQUEST with the reason why there is none; E_LEVELS
   */
  async preview(choice: PlanChoice = {}): Promise<PlanView> {
    if (this.frozen && choice.levels === undefined) {
      assertFrozenFloor(this.frozen, choice.accuracyFloor);
      const kept = await this.#planner.plan(this.#lostNow);
      if (!kept) throw frozenLost();
      return kept;
    }
    const { planner, plan } = this.#lines.preview(choice, this.fleet);
    const view = await plan;
    if (!view) throw await planner.refusal(this.#pool.bundle.dir);
    return view;
  }

  /**
   * From now on, requests without levels of their own run the present plan, or its levels on whichever devices are left. A
   * frozen plan whose device is lost answers nothing.
   */
  freeze(scope: PinScope): Pin {
    const pin = { scope, plan: viewOf(must(this.#plan, 'a prepared deployment')) };
    this.#planner.pin = pin;
    return pin;
  }

  /** Plans again for what is there now. @throws BedsideError as `prepare`; the plan then stays, no longer frozen */
  async unfreeze(): Promise<void> {
    await this.#planAgain(() => {
      this.#planner.pin = undefined;
    });
  }

  /** Plans by other links between the same devices from now on. @throws BedsideError as `prepare`; the plan then stays */
  async relink({ bandwidth, latency }: Pick<Fleet, 'bandwidth' | 'latency'>): Promise<void> {
    await this.#planAgain(() => {
      this.#planner.fleet = { ...this.fleet, bandwidth, latency };
    });
  }

  /**
   * Sets the floor of requests that state none. Nothing changes where there is no plan for it.
   * @param floor in [0, 1]; undefined: as at the start
   * @throws BedsideError E_REQUEST when there is no such plan, with the reason; while levels are frozen; where they were given
   */
  async setAccuracyFloor(floor: number | undefined): Promise<PlanView> {
    return await this.#inTurn(async () => {
      assertChooses(this.frozen, this.#start.levels !== undefined);
      const request = { ...this.#planner.request, accuracyFloor: floor ?? this.#start.request.accuracyFloor };
      const view = await this.#planner.planFor(request, this.#lostNow);
      if (!view) throw await this.#planner.refusal(this.#pool.bundle.dir, request);
      await this.#coordinator.warm(view);
      this.#planner.request = request;
      this.#lines.clear();
      this.#plan = view;
      return view;
    });
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
        this.#ask(inputOf(sample, this.#pool.bundle.manifest)).catch((error: unknown) => {
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

  /** Bytes of inputs that left their source, and that no device reports. */
  inputBytes = (): number => this.#coordinator.inputBytes;

  close = (): Promise<void> => this.#coordinator.close();

  [Symbol.asyncDispose] = this.close;

  async #prepared(signal: AbortSignal) {
    const parts = {
      planner: this.#planner,
      coordinator: this.#coordinator,
      plans: new ReadyPlans(this.#planner, this.#coordinator, this.#journal, signal),
    };
    const { plans, planner } = parts;
    this.#leftOut = plans.leftOut;
    const devices = measuring(this.#options, planner.fleet, this.#pool.unmeasured);
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
    asked: Pick<RequestOptions, 'deadline' | 'signal' | 'traceparent'> = {},
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
    const { deadline = this.#deadline } = asked;
    const options = { ...asked, replan, deadline, timed: this.#options.timed };
    const fallback = line?.fixed ? undefined : this.#fallback();
    const task = taskOf(this.#pool.bundle.manifest);
    const answer = await inferWithFallback(asker, input, plan, options, fallback, task);
    if (answer.fallback === 'taken' || answer.plan === plan) return answer;
    if (line) line.plan = answer.plan;
    // Meanwhile somebody may have frozen another plan, or set another floor.
    else if (this.#plan === plan && planner.allows(answer.plan)) this.#plan = answer.plan;
    return answer;
  }

  /** Changes the plan if that is due after these answers; one change at a time. */
  #follow(answers: readonly FallbackResult[]): Promise<boolean> {
    return this.#inTurn(async () => {
      for (const change of this.#changes) {
        const plan = await change(answers);
        if (!plan || !this.#planner.allows(plan)) continue;
        this.#plan = plan;
        return true;
      }
      return false;
    });
  }

  #planAgain(change: () => void): Promise<void> {
    return this.#inTurn(async () => {
      change();
      const view = await this.#planner.plan(this.#lostNow);
      if (!view) throw await this.#planner.refusal(this.#pool.bundle.dir);
      await this.#coordinator.warm(view);
      this.#plan = view;
    });
  }

  /** One change of the plan at a time. */
  #inTurn<T>(change: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(change);
    this.#turn = turn.catch(() => {});
    return turn;
  }

  get #lostNow(): ReadonlySet<string> {
    return new Set(this.#coordinator.lost.keys());
  }
}
