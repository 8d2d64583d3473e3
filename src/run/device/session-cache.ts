// Sessions under a budget of bytes: least recently used go first, those of a running request stay.
import { BedsideError, formatBytes } from '../../util/index.ts';

/** What a session holds. Activations are shared: a device runs one stage at a time. */
export interface SessionBytes {
  readonly weightBytes: number;
  readonly activationBytes: number;
}

interface Entry<T> {
  readonly key: string;
  readonly weightBytes: number;
  /** Of the largest batch so far. */
  activationBytes: number;
  readonly value: Promise<T>;
  /** Requests that need it. */
  readonly pins: Set<string>;
}

/** Sessions that are kept, whatever the memory; those of running requests stay. */
export const MAX_SESSIONS = 512;

/** Anything that must be released, by key. */
export class SessionCache<T> {
  readonly budget: number;
  readonly #owner: string;
  readonly #release: (value: T) => Promise<void>;
  /** The least recently used first. */
  readonly #entries = new Map<string, Entry<T>>();

  /**
   * @param owner the device, as errors name it
   * @param budget bytes: the sum of weights and the largest activations stay below it
   */
  constructor(owner: string, budget: number, release: (value: T) => Promise<void>) {
    this.#owner = owner;
    this.budget = budget;
    this.#release = release;
  }

  /** Bytes that are held. */
  get used(): number {
    return usedBy([...this.#entries.values()]);
  }

  get keys(): readonly string[] {
    return [...this.#entries.keys()];
  }

  /**
   * The session of a key, made if it is not there, and kept until `unpin` of the request.
   * @throws BedsideError E_DEVICE when it does not fit beside what running requests hold; what `make` throws
   */
  async acquire(key: string, request: string, bytes: SessionBytes, make: () => Promise<T>): Promise<T> {
    const known = this.#entries.get(key);
    if (known) {
      if (bytes.activationBytes > known.activationBytes) await this.#grow(known, request, bytes);
      this.#entries.delete(key);
      this.#entries.set(key, known);
      known.pins.add(request);
      return known.value;
    }
    // No waiting before the entry stands: who asks next for the same must find it.
    const gone = this.#makeRoom(bytes);
    const value = Promise.all(gone).then(make);
    const entry: Entry<T> = { key, ...bytes, value, pins: new Set([request]) };
    this.#entries.set(key, entry);
    try {
      return await entry.value;
    } catch (error) {
      if (this.#entries.get(key) === entry) this.#entries.delete(key);
      throw error;
    }
  }

  /** Whether a session is there, or being made. */
  has(key: string): boolean {
    return this.#entries.has(key);
  }

  /** Whether a session would fit beside those that running requests hold. */
  fits(bytes: SessionBytes): boolean {
    return usedBy([...this.#pinned(), bytes]) <= this.budget;
  }

  /** Ends a request's hold on its sessions. */
  unpin(request: string): void {
    for (const { pins } of this.#entries.values()) pins.delete(request);
  }

  /** Lets go of a session that no request holds. */
  async discard(key: string): Promise<void> {
    const entry = this.#entries.get(key);
    if (!entry || entry.pins.size > 0) return;
    this.#entries.delete(key);
    await entry.value.then(this.#release, () => {});
  }

  /** Releases everything. */
  async close(): Promise<void> {
    const all = [...this.#entries.values()];
    this.#entries.clear();
    for (const { value } of all) await value.then(this.#release, () => {});
  }

  /** A larger batch than before needs more room. */
  async #grow(entry: Entry<T>, request: string, bytes: SessionBytes): Promise<void> {
    entry.pins.add(request);
    await Promise.all(this.#makeRoom({ weightBytes: 0, activationBytes: bytes.activationBytes }));
    entry.activationBytes = Math.max(entry.activationBytes, bytes.activationBytes);
  }

  #pinned(): Entry<T>[] {
    return [...this.#entries.values()].filter(({ pins }) => pins.size > 0);
  }

  /** Lets go of what may go; what is returned ends when it has. */
  #makeRoom(bytes: SessionBytes): Promise<void>[] {
    const least = usedBy([...this.#pinned(), bytes]);
    if (least > this.budget) {
      throw new BedsideError(
        'E_DEVICE',
        `device '${this.#owner}' has ${formatBytes(this.budget)} of memory; a stage and what runs need ${formatBytes(least)}`,
        { hint: 'plan with its memory in the fleet, or give it fewer requests at a time' },
      );
    }
    const gone: Promise<void>[] = [];
    for (const entry of [...this.#entries.values()]) {
      const few = this.#entries.size < MAX_SESSIONS;
      if (few && usedBy([...this.#entries.values(), bytes]) <= this.budget) break;
      if (entry.pins.size > 0) continue;
      this.#entries.delete(entry.key);
      gone.push(entry.value.then(this.#release, () => {}));
    }
    return gone;
  }
}

function usedBy(entries: readonly SessionBytes[]): number {
  const weights = entries.reduce((sum, { weightBytes }) => sum + weightBytes, 0);
  return weights + entries.reduce((most, { activationBytes }) => Math.max(most, activationBytes), 0);
}
