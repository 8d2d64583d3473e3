// A node in a process of its own, which tests can stop, kill, and put on other hosts. It gets one task, then orders;
// each is answered once.
import { type ChildProcess, spawn } from 'node:child_process';
import { compiledFile } from '../../../../test/support/compiled.ts';
import type { ClientOrder, ClientReplies, ClientTask, WorkerTask } from './orders.ts';

/** A process of one of the files beside this one. `await using` kills it. */
export class NodeProcess implements AsyncDisposable {
  readonly #process: ChildProcess;
  readonly #ended: Promise<void>;
  readonly #waiting: { resolve: (value: unknown) => void; reject: (error: Error) => void }[] = [];

  private constructor(file: string, [command = process.execPath, ...rest]: readonly string[]) {
    this.#process = spawn(command, rest, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
    this.#process.on('message', ({ answer, error }: { answer?: unknown; error?: string }) => {
      const next = this.#waiting.shift();
      if (error === undefined) next?.resolve(answer);
      else next?.reject(new Error(`${file}: ${error}`));
    });
    this.#ended = new Promise((resolve) => {
      this.#process.once('exit', (code, signal) => {
        for (const { reject } of this.#waiting) reject(new Error(`${file} ended (${signal ?? code})`));
        resolve();
      });
    });
  }

  /** @param enter command prefix that runs it on another host */
  static async spawn(
    file: 'client-process.ts' | 'worker-process.ts',
    enter: readonly string[] = [],
  ): Promise<NodeProcess> {
    const path = await compiledFile(new URL(file, import.meta.url).href);
    return new NodeProcess(file, [...enter, process.execPath, path]);
  }

  /** Gives the process its task. */
  start(task: WorkerTask | ClientTask): Promise<unknown> {
    return this.#tell(task);
  }

  ask<Kind extends ClientOrder['kind']>(
    order: Extract<ClientOrder, { kind: Kind }>,
  ): Promise<ClientReplies[Kind]> {
    return this.#tell(order) as Promise<ClientReplies[Kind]>;
  }

  signal(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  async kill(): Promise<void> {
    this.#process.kill('SIGKILL');
    await this.#ended;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.kill();
  }

  #tell(what: WorkerTask | ClientTask | ClientOrder): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#process.send(what, (error) => error && reject(error));
    });
  }
}
