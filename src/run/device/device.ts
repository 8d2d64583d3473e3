// A device: holds bundles and sessions, runs segments of stages and measures itself. It can emulate a weaker device.
import type { Bundle } from '../../bundle/index.ts';
import { createSession, type FloatTensor, type Session, tensor } from '../../engine/index.ts';
import { ComputeThread, type Feed } from '../../engine/internal.ts';
import { sizeOf } from '../../onnx/internal.ts';
import { BedsideError, median, must } from '../../util/index.ts';
import { waitUntil } from '../../util/internal.ts';
import { isEightBit, type RunPlan, takesIntegers, wholePlan } from '../protocol/plan.ts';
import type { Arrived } from '../protocol/rounded-tensor.ts';
import { assertFits, needsOf, type PlanNeeds } from './fits.ts';
import { feedOf, formOf } from './integer-input.ts';
import { pieceCosts } from './piece-costs.ts';
import { SessionCache } from './session-cache.ts';
import { StageFusion, type StageSpan, spanAt, spansOn } from './stage-fusion.ts';
import { type Precision, StageModels } from './stage-model.ts';
import { StageTimes } from './stage-times.ts';

/** A device's resources, real or emulated. */
export interface DeviceOptions {
  readonly name: string;
  /** Speed relative to this machine: at 0.25 it sleeps three times as long as it computed. At most 1; default 1. */
  readonly speed?: number | undefined;
  /** Bytes for weights and activations; default: no limit. */
  readonly memory?: number | undefined;
  /** Joules in the battery; default: no limit. The device leaves when they are spent. */
  readonly battery?: number | undefined;
  readonly joulesPerMac?: number | undefined;
  readonly joulesPerByteSent?: number | undefined;
  /** Threads of ONNX Runtime; default 1. */
  readonly threads?: number | undefined;
}

/** What a device reports about itself. Bytes, joules, seconds. */
export interface DeviceReport {
  readonly name: string;
  readonly sessions: number;
  readonly memoryUsed: number;
  /** Joules left; absent without a battery. */
  readonly battery?: number | undefined;
  readonly bytesSent: number;
  /** Seconds that it has computed since it was started; absent from versions that do not say. */
  readonly busy?: number | undefined;
  /** By bundle name: seconds for one sample, `[stage][level]`, as in a fleet file. */
  readonly seconds: SecondsByBundle;
  /** The same of the stages in their eight-bit forms; absent where no bundle has such forms that were timed. */
  readonly secondsInt8?: SecondsByBundle | undefined;
}

type SecondsByBundle = Readonly<Record<string, readonly (readonly number[])[]>>;

/** Measured runs of each stage and level, after one warm-up run. */
const REPEATS = 5;

/** The holder of sessions while a device measures itself. */
const MEASURING = 'measuring';

/** Measuring one stage and level ends early after so many seconds. */
const ENOUGH_SECONDS = 0.5;

/**
 * MACs of a sample from which on a session runs on a thread of its own, so that the device keeps sending heartbeats.
 * They take a quarter of a second on a weak device (1e8 MACs a second). For shorter runs the hop to the thread costs
 * more.
 */
const THREAD_MACS = 2.5e7;

/** A segment of a stage, or of several whole stages that run as one. */
interface SpanSegment extends StageSpan {
  readonly segment: number;
}

/** One segment to run. */
export interface SegmentRun {
  /** SHA-256 of the bundle. */
  readonly bundle: string;
  readonly plan: RunPlan;
  readonly stage: number;
  readonly segment: number;
}

/** Holds bundles and sessions, and runs segments of stages. */
export class Device {
  readonly options: DeviceOptions;
  readonly #bundles = new Map<string, StageModels>();
  readonly #sessions: SessionCache<Session>;
  readonly #times = new Map<string, StageTimes>();
  /** Of the eight-bit forms of stages. */
  readonly #timesInt8 = new Map<string, StageTimes>();
  /** By plan, which serves many requests and never changes. */
  readonly #needs = new WeakMap<RunPlan, { readonly stages: StageModels; readonly needs: PlanNeeds }>();
  readonly #thread = new ComputeThread();
  readonly #fusion = new StageFusion();
  #joules: number;
  #bytesSent = 0;
  #steps = 0;
  #busy = 0;
  #isStopping = false;

  constructor(options: DeviceOptions, bundles: readonly Bundle[]) {
    this.options = options;
    for (const bundle of bundles) this.hold(bundle);
    const memory = options.memory ?? Number.POSITIVE_INFINITY;
    this.#sessions = new SessionCache(options.name, memory, (session) => session.release());
    this.#joules = options.battery ?? Number.POSITIVE_INFINITY;
  }

  get name(): string {
    return this.options.name;
  }

  /** Sessions that were made and runs that ended: it grows while the device is getting on. */
  get progress(): number {
    return this.#steps;
  }

  /** Whether its battery is empty. */
  get spent(): boolean {
    return this.#joules <= 0;
  }

  /**
   * Adds a bundle. One that is already here stays as it is.
   * @param hasWeights whether a stage has its weights; a stage without weights can be measured, but not run
   */
  hold(bundle: Bundle, hasWeights?: (stage: number) => boolean): void {
    if (this.#bundles.has(bundle.sha256)) return;
    this.#bundles.set(bundle.sha256, new StageModels(bundle, hasWeights));
    this.#times.set(bundle.sha256, new StageTimes(bundle.manifest));
    if (bundle.manifest.eightBit) {
      this.#timesInt8.set(bundle.sha256, new StageTimes(bundle.manifest, 'int8'));
    }
  }

  /** Removes a bundle that no request needs, with its sessions. */
  async drop(bundle: string): Promise<void> {
    const own = this.#sessions.keys.filter((key) => key.startsWith(`${bundle}|`));
    this.#bundles.delete(bundle);
    this.#times.delete(bundle);
    this.#timesInt8.delete(bundle);
    await Promise.all(own.map((key) => this.#sessions.discard(key)));
  }

  /** The stages of a bundle. @throws BedsideError E_FABRIC for a bundle that the device does not hold */
  stages(bundle: string): StageModels {
    const stages = this.#bundles.get(bundle);
    if (stages) return stages;
    throw new BedsideError('E_FABRIC', `device '${this.name}' does not hold bundle ${bundle.slice(0, 12)}`, {
      hint: 'start it with the bundle of the requests',
    });
  }

  /**
   * Refuses a plan that needs more memory or battery than the device has.
   * @param samples number of samples in the batch
   * @throws BedsideError E_DEVICE
   */
  check(bundle: string, plan: RunPlan, samples = 1): void {
    const stages = this.stages(bundle);
    let known = this.#needs.get(plan);
    if (known?.stages !== stages) {
      const needs = needsOf(stages.bundle.manifest, plan, this.options, (stage) =>
        stages.costs(stage, plan.levels, plan.stages[stage]?.precision),
      );
      known = { stages, needs };
      this.#needs.set(plan, known);
    }
    const { memory } = this.options;
    assertFits(known.needs, { name: this.name, memory, battery: this.#joules }, samples);
  }

  /** Creates the sessions that a plan needs, without running anything. @throws BedsideError E_DEVICE, as `check` */
  async warm(bundle: string, plan: RunPlan): Promise<void> {
    this.check(bundle, plan);
    const hold = 'warm-up';
    try {
      for (const span of spansOn(plan, this.name)) {
        for (const [segment, { device }] of must(plan.stages[span.first], 'a stage').segments.entries()) {
          if (device === this.name) await this.#session(bundle, plan, { ...span, segment }, hold);
        }
      }
    } finally {
      this.#sessions.unpin(hold);
    }
  }

  /**
   * Runs one segment of a stage. If there is a fused session for this whole stage and those that follow it here, runs
   * all of them. Sessions stay until `end` of the request.
   * @param request holder of the sessions
   * @returns the output of stage `last`
   * @throws BedsideError E_FABRIC for a bundle that is not here; E_DEVICE without memory; E_UNSUPPORTED; E_ENGINE
   */
  async run(
    request: string,
    { bundle, plan, stage, segment }: SegmentRun,
    input: Arrived,
  ): Promise<{ readonly output: FloatTensor; readonly last: number }> {
    const stages = this.stages(bundle);
    const span = spanAt(plan, stage, this.name);
    const samples = input.dims[0] ?? 1;
    const key = this.#key(bundle, plan, { ...span, segment });
    const fused = span.last > stage && this.#sessions.has(key);
    if (span.last > stage && !fused) this.#fusion.recordUnfused(request, key, { bundle, plan, span });
    const last = fused ? span.last : stage;
    const session = await this.#session(bundle, plan, { first: stage, last, segment }, request, samples);
    const feeds = { [must(session.inputNames[0], 'an input')]: feedOf(stages, plan, stage, input) };
    const { share, work } = pieceCosts(stages, plan, { first: stage, last });
    const times = (isEightBit(plan, stage) ? this.#timesInt8 : this.#times).get(bundle);
    const usual = times?.measured(work, share);
    const { result, seconds } = await this.#timed(
      session,
      feeds,
      stages.stage(last).output,
      usual && usual * samples,
    );
    this.#busy += seconds;
    times?.record(work, share, seconds / samples);
    const macs = work.reduce((sum, one) => sum + one.macs, 0);
    this.#joules -= (this.options.joulesPerMac ?? 0) * macs * share * samples;
    if (result.type === 'float32') return { output: result, last };
    throw new BedsideError('E_UNSUPPORTED', `stage ${last} gives ${result.type}, not float32`, {
      hint: 'only networks whose stages pass on float32 tensors can be distributed',
    });
  }

  /**
   * Times every stage with all groups at each level, on an input of zeros. Stages that do not fit into memory are left
   * out.
   * @throws BedsideError as `stages`; E_LOST when measuring is stopped
   */
  async measure(bundle: string): Promise<void> {
    await this.#measureIn('float32', bundle);
    if (this.stages(bundle).bundle.manifest.eightBit) await this.#measureIn('int8', bundle);
  }

  async #measureIn(precision: Precision, bundle: string): Promise<void> {
    const stages = this.stages(bundle);
    const { manifest } = stages.bundle;
    const hold = MEASURING;
    for (const { index, input, output } of manifest.stages) {
      if (precision === 'int8' && !manifest.eightBit?.[index]?.layers.length) continue;
      const rows: number[] = [];
      for (const level of manifest.ratios.keys()) {
        if (this.#isStopping) throw new BedsideError('E_LOST', `device '${this.name}' was told to stop`);
        const levels = manifest.groups.map(() => level);
        const plan = wholePlan(manifest, levels, this.name, precision);
        const piece = { first: index, last: index, segment: 0 };
        const key = this.#key(bundle, plan, piece);
        const known = this.#sessions.has(key);
        try {
          const session = await this.#session(bundle, plan, piece, hold);
          const dims = stages.inputShape(index, levels);
          const zeros = new Float32Array(sizeOf(dims));
          rows.push(await this.#measured(session, { [input]: tensor(zeros, dims) }, output));
        } catch (error) {
          if (!BedsideError.is(error, 'E_DEVICE')) throw error;
        } finally {
          this.#sessions.unpin(hold);
          if (!known) await this.#sessions.discard(key);
        }
      }
      const times = precision === 'int8' ? this.#timesInt8 : this.#times;
      if (rows.length === manifest.ratios.length) times.get(bundle)?.set(index, rows);
    }
  }

  /** Stops measuring after the current stage and level. */
  stopMeasuring(): void {
    this.#isStopping = true;
  }

  /** Counts bytes that were sent, and the energy they cost. */
  sent(bytes: number): void {
    this.#bytesSent += bytes;
    this.#joules -= (this.options.joulesPerByteSent ?? 0) * bytes;
  }

  /** Releases the sessions of a request. Whole stages that several requests ran one by one are fused now. */
  end(request: string): void {
    this.#sessions.unpin(request);
    for (const { bundle, plan, span } of this.#fusion.takeDue(request)) void this.#fuse(bundle, plan, span);
  }

  async #fuse(bundle: string, plan: RunPlan, span: StageSpan): Promise<void> {
    if (!this.#sessions.fits(pieceCosts(this.stages(bundle), plan, span))) return;
    const hold = `fusing ${span.first}-${span.last}`;
    // Errors are ignored here: a request that needs the stages meets them itself.
    await this.#session(bundle, plan, { ...span, segment: 0 }, hold).catch(() => {});
    this.#sessions.unpin(hold);
  }

  /** The current state of the device. */
  report(): DeviceReport {
    return {
      name: this.name,
      sessions: this.#sessions.keys.length,
      memoryUsed: this.#sessions.used,
      ...(Number.isFinite(this.#joules) ? { battery: this.#joules } : {}),
      bytesSent: this.#bytesSent,
      busy: this.#busy,
      seconds: this.#tables(this.#times),
      ...(this.#timesInt8.size > 0 ? { secondsInt8: this.#tables(this.#timesInt8) } : {}),
    };
  }

  #tables(all: ReadonlyMap<string, StageTimes>): SecondsByBundle {
    const known = [...all].flatMap(([bundle, times]) => {
      const table = times.table();
      return table ? [[this.stages(bundle).bundle.manifest.name, table] as const] : [];
    });
    return Object.fromEntries(known);
  }

  /** Releases all sessions. */
  async close(): Promise<void> {
    await this.#sessions.close();
    await this.#thread.close();
  }

  #key(bundle: string, plan: RunPlan, piece: SpanSegment): string {
    const range = rangeOf(plan, piece);
    const part = range ? `${range.from}-${range.to}` : 'whole';
    const stages = this.stages(bundle);
    const weights = stages.hasWeights(piece) ? '' : 'without weights|';
    const bits = formOf(plan, piece.first);
    return `${bundle}|${weights}${stages.key(piece, plan.levels, bits !== '')}|${part}${bits}`;
  }

  #session(bundle: string, plan: RunPlan, piece: SpanSegment, hold: string, samples = 1): Promise<Session> {
    const stages = this.stages(bundle);
    if (hold !== MEASURING && !stages.hasWeights(piece)) {
      throw new BedsideError('E_FABRIC', `device '${this.name}' lacks weights of stage ${piece.first}`, {
        hint: 'this is a defect; please report it',
      });
    }
    const { macs, weightBytes, activationBytes } = pieceCosts(stages, plan, piece);
    const bytes = { weightBytes, activationBytes: samples * activationBytes };
    return this.#sessions.acquire(this.#key(bundle, plan, piece), hold, bytes, async () => {
      const float32 =
        piece.last > piece.first
          ? stages.span(piece, plan.levels)
          : stages.model(piece.first, plan.levels, rangeOf(plan, piece));
      const model = isEightBit(plan, piece.first)
        ? await stages.eightBit(float32, piece, plan.levels, takesIntegers(plan, piece.first))
        : float32;
      const { threads = 1 } = this.options;
      this.#steps++;
      const options = { name: `stage ${piece.first} on '${this.name}'`, threads };
      return macs < THREAD_MACS ? createSession(model, options) : this.#thread.createSession(model, options);
    });
  }

  /** Median seconds of a run at the emulated speed, without sleeping. The first run is not counted. */
  async #measured(session: Session, feeds: Record<string, FloatTensor>, output: string): Promise<number> {
    const times: number[] = [];
    for (let run = 0; run <= REPEATS; run++) {
      const start = performance.now();
      await session.run(feeds, [output]);
      this.#steps++;
      if (run > 0) times.push((performance.now() - start) / 1000);
      if (times.length > 1 && times.reduce((sum, time) => sum + time, 0) > ENOUGH_SECONDS) break;
    }
    return median(times) / Math.min(1, this.options.speed ?? 1);
  }

  /**
   * One run, slowed down to the emulated speed.
   * @param usual seconds of the run at that speed, if measured; then a run that something else slowed down is not
   * slowed down by the factor as well
   */
  async #timed(session: Session, feeds: Record<string, Feed>, output: string, usual: number | undefined) {
    const start = performance.now();
    const result = must((await session.run(feeds))[output], `output '${output}'`);
    const took = (performance.now() - start) / 1000;
    this.#steps++;
    const { speed = 1 } = this.options;
    if (speed >= 1) return { result, seconds: took };
    const seconds = Math.max(took, usual ?? took / speed);
    // Timers are late by up to two milliseconds, which a plan of several pieces would add up.
    await waitUntil(start + 1000 * seconds);
    return { result, seconds };
  }
}

/** The channels of a segment, or undefined for a whole stage. */
function rangeOf(plan: RunPlan, { first, segment }: SpanSegment) {
  const { segments } = must(plan.stages[first], `stage ${first}`);
  return segments.length === 1 ? undefined : must(segments[segment], `segment ${segment}`);
}
