// Workers that are processes of this machine.
import { type Bundle, openBundle } from '../../bundle/index.ts';
import { thisMachine } from '../../pack/internal.ts';
import type { Fleet } from '../../plan/index.ts';
import { type Coordinator, type Fabric, LocalWorkers, type NatsAccess } from '../../run/index.ts';
import { formatSeconds, must } from '../../util/index.ts';
import { type Journal, journalOf, type Reporter } from '../reporter.ts';
import { emulatedWorkers, localFleet } from './local-fleet.ts';
import { type Measured, measureDevices } from './measure-devices.ts';
import type { WorkerPool } from './pool.ts';

/** Which workers are started. */
export interface LocalPoolOptions {
  /** Equal workers; default 2. */
  readonly workers?: number | undefined;
  /** A fleet to emulate instead: one worker for each device, slowed down to its speed, with its memory and its links. */
  readonly fleet?: Fleet | undefined;
  /** The server that connects them; default: local sockets. */
  readonly nats?: NatsAccess | undefined;
  /** Seconds after which a worker whose process ended is started again; default: it stays ended. */
  readonly reviveAfter?: number | undefined;
}

/** Workers unless told otherwise. */
const DEFAULT_WORKERS = 2;

/** Workers that are processes of this machine. `await using` or `close` ends them. */
export class LocalPool implements WorkerPool {
  readonly bundle: Bundle;
  readonly fleet: Fleet;
  readonly clientName: string;
  readonly unmeasured: readonly string[];
  readonly #options: LocalPoolOptions;
  readonly #timers = new Set<NodeJS.Timeout>();
  #workers: Promise<LocalWorkers> | undefined;

  private constructor(bundle: Bundle, fleet: Fleet, options: LocalPoolOptions) {
    // The figures of a given fleet are believed.
    const known = options.fleet !== undefined || isMeasuredHere(bundle);
    this.bundle = bundle;
    this.fleet = fleet;
    this.unmeasured = known ? [] : fleet.devices.map(({ name }) => name);
    // On a server the part before the slash says what it may do.
    this.clientName = options.nats ? 'coordinator/local-pool' : 'requester';
    this.#options = options;
  }

  /** A pool whose workers start when it is opened: plans can be made before. */
  static of(bundle: Bundle, options: LocalPoolOptions = {}): LocalPool {
    const { workers = DEFAULT_WORKERS, fleet = localFleet(bundle.manifest, workers) } = options;
    return new LocalPool(bundle, fleet, options);
  }

  /**
   * Starts workers for a bundle.
   * @param bundle an opened one, or its folder
   * @throws BedsideError E_FABRIC when a worker does not start; as `openBundle`
   */
  static async start(
    bundle: Bundle | string,
    options: LocalPoolOptions = {},
    reporter?: Reporter | Journal,
  ): Promise<LocalPool> {
    const opened = typeof bundle === 'string' ? await openBundle(bundle) : bundle;
    const pool = LocalPool.of(opened, options);
    await pool.open(reporter);
    return pool;
  }

  async open(reporter?: Reporter | Journal): Promise<Fabric> {
    this.#workers ??= this.#start(journalOf(reporter));
    return (await this.#workers).fabric;
  }

  /**
   * Kills the process of a device, for tests and demonstrations.
   * @returns false for the device in this process, and if the process has ended
   */
  async kill(device: string): Promise<boolean> {
    return (await this.#workers)?.kill(device) ?? false;
  }

  /** Starts the worker of a device again. @throws BedsideError E_FABRIC if it has no process, or does not start */
  async revive(device: string): Promise<void> {
    await (await this.#workers)?.revive(device);
  }

  /** Devices whose process has ended. */
  async ended(): Promise<readonly string[]> {
    return (await this.#workers)?.ended ?? [];
  }

  /** Emulates the links of a fleet of the same devices from now on. */
  async setLinks(fleet: Fleet): Promise<void> {
    const workers = await this.#workers;
    for (const { device, links } of emulatedWorkers(fleet)) workers?.setLinks(device.name, links ?? {});
  }

  /** One after another: they share this machine. */
  measure(
    coordinator: Pick<Coordinator, 'measure'>,
    devices: readonly string[],
    onProgress: (done: number, total: number) => void = () => {},
  ): Promise<Measured> {
    return measureDevices(coordinator, devices, false, onProgress);
  }

  async close(): Promise<void> {
    for (const timer of this.#timers) clearTimeout(timer);
    const workers = await this.#workers?.catch(() => undefined);
    await workers?.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #start(journal: Journal): Promise<LocalWorkers> {
    const { devices, source } = this.fleet;
    const { bundle } = this;
    const here = { device: must(devices[source], 'a source').name, bundles: [bundle] };
    const workers = await journal.during(`starting ${devices.length} workers`, () =>
      LocalWorkers.start(emulatedWorkers(this.fleet), [bundle.dir], here, this.#options.nats),
    );
    const { reviveAfter } = this.#options;
    if (reviveAfter === undefined) return workers;
    workers.onEnd = (device, why) => {
      journal.note(`worker '${device}' ended (${why}); it is started again in ${formatSeconds(reviveAfter)}`);
      const timer = setTimeout(() => {
        this.#timers.delete(timer);
        workers.revive(device).catch((error: Error) => journal.note(error.message));
      }, 1000 * reviveAfter);
      this.#timers.add(timer);
    };
    return workers;
  }
}

/** Whether the bundle's times are those of a worker on a machine like this one. */
function isMeasuredHere({ manifest: { measured } }: Bundle): boolean {
  return measured?.machine === thisMachine() && measured.threads === 1;
}
