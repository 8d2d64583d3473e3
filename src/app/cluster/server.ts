// The NATS server of a cluster: started with the cluster's configuration, or taken over from a process that is gone.
import { type ChildProcess, spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { loadNats } from '../../run/index.ts';
import type { Credentials } from '../../run/internal.ts';
import { BedsideError, must } from '../../util/index.ts';
import { readTextChecked, signalProcess } from '../../util/internal.ts';
import { aborted } from '../abort.ts';
import type { Journal } from '../reporter.ts';
import { ServerLog } from './server-log.ts';
import {
  isServerOf,
  readProcess,
  removeProcess,
  type ServerProcess,
  writeProcess,
} from './server-process.ts';

/** File that the server's log goes to, in the folder of the cluster. */
const LOG = 'server.log';

const LOOK_MS = 100;

/** State of a server once it answers. */
export interface ServerState {
  readonly running: true;
  /** This process started it. */
  readonly started: boolean;
  /** It was left behind by a process that is gone; this one looks after it now. */
  readonly takenOver: boolean;
  readonly servers: readonly string[];
  readonly pid: number | undefined;
}

/** A server that this process looks after. */
interface OwnServer {
  readonly dir: string;
  readonly pid: number;
  /** Its exit status; undefined for one that is no child of this process. */
  readonly ended: Promise<number | null | undefined>;
  readonly log: ServerLog;
}

/** A running server of a cluster. `await using` or `close` stops it if this process looks after it. */
export class ClusterServer implements AsyncDisposable {
  readonly state: ServerState;
  readonly #own: OwnServer | undefined;
  readonly #journal: Pick<Journal, 'note'> | undefined;

  private constructor(
    state: ServerState,
    own: OwnServer | undefined,
    journal: Pick<Journal, 'note'> | undefined,
  ) {
    this.state = state;
    this.#own = own;
    this.#journal = journal;
  }

  /**
   * Starts the server of a cluster and makes its bucket for bundles. Where the server runs already, only makes the bucket; a
   * server that was left behind is taken over.
   * @param folder of the cluster, as `initCluster` wrote it
   * @param journal is told what the server says
   * @throws BedsideError E_FILE without a cluster; E_FABRIC when nats-server is not installed or does not start
   */
  static async start(folder: string, journal?: Pick<Journal, 'note'>): Promise<ClusterServer> {
    const dir = resolve(folder);
    const { SERVER_CONFIG, readCluster } = await loadNats();
    const config = join(dir, SERVER_CONFIG);
    if (!(await readFile(config).catch(() => undefined))) {
      throw new BedsideError('E_FILE', `${dir} has no ${SERVER_CONFIG}`, {
        hint: `bedside cluster init --dir ${folder} writes it`,
      });
    }
    // A cluster of an earlier version is refused: on its server any key can speak for others.
    await readCluster(dir);
    const credentials = await operatorOf(dir);
    const { servers } = credentials;
    const answers = await makeBuckets(credentials).catch((error: unknown) => {
      if (BedsideError.is(error, 'E_FABRIC') && /answers at/.test(error.message)) return undefined;
      throw error;
    });
    const known = await readProcess(dir);
    if (answers !== undefined && !known?.isLeft) {
      const state = { running: true, started: false, takenOver: false, servers, pid: known?.pid } as const;
      return new ClusterServer(state, undefined, journal);
    }
    if (answers === undefined && known) {
      throw new BedsideError(
        'E_FABRIC',
        `process ${known.pid} is the server of ${dir}, but it does not answer at ${servers.join(', ')}`,
        { hint: `wait a moment; if it stays silent, kill ${known.pid}, then bedside cluster up again` },
      );
    }
    const log = new ServerLog(join(dir, LOG), (text) => {
      for (const line of text.split('\n')) journal?.note(line);
    });
    let own: OwnServer | undefined;
    try {
      own = known ? await takeOver(dir, known, log) : await start(dir, config, log);
      await writeProcess(dir, own.pid);
      await makeBuckets(credentials);
    } catch (error) {
      await (own ? release(own) : log.close());
      throw error;
    }
    const taken = known !== undefined;
    const state = { running: true, started: !taken, takenOver: taken, servers, pid: own.pid } as const;
    return new ClusterServer(state, own, journal);
  }

  /**
   * Looks after the server until the signal is aborted, then stops it. Returns at once for a server that another process
   * looks after.
   * @throws BedsideError E_FABRIC when the server ends by itself
   */
  async runUntil(signal: AbortSignal): Promise<void> {
    if (!this.#own) return;
    const { pid, ended, dir } = this.#own;
    const status = await Promise.race([ended, aborted(signal).then(() => 'aborted' as const)]);
    if (status === 'aborted') {
      this.#journal?.note('stopping the server');
      signalProcess(pid, 'SIGINT');
      await ended;
      return;
    }
    throw new BedsideError(
      'E_FABRIC',
      `nats-server ended by itself${status === undefined ? '' : ` (status ${status})`}`,
      { hint: `its log, above and in ${join(dir, LOG)}, may say why` },
    );
  }

  async close(): Promise<void> {
    if (this.#own) await release(this.#own);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

async function operatorOf(dir: string): Promise<Credentials> {
  const { credentialsPath, parseCredentials } = await loadNats();
  const path = credentialsPath(dir, { role: 'operator' });
  return parseCredentials(await readTextChecked(path, 'credentials'), path);
}

async function makeBuckets(credentials: Credentials): Promise<boolean> {
  const nats = await loadNats();
  // First by the name that every machine has for itself, for which the certificate is valid too, then by the others.
  const local = credentials.servers.map((server) => server.replace(/\/\/.*:/, '//localhost:'));
  const access = { credentials, servers: [...local, ...credentials.servers] };
  const connection = await nats.connectNats(access, { door: 'store' });
  try {
    return await nats.makeBuckets(connection);
  } finally {
    await connection.close();
  }
}

async function takeOver(dir: string, { pid }: ServerProcess, log: ServerLog): Promise<OwnServer> {
  await log.open('r');
  return { dir, pid, ended: gone(dir, pid), log };
}

/** Starts the server, and waits until it accepts connections. */
async function start(dir: string, config: string, log: ServerLog): Promise<OwnServer> {
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
  return { dir, pid: must(child.pid, 'a process'), ended, log };
}

async function failed(child: ChildProcess, ended: Promise<number | null>, log: ServerLog): Promise<never> {
  const error = new Promise<NodeJS.ErrnoException>((done) => child.once('error', done));
  const cause = await Promise.race([error, ended]);
  if (cause !== null && typeof cause === 'object') {
    throw cause.code === 'ENOENT'
      ? new BedsideError('E_FABRIC', 'nats-server is not installed, or not on the PATH', {
          hint: 'Debian, Ubuntu: apt install nats-server; macOS: brew install nats-server; others: https://nats.io/download',
          cause,
        })
      : new BedsideError('E_FABRIC', `nats-server cannot be started: ${cause.message}`, { cause });
  }
  await log.read();
  throw new BedsideError('E_FABRIC', `nats-server ended at its start (status ${cause}): ${log.last}`, {
    hint: 'another server may have the port; bedside cluster init --port takes another',
  });
}

/** Resolves when a process that is no child of this one has ended. */
async function gone(dir: string, pid: number): Promise<undefined> {
  while (await isServerOf(dir, pid)) await setTimeout(LOOK_MS);
  return undefined;
}

/** Stops a server if it still runs, and forgets it. */
async function release({ dir, pid, log }: OwnServer): Promise<void> {
  if (await isServerOf(dir, pid)) signalProcess(pid, 'SIGTERM');
  await removeProcess(dir);
  await log.close();
}
