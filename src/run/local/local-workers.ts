// Workers of one machine: a process for each, which cannot take the others down.
import { type ChildProcess, fork } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BedsideError } from '../../util/index.ts';
import type { DeviceOptions } from '../device.ts';
import type { ErrorWords } from '../messages.ts';
import type { LinkOptions } from '../shaping.ts';
import { errorOf } from '../words.ts';
import { LocalFabric } from './local-fabric.ts';

/** What a process is told at its start. */
export interface ChildTask {
  readonly dir: string;
  readonly device: DeviceOptions;
  readonly links: LinkOptions | undefined;
  /** Folders of bundles. */
  readonly bundles: readonly string[];
}

export type ChildReply = { readonly ready: true } | { readonly error: ErrorWords };

/** One device to start. */
export interface LocalWorker {
  readonly device: DeviceOptions;
  readonly links?: LinkOptions | undefined;
}

/** Running workers, and the fabric that they are on. `await using` or `close` ends them. */
export class LocalWorkers implements AsyncDisposable {
  readonly fabric: LocalFabric;
  readonly #processes: ReadonlyMap<string, ChildProcess>;

  private constructor(fabric: LocalFabric, processes: ReadonlyMap<string, ChildProcess>) {
    this.fabric = fabric;
    this.#processes = processes;
  }

  /**
   * Starts a process for each device; each opens the bundles.
   * @param bundles folders
   * @throws BedsideError E_FABRIC when one does not start; what opening a bundle throws
   */
  static async start(workers: readonly LocalWorker[], bundles: readonly string[]): Promise<LocalWorkers> {
    const dir = await mkdtemp(join(tmpdir(), 'bedside-'));
    const processes = new Map<string, ChildProcess>();
    const all = new LocalWorkers(new LocalFabric(dir), processes);
    try {
      await Promise.all(
        workers.map(({ device, links }) => {
          const child = startProcess();
          processes.set(device.name, child);
          return ready(child, { dir, device, links, bundles });
        }),
      );
    } catch (error) {
      await all.close();
      throw error;
    }
    return all;
  }

  /** The process of a device, for tests and demonstrations that kill it. */
  kill(name: string, signal: NodeJS.Signals = 'SIGKILL'): void {
    this.#processes.get(name)?.kill(signal);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#processes.values()].map(end));
    await rm(this.fabric.dir, { recursive: true, force: true });
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
  return fork(path, [], { execArgv, stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
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
      else reject(errorOf(reply.error));
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
