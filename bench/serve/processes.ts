// The processes of the study: the gateway, as its command starts it, and one with the bare engine and the echo.
import { type ChildProcess, fork, spawn, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** The command as it is shipped; `build` makes it. */
export const COMMAND = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

/** A gateway of its own process. */
export interface GatewayProcess {
  readonly url: string;
  readonly model: string;
  readonly pid: number;
  /** What its heap holds once everything that nobody needs is collected. */
  heap(): Promise<Heap>;
  /** Ends it as an operator does; resolves with its exit status. */
  stop(): Promise<number | null>;
}

/** Bytes of V8's heap in use, and of buffers outside of it. */
export interface Heap {
  readonly heapUsed: number;
  readonly external: number;
}

/** Loaded before the gateway: collects, and says what is left, when it is asked. It ends with the study. */
const COLLECT = [
  'data:text/javascript,',
  "process.on('message', () => { gc(); gc(); process.send(process.memoryUsage()); });",
  "process.on('disconnect', () => process.kill(process.pid));",
  'process.channel.unref();',
].join('');

/** Compiles the sources: the figures are those of the code that is shipped, not of a loader. */
export function build(): void {
  const { status } = spawnSync('npm', ['run', '--silent', 'build'], { cwd: ROOT, stdio: 'inherit' });
  if (status !== 0 || !existsSync(COMMAND)) throw new Error('npm run build failed');
}

/** `bedside serve` on a free port. */
export function startGateway(bundle: string, words: readonly string[]): Promise<GatewayProcess> {
  // As the units and the compose file start it (docs/operations.md).
  const node = ['--max-semi-space-size=64', '--expose-gc', '--import', COLLECT];
  const serve = [COMMAND, 'serve', bundle, '--port', '0', '--json', ...words];
  const child = spawn(process.execPath, [...node, ...serve], { stdio: ['ignore', 'pipe', 'inherit', 'ipc'] });
  return new Promise((resolve, reject) => {
    let text = '';
    child.stdout?.on('data', (chunk) => {
      text += chunk;
      const end = text.indexOf('\n}');
      if (end < 0 && !text.endsWith('}\n')) return;
      const { url, models } = JSON.parse(text) as { url: string; models: string[] };
      resolve({
        ...{ url, model: models[0] ?? '', pid: child.pid ?? 0 },
        heap: () => collected(child),
        stop: () => stopped(child),
      });
    });
    child.once('exit', (status) => reject(new Error(`bedside serve exited with ${status}`)));
  });
}

function collected(child: ChildProcess): Promise<Heap> {
  return new Promise((resolve, reject) => {
    const gone = (status: number | null): void => reject(new Error(`bedside serve exited with ${status}`));
    child.once('exit', gone);
    child.once('message', (heap) => {
      child.off('exit', gone);
      resolve(heap as Heap);
    });
    child.send('collect');
  });
}

function stopped(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve) => {
    if (child.exitCode !== null) resolve(child.exitCode);
    child.once('exit', (status) => resolve(status));
    child.kill('SIGTERM');
  });
}

/** A module of this folder in a process of its own, which answers each message with one. */
export class Helper {
  readonly #child: ChildProcess;

  constructor(module: string) {
    const path = fileURLToPath(new URL(module, import.meta.url));
    this.#child = fork(path, [], { execArgv: ['--import', import.meta.resolve('tsx')] });
  }

  ask<T>(message: unknown): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#child.once('message', (answer) => resolve(answer as T));
      this.#child.once('exit', (status) => reject(new Error(`a helper exited with ${status}`)));
      this.#child.send(message as object);
    });
  }

  close(): void {
    this.#child.removeAllListeners('exit');
    this.#child.kill();
  }
}

/** What a process holds, on Linux. Bytes. */
export interface Held {
  readonly resident: number;
  readonly descriptors: number;
  readonly threads: number;
}

export function heldBy(pid: number): Held {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const field = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1] ?? 0);
  return {
    resident: 1024 * field('VmRSS'),
    descriptors: readdirSync(`/proc/${pid}/fd`).length,
    threads: field('Threads'),
  };
}
