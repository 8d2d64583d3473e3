// What workers say of themselves, kept by the server for a few seconds. It is always read whole: nobody waits for word of a
// change, which may never come.
import { type JetStreamManager, jetstreamManager } from '@nats-io/jetstream';
import { type KV, Kvm } from '@nats-io/kv';
import type { NatsConnection } from '@nats-io/transport-node';
import { z } from 'zod';
import { natsError } from './connect.ts';
import { entryKey, FLEET_BUCKET, FLEET_STREAM, tokenOf } from './subjects.ts';

const SECONDS = z.record(z.string(), z.array(z.array(z.number().positive())));

const ENTRY = z.object({
  version: z.literal(1),
  name: z.string().min(1).max(200),
  /** The machine that it runs on. */
  host: z.string(),
  /** ISO 8601. */
  since: z.string(),
  /** Measured: multiply-accumulates a second of a convolution, and seconds by name of bundle, stage and level. */
  macsPerSecond: z.number().positive(),
  seconds: SECONDS,
  /** Bytes: free for weights and activations, and used. */
  memory: z.number().min(0),
  memoryUsed: z.number().min(0),
  /** Joules left; absent without a battery. */
  battery: z.number().min(0).optional(),
  joulesPerMac: z.number().min(0),
  joulesPerByteSent: z.number().min(0),
  sessions: z.number().min(0),
  bytesSent: z.number().min(0),
  /** What is emulated of it; a real device has nothing here. */
  emulated: z.record(z.string(), z.number()),
  bundles: z.array(
    z.object({
      name: z.string(),
      sha256: z.string(),
      stages: z.array(z.number()),
      measured: z.boolean(),
    }),
  ),
  /** To others, found by probing: bytes a second, and seconds one way. */
  links: z.array(
    z.object({ to: z.string(), bytesPerSecond: z.number().positive(), latency: z.number().min(0) }),
  ),
});

/** What a worker says of itself. */
export type NodeEntry = z.output<typeof ENTRY>;

/** An entry as the board has it: whether a worker is trusted is not its own to say, but its key's. */
export type BoardEntry = NodeEntry & { readonly trusted: boolean };

const TIMEOUT_MS = 2000;

export class FleetBoard {
  readonly #kv: KV;
  readonly #manager: JetStreamManager;

  private constructor(kv: KV, manager: JetStreamManager) {
    this.#kv = kv;
    this.#manager = manager;
  }

  static async open(connection: NatsConnection): Promise<FleetBoard> {
    const manager = await jetstreamManager(connection, { checkAPI: false, timeout: TIMEOUT_MS });
    const kv = await new Kvm(connection).open(FLEET_BUCKET, { allow_direct: true });
    return new FleetBoard(kv, manager);
  }

  /** @throws BedsideError E_FABRIC */
  async put(entry: NodeEntry, trusted: boolean): Promise<void> {
    try {
      await this.#kv.put(entryKey(trusted, tokenOf(entry.name)), JSON.stringify(entry));
    } catch (cause) {
      throw natsError(`'${entry.name}' cannot announce itself`, cause);
    }
  }

  /** Takes an entry away before it expires. */
  async remove(name: string, trusted: boolean): Promise<void> {
    await this.#kv.delete(entryKey(trusted, tokenOf(name))).catch(() => {});
  }

  /**
   * All entries, in the order of their names. One that is none, or that stands under another's key, is left out.
   * @throws BedsideError E_FABRIC
   */
  async read(): Promise<BoardEntry[]> {
    try {
      const subjects = `$KV.${FLEET_BUCKET}.`;
      const { state } = await this.#manager.streams.info(FLEET_STREAM, { subjects_filter: `${subjects}>` });
      const keys = Object.keys(state.subjects ?? {}).map((subject) => subject.slice(subjects.length));
      const entries = await Promise.all(keys.map((key) => this.#entry(key)));
      return entries.filter((entry) => entry !== undefined).sort((a, b) => (a.name < b.name ? -1 : 1));
    } catch (cause) {
      throw natsError('the fleet cannot be read', cause);
    }
  }

  async #entry(key: string): Promise<BoardEntry | undefined> {
    const found = await this.#kv.get(key);
    // Expired, or taken away, in between.
    if (found?.operation !== 'PUT') return undefined;
    let value: unknown;
    try {
      value = found.json();
    } catch {
      return undefined;
    }
    const { success, data } = ENTRY.safeParse(value);
    if (!success) return undefined;
    const trusted = key === entryKey(true, tokenOf(data.name));
    return trusted || key === entryKey(false, tokenOf(data.name)) ? { ...data, trusted } : undefined;
  }
}
