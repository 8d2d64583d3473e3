// The workers on a NATS server: who is there, what each can do and holds, and how fast the links are.
import { fleetOf } from '../../plan/index.ts';
import { type FleetEntry, loadNats } from '../../run/index.ts';
import { writeFileAtomic } from '../../util/index.ts';
import type { Journal } from '../reporter.ts';
import { findAccess, type ServerOptions } from './access.ts';
import { fleetFileOf } from './fleet-file.ts';

/** Reads the fleet of a server, as often as it is asked. `await using` or `close` ends its connection. */
export class FleetReader implements AsyncDisposable {
  readonly #read: () => Promise<readonly FleetEntry[]>;
  readonly #close: () => Promise<void>;

  private constructor(read: () => Promise<readonly FleetEntry[]>, close: () => Promise<void>) {
    this.#read = read;
    this.#close = close;
  }

  /** @throws BedsideError E_FABRIC when the server cannot be reached; E_FILE for credentials that cannot be read */
  static async connect(server: ServerOptions, journal?: Pick<Journal, 'note'>): Promise<FleetReader> {
    const access = await findAccess(server, ['observer', 'coordinator', 'client', 'operator']);
    const { connectNats, FleetDirectory, OPEN_NOTE } = await loadNats();
    const connection = await connectNats(access);
    if (!access.credentials) journal?.note(OPEN_NOTE);
    try {
      const board = await FleetDirectory.open(connection, access.credentials);
      return new FleetReader(
        () => board.read(),
        () => connection.close(),
      );
    } catch (error) {
      await connection.close();
      throw error;
    }
  }

  /**
   * Asks all workers. A worker that has been silent for five seconds is gone.
   * @throws BedsideError E_FABRIC while the server is away
   */
  read(): Promise<readonly FleetEntry[]> {
    return this.#read();
  }

  close(): Promise<void> {
    return this.#close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/**
 * Writes workers as a fleet file to plan with.
 * @param source the device that has the input; default: a trusted worker of this machine
 * @throws BedsideError E_FLEET when nobody is there, or the source is missing or not trusted; E_OUTPUT
 */
export async function writeFleetFile(
  path: string,
  entries: readonly FleetEntry[],
  source?: string,
): Promise<void> {
  const file = fleetFileOf(entries, { source });
  fleetOf(file, path);
  await writeFileAtomic(path, `${JSON.stringify(file, null, 2)}\n`);
}
