// Plans whose devices are ready for them. A device that does not answer, or refuses, is left out; the others go on.
import type { PlanView } from '../../plan/index.ts';
import type { Coordinator } from '../../run/index.ts';
import { BedsideError, type ErrorCode, must } from '../../util/index.ts';
import type { Journal } from '../reporter.ts';
import { withoutDevices } from './fleet-changes.ts';
import type { Replanner } from './replanner.ts';

/** A device that takes no part, and why. */
export interface LeftOut {
  readonly device: string;
  readonly code: ErrorCode;
  readonly message: string;
}

/** Plans until all devices of a plan are ready for it. A device that was left out stays out. */
export class ReadyPlans {
  readonly leftOut: LeftOut[] = [];
  readonly #planner: Replanner;
  readonly #coordinator: Pick<Coordinator, 'prepare'>;
  readonly #journal: Pick<Journal, 'note'>;
  readonly #signal: AbortSignal | undefined;

  /** @param signal once aborted, nothing more is noted, and making a plan ends */
  constructor(
    planner: Replanner,
    coordinator: Pick<Coordinator, 'prepare'>,
    journal: Pick<Journal, 'note'>,
    signal?: AbortSignal,
  ) {
    this.#planner = planner;
    this.#coordinator = coordinator;
    this.#journal = journal;
    this.#signal = signal;
  }

  /**
   * Takes devices out of the fleet, and notes why.
   * @throws BedsideError that of the device that has the input, if it is among them
   */
  leave(failed: ReadonlyMap<string, BedsideError>): void {
    if (failed.size === 0) return;
    if (this.#signal?.aborted) throw new BedsideError('E_LOST', 'stopped', { hint: 'start again' });
    for (const [device, { code, message }] of failed) {
      this.leftOut.push({ device, code, message });
      this.#journal.note(`left out: '${device}': ${message}`);
    }
    const { fleet } = this.#planner;
    const left = withoutDevices(fleet, new Set(failed.keys()));
    if (left) this.#planner.fleet = left;
    else throw must(failed.get(fleet.devices[fleet.source]?.name ?? ''), 'the error of the source');
  }

  /**
   * A plan that all its devices are ready for.
   * @param plan makes a plan for the fleet as it is now
   * @param refused explains why there is no plan even for the whole fleet
   * @throws BedsideError as `refused`; the error of the last device that was needed and is not ready
   */
  async ready(plan: () => Promise<PlanView | undefined>, refused: () => Promise<Error>): Promise<PlanView> {
    let last: BedsideError | undefined;
    for (;;) {
      const view = await plan();
      if (!view) throw last ?? (await refused());
      const unready = await this.#coordinator.prepare(view);
      if (unready.size === 0) return view;
      [last] = unready.values();
      this.leave(unready);
    }
  }
}
