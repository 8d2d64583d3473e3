// A ward on one machine, as people set it up: a NATS server, two workers in processes of their own, requests, faults.
import { type ChildProcess, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Cli, compileCli } from './support/cli.ts';
import { copyPackedEcg } from './support/packed.ts';

const hasNatsServer = spawnSync('nats-server', ['--version']).status === 0;

// Generous: tests wait for each other's processes.
const TIMEOUT = { timeout: 180_000 };

let cli: Cli;
let folder: string;
let port: number;
/** A server that no command looks after. */
let leftBehind: number | undefined;
beforeAll(async () => {
  cli = await compileCli();
  folder = await mkdtemp(join(tmpdir(), 'bedside-cluster-'));
  port = await freePort();
}, 180_000);
afterAll(async () => {
  if (leftBehind !== undefined) process.kill(leftBehind);
  await rm(folder, { recursive: true, force: true });
});

// biome-ignore lint/suspicious/noExplicitAny: JSON of many shapes, looked into by each test
async function json(words: string, expected = 0): Promise<any> {
  const { status, stdout, stderr } = await cli.run([...words.split(' '), '--json', '--quiet'], folder);
  expect({ status, stderr, out: status === expected ? '' : stdout }).toEqual({
    status: expected,
    stderr: '',
    out: '',
  });
  return JSON.parse(stdout);
}

/** A process that runs until it is told to stop, and what it said. */
class Running {
  readonly child: ChildProcess;
  text = '';

  constructor(words: string) {
    this.child = cli.spawn(words.split(' '), folder);
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.on('data', (chunk) => {
        this.text += String(chunk);
      });
    }
  }

  async says(what: string): Promise<void> {
    while (!this.text.includes(what)) {
      if (this.child.exitCode !== null) throw new Error(`ended with ${this.child.exitCode}:\n${this.text}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  async end(signal: NodeJS.Signals = 'SIGINT'): Promise<number | null> {
    if (this.child.exitCode === null && this.child.signalCode === null) {
      const ended = once(this.child, 'exit');
      this.child.kill(signal);
      await ended;
    }
    return this.child.exitCode;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // In order if it can: what it started ends with it.
    const late = setTimeout(() => this.child.kill('SIGKILL'), 5000);
    await this.end();
    clearTimeout(late);
  }
}

describe('cluster init', TIMEOUT, () => {
  it('writes configuration and keys, which nobody else may read, and never over those that are there', async () => {
    const words = `cluster init --host localhost --port ${port} --monitor-port ${await freePort()} --workers source,far --days 20`;
    const { credentials, config } = await json(words);
    expect(credentials.map(({ identity }: { identity: object }) => identity)).toEqual([
      { role: 'worker', name: 'source', trusted: true },
      { role: 'worker', name: 'far', trusted: true },
      ...['client', 'coordinator', 'observer', 'operator'].map((role) => ({ role })),
    ]);
    const files: string[] = [config, ...credentials.map(({ path }: { path: string }) => path)];
    for (const path of files) expect((await stat(path)).mode & 0o777).toBe(0o600);
    const before = await Promise.all(files.map((path) => readFile(path, 'utf8')));
    const { error } = await json(words, 1);
    expect(error).toMatchObject({ code: 'E_OUTPUT', hint: expect.stringContaining('--force') });
    expect(await Promise.all(files.map((path) => readFile(path, 'utf8')))).toEqual(before);
    const added = await json('cluster add tv --guest');
    expect(added.credentials).toMatchObject([{ identity: { role: 'worker', name: 'tv', trusted: false } }]);
    expect((await json('cluster add tv', 1)).error).toMatchObject({ code: 'E_OUTPUT' });
    expect((await json('cluster init --renew-certificates --days 25 --guests tv', 2)).error).toMatchObject({
      code: 'E_USAGE',
      message: expect.stringContaining('--guests'),
    });
    const renewed = await json('cluster init --renew-certificates --days 25');
    expect(renewed).toMatchObject({ authority: { kept: true }, credentials: [], missing: [] });
    // Keys that were there are still let in; the new one comes by two doors.
    const users = (text: string) => text.match(/nkey: U\w+/g) ?? [];
    const now = await readFile(config, 'utf8');
    expect(users(now)).toEqual(expect.arrayContaining(users(before[0] ?? '')));
    expect(users(now)).toHaveLength(users(before[0] ?? '').length + 2);
    // Without the key that the cluster signs with, nobody is added.
    const signing = join(folder, 'cluster', 'tls', 'signing.key');
    expect((await stat(signing)).mode & 0o777).toBe(0o600);
    await rename(signing, `${signing}.away`);
    const unsigned = await json('cluster add radio', 1);
    expect(unsigned.error).toMatchObject({ code: 'E_FILE', message: expect.stringContaining('signing.key') });
    await rename(`${signing}.away`, signing);
  });

  it('a worker that is told to stop while it starts stops, once is enough', async () => {
    // A server that says nothing: whoever connects waits.
    const mute = createServer(() => {}).listen(0, '127.0.0.1');
    await once(mute, 'listening');
    const { port: at } = mute.address() as AddressInfo;
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      const worker = new Running(`worker --fabric nats://127.0.0.1:${at} --name early`);
      await once(mute, 'connection');
      expect(await worker.end(signal)).toBe(0);
      expect(worker.text).toContain("'early' was told to stop while it was starting");
    }
    mute.close();
  });

  it('is told what is missing: no cluster, no nats-server, no server, no credentials', async () => {
    expect((await json('cluster up --dir none', 1)).error).toMatchObject({ code: 'E_FILE' });
    await writeFile(join(folder, 'seedless.json'), '{"format":"bedside-credentials"}');
    // Files of before certificates, on whose servers any key could speak for others.
    await writeFile(join(folder, 'old.json'), '{"format":"bedside-credentials","version":1,"seed":"SU"}');
    await mkdir(join(folder, 'old'));
    await writeFile(join(folder, 'old', 'server.conf'), '');
    await writeFile(join(folder, 'old', 'cluster.json'), '{"format":"bedside-cluster","version":1}');
    expect((await json('cluster up --dir old', 1)).error).toMatchObject({
      code: 'E_FILE',
      hint: expect.stringContaining('cluster init --force'),
    });
    for (const [words, says] of [
      ['worker --fabric nats://127.0.0.1:1 --name a', 'cluster up'],
      ['fleet --fabric nats://127.0.0.1:1', 'cluster up'],
      ['worker --credentials seedless.json', 'cluster init'],
      ['worker --credentials old.json', 'cluster init --force'],
      [`worker --fabric nats://localhost:${port} --credentials cluster --name stranger`, 'cluster init'],
    ] as const) {
      const { error } = await json(words, 1);
      expect(error).toMatchObject({ code: 'E_FABRIC', hint: expect.stringContaining(says) });
    }
    const path = process.env.PATH;
    process.env.PATH = folder;
    try {
      const bare = await compileless('cluster up');
      expect(bare).toMatchObject({
        code: 'E_FABRIC',
        hint: expect.stringContaining('apt install nats-server'),
      });
    } finally {
      process.env.PATH = path;
    }
  });
});

/** A run with the environment as it is now. */
async function compileless(words: string): Promise<unknown> {
  const { main } = cli;
  const { stdout } = spawnSync(process.execPath, [main, ...words.split(' '), '--json', '--quiet'], {
    cwd: folder,
    env: { PATH: process.env.PATH },
  });
  return JSON.parse(String(stdout)).error;
}

describe.skipIf(!hasNatsServer)('a ward over NATS', TIMEOUT, () => {
  it('is set up, measured, planned and asked; a worker that is killed is missed; all stop in order', async () => {
    const packed = copyPackedEcg(cli, folder);
    await using up = new Running('cluster up');
    await up.says('the server is ready');
    expect((await json('cluster up')).started).toBe(false);
    // Slow where the input is, so that the other one is worth its link.
    await using source = new Running('worker --credentials cluster --name source --speed .003 --threads 1');
    await using far = new Running('worker --credentials cluster --name far --threads 1 --json');
    await Promise.all([source.says("'source' joined"), far.says('"event":"joined"')]);
    await packed;

    const fabric = `--fabric tls://localhost:${port} --credentials cluster`;
    const refused = await json(`infer ecg --data ecg.npz --limit 2 ${fabric}/credentials/client.json`, 1);
    expect(refused.error).toMatchObject({
      code: 'E_FABRIC',
      message: expect.stringContaining('may not publish'),
    });
    const found = await json(`infer ecg --data ecg.npz --limit 8 ${fabric} --source source`);
    expect(found).toMatchObject({ n: 8, missed: 0, matchesSingleMachine: true, lost: [] });
    expect(found.bytesMoved).toBeGreaterThan(0);
    // What is published may be asked for by clients too.
    const client = await json(
      `infer ecg --data ecg.npz --limit 2 ${fabric}/credentials/client.json --source source`,
    );
    expect(client).toMatchObject({ n: 2, matchesSingleMachine: true });

    const { devices } = await json('fleet --credentials cluster --out fleet.json --source source');
    expect(devices.map(({ name }: { name: string }) => name)).toEqual(['far', 'source']);
    expect(devices[1]).toMatchObject({
      emulated: { speed: 0.003 },
      bundles: [{ name: 'ecg-demo', measured: true }],
    });
    const plan = await json('plan ecg --fleet fleet.json --levels certified');
    expect(plan.status).not.toBe('infeasible');
    const { server, fleet } = await json('cluster status --credentials cluster');
    expect(server).toMatchObject({ tls: true, maxPayload: 8 << 20 });
    expect(fleet).toHaveLength(2);

    await using running = new Running(
      `infer ecg --data ecg.npz --limit 12 --json ${fabric} --source source --deadline 120`,
    );
    await running.says('workers are ready');
    await far.end('SIGKILL');
    await once(running.child, 'close');
    const last = JSON.parse(running.text.slice(running.text.indexOf('{"n"')).split('\n')[0] ?? '');
    expect(last).toMatchObject({ missed: 0, matchesSingleMachine: true, lost: ['far'] });
    expect(last.n).toBe(12);

    // Without the command that started it, the server goes on, and another takes it over.
    const { process: before } = await json('cluster status --credentials cluster');
    expect(before).toMatchObject({ by: up.child.pid, isLeft: false });
    leftBehind = before.pid;
    await up.end('SIGKILL');
    const { process: left } = await json('cluster status --credentials cluster');
    expect(left).toEqual({ ...before, isLeft: true });
    const people = await cli.run('cluster status --credentials cluster'.split(' '), folder);
    expect(people.stdout).toMatch(
      /certificate +EXPIRES .*in 24 days: bedside cluster init --renew-certificates/,
    );
    expect(people.stdout).toContain('left behind by a bedside cluster up that is gone');
    await using other = new Running('cluster up --json');
    await other.says('"takenOver":true');
    expect(other.text).toContain(`"pid":${left.pid}`);
    expect((await json('cluster status --credentials cluster')).process).toMatchObject({
      by: other.child.pid,
      isLeft: false,
    });
    expect(await json('cluster up')).toMatchObject({ started: false, takenOver: false, pid: left.pid });

    // Its key is withdrawn: it is out at once, says so, and still stops in order.
    expect(await json('cluster revoke source')).toMatchObject({
      revoked: [{ role: 'worker', name: 'source', trusted: true }],
      server: { inForce: true, pid: left.pid },
    });
    await source.says('the NATS server refuses these credentials');
    expect(await source.end()).toBe(0);
    expect(source.text).toContain("'source' left");
    expect(
      (await json('fleet --credentials cluster')).devices.map(({ name }: { name: string }) => name),
    ).not.toContain('source');
    expect(await other.end()).toBe(0);
    expect((await json('cluster status --credentials cluster', 1)).error).toMatchObject({
      code: 'E_FABRIC',
      message: expect.stringContaining('no NATS server answers'),
    });
    leftBehind = undefined;
  });
});

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  const { port: free } = server.address() as { port: number };
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return free;
}
