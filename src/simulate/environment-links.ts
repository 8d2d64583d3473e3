// The present links of an environment, by the planner's cost model.
import { Links } from '../plan/internal.ts';
import type { EnvironmentView } from './environment-view.ts';

/** The links; they are read again after every step of the environment. */
export class EnvironmentLinks {
  readonly #environment: EnvironmentView;
  #since = Number.NaN;
  #links: Links | undefined;

  constructor(environment: EnvironmentView) {
    this.#environment = environment;
  }

  /** As `Links.transfer`; devices by their indices in the ward. */
  transfer(from: readonly number[], to: readonly number[], bytes: number, arrivals: Float64Array): void {
    const { fleet, since, bandwidth, latency } = this.#environment;
    if (!this.#links || this.#since !== since) {
      const all = fleet.devices.length;
      const rows = (values: Float64Array) =>
        fleet.devices.map((_, d) => values.subarray(d * all, (d + 1) * all));
      this.#links = new Links({
        bandwidth: rows(bandwidth),
        latency: rows(latency),
        sharedChannel: fleet.sharedChannel,
      });
      this.#since = since;
    }
    this.#links.transfer(from, to, bytes, arrivals);
  }
}
