// Sessions within a budget of bytes. The least recently used are released first; those of running requests stay.
import { BedsideError, formatBytes } from '../../util/index.ts';

/** Memory of a session. Sessions share the memory for activations, because a device runs one stage at a time. */
export interface SessionBytes {
  readonly weightBytes: number;
  readonly activationBytes: number;
}

interface Entry<T> {
  readonly key: string;
  readonly weightBytes: number;
  /** For the largest batch so far. */
  activationBytes: number;
  readonly value: Promise<T>;
  /** Requests that need the session. */
  readonly pins: Set<string>;
}

/** Largest number of sessions, whatever the memory. */
export const MAX_SESSIONS = 512;

/** Caches values that must be released, by key. */
export class SessionCache<T> {
  readonly budget: number;
  readonly #owner: string;
  readonly #release: (value: T) => Promise<void>;
  /** The least recently used first. */
  readonly #entries = new Map<string, Entry<T>>();

  /**
   * @param owner name of the device, for errors
   * @param budget bytes: all weights plus the largest activations stay within it
   */
  constructor(owner: string, budget: number, release: (value: T) => Promise<void>) {
    this.#owner = owner;
    this.budget = budget;
    this.#release = release;
  }

  /** Bytes in use. */
  get used(): number {
    return usedBy([...this.#entries.values()]);
  }

  /** Keys of all sessions, the least recently used first. */
  get keys(): readonly string[] {
    return [...this.#entries.keys()];
  }

  /**
   * The session of a key. It is made if it is not there, and kept until the request is unpinned.
   * @throws BedsideError E_DEVICE if it does not fit beside the sessions of running requests; errors of `make`
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
    // No await before the entry is stored: the next call for the same key must find it.
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

  /** Whether a session exists or is being made. */
  has(key: string): boolean {
    return this.#entries.has(key);
  }

  /** Whether a session would fit beside those of running requests. */
  fits(bytes: SessionBytes): boolean {
    return usedBy([...this.#pinned(), bytes]) <= this.budget;
  }

  /** Allows the sessions of a request to be released. */
  unpin(request: string): void {
    for (const { pins } of this.#entries.values()) pins.delete(request);
  }

  /** Releases a session, unless a request needs it. */
  async discard(key: string): Promise<void> {
    const entry = this.#entries.get(key);
    if (!entry || entry.pins.size > 0) return;
    this.#entries.delete(key);
    await entry.value.then(this.#release, () => {});
  }

  /** Releases all sessions. */
  async close(): Promise<void> {
    const all = [...this.#entries.values()];
    this.#entries.clear();
    for (const { value } of all) await value.then(this.#release, () => {});
  }

  /** Makes room for a larger batch than before. */
  async #grow(entry: Entry<T>, request: string, bytes: SessionBytes): Promise<void> {
    entry.pins.add(request);
    await Promise.all(this.#makeRoom({ weightBytes: 0, activationBytes: bytes.activationBytes }));
    entry.activationBytes = Math.max(entry.activationBytes, bytes.activationBytes);
  }

  #pinned(): Entry<T>[] {
    return [...this.#entries.values()].filter(({ pins }) => pins.size > 0);
  }

  /** Releases the least recently used sessions until `bytes` fit; the promises settle when that is done. */
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
