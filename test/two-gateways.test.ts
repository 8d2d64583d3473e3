// Two gateways on one NATS fabric, as processes of their own. One is killed: only its own open requests are lost, with an
// error at their clients, and the other one goes on without a wrong answer.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { assembleModel, openBundle } from 'bedside/bundle';
import { openDataset } from 'bedside/data';
import { createSession, type FloatTensor, tensor } from 'bedside/engine';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Cli, compileCli } from './support/cli.ts';
import { copyPackedEcg } from './support/packed.ts';

const hasNatsServer = spawnSync('nats-server', ['--version']).status === 0;

const INPUT = [1, 256];

/** How an asked request ended. */
type Ended =
  | { readonly status: number; readonly scores: readonly number[]; readonly devices: string }
  | 'gone';

describe.skipIf(!hasNatsServer)('two gateways on one fabric', { timeout: 180_000 }, () => {
  let cli: Cli;
  let folder: string;
  const running: ChildProcess[] = [];
  beforeAll(async () => {
    cli = await compileCli();
    folder = await mkdtemp(join(tmpdir(), 'bedside-two-'));
    await copyPackedEcg(cli, folder);
  }, 180_000);
  afterAll(async () => {
    for (const child of running.reverse()) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
    }
    await rm(folder, { recursive: true, force: true });
  });

  /** Starts a process, and waits for a line of it. */
  async function start(child: ChildProcess, says: RegExp): Promise<string> {
    running.push(child);
    let text = '';
    return new Promise((resolve, reject) => {
      for (const stream of [child.stdout, child.stderr]) {
        stream?.on('data', (chunk) => {
          text += String(chunk);
          const found = says.exec(text);
          if (found) resolve(found[1] ?? '');
        });
      }
      child.once('exit', (code) => reject(new Error(`ended with ${code}:\n${text}`)));
    });
  }

  it('lose only the open requests of the one that is killed', async () => {
    const port = await freePort();
    const fabric = `nats://127.0.0.1:${port}`;
    const nats = ['-a', '127.0.0.1', '-p', String(port), '-js', '-sd', join(folder, 'nats')];
    await start(spawn('nats-server', nats), /(Server is ready)/);
    // Slow workers keep requests open for as long as it takes to kill.
    const words = `worker --fabric ${fabric} --speed 0.02 --name`;
    for (const name of ['one', 'two']) {
      await start(cli.spawn([...words.split(' '), name], folder), /(joined|is there|ready)/i);
    }
    const gateways = await Promise.all(
      ['a', 'b'].map(async () => {
        const child = cli.spawn(
          [
            'serve',
            'ecg',
            '--fabric',
            fabric,
            '--port',
            '0',
            '--levels',
            '0,0,0,0,0,0,0',
            '--no-dashboard',
            '--json',
          ],
          folder,
        );
        return { child, url: await start(child, /"url":"([^"]+)"/) };
      }),
    );
    const [killed, other] = gateways;
    if (!killed || !other) throw new Error('two gateways');
    const { samples, expected } = await unpruned(folder);
    const ask = (url: string, i: number): Promise<Ended> => asked(url, samples[i % samples.length] ?? []);
    const right = (ended: Ended, i: number): boolean =>
      ended !== 'gone' &&
      ended.status === 200 &&
      (expected[i % expected.length] ?? []).every(
        (score, at) => Math.abs(score - (ended.scores[at] ?? 1e9)) < 1e-3,
      );

    expect(right(await ask(killed.url, 0), 0) && right(await ask(other.url, 1), 1)).toBe(true);
    const mine = Array.from({ length: 16 }, (_, i) => ask(killed.url, i));
    const theirs = Array.from({ length: 8 }, (_, i) => ask(other.url, i));
    // One is answered, and the others wait for their turn on a device.
    await Promise.race(mine);
    killed.child.kill('SIGKILL');
    await once(killed.child, 'exit');
    const ended = await Promise.all(mine);
    expect(ended.filter((one) => one === 'gone').length).toBeGreaterThan(4);
    expect(ended.map((one, i) => one === 'gone' || right(one, i))).toEqual(mine.map(() => true));
    const kept = await Promise.all(theirs);
    expect(kept.map(right)).toEqual(kept.map(() => true));
    // The workers do not wait for the one that is gone.
    for (let i = 0; i < 5; i++) expect(right(await ask(other.url, i), i)).toBe(true);
  });
});

async function asked(url: string, data: readonly number[]): Promise<Ended> {
  const body = JSON.stringify({
    inputs: [{ name: 'input', shape: [1, ...INPUT], datatype: 'FP32', data }],
  });
  try {
    const response = await fetch(`${url}/v2/models/ecg-demo/infer`, { method: 'POST', body });
    const answer = (await response.json()) as {
      readonly outputs?: readonly { readonly data: readonly number[] }[];
      readonly parameters?: { readonly devices: string };
    };
    const scores = answer.outputs?.[0]?.data ?? [];
    return { status: response.status, scores, devices: answer.parameters?.devices ?? '' };
  } catch {
    return 'gone';
  }
}

/** Samples, and the scores that the engine gives the unpruned network of the bundle on one machine. */
async function unpruned(folder: string) {
  const bundle = await openBundle(join(folder, 'ecg'));
  const model = assembleModel(
    bundle,
    bundle.manifest.groups.map(() => 0),
  );
  const options = { sampleShape: INPUT, classes: 5, split: 'test', seed: 1 } as const;
  const data = (await openDataset(join(folder, 'ecg.npz'), options)).samples;
  const { input, output } = bundle.manifest.model;
  const size = input.shape.reduce((all, dim) => all * dim, 1);
  const session = await createSession(model, { name: 'unpruned', threads: 1 });
  const samples: number[][] = [];
  const expected: number[][] = [];
  for (let i = 0; i < 8; i++) {
    const sample = data.slice(i * size, (i + 1) * size);
    const result = await session.run({ [input.name]: tensor(sample, [1, ...input.shape]) });
    samples.push(Array.from(sample));
    expected.push(Array.from((result[output.name] as FloatTensor).data));
  }
  await session.release();
  return { samples, expected };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}
