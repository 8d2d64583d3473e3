// Workers of one machine: a process for each, which cannot take the others down.
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Bundle } from '../../bundle/index.ts';
import { atExit, BedsideError } from '../../util/index.ts';
import { Device, type DeviceOptions } from '../device/device.ts';
import { type LinkOptions, newSharedChannel } from '../device/link-emulation.ts';
import { Worker } from '../device/worker.ts';
import type { NatsAccess } from '../nats/index.ts';
import { deserializeError } from '../protocol/error-codec.ts';
import type { Fabric } from '../protocol/fabric.ts';
import type { SerializedError } from '../protocol/messages.ts';
import { makeSocketFolder, type SocketFolder } from './socket-folder.ts';
import { openFabric, type TransportAddress } from './transport-address.ts';

/** What a process is told at its start. */
export interface ChildTask {
  readonly place: TransportAddress;
  readonly device: DeviceOptions;
  readonly links: LinkOptions | undefined;
  /** Folders of bundles. */
  readonly bundles: readonly string[];
}

export type ChildReply =
  | { readonly ready: true }
  | { readonly error: SerializedError }
  /** It would send for so many milliseconds on the channel that all share. */
  | { readonly kind: 'channel'; readonly id: number; readonly sending: number };

/** What a running process is told. */
export type ChildOrder =
  | { readonly kind: 'links'; readonly links: LinkOptions }
  /** Milliseconds until that is over. */
  | { readonly kind: 'channel'; readonly id: number; readonly wait: number };

/** One device to start. */
export interface LocalWorker {
  readonly device: DeviceOptions;
  readonly links?: LinkOptions | undefined;
}

/** A device that runs in the process that starts the others: the one that has the input, of which nothing then travels. */
export interface InProcessNode {
  readonly device: string;
  /** The bundles that the others open, opened. */
  readonly bundles: readonly Bundle[];
}

/** Running workers, and the fabric that they are on. `await using` or `close` ends them. */
export class LocalWorkers implements AsyncDisposable {
  readonly fabric: Fabric;
  readonly #place: TransportAddress;
  readonly #folder: SocketFolder;
  readonly #processes = new Map<string, ChildProcess>();
  /** Of devices whose links are one channel; this process keeps it, as they have no clock in common. */
  readonly #sharedChannel = newSharedChannel(() => performance.now());
  readonly #here = new Map<string, Worker>();
  readonly #bundles: readonly string[];

  private constructor(
    folder: SocketFolder,
    place: TransportAddress,
    fabric: Fabric,
    bundles: readonly string[],
  ) {
    this.#folder = folder;
    this.#place = place;
    this.fabric = fabric;
    this.#bundles = bundles;
  }

  /**
   * Starts a process for each device, but for one that is `here`; each opens the bundles.
   * @param bundles folders
   * @param nats where they meet; default on local sockets
   * @throws BedsideError E_FABRIC when one does not start; what opening a bundle throws
   */
  static async start(
    workers: readonly LocalWorker[],
    bundles: readonly string[],
    here?: InProcessNode,
    nats?: NatsAccess,
  ): Promise<LocalWorkers> {
    const folder = await makeSocketFolder();
    const place = nats ? { nats } : { dir: folder.path };
    const all = new LocalWorkers(folder, place, await openFabric(place), bundles);
    try {
      await Promise.all(
        workers.map((worker) =>
          worker.device.name === here?.device ? all.#join(worker, here.bundles) : all.add(worker),
        ),
      );
    } catch (error) {
      await all.close();
      throw error;
    }
    return all;
  }

  /**
   * Starts one more.
   * @throws as `start`
   */
  async add({ device, links }: LocalWorker): Promise<void> {
    const child = startProcess();
    this.#processes.set(device.name, child);
    child.on('message', (reply: ChildReply) => {
      if (!('kind' in reply) || !child.connected) return;
      const order: ChildOrder = { kind: 'channel', id: reply.id, wait: this.#sharedChannel(reply.sending) };
      child.send(order);
    });
    await ready(child, { place: this.#place, device, links, bundles: this.#bundles });
  }

  async #join({ device, links }: LocalWorker, bundles: readonly Bundle[]): Promise<void> {
    const worker = new Worker(new Device(device, bundles), { links, sharedChannel: this.#sharedChannel });
    this.#here.set(device.name, worker);
    await worker.join(this.fabric);
  }

  /** Signals the process of a device, for tests and demonstrations that kill it; false for one that is `here`, or has ended. */
  kill(name: string, signal: NodeJS.Signals = 'SIGKILL'): boolean {
    return this.#processes.get(name)?.kill(signal) ?? false;
  }

  /** From now on the links of a device are emulated to be like this. */
  setLinks(name: string, links: LinkOptions): void {
    this.#here.get(name)?.setLinks(links);
    const order: ChildOrder = { kind: 'links', links };
    const child = this.#processes.get(name);
    if (child?.connected) child.send(order);
  }

  /** The running processes' numbers, by device. */
  get pids(): ReadonlyMap<string, number> {
    return new Map(
      [...this.#processes].flatMap(([name, { pid }]) => (pid === undefined ? [] : [[name, pid]])),
    );
  }

  async close(): Promise<void> {
    await Promise.all([...this.#processes.values()].map(end));
    for (const worker of this.#here.values()) await worker.close();
    await this.#folder.remove();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

function startProcess(): ChildProcess {
  const compiled = !import.meta.url.endsWith('.ts');
  const path = fileURLToPath(new URL(compiled ? './child.js' : './child.ts', import.meta.url));
  // From sources, as tests run it, the process needs the loader for TypeScript.
  const execArgv = compiled ? [] : ['--import', import.meta.resolve('tsx')];
  const child = fork(path, [], { execArgv, stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  // It ends by itself when this process is gone, but only when what it computes lets it.
  child.once(
    'exit',
    atExit(() => child.kill('SIGKILL')),
  );
  return child;
}

function ready(child: ChildProcess, task: ChildTask): Promise<void> {
  const { name } = task.device;
  const failed = (what: string): BedsideError =>
    new BedsideError('E_FABRIC', `worker '${name}' ${what}`, {
      hint: 'what it wrote to stderr may say why; fewer workers need less memory',
    });
  return new Promise((resolve, reject) => {
    child.once('message', (reply: ChildReply) => {
      if ('ready' in reply) resolve();
      else if ('error' in reply) reject(deserializeError(reply.error));
    });
    child.once('error', (error) => reject(failed(`cannot be started: ${error.message}`)));
    child.once('exit', (code, signal) =>
      reject(failed(`ended at its start (${signal ?? `status ${code}`})`)),
    );
    child.send(task);
  });
}

function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    child.once('exit', () => resolve());
    child.kill('SIGKILL');
  });
}
