// Workers of one machine, each in a process of its own, so that one can fail without harming the others.
import { type ChildProcess, fork } from 'node:child_process';
import type { Bundle } from '../../bundle/index.ts';
import { BedsideError } from '../../util/index.ts';
import { atExit } from '../../util/internal.ts';
import { Device, type DeviceOptions } from '../device/device.ts';
import { type LinkOptions, newSharedChannel } from '../device/link-emulation.ts';
import { Worker } from '../device/worker.ts';
import type { NatsAccess } from '../nats/index.ts';
import { deserializeError } from '../protocol/error-codec.ts';
import type { Fabric } from '../protocol/fabric.ts';
import type { SerializedError } from '../protocol/messages.ts';
import { besideDevice } from './beside-device.ts';
import { makeSocketFolder, type SocketFolder } from './socket-folder.ts';
import { openFabric, type TransportAddress } from './transport-address.ts';
import { WORKER_PROCESS } from './worker-process.ts';

/** The task that a worker process gets at its start. */
export interface ChildTask {
  readonly address: TransportAddress;
  readonly device: DeviceOptions;
  readonly links: LinkOptions | undefined;
  /** Folders of bundles. */
  readonly bundles: readonly string[];
}

/** Messages from a worker process. */
export type ChildReply =
  | { readonly ready: true }
  | { readonly error: SerializedError }
  /** Asks to send for so many milliseconds on the shared channel. */
  | { readonly kind: 'channel'; readonly id: number; readonly sending: number };

/** Messages to a running worker process. */
export type ChildOrder =
  | { readonly kind: 'links'; readonly links: LinkOptions }
  /** Milliseconds until the sending on the shared channel ends. */
  | { readonly kind: 'channel'; readonly id: number; readonly wait: number };

/** One device to start. */
export interface LocalWorker {
  readonly device: DeviceOptions;
  readonly links?: LinkOptions | undefined;
}

/** A device that runs in the parent process: usually the source, whose input then need not travel. */
export interface InProcessNode {
  readonly device: string;
  /** The same bundles that the other workers open. */
  readonly bundles: readonly Bundle[];
}

/** Running workers and their fabric. `await using` or `close` ends them. */
export class LocalWorkers implements AsyncDisposable {
  /** The fabric that requesters join. They sit beside the device in this process, if there is one. */
  get fabric(): Fabric {
    const [beside] = this.#inProcess;
    return beside ? besideDevice(this.#fabric, ...beside) : this.#fabric;
  }
  readonly #fabric: Fabric;
  readonly #address: TransportAddress;
  readonly #folder: SocketFolder;
  readonly #processes = new Map<string, ChildProcess>();
  readonly #workers = new Map<string, LocalWorker>();
  /** The channel of all devices with shared links. The parent keeps it, because the processes have no common clock. */
  readonly #sharedChannel = newSharedChannel(() => performance.now());
  readonly #inProcess = new Map<string, Worker>();
  readonly #bundles: readonly string[];
  #isClosed = false;
  /** Called when the process of a device ends by itself, or is killed. */
  onEnd: ((device: string, why: string) => void) | undefined;

  private constructor(
    folder: SocketFolder,
    address: TransportAddress,
    fabric: Fabric,
    bundles: readonly string[],
  ) {
    this.#folder = folder;
    this.#address = address;
    this.#fabric = fabric;
    this.#bundles = bundles;
  }

  /**
   * Starts a process for each device, except for an in-process one. Each process opens the bundles.
   * @param bundles folders
   * @param inProcess the device that runs in this process, if any
   * @param nats the server that workers connect to; default: local sockets
   * @throws BedsideError E_FABRIC if a worker does not start; errors of opening a bundle
   */
  static async start(
    workers: readonly LocalWorker[],
    bundles: readonly string[],
    inProcess?: InProcessNode,
    nats?: NatsAccess,
  ): Promise<LocalWorkers> {
    const folder = await makeSocketFolder();
    const address = nats ? { nats } : { dir: folder.path };
    const all = new LocalWorkers(folder, address, await openFabric(address), bundles);
    try {
      await Promise.all(
        workers.map((worker) =>
          worker.device.name === inProcess?.device ? all.#join(worker, inProcess.bundles) : all.add(worker),
        ),
      );
    } catch (error) {
      await all.close();
      throw error;
    }
    return all;
  }

  /**
   * Starts one more worker.
   * @throws as `start`
   */
  async add(worker: LocalWorker): Promise<void> {
    const { device, links } = worker;
    const child = startProcess();
    this.#workers.set(device.name, worker);
    this.#processes.set(device.name, child);
    child.once('exit', (code, signal) => {
      if (this.#isClosed || this.#processes.get(device.name) !== child) return;
      this.onEnd?.(device.name, signal ?? `status ${code}`);
    });
    child.on('message', (reply: ChildReply) => {
      if (!('kind' in reply) || !child.connected) return;
      const order: ChildOrder = { kind: 'channel', id: reply.id, wait: this.#sharedChannel(reply.sending) };
      child.send(order);
    });
    await ready(child, { address: this.#address, device, links, bundles: this.#bundles });
  }

  async #join({ device, links }: LocalWorker, bundles: readonly Bundle[]): Promise<void> {
    const worker = new Worker(new Device(device, bundles), { links, sharedChannel: this.#sharedChannel });
    this.#inProcess.set(device.name, worker);
    await worker.join(this.#fabric);
  }

  /**
   * Sends a signal to the process of a device, for tests and demonstrations.
   * @returns false for an in-process device, or if the process has ended
   */
  kill(name: string, signal: NodeJS.Signals = 'SIGKILL'): boolean {
    return this.#processes.get(name)?.kill(signal) ?? false;
  }

  /**
   * Starts the worker of a device again, whose process has ended or is ended now. Once it runs, others find it by its name.
   * @throws BedsideError E_FABRIC for an unknown or in-process device, and if the worker does not start
   */
  async revive(name: string): Promise<void> {
    const [worker, child] = [this.#workers.get(name), this.#processes.get(name)];
    if (!worker || !child || this.#isClosed) {
      throw new BedsideError('E_FABRIC', `there is no worker '${name}' to start again`, {
        hint: 'only devices with a process of their own are started again, while the workers run',
      });
    }
    await end(child);
    // Closed meanwhile: nobody would end the new one.
    if (!this.#isClosed) await this.add(worker);
  }

  /** Names of the devices whose process has ended. */
  get ended(): string[] {
    return [...this.#processes].filter(([, child]) => hasEnded(child)).map(([name]) => name);
  }

  /** Emulates links like these for a device from now on. */
  setLinks(name: string, links: LinkOptions): void {
    this.#inProcess.get(name)?.setLinks(links);
    const worker = this.#workers.get(name);
    if (worker) this.#workers.set(name, { ...worker, links });
    const order: ChildOrder = { kind: 'links', links };
    const child = this.#processes.get(name);
    if (child?.connected) child.send(order);
  }

  /** Process ids of the workers, by device. */
  get pids(): ReadonlyMap<string, number> {
    return new Map(
      [...this.#processes].flatMap(([name, { pid }]) => (pid === undefined ? [] : [[name, pid]])),
    );
  }

  /** Ends all workers. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all([...this.#processes.values()].map(end));
    for (const worker of this.#inProcess.values()) await worker.close();
    await this.#folder.remove();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

function startProcess(): ChildProcess {
  const { path, execArgv } = WORKER_PROCESS;
  const child = fork(path, [], { execArgv: [...execArgv], stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  // It ends by itself when this process is gone, but not before its current computation is done.
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
      hint: 'its output on stderr may give the reason; fewer workers need less memory',
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

function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null;
}

function end(child: ChildProcess): Promise<void> {
  if (hasEnded(child)) return Promise.resolve();
  return new Promise((resolve) => {
    child.once('exit', () => resolve());
    child.kill('SIGKILL');
  });
}
