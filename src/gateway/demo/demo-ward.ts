// The ward of the demo: emulated devices of this machine, of which one may be killed and a link throttled while it serves.
import { type Deployment, LocalPool } from '../../app/index.ts';
import type { Bundle } from '../../bundle/index.ts';
import type { Fleet } from '../../plan/index.ts';
import type { NatsAccess } from '../../run/index.ts';
import { BedsideError, must } from '../../util/index.ts';
import type { WireDemo } from '../dashboard/wire.ts';

/** A throttled link has this share of its speed. */
const THROTTLE = 1 / 20;

/** Hears what happens to the ward. */
export type WardListener = (text: string) => void;

/** Emulated devices with handles to break them. */
export class DemoWard {
  readonly pool: LocalPool;
  readonly #fleet: Fleet;
  readonly #onEvent: WardListener;
  #deployment: Deployment | undefined;
  #throttled: { readonly from: string; readonly to: string } | undefined;

  /** @param nats the server that connects the devices; local sockets if absent */
  constructor(bundle: Bundle, fleet: Fleet, nats: NatsAccess | undefined, onEvent: WardListener) {
    this.pool = LocalPool.of(bundle, { fleet, nats });
    this.#fleet = fleet;
    this.#onEvent = onEvent;
  }

  /** Hands over the deployment on its pool. */
  attach(deployment: Deployment): void {
    this.#deployment = deployment;
  }

  /** The device that has the input, in this process: it cannot be killed. */
  get source(): string {
    return must(this.#fleet.devices[this.#fleet.source], 'a source').name;
  }

  /** Devices of the present plan besides the source, the last of the plan first. */
  get working(): readonly string[] {
    const stages = this.#deployment?.plan?.stages ?? [];
    const names = stages.flatMap(({ segments }) => segments.map(({ device }) => device));
    return [...new Set(names.toReversed())].filter((name) => name !== this.source);
  }

  async state(): Promise<WireDemo> {
    const ended = await this.pool.ended();
    return {
      devices: this.#fleet.devices.map(({ name }) => ({
        ...{ name, runs: !ended.includes(name), canEnd: name !== this.source },
      })),
      throttled: this.#throttled ?? null,
    };
  }

  /** Kills a device's process. @throws BedsideError E_REQUEST for a device that has none, or whose process has ended */
  async kill(device: string): Promise<void> {
    if (!(await this.pool.kill(device))) {
      throw new BedsideError('E_REQUEST', `'${device.slice(0, 100)}' cannot be killed`, {
        hint: `it has ended, or runs in the gateway itself, as ${this.source} does`,
      });
    }
    this.#onEvent(`${device} is killed`);
  }

  /** Starts a killed device again. @throws BedsideError E_REQUEST for one that runs */
  async revive(device: string): Promise<void> {
    if (!(await this.pool.ended()).includes(device)) {
      throw new BedsideError('E_REQUEST', `'${device.slice(0, 100)}' runs, or is no device`);
    }
    await this.pool.revive(device);
    this.#onEvent(`${device} is started again`);
  }

  /** Throttles the link from the source to a device of the plan, or lifts that. */
  async throttle(on: boolean): Promise<void> {
    if (on === (this.#throttled !== undefined)) return;
    const [linked = this.#fleet.devices.find(({ name }) => name !== this.source)?.name] = this.working;
    this.#throttled = on && linked !== undefined ? { from: this.source, to: linked } : undefined;
    const fleet = this.#throttled ? withLink(this.#fleet, this.#throttled, THROTTLE) : this.#fleet;
    this.#onEvent(
      this.#throttled
        ? `the link from ${this.#throttled.from} to ${this.#throttled.to} has a twentieth of its speed`
        : 'the link has its speed again',
    );
    await this.pool.setLinks(fleet);
    await this.#deployment?.relink(fleet);
  }
}

/** The same fleet with the links between two devices slower or faster by a factor. */
function withLink(
  fleet: Fleet,
  { from, to }: { readonly from: string; readonly to: string },
  factor: number,
): Fleet {
  const [a, b] = [from, to].map((name) => fleet.devices.findIndex((device) => device.name === name));
  const bandwidth = fleet.bandwidth.map((row, i) =>
    row.map((value, j) => ((i === a && j === b) || (i === b && j === a) ? value * factor : value)),
  );
  return { ...fleet, bandwidth };
}
