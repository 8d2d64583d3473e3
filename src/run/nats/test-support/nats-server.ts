// Real NATS servers for tests, with the configuration that `bedside cluster init` writes.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createUser, type KeyPair } from '@nats-io/nkeys';
import { connect, type NatsConnection, nkeyAuthenticator } from '@nats-io/transport-node';
import { must } from '../../../util/index.ts';
import { makeBuckets } from '../cluster/buckets.ts';
import { type Credentials, parseCredentials } from '../cluster/credentials.ts';
import { ACCOUNTS, type Account, type Identity } from '../cluster/roles.ts';
import { credentialsPath, type WrittenCluster, writeCluster } from '../cluster/write-cluster.ts';
import { connectNats, type NatsAccess } from '../transport/connect.ts';

/** Whether there is a `nats-server` to test with; prints a note once if there is none. */
export const hasNatsServer = found();

function found(): boolean {
  const there = spawnSync('nats-server', ['--version']).status === 0;
  if (!there)
    process.stderr.write(
      'nats-server is not on the PATH: tests over NATS are skipped (apt install nats-server)\n',
    );
  return there;
}

/** The identities that tests use. */
const IDENTITIES: readonly Identity[] = [
  { role: 'worker' },
  { role: 'worker', name: 'pinned', trusted: true },
  { role: 'worker', name: 'guest', trusted: false },
  { role: 'client' },
  { role: 'coordinator' },
  { role: 'observer' },
  { role: 'operator' },
];

/** Options of a test server. */
export interface TestServerPlace {
  /** Bytes of a payload. */
  readonly maxPayload?: number;
  /** Its address; default: this machine. */
  readonly address?: string;
  /** Whether each account has a user without restrictions, which only tests have. */
  readonly ears?: boolean;
  /** Command prefix that runs it on another host. */
  readonly enter?: readonly string[];
}

/** A running server. `await using` or `close` ends it. */
export class TestServer implements AsyncDisposable {
  readonly port: number;
  readonly cluster: WrittenCluster;
  readonly #enter: readonly string[];
  readonly #ears = new Map<Account, KeyPair>();
  #process: ChildProcess | undefined;

  private constructor(port: number, cluster: WrittenCluster, enter: readonly string[]) {
    this.port = port;
    this.cluster = cluster;
    this.#enter = enter;
  }

  /** Starts a server. One on another host gets no bucket, because it cannot be reached from here. */
  static async start({
    maxPayload = 8 << 20,
    address,
    enter = [],
    ears = false,
  }: TestServerPlace = {}): Promise<TestServer> {
    const dir = await mkdtemp(join(tmpdir(), 'bedside-nats-'));
    const [port, monitorPort] = [await freePort(), await freePort()];
    const cluster = await writeCluster(dir, {
      ...{
        listen: address ?? '127.0.0.1',
        port,
        monitorPort,
        hosts: address === undefined ? ['localhost', '127.0.0.1'] : [address],
        identities: IDENTITIES,
      },
      ...{ maxPayload, maxStorage: 256 << 20, days: 2 },
    });
    const server = new TestServer(port, cluster, enter);
    if (ears) await server.#addEars();
    await server.run();
    if (address !== undefined) return server;
    const operator = await connectNats(
      { credentials: await server.credentials('operator') },
      { door: 'store' },
    );
    await makeBuckets(operator);
    await operator.close();
    return server;
  }

  get url(): string {
    return `tls://localhost:${this.port}`;
  }

  async credentials(role: Identity['role'], name?: string): Promise<Credentials> {
    const path = credentialsPath(this.cluster.dir, { role, name });
    return parseCredentials(await readFile(path, 'utf8'), path);
  }

  /** Connects as the unrestricted user of an account. */
  async ear(account: Account): Promise<NatsConnection> {
    const { ca } = await this.credentials('observer');
    return connect({
      servers: `localhost:${this.port}`,
      authenticator: nkeyAuthenticator(must(this.#ears.get(account), 'an ear').getSeed()),
      tls: { ca: must(ca, 'a certificate') },
      inboxPrefix: '_INBOX.ear',
    });
  }

  async #addEars(): Promise<void> {
    let text = await readFile(this.cluster.config, 'utf8');
    for (const account of ACCOUNTS) {
      const key = createUser();
      this.#ears.set(account, key);
      const at = text.indexOf('users: [', text.indexOf(`  ${account} {`)) + 'users: ['.length;
      text = `${text.slice(0, at)}\n      { nkey: ${key.getPublicKey()} }${text.slice(at)}`;
    }
    await writeFile(this.cluster.config, text);
  }

  /** Starts or restarts it, and waits until it accepts connections. */
  async run(): Promise<void> {
    const [command = 'nats-server', ...words] = [...this.#enter, 'nats-server', '-c', this.cluster.config];
    const child = spawn(command, words, { stdio: ['ignore', 'ignore', 'pipe'] });
    this.#process = child;
    await isReady(child);
  }

  /** Kills it, as a power cut would. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  async close(): Promise<void> {
    await this.#end('SIGKILL');
    await rm(this.cluster.dir, { recursive: true, force: true });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#process;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    await new Promise<void>((resolve) => {
      child.once('exit', () => resolve());
      child.kill(signal);
    });
  }
}

/** A server without configuration, as people start one to try things out: nodes have no keys. */
export class OpenServer implements AsyncDisposable {
  readonly access: NatsAccess;
  readonly #process: ChildProcess;
  readonly #dir: string;

  private constructor(port: number, dir: string, child: ChildProcess) {
    this.access = { servers: [`nats://127.0.0.1:${port}`] };
    this.#dir = dir;
    this.#process = child;
  }

  /** @param own its port; default a free one */
  static async start(own?: number): Promise<OpenServer> {
    const dir = await mkdtemp(join(tmpdir(), 'bedside-open-'));
    const port = own ?? (await freePort());
    const words = ['-a', '127.0.0.1', '-p', String(port), '-js', '-sd', dir];
    const child = spawn('nats-server', words, { stdio: ['ignore', 'ignore', 'pipe'] });
    await isReady(child);
    return new OpenServer(port, dir, child);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = new Promise((resolve) => this.#process.once('exit', resolve));
    this.#process.kill('SIGKILL');
    await ended;
    await rm(this.#dir, { recursive: true, force: true });
  }
}

function isReady(child: ChildProcess): Promise<void> {
  const lines: string[] = [];
  return new Promise<void>((resolve, reject) => {
    child.stderr?.on('data', (chunk) => {
      lines.push(String(chunk));
      if (String(chunk).includes('Server is ready')) resolve();
    });
    child.once('exit', (code) => reject(new Error(`nats-server ended with ${code}:\n${lines.join('')}`)));
  });
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  const { port } = server.address() as { port: number };
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return port;
}
