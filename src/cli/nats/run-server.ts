// nats-server in the foreground, with the configuration of a cluster.
import { type ChildProcess, spawn } from 'node:child_process';
import { type FileHandle, open, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { type Credentials, loadNats } from '../../run/index.ts';
import { BedsideError, must, readTextChecked } from '../../util/index.ts';
import { Interrupt } from '../interrupt.ts';
import type { Output } from '../output.ts';
import { isServerOf, readProcess, removeProcess, writeProcess } from './server-process.ts';

/** What the server says. Not a pipe: it would end with the first word that nobody reads. */
const LOG = 'server.log';

const LOOK_MS = 100;

/** A server that this process looks after. */
interface Server {
  readonly pid: number;
  /** Its status; undefined for one that is no child of this process. */
  readonly ended: Promise<number | null | undefined>;
}

/**
 * Runs the server of a cluster until it is told to stop. Where it runs already, only makes its bucket; one that was left
 * behind by a command that is gone is taken over.
 * @throws BedsideError E_FILE without a cluster; E_FABRIC when nats-server is not there or does not start
 */
export async function runServer(folder: string, output: Output): Promise<void> {
  const dir = resolve(folder);
  const { SERVER_CONFIG, readCluster } = await loadNats();
  const config = join(dir, SERVER_CONFIG);
  const told = await readFile(config).catch(() => undefined);
  if (!told) {
    throw new BedsideError('E_FILE', `${dir} has no ${SERVER_CONFIG}`, {
      hint: `bedside cluster init --dir ${folder} writes it`,
    });
  }
  // One of an earlier version is not run: there, any key can speak for others.
  await readCluster(dir);
  const credentials = await operatorOf(dir);
  const { servers } = credentials;
  const already = await makeBuckets(credentials).catch((error: unknown) => {
    if (BedsideError.is(error, 'E_FABRIC') && /answers at/.test(error.message)) return undefined;
    throw error;
  });
  const known = await readProcess(dir);
  if (already !== undefined && !known?.isLeft) {
    output.note(`the server at ${servers.join(', ')} runs already; its bucket is there`);
    output.result({ running: true, started: false, takenOver: false, servers, pid: known?.pid });
    return;
  }
  if (already === undefined && known) {
    throw new BedsideError(
      'E_FABRIC',
      `process ${known.pid} is the server of ${dir}, but it does not answer at ${servers.join(', ')}`,
      { hint: `wait a moment; if it stays silent, kill ${known.pid}, then bedside cluster up again` },
    );
  }
  const stop = Interrupt.ofService();
  const log = new Log(join(dir, LOG), (text) => {
    for (const line of text.split('\n')) output.note(line);
  });
  let server: Server | undefined;
  try {
    if (known) {
      server = { pid: known.pid, ended: gone(dir, known.pid) };
      await log.open('r');
      output.note(
        `the server at ${servers.join(', ')} runs already, as process ${known.pid}, left behind by a bedside cluster up that is gone; taken over, Ctrl-C stops it`,
      );
    } else {
      server = await start(config, log);
      output.note(`the server is ready at ${servers.join(', ')}; Ctrl-C stops it`);
    }
    const { pid, ended } = server;
    await writeProcess(dir, pid);
    await makeBuckets(credentials);
    output.result({ running: true, started: !known, takenOver: known !== undefined, servers, pid });
    const status = await Promise.race([ended, stop.asked.then(() => 'stop' as const)]);
    if (status === 'stop') {
      output.note('stopping the server');
      kill(pid, 'SIGINT');
      await ended;
      return;
    }
    throw new BedsideError(
      'E_FABRIC',
      `nats-server ended by itself${status === undefined ? '' : ` (status ${status})`}`,
      { hint: `what it said above, and in ${join(dir, LOG)}, tells why` },
    );
  } finally {
    stop.end();
    if (server) {
      if (await isServerOf(dir, server.pid)) kill(server.pid, 'SIGTERM');
      await removeProcess(dir);
    }
    await log.close();
  }
}

async function operatorOf(dir: string): Promise<Credentials> {
  const { credentialsPath, parseCredentials } = await loadNats();
  const path = credentialsPath(dir, { role: 'operator' });
  const credentials = parseCredentials(await readTextChecked(path, 'credentials'), path);
  return credentials;
}

async function makeBuckets(credentials: Credentials): Promise<boolean> {
  const nats = await loadNats();
  // By the name that every machine has for itself, for which the certificate is good too, then by the others.
  const local = credentials.servers.map((server) => server.replace(/\/\/.*:/, '//localhost:'));
  const access = { credentials, servers: [...local, ...credentials.servers] };
  const connection = await nats.connectNats(access, { door: 'store' });
  try {
    return await nats.makeBuckets(connection);
  } finally {
    await connection.close();
  }
}

/** Starts it, and waits until it takes connections. */
async function start(config: string, log: Log): Promise<Server> {
  const handle = await log.open('w');
  const child = spawn('nats-server', ['-c', config], {
    stdio: ['ignore', 'ignore', handle.fd],
    detached: true,
  });
  const ended = new Promise<number | null>((done) => child.once('exit', (code) => done(code)));
  try {
    await Promise.race([log.says('Server is ready'), failed(child, ended, log)]);
  } catch (error) {
    child.kill('SIGTERM');
    throw error;
  }
  return { pid: must(child.pid, 'a process'), ended };
}

async function failed(child: ChildProcess, ended: Promise<number | null>, log: Log): Promise<never> {
  const error = new Promise<NodeJS.ErrnoException>((resolve) => child.once('error', resolve));
  const what = await Promise.race([error, ended]);
  if (what !== null && typeof what === 'object') {
    throw what.code === 'ENOENT'
      ? new BedsideError('E_FABRIC', 'nats-server is not installed, or not on the PATH', {
          hint: 'Debian, Ubuntu: apt install nats-server; macOS: brew install nats-server; else https://nats.io/download',
          cause: what,
        })
      : new BedsideError('E_FABRIC', `nats-server cannot be started: ${what.message}`, { cause: what });
  }
  await log.read();
  throw new BedsideError('E_FABRIC', `nats-server ended at its start (status ${what}): ${log.last}`, {
    hint: 'another server may have the port; bedside cluster init --port takes another',
  });
}

/** Ends when a process that is no child of this one has. */
async function gone(dir: string, pid: number): Promise<undefined> {
  while (await isServerOf(dir, pid)) await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  return undefined;
}

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has just ended.
  }
}

/** A file that somebody else writes to, read as it grows. */
class Log {
  readonly #path: string;
  readonly #onText: (text: string) => void;
  #handle: FileHandle | undefined;
  #timer: NodeJS.Timeout | undefined;
  #turn: Promise<void> = Promise.resolve();
  #at = 0;
  #waiting: { readonly text: string; readonly done: () => void } | undefined;
  /** The last line. */
  last = '';

  constructor(path: string, onText: (text: string) => void) {
    this.#path = path;
    this.#onText = onText;
  }

  /** `w` empties it; `r` passes over what is there. */
  async open(how: 'r' | 'w'): Promise<FileHandle> {
    const handle = await open(this.#path, how === 'w' ? 'w+' : 'a+', 0o600);
    this.#handle = handle;
    this.#at = (await handle.stat()).size;
    this.#timer = setInterval(() => void this.read(), LOOK_MS);
    return handle;
  }

  /** Ends when it says this. */
  says(text: string): Promise<void> {
    return new Promise((done) => {
      this.#waiting = { text, done };
    });
  }

  read(): Promise<void> {
    this.#turn = this.#turn.then(() => this.#more());
    return this.#turn;
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.read();
    await this.#handle?.close();
    this.#handle = undefined;
  }

  async #more(): Promise<void> {
    if (!this.#handle) return;
    const buffer = Buffer.alloc(1 << 16);
    const { bytesRead } = await this.#handle.read(buffer, 0, buffer.length, this.#at);
    // A line that is not whole yet is read with its rest.
    const text = buffer.subarray(0, buffer.lastIndexOf('\n', bytesRead - 1) + 1).toString();
    if (bytesRead === 0 || text === '') return;
    this.#at += Buffer.byteLength(text);
    this.#onText(text.trimEnd());
    this.last = text.trimEnd().split('\n').at(-1) ?? '';
    if (this.#waiting && text.includes(this.#waiting.text)) this.#waiting.done();
    if (bytesRead === buffer.length) await this.#more();
  }
}
