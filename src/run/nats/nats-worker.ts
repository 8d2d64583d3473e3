// A worker on a NATS server: it announces itself, probes its links, and fetches the bundles that requests need.
import { freemem, hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { BedsideError, messageOf } from '../../util/index.ts';
import { Device, type DeviceOptions } from '../device/device.ts';
import type { LinkOptions } from '../device/link-emulation.ts';
import { machineSpeed } from '../device/machine-speed.ts';
import { Worker } from '../device/worker.ts';
import type { Endpoint, Fabric, NodeHandlers } from '../protocol/fabric.ts';
import { BundleCache } from './bundles/bundle-cache.ts';
import { makeBuckets } from './cluster/buckets.ts';
import { NatsFabric } from './nats-fabric.ts';
import type { NodeEntry } from './presence/announcement.ts';
import { FleetDirectory } from './presence/fleet-directory.ts';
import { PresenceAnnouncer } from './presence/presence-announcer.ts';
import type { NatsAccess } from './transport/connect.ts';
import type { NatsEndpoint } from './transport/nats-endpoint.ts';
import { addressOf, tokensOf } from './transport/subjects.ts';

/** Milliseconds between two looks at the fleet. */
const FLEET_CHECK_MS = 1250;
/** Milliseconds after which the link to a peer is probed again. */
const PROBE_MS = 30_000;

/** Options of a worker. */
export interface NatsWorkerOptions {
  readonly device: DeviceOptions;
  readonly links?: LinkOptions | undefined;
  readonly onNote?: ((text: string) => void) | undefined;
  /** Called once when the worker has left by itself because its battery is empty. */
  readonly onLeave?: ((why: string) => void) | undefined;
  /** Stops the start after its current step. */
  readonly signal?: AbortSignal | undefined;
}

interface Link {
  readonly bytesPerSecond: number;
  readonly latency: number;
  readonly probed: number;
}

/** A running worker. `await using` or `close` ends it. */
export class NatsWorker implements AsyncDisposable {
  readonly device: Device;
  readonly #options: NatsWorkerOptions;
  readonly #worker: Worker;
  readonly #fabric: Fabric;
  readonly #bundles: BundleCache;
  readonly #onNote: (text: string) => void;
  readonly #since = new Date().toISOString();
  readonly #links = new Map<string, Link>();
  #endpoint: NatsEndpoint | undefined;
  #directory: FleetDirectory | undefined;
  #presence: PresenceAnnouncer | undefined;
  #macsPerSecond = 1e9;
  #timer: NodeJS.Timeout | undefined;
  #probing = false;
  #leaving = false;
  #closed = false;

  private constructor(access: NatsAccess, options: NatsWorkerOptions) {
    this.#options = options;
    this.#onNote = options.onNote ?? (() => {});
    this.device = new Device(options.device, []);
    const fabric = new KeepingFabric(new NatsFabric(access, { onNote: this.#onNote }), (endpoint) => {
      this.#endpoint = endpoint;
    });
    this.#fabric = fabric;
    this.#bundles = new BundleCache(this.device, access, {
      onNote: this.#onNote,
      isUsed: (sha256) => this.#worker.needs(sha256),
    });
    const { links, onLeave } = options;
    const left = (why: string): void => {
      this.#leaving = true;
      this.#presence?.remove();
      onLeave?.(why);
    };
    this.#worker = new Worker(this.device, { links, onLeave: left, bundleSource: this.#bundles });
  }

  /**
   * Joins, and announces itself.
   * @throws BedsideError E_FABRIC; E_LOST if `signal` stops the start
   */
  static async start(access: NatsAccess, options: NatsWorkerOptions): Promise<NatsWorker> {
    const worker = new NatsWorker(access, options);
    const { speed = 1, threads = 1, name } = options.device;
    const throwIfStopped = (): void => {
      if (options.signal?.aborted) throw new BedsideError('E_LOST', `'${name}' was told to stop`);
    };
    try {
      throwIfStopped();
      worker.#macsPerSecond = Math.min(1, speed) * (await machineSpeed(threads));
      throwIfStopped();
      await worker.#worker.join(worker.#fabric);
      throwIfStopped();
      if (!worker.#endpoint) throw new BedsideError('E_INTERNAL', 'internal: joined without an endpoint');
      const { control } = worker.#endpoint;
      // An open server has no operator who creates the bucket.
      if (!access.credentials) await makeBuckets(control);
      const { credentials } = access;
      const who = tokensOf(addressOf(worker.device.name));
      worker.#directory = await FleetDirectory.open(control, credentials, { who, heartbeats: false });
      throwIfStopped();
      worker.#presence = new PresenceAnnouncer(control, credentials, () => worker.entry(), worker.#onNote);
      worker.#presence.start();
      // From here on, nodes that ask for announcements get one.
      await control.flush();
      throwIfStopped();
    } catch (error) {
      await worker.close();
      throw error;
    }
    worker.#timer = setInterval(() => void worker.#checkFleet(), FLEET_CHECK_MS);
    void worker.#checkFleet();
    return worker;
  }

  /** The entry that it announces now. */
  entry(): NodeEntry {
    const { battery, joulesPerMac, joulesPerByteSent, memory, speed } = this.#options.device;
    const report = this.device.report();
    const { bytesPerSecond, latency } = this.#options.links ?? {};
    const emulated = {
      speed,
      memory,
      battery,
      joulesPerMac,
      joulesPerByteSent,
      bytesPerSecond,
      latency,
    };
    return {
      version: 1,
      name: this.device.name,
      host: hostname(),
      since: this.#since,
      macsPerSecond: this.#macsPerSecond,
      seconds: this.#measuredSeconds(report.seconds),
      memory: memory ?? freemem() + report.memoryUsed,
      memoryUsed: report.memoryUsed,
      ...(report.battery === undefined ? {} : { battery: Math.max(0, report.battery) }),
      joulesPerMac: joulesPerMac ?? 0,
      joulesPerByteSent: joulesPerByteSent ?? 0,
      sessions: report.sessions,
      bytesSent: report.bytesSent,
      emulated: Object.fromEntries(
        Object.entries(emulated).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]])),
      ),
      bundles: this.#bundles.bundles.map(({ stages, ...rest }) => ({ ...rest, stages: [...stages] })),
      links: [...this.#links].map(([to, link]) => ({
        to,
        bytesPerSecond: link.bytesPerSecond,
        latency: link.latency,
      })),
    };
  }

  /** Number of requests that run here. */
  get running(): number {
    return this.#worker.running;
  }

  /**
   * Leaves in order: first it is no longer in the fleet, then running requests end, then their requesters are told.
   * @param patience milliseconds that running requests have
   */
  async drain(patience: number, why = 'it was told to stop'): Promise<void> {
    this.#leaving = true;
    this.#presence?.remove();
    const end = performance.now() + patience;
    while (this.#worker.running > 0 && performance.now() < end) {
      await sleep(20);
    }
    this.#worker.leave(why);
    await this.close();
  }

  /** Leaves at once; running requests end with errors at their requesters. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#leaving = true;
    clearInterval(this.#timer);
    // If the server is away, the entry expires.
    this.#presence?.remove();
    await this.#bundles.close();
    await this.#worker.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Only times that were measured here: a bundle also brings those of the machine that packed it. */
  #measuredSeconds(
    seconds: NodeEntry['seconds'] | ReturnType<Device['report']>['seconds'],
  ): NodeEntry['seconds'] {
    const measured = new Set(this.#bundles.bundles.filter((one) => one.measured).map(({ name }) => name));
    return Object.fromEntries(
      Object.entries(seconds)
        .filter(([name]) => measured.has(name))
        .map(([name, table]) => [name, table.map((row) => [...row])]),
    );
  }

  async #checkFleet(): Promise<void> {
    if (this.#probing || this.#leaving) return;
    this.#probing = true;
    try {
      await this.#probe();
    } catch (error) {
      // The server may be away for a while; the next check tries again.
      if (!this.#leaving) this.#onNote(messageOf(error));
    } finally {
      this.#probing = false;
    }
  }

  /** Probes links that were not probed recently, and forgets those to peers that are gone. */
  async #probe(): Promise<void> {
    const peers = this.#directory?.entries().filter(({ name }) => name !== this.device.name) ?? [];
    const names = new Set(peers.map(({ name }) => name));
    for (const name of this.#links.keys()) if (!names.has(name)) this.#links.delete(name);
    const now = performance.now();
    for (const name of names) {
      if (now - (this.#links.get(name)?.probed ?? Number.NEGATIVE_INFINITY) < PROBE_MS) continue;
      if (this.#leaving || !this.#endpoint) return;
      const found = await this.#endpoint.probes.measure(name).catch(() => undefined);
      if (!found) continue;
      const emulated = { ...this.#options.links, ...this.#options.links?.to?.[name] };
      this.#links.set(name, {
        bytesPerSecond: Math.min(found.bytesPerSecond, emulated.bytesPerSecond ?? Number.POSITIVE_INFINITY),
        latency: Math.max(found.roundTrip / 2, emulated.latency ?? 0),
        probed: now,
      });
    }
  }
}

/** A fabric that passes the endpoint of each node to a callback. */
class KeepingFabric implements Fabric {
  readonly #inner: NatsFabric;
  readonly #keep: (endpoint: NatsEndpoint) => void;

  constructor(inner: NatsFabric, keep: (endpoint: NatsEndpoint) => void) {
    this.#inner = inner;
    this.#keep = keep;
  }

  async join(name: string, handlers: NodeHandlers): Promise<Endpoint> {
    const endpoint = await this.#inner.join(name, handlers);
    this.#keep(endpoint);
    return endpoint;
  }
}
