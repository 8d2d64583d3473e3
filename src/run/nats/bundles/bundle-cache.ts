// The bundles of a worker on a NATS server. Their parts are fetched when a plan needs them, and the least recently used
// bundle is dropped when there are too many.
import { PartialBundle } from '../../../bundle/internal.ts';
import { BedsideError, formatBytes } from '../../../util/index.ts';
import type { Device } from '../../device/device.ts';
import type { BundleSource } from '../../device/worker.ts';
import type { NatsAccess } from '../transport/connect.ts';
import { BundleStore } from './bundle-store.ts';

/** The state of a bundle on a device. */
export interface CachedBundle {
  readonly name: string;
  readonly sha256: string;
  /** Stages whose weights are here. */
  readonly stages: readonly number[];
  /** Whether the device has timed the stages itself. */
  readonly measured: boolean;
}

/** Largest number of bundles on a device. */
export const MAX_BUNDLES = 8;

/** Callbacks of a cache. */
export interface BundleCacheOptions {
  readonly onNote?: ((text: string) => void) | undefined;
  /** Whether a running request needs a bundle. */
  readonly isUsed: (sha256: string) => boolean;
}

/** Fetches bundles for a device and drops unused ones. */
export class BundleCache implements BundleSource {
  readonly #device: Device;
  readonly #access: NatsAccess;
  readonly #options: BundleCacheOptions;
  /** By SHA-256, the least recently used first. */
  readonly #held = new Map<string, PartialBundle>();
  readonly #measured = new Set<string>();
  /** The running fetches by bundle: fetches of one bundle run one after the other. */
  readonly #queues = new Map<string, Promise<void>>();
  readonly #stores = new Set<BundleStore>();
  /** Chunks that finished fetches have read. */
  #chunks = 0;
  #closed = false;

  constructor(device: Device, access: NatsAccess, options: BundleCacheOptions) {
    this.#device = device;
    this.#access = access;
    this.#options = options;
  }

  /** Chunks that were read, of all fetches: it grows while one is getting on. */
  get progress(): number {
    return [...this.#stores].reduce((sum, { chunks }) => sum + chunks, this.#chunks);
  }

  /** The bundles that are here. */
  get bundles(): readonly CachedBundle[] {
    return [...this.#held].map(([sha256, { bundle, held }]) => ({
      name: bundle.manifest.name,
      sha256,
      stages: held,
      measured: this.#measured.has(sha256),
    }));
  }

  measured(sha256: string): void {
    if (this.#held.has(sha256)) this.#measured.add(sha256);
  }

  /** @throws BedsideError E_DEVICE if too many bundles are needed at a time */
  load(sha256: string, stages: readonly number[]): Promise<void> | undefined {
    const held = this.#held.get(sha256);
    if (held) {
      this.#held.delete(sha256);
      this.#held.set(sha256, held);
    }
    const before = this.#queues.get(sha256);
    if (!before && held && stages.every((stage) => held.holds(stage))) return undefined;
    if (!before && this.#queues.size >= MAX_BUNDLES) throw this.#tooMany('fetches');
    const turn = (before ?? Promise.resolve()).catch(() => {}).then(() => this.#fetch(sha256, stages));
    this.#queues.set(sha256, turn);
    const done = (): void => {
      if (this.#queues.get(sha256) === turn) this.#queues.delete(sha256);
    };
    turn.then(done, done);
    return turn;
  }

  /** Ends running fetches. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const store of this.#stores) await store.close();
  }

  async #fetch(sha256: string, stages: readonly number[]): Promise<void> {
    const lacking = (): number[] => {
      const held = this.#held.get(sha256);
      return stages.filter((stage) => !held?.holds(stage));
    };
    if (this.#held.has(sha256) && lacking().length === 0) return;
    if (this.#closed) throw this.#closing();
    await using store = await BundleStore.open(this.#access);
    this.#stores.add(store);
    try {
      if (this.#closed) throw this.#closing();
      const held = this.#held.get(sha256) ?? (await this.#begin(store, sha256));
      const missing = lacking();
      let bytes = 0;
      for (const stage of missing) {
        const part = held.index.stages[stage];
        if (!part) continue;
        held.fill(stage, await store.part(part));
        bytes += part.bytes;
      }
      if (missing.length === 0) return;
      const { name } = held.bundle.manifest;
      this.#options.onNote?.(`fetched stages ${missing.join(', ')} of '${name}', ${formatBytes(bytes)}`);
    } catch (error) {
      throw this.#closed ? this.#closing() : error;
    } finally {
      this.#stores.delete(store);
      this.#chunks += store.chunks;
    }
  }

  /** Fetches a bundle without its weights. */
  async #begin(store: BundleStore, sha256: string): Promise<PartialBundle> {
    const index = await store.index(sha256);
    const held = new PartialBundle(sha256, index, {
      manifest: await store.part(index.manifest),
      frame: await store.part(index.frame),
      common: await store.part(index.common),
    });
    await this.#makeRoom();
    this.#held.set(sha256, held);
    this.#device.hold(held.bundle, (stage) => held.holds(stage));
    return held;
  }

  async #makeRoom(): Promise<void> {
    while (this.#held.size >= MAX_BUNDLES) {
      const [idle] = [...this.#held.keys()].filter(
        (sha256) => !this.#queues.has(sha256) && !this.#options.isUsed(sha256),
      );
      if (idle === undefined) throw this.#tooMany('holds');
      this.#options.onNote?.(`dropped '${this.#held.get(idle)?.bundle.manifest.name}'`);
      this.#held.delete(idle);
      this.#measured.delete(idle);
      await this.#device.drop(idle);
    }
  }

  #tooMany(does: string): BedsideError {
    return new BedsideError(
      'E_DEVICE',
      `device '${this.#device.name}' ${does} ${MAX_BUNDLES} bundles already, and all are needed`,
      { hint: 'try again when requests with other bundles have ended' },
    );
  }

  #closing(): BedsideError {
    return new BedsideError('E_LOST', `device '${this.#device.name}' was told to stop`);
  }
}
