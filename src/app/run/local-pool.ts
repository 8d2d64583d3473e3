// Workers that are processes of this machine.
import { type Bundle, openBundle } from '../../bundle/index.ts';
import { thisMachine } from '../../pack/internal.ts';
import type { Fleet } from '../../plan/index.ts';
import { type Coordinator, type Fabric, LocalWorkers } from '../../run/index.ts';
import { must } from '../../util/index.ts';
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
}

/** Workers unless told otherwise. */
const DEFAULT_WORKERS = 2;

/** Workers that are processes of this machine. `await using` or `close` ends them. */
export class LocalPool implements WorkerPool {
  readonly bundle: Bundle;
  readonly fleet: Fleet;
  readonly clientName = 'requester';
  readonly unmeasured: readonly string[];
  #workers: Promise<LocalWorkers> | undefined;

  private constructor(bundle: Bundle, fleet: Fleet, unmeasured: readonly string[]) {
    this.bundle = bundle;
    this.fleet = fleet;
    this.unmeasured = unmeasured;
  }

  /** A pool whose workers start when it is opened: plans can be made before. */
  static of(bundle: Bundle, { workers = DEFAULT_WORKERS, fleet }: LocalPoolOptions = {}): LocalPool {
    const own = fleet ?? localFleet(bundle.manifest, workers);
    // The figures of a given fleet are believed.
    const known = fleet !== undefined || isMeasuredHere(bundle);
    return new LocalPool(bundle, own, known ? [] : own.devices.map(({ name }) => name));
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
    const { devices, source } = this.fleet;
    const { bundle } = this;
    this.#workers ??= journalOf(reporter).during(`starting ${devices.length} workers`, () =>
      LocalWorkers.start(emulatedWorkers(this.fleet), [bundle.dir], {
        device: must(devices[source], 'a source').name,
        bundles: [bundle],
      }),
    );
    return (await this.#workers).fabric;
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
    const workers = await this.#workers?.catch(() => undefined);
    await workers?.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** Whether the bundle's times are those of a worker on a machine like this one. */
function isMeasuredHere({ manifest: { measured } }: Bundle): boolean {
  return measured?.machine === thisMachine() && measured.threads === 1;
}
