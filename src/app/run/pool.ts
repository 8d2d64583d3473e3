// Workers that can run one bundle, wherever they are.
import type { Bundle } from '../../bundle/index.ts';
import type { Fleet } from '../../plan/index.ts';
import type { Coordinator, Fabric } from '../../run/index.ts';
import type { Journal, Reporter } from '../reporter.ts';
import type { Measured } from './measure-devices.ts';

/** The workers of a bundle: processes of this machine (`LocalPool`), or devices on a NATS server (`NatsPool`). */
export interface WorkerPool extends AsyncDisposable {
  readonly bundle: Bundle;
  /** Their figures and links, to plan with. */
  readonly fleet: Fleet;
  /** Name under which requests are sent. */
  readonly clientName: string;
  /** Devices whose times for the stages of the bundle are not known: they measure them before anything is planned. */
  readonly unmeasured: readonly string[];
  /**
   * Starts the workers if they do not run yet.
   * @returns the fabric on which they are reached
   * @throws BedsideError E_FABRIC when a worker does not start
   */
  open(reporter?: Reporter | Journal): Promise<Fabric>;
  /**
   * Has devices time every stage at each level, in the order that suits where they run.
   * @param onProgress is told how many devices are done
   */
  measure(
    coordinator: Pick<Coordinator, 'measure'>,
    devices: readonly string[],
    onProgress?: (done: number, total: number) => void,
  ): Promise<Measured>;
  close(): Promise<void>;
}
