// `bedside infer` on a bundle of the network that the package ships: the contract of --json, how it stops, what it refuses.
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openBundle } from 'bedside/bundle';
import { generateEcg, npyArray, writeNpz } from 'bedside/data';
import { ERROR_CODES } from 'bedside/util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { edfFile } from '../src/data/test-support/edf-file.ts';
import { type Cli, compileCli, smallData } from './support/cli.ts';
import { copyPackedEcg } from './support/packed.ts';

const NUMBER = expect.any(Number) as number;

/** A source too slow for anything but what only it may do, and three helpers. */
function fleet(latency: number, own = 1e5, request = {}): string {
  const device = (name: string, macsPerSecond: number) => ({
    ...{ name, macsPerSecond, memory: 1e9, joulesPerMac: 1e-12, trusted: true },
  });
  return JSON.stringify({
    format: 'bedside-fleet',
    version: 1,
    name: 'test ward',
    source: 'watch',
    devices: [device('watch', own), ...['one', 'two', 'three'].map((name) => device(name, 1e7))],
    network: { channel: 'independent', bytesPerSecond: 1e8, latency },
    request,
  });
}

let cli: Cli;
let folder: string;
beforeAll(async () => {
  cli = await compileCli();
  folder = await mkdtemp(join(tmpdir(), 'bedside-infers-'));
  await copyPackedEcg(cli, folder);
  const { size, sampleShape, samples } = generateEcg({ perClass: 25, seed: 5 });
  const x = npyArray([size, ...sampleShape], samples);
  await writeFile(join(folder, 'unlabelled.npz'), writeNpz({ x }));
  await writeFile(join(folder, 'images.npz'), smallData(4));
  const signal = Float32Array.from({ length: 360 * 30 }, (_, at) => Math.sin(at / 7));
  const lead = { label: 'ECG II', unit: 'mV', perRecord: 360, samples: signal };
  await writeFile(join(folder, 'night.edf'), edfFile({ signals: [lead] }));
  await writeFile(join(folder, 'fleet.json'), fleet(0));
  await writeFile(join(folder, 'far.json'), fleet(0.2));
  await writeFile(join(folder, 'dream.json'), fleet(0, 1e15, { deadline: 1e-4 }));
}, 180_000);
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

// Generous: tests wait for each other's processes.
const TIMEOUT = { timeout: 180_000 };

const run = (words: string) => cli.run([...words.split(' '), '--json', '--quiet'], folder);

// biome-ignore lint/suspicious/noExplicitAny: JSON of many shapes, looked into by each test
async function json(words: string): Promise<any> {
  const { status, stdout, stderr } = await run(words);
  expect({ status, stderr, stdout: status === 0 ? '' : stdout }).toEqual({
    status: 0,
    stderr: '',
    stdout: '',
  });
  return JSON.parse(stdout);
}

describe('infer', TIMEOUT, () => {
  it.concurrent('answers as one machine does', async () => {
    const found = await json('infer ecg --data ecg.npz --limit 20');
    expect(found).toMatchObject({
      n: 20,
      missed: 0,
      matchesSingleMachine: true,
      msPerRequest: NUMBER,
      p95: NUMBER,
      bytesMoved: NUMBER,
      fallbacks: 0,
      unsure: 0,
      batches: 0,
      adapted: 0,
      replanned: 0,
      lost: [],
    });
    const { variants } = (await openBundle(join(folder, 'ecg'))).manifest;
    expect(variants[found.variant]?.levels).toEqual(found.levels);
    expect(found.devices.map(({ name }: { name: string }) => name)).toEqual(['worker-1', 'worker-2']);
  });

  it.concurrent("spreads stages over a fleet, at levels of one's own, with the accuracy that evaluate finds", async () => {
    const levels = '1,0,2,1,0,1,2';
    const [found, evaluated] = await Promise.all([
      json(`infer ecg --data ecg.npz --fleet fleet.json --levels ${levels} --limit 30`),
      json(`evaluate ecg --data ecg.npz --levels ${levels} --limit 30`),
    ]);
    expect(found).toMatchObject({ n: 30, matchesSingleMachine: true, accuracy: evaluated.accuracy });
    expect(found.levels.join()).toBe(levels);
    const devices = new Set(
      found.stages.flatMap(({ segments }: { segments: { device: string }[] }) =>
        segments.map((s) => s.device),
      ),
    );
    expect(devices.size).toBeGreaterThan(2);
    expect(found.bytesMoved).toBeGreaterThan(0);
    // Only what crosses between devices counts, and each request moves the same.
    expect(found.bytesMoved % 30).toBe(0);
  });

  it.concurrent('runs unsure answers again unpruned, several at a time as one batch', async () => {
    const words = 'infer ecg --data ecg.npz --limit 20 --workers 1 --batch 5 --levels';
    const [again, unpruned] = await Promise.all([
      json(`${words} 2,2,2,2,2,2,2 --fallback-margin 1 --measure --adapt`),
      json(`${words} 0,0,0,0,0,0,0`),
    ]);
    expect(again).toMatchObject({ n: 20, unsure: 0, matchesSingleMachine: true });
    // Hardly anything is as sure as that.
    expect(again.fallbacks).toBeGreaterThan(15);
    expect(again.accuracy).toBe(unpruned.accuracy);
    expect(again.levels).toEqual([2, 2, 2, 2, 2, 2, 2]);
    expect([again.batches, unpruned.batches]).toEqual([8, 4]);
  });

  it.concurrent('takes samples without labels: agreement with the unpruned network stands in', async () => {
    const levels = '0,0,0,0,0,0,0';
    const found = await json(`infer ecg --data unlabelled.npz --levels ${levels} --limit 5 --workers 1`);
    expect(found).toMatchObject({ n: 5, accuracy: 1, matchesSingleMachine: true, bytesMoved: 0 });
    const words = `infer ecg --data unlabelled.npz --levels ${levels} --limit 2 --workers 1 --quiet`;
    const { stdout } = await cli.run(words.split(' '), folder);
    expect(stdout).toMatch(
      /agreement +100\.0 % of 2 samples with the unpruned network, as nothing labels them/,
    );
    expect(stdout).not.toContain('accuracy');
  });

  it.concurrent('says that of a recording without labels a third is answered, and takes all where asked', async () => {
    const words = 'infer ecg --data night.edf --workers 1 --levels 0,0,0,0,0,0,0';
    const [part, all] = await Promise.all([json(words), json(`${words} --split all`)]);
    // 30 s of 360 samples hold 42 windows of 256.
    expect([part.n, all.n]).toEqual([14, 42]);
    const third = expect.stringMatching(/^only the test split is answered.*--split all/);
    expect(part.remarks).toContainEqual(third);
    expect(all.remarks).not.toContainEqual(third);
  });

  it.concurrent('tells people which device did what', async () => {
    // One worker: which of two is planned depends on what they took.
    const words = 'infer ecg --data ecg.npz --limit 3 --workers 1 --quiet';
    const { status, stdout } = await cli.run(words.split(' '), folder);
    expect(status).toBe(0);
    for (const part of [/of 3 samples/, /gives the same/, /a request/, /worker-1 +0 1 2 3 4/]) {
      expect(stdout).toMatch(part);
    }
  });

  it('on an interrupt ends the request that runs, tells what was done, and stops', async () => {
    const words = 'infer ecg --data ecg.npz --fleet far.json --json';
    const child = cli.spawn(words.split(' '), folder);
    const [out, err]: [string[], string[]] = [[], []];
    child.stdout?.on('data', (chunk) => out.push(String(chunk)));
    child.stderr?.on('data', (chunk) => {
      err.push(String(chunk));
      if (String(chunk).includes('workers are ready')) child.kill('SIGINT');
    });
    const [status] = await once(child, 'close');
    expect({ status, err: err.join('') }).toMatchObject({
      status: 130,
      err: expect.stringContaining('once more stops at once'),
    });
    const { n, lost } = JSON.parse(out.join(''));
    expect(n).toBeLessThan(125);
    expect(lost).toEqual([]);
  });
});

describe('what infer refuses', TIMEOUT, () => {
  it.concurrent.each([
    [
      'a NATS server that is not there',
      'ecg --data ecg.npz --fabric nats://127.0.0.1:1',
      'E_FABRIC',
      'cluster up',
    ],
    ['workers to start on NATS', 'ecg --data ecg.npz --fabric nats://a --workers 2', 'E_USAGE', '--workers'],
    [
      'credentials for processes of this machine',
      'ecg --data ecg.npz --credentials x',
      'E_USAGE',
      '--fabric',
    ],
    ['an unknown fabric', 'ecg --data ecg.npz --fabric smoke', 'E_USAGE', "'smoke'"],
    ['workers and a fleet', 'ecg --data ecg.npz --workers 2 --fleet fleet.json', 'E_USAGE', 'not both'],
    ['no workers', 'ecg --data ecg.npz --workers 0', 'E_USAGE', '--workers'],
    ['an empty batch', 'ecg --data ecg.npz --batch 0', 'E_USAGE', '--batch'],
    ['a margin above 1', 'ecg --data ecg.npz --fallback-margin 2', 'E_USAGE', '--fallback-margin'],
    ['no data', 'ecg', 'E_USAGE', '--data'],
    ['levels of another bundle', 'ecg --data ecg.npz --levels 0,1', 'E_LEVELS', '7 groups'],
    ['levels that are none', 'ecg --data ecg.npz --levels some', 'E_USAGE', '--levels'],
    ['data of another shape', 'ecg --data images.npz', 'E_DATA_FIT', 'images.npz'],
    [
      'a deadline that no plan keeps',
      'ecg --data ecg.npz --deadline .000002',
      'E_REQUEST',
      'the deadline of 2 µs is too tight',
    ],
    [
      'a deadline that no worker keeps',
      'ecg --data ecg.npz --limit 3 --fleet dream.json',
      'E_DEADLINE',
      'within 0.0001 s',
    ],
    ['no bundle', 'none --data ecg.npz', 'E_BUNDLE', 'none'],
  ])('%s', async (_, words, code, says) => {
    const { status, stdout, stderr } = await run(`infer ${words}`);
    const { error } = JSON.parse(stdout);
    expect(error).toMatchObject({ code, hint: expect.any(String) });
    expect(ERROR_CODES).toContain(error.code);
    expect(`${error.message}\n${error.hint}`).toContain(says);
    expect({ status, stderr }).toEqual({ status: code === 'E_USAGE' ? 2 : 1, stderr: '' });
  });
});
