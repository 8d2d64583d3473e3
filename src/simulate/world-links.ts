// The links of a world as they are now, priced by the planner's model.
import { Links } from '../plan/index.ts';
import type { WorldView } from './environment-view.ts';

/** Made again when the world has gone on. */
export class WorldLinks {
  readonly #world: WorldView;
  #since = Number.NaN;
  #links: Links | undefined;

  constructor(world: WorldView) {
    this.#world = world;
  }

  /** As `Links.transfer`; devices by their indices in the ward. */
  transfer(from: readonly number[], to: readonly number[], bytes: number, arrivals: Float64Array): void {
    const { fleet, since, bandwidth, latency } = this.#world;
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
