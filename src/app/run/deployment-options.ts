// How a deployment plans and runs, and what cannot be deployed.
import type { Bundle } from '../../bundle/index.ts';
import { fixedBatchOf } from '../../onnx/internal.ts';
import type { Fleet, PlanRequest } from '../../plan/index.ts';
import { completeRequest, type PinScope, type PrivacyPreset } from '../../plan/internal.ts';
import { BedsideError } from '../../util/index.ts';
import type { SolverName } from '../planners.ts';
import type { PlanChoice } from './plan-lines.ts';
import type { ReplannerOptions } from './replanner.ts';

/** What one request asks for. */
export interface RequestOptions extends PlanChoice {
  /** Once aborted, the request ends with E_CANCELLED. */
  readonly signal?: AbortSignal | undefined;
  /** The span that it is part of, as W3C Trace Context has it. */
  readonly traceparent?: string | undefined;
}

/** Seconds that the first request of a batch waits unless told otherwise. */
export const BATCH_WINDOW = 0.005;

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
  /** Whether the raw input stays on the source, or may go to any trusted device. */
  readonly rawInput?: PlanRequest['rawInput'] | undefined;
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
  /** Whether results say when each device worked on them. */
  readonly timed?: boolean | undefined;
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
export function replannerOptions(
  fleet: Fleet,
  { solver = 'policy', levels = 'certified', freeze, ...asked }: DeploymentOptions,
): ReplannerOptions {
  const { deadline, accuracyFloor, privacy, rawInput } = asked;
  const fixed = levels === 'certified' ? undefined : levels;
  const floor = fixed ? 0 : accuracyFloor;
  const own = { deadline, accuracyFloor: floor, privacy, rawInput, levels: 'certified' as const };
  return { request: completeRequest(own, fleet.request), solver, levels: fixed, freeze };
}

/** Devices that measure before planning: all, none, or those that nothing is known of. */
export function measuring(
  { measure }: Pick<DeploymentOptions, 'measure'>,
  { devices }: Fleet,
  unmeasured: readonly string[],
): readonly string[] {
  if (measure) return devices.map(({ name }) => name);
  return measure === undefined ? unmeasured : [];
}
