// From a fleet to a plan that its devices are ready for: those that do not answer, or refuse, cost their own place alone.
import type { PlanView } from '../plan/index.ts';
import type { Coordinator, DeviceReport } from '../run/index.ts';
import { BedsideError, type ErrorCode, must } from '../util/index.ts';
import { withoutDevices } from './local-fleet.ts';
import type { Output } from './output.ts';
import type { RoomPlanner } from './room-planner.ts';

/** A device that takes no part, and why. */
export interface LeftOut {
  readonly device: string;
  readonly code: ErrorCode;
  readonly message: string;
}

/** What devices measured, and those of which nothing came. */
export interface Measured {
  readonly reports: readonly DeviceReport[];
  readonly failed: ReadonlyMap<string, BedsideError>;
}

/**
 * Has devices time every stage at each level.
 * @param together all at once: each is a machine of its own; else one after another, as they share one
 * @throws what is no failure of a device
 */
export async function measureDevices(
  requester: Pick<Coordinator, 'measure'>,
  devices: readonly string[],
  together: boolean,
  onProgress: (done: number, total: number) => void,
): Promise<Measured> {
  const reports: DeviceReport[] = [];
  const failed = new Map<string, BedsideError>();
  let done = 0;
  const measure = async (device: string): Promise<void> => {
    try {
      reports.push(await requester.measure(device));
    } catch (error) {
      if (!BedsideError.is(error)) throw error;
      failed.set(device, error);
    }
    onProgress(++done, devices.length);
  };
  if (together) await Promise.all(devices.map(measure));
  else for (const device of devices) await measure(device);
  return { reports, failed };
}

/** Plans until all devices of a plan are ready for it; what is left out of the fleet stays out. */
export class ReadyPlans {
  readonly leftOut: LeftOut[] = [];
  readonly #planner: RoomPlanner;
  readonly #requester: Pick<Coordinator, 'prepare'>;
  readonly #output: Pick<Output, 'note'>;
  readonly #signal: AbortSignal | undefined;

  /** @param signal once it is aborted, nothing is said any more, and what is being made ends */
  constructor(
    planner: RoomPlanner,
    requester: Pick<Coordinator, 'prepare'>,
    output: Pick<Output, 'note'>,
    signal?: AbortSignal,
  ) {
    this.#planner = planner;
    this.#requester = requester;
    this.#output = output;
    this.#signal = signal;
  }

  /**
   * Takes devices out of the fleet, and tells of each why.
   * @throws BedsideError what is wrong with the device that has the input
   */
  leave(failed: ReadonlyMap<string, BedsideError>): void {
    if (failed.size === 0) return;
    if (this.#signal?.aborted) throw new BedsideError('E_LOST', 'stopped');
    for (const [device, { code, message }] of failed) {
      this.leftOut.push({ device, code, message });
      this.#output.note(`left out: '${device}': ${message}`);
    }
    const { fleet } = this.#planner;
    const left = withoutDevices(fleet, new Set(failed.keys()));
    if (left) this.#planner.fleet = left;
    else throw must(failed.get(fleet.devices[fleet.source]?.name ?? ''), 'what is wrong with the source');
  }

  /**
   * A plan that all its devices are ready for.
   * @param plan makes one of the fleet as it is now
   * @param refused why there is none from the beginning
   * @throws BedsideError as `refused`; why the last device that was needed is not ready
   */
  async ready(plan: () => Promise<PlanView | undefined>, refused: () => Promise<Error>): Promise<PlanView> {
    let last: BedsideError | undefined;
    for (;;) {
      const view = await plan();
      if (!view) throw last ?? (await refused());
      const unready = await this.#requester.prepare(view);
      if (unready.size === 0) return view;
      [last] = unready.values();
      this.leave(unready);
    }
  }
}
