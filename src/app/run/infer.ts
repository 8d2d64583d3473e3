// A bundle computed by several workers: samples through a plan, each answer compared with that of one machine.
import type { Bundle } from '../../bundle/index.ts';
import { findVariant } from '../../bundle/internal.ts';
import type { Dataset } from '../../data/index.ts';
import { areRecordings } from '../../data/internal.ts';
import type { Fleet, PlanView } from '../../plan/index.ts';
import { completeRequest } from '../../plan/internal.ts';
import type { DeviceReport } from '../../run/internal.ts';
import { BedsideError, median } from '../../util/index.ts';
import { percentile } from '../../util/internal.ts';
import type { BundleSource } from '../bundle/bundle-levels.ts';
import { certifyProposals, type ProposalOptions } from '../bundle/certification-loop.ts';
import { classifierOf, loadBundle } from '../bundle/open-bundle.ts';
import type { DataOptions } from '../options.ts';
import { fleetFrom } from '../plan/fleet-source.ts';
import { plannerOf } from '../planners.ts';
import { type Journal, journalOf, type Reporter, type Said } from '../reporter.ts';
import { loadSamples } from '../samples/samples.ts';
import { Deployment } from './deployment.ts';
import { assertRunnable, type DeploymentOptions } from './deployment-options.ts';
import { type InferredSamples, inferSamples } from './infer-samples.ts';
import { LocalPool, type LocalPoolOptions } from './local-pool.ts';
import { NatsPool, type NatsPoolOptions } from './nats-pool.ts';
import type { WorkerPool } from './pool.ts';
import type { LeftOut } from './ready-plans.ts';

/** Options of `infer`: samples, workers and planning. Without `pool`, workers are started for it, or those of the server `fabric` are used. */
export interface InferOptions
  extends Omit<DeploymentOptions, 'levels'>,
    Omit<LocalPoolOptions, 'fleet'>,
    Omit<NatsPoolOptions, 'fleet'>,
    DataOptions {
  /** The fleet that local workers emulate, or whose devices on a server take part; or its file. */
  readonly fleet?: Fleet | string | undefined;
  /**
   * `certified` (default): a measured variant; a list: the level of each group; `free`: any levels, which are measured on
   * local samples and added to the bundle before they run (not with `pool`, nor on a server).
   */
  readonly levels?: 'free' | 'certified' | readonly number[] | undefined;
  /** Seed of the choice of samples; default 1. */
  readonly seed?: number | undefined;
  /** Workers that run already, with the same bundle. */
  readonly pool?: WorkerPool | undefined;
  /** Once aborted, running requests end and the result is that of the samples so far. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Called when workers run, and when the first request is about to be sent. Before the first request an abort rejects at
   * once, with the signal's reason.
   */
  readonly onPhase?: ((phase: 'preparing' | 'running') => void) | undefined;
}

/** How far scores may be from those of one machine. */
const TOLERANCE = 1e-4;

/** Answers of a bundle, and what they cost. */
export interface InferResult extends Omit<InferredSamples, 'seconds'>, Said {
  /** Names of the bundle and the fleet. */
  readonly bundle: string;
  readonly fleet: string;
  /** Whether `maxDifference` from one machine at the same levels is at most 1e-4. */
  readonly matchesSingleMachine: boolean;
  /** Median and 95th percentile of the milliseconds of a request. */
  readonly msPerRequest: number;
  readonly p95: number;
  /** Bytes that devices sent to each other. */
  readonly bytesMoved: number;
  /** Batches of more than one request. */
  readonly batches: number;
  /** Devices that were lost, and those that took no part. */
  readonly lost: readonly string[];
  readonly leftOut: readonly LeftOut[];
  /** The first plan, and the index of its levels among the bundle's variants; null if it is none of them. */
  readonly plan: PlanView;
  readonly variant: number | null;
  readonly devices: readonly DeviceReport[];
}

/**
 * Runs samples through a plan on workers. Devices that are lost or come back change the plan; every answer is compared with
 * that of one machine at the same levels.
 * @param bundle an opened one, or its folder
 * @throws BedsideError E_REQUEST when there is no plan; E_FABRIC when workers do not start or the server cannot be reached;
 *   E_DEADLINE when no sample had its result in time; E_LOST when no plan without a lost device is left; E_LEVELS; E_USAGE for options that
 *   would be ignored; as `assertRunnable`, `openBundle` and `openDataset`. The signal's reason when it is aborted before the first request
 */
export async function infer(
  bundle: BundleSource,
  options: InferOptions,
  reporter?: Reporter | Journal,
): Promise<InferResult> {
  const journal = journalOf(reporter);
  assertApplicable(options);
  const { levels, fleet: given, ...rest } = options;
  const fleet = given === undefined ? undefined : await fleetFrom(given);
  const opened = await loadBundle(bundle, journal);
  if (levels !== 'free') return await inferWith(opened, { ...rest, levels, fleet }, journal);
  const measured = await certifyFirst(opened, { ...rest, fleet }, journal);
  return await inferWith(measured, { ...rest, fleet }, journal);
}

/** @throws BedsideError E_USAGE for an option that would be ignored beside another one, or a batch of no samples */
function assertApplicable(options: InferOptions): void {
  const { pool, fabric, workers, fleet, credentials, source, batch } = options;
  if (batch !== undefined && !(Number.isInteger(batch) && batch >= 1)) {
    throw new BedsideError('E_USAGE', `\`batch\` must be a whole number from 1, got ${batch}`, {
      hint: 'leave it out to run samples one by one',
    });
  }
  const refuse = (option: string, because: string, hint: string): never => {
    throw new BedsideError('E_USAGE', `the option \`${option}\` has no meaning: ${because}`, { hint });
  };
  const given = Object.entries({ fabric, workers, fleet, credentials, source }).find(
    ([, value]) => value !== undefined,
  );
  if (pool && given) {
    refuse(given[0], 'the workers of `pool` run already', 'give it to `LocalPool` or `NatsPool` instead');
  }
  if (workers === undefined) return;
  if (fabric !== undefined) {
    refuse('workers', '`fabric` has workers of its own', 'leave it out, or name devices by `fleet`');
  }
  if (fleet !== undefined) {
    refuse('workers', 'a fleet has one worker for each device', 'give either `workers` or `fleet`');
  }
}

/** Options once free levels are measured, and the fleet is read. */
type ReadyOptions = Omit<InferOptions, 'levels' | 'fleet'> & DeploymentOptions & LocalPoolOptions;

async function inferWith(bundle: Bundle, options: ReadyOptions, journal: Journal): Promise<InferResult> {
  assertRunnable(bundle, options);
  if (options.pool) return await inferOn(options.pool, bundle, options, journal);
  await using pool = await poolOf(bundle, options, journal);
  return await inferOn(pool, bundle, options, journal);
}

/** The bundle with the levels that planning with free levels proposes, corrected and measured. */
async function certifyFirst(bundle: Bundle, options: ReadyOptions, journal: Journal): Promise<Bundle> {
  if (options.pool || options.fabric !== undefined || options.credentials !== undefined) {
    throw new BedsideError(
      'E_USAGE',
      'free levels cannot be measured for workers that have the bundle already',
      {
        hint: 'certify the levels first, then run without `levels`',
      },
    );
  }
  const { fleet } = LocalPool.of(bundle, options);
  const { seed = 1, solver = 'policy', deadline, accuracyFloor, privacy, rawInput } = options;
  const proposals: ProposalOptions = {
    fleet,
    request: completeRequest({ deadline, accuracyFloor, privacy, rawInput, levels: 'free' }, fleet.request),
    solve: ({ instance }) => plannerOf(solver).plan(instance),
    // Read as the samples that run are; which of them those are, and how many, says nothing of the local ones.
    data: { ...options, split: undefined, perClass: undefined, limit: undefined },
    seed,
  };
  return (await certifyProposals(bundle, proposals, journal)).bundle;
}

async function poolOf(bundle: Bundle, options: ReadyOptions, journal: Journal): Promise<WorkerPool> {
  const { fabric, credentials } = options;
  if (fabric === undefined && credentials === undefined) return LocalPool.of(bundle, options);
  return await NatsPool.join(bundle, options, journal);
}

async function inferOn(
  pool: WorkerPool,
  bundle: Bundle,
  options: ReadyOptions,
  journal: Journal,
): Promise<InferResult> {
  if (pool.bundle.sha256 !== bundle.sha256) {
    throw new BedsideError('E_BUNDLE', `the workers of the pool have another bundle than ${bundle.dir}`, {
      hint: 'start the pool with the bundle that is inferred with',
    });
  }
  const { batch = 1, seed = 1, onPhase, signal = new AbortController().signal } = options;
  await using deployment = new Deployment(pool, options, journal);
  await deployment.check();
  const classifier = classifierOf(bundle);
  const dataset = await loadSamples(classifier, options, { split: 'test', seed }, journal);
  remarkPart(dataset, options, journal);
  await deployment.connect();
  onPhase?.('preparing');
  await deployment.prepare(signal);
  onPhase?.('running');
  journal.note(`${deployment.fleet.devices.length} workers are ready`);
  const found = await journal.during('inferring', (progress) =>
    inferSamples(deployment, bundle, dataset, {
      classifier,
      together: batch,
      signal,
      onProgress: (done, total) => progress.update(done, total),
    }),
  );
  return { ...(await resultOf(deployment, pool, found)), ...journal.said() };
}

/** Says that recordings without labels are answered in part: nobody expects a test split where nothing is measured. */
function remarkPart(
  { kind, rate, labels, targets }: Dataset,
  { data, split, splitBy }: DataOptions,
  journal: Journal,
) {
  const isPart = split === undefined && splitBy === undefined && typeof data === 'string';
  if (!isPart || labels || targets || !areRecordings({ kind, rate })) return;
  journal.remark(
    'only the test split is answered: the last third of each recording, unless a list divides them; --split all takes all',
  );
}

async function resultOf(
  deployment: Deployment,
  { bundle: { manifest }, fleet }: WorkerPool,
  { seconds, ...found }: InferredSamples,
): Promise<Omit<InferResult, keyof Said>> {
  const { maxDifference } = found;
  const devices = await deployment.reports();
  const { firstPlan: plan, lost, leftOut, batches } = deployment;
  return {
    ...found,
    bundle: manifest.name,
    fleet: fleet.name,
    matchesSingleMachine: maxDifference <= TOLERANCE,
    msPerRequest: 1000 * median(seconds),
    p95: 1000 * percentile(seconds, 0.95),
    bytesMoved: devices.reduce((sum, { bytesSent }) => sum + bytesSent, deployment.inputBytes()),
    ...{ batches, lost, leftOut, plan, devices },
    variant: findVariant(manifest, plan.levels) ?? null,
  };
}
