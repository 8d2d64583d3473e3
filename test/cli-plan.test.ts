// `bedside plan` and `bedside simulate` on a bundle that `bedside pack` wrote: the contract of --json, their files, and what
// they refuse.
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openBundle } from 'bedside/bundle';
import { parseFleet } from 'bedside/plan';
import { ERROR_CODES } from 'bedside/util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Cli, compileCli, writeSmall } from './support/cli.ts';

const WARD = fileURLToPath(new URL('../examples/fleets/ward.json', import.meta.url));
const NUMBER = expect.any(Number) as number;

let cli: Cli;
let folder: string;
beforeAll(async () => {
  cli = await compileCli();
  folder = await mkdtemp(join(tmpdir(), 'bedside-plans-'));
  await writeSmall(folder);
  const words =
    'pack model.onnx --data data.npz --out bundle --criterion l1 --block 1 --variants 6 --max-positions 300 --no-measure';
  const { status, stdout } = await cli.run(
    [...words.split(' '), '--threads', '1', '--json', '--quiet'],
    folder,
  );
  expect({ status, stdout }).toMatchObject({ status: 0 });
}, 180_000);
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

// Generous: tests wait for each other's processes.
const TIMEOUT = { timeout: 180_000 };

const run = (words: string) => cli.run([...words.split(' '), '--json', '--quiet'], folder);

describe('plan', TIMEOUT, () => {
  it.concurrent('prints one object, the same on every run', async () => {
    const words = `plan bundle --fleet ${WARD} --accuracy-floor .1`;
    const [first, second] = await Promise.all([run(words), run(words)]);
    expect({ status: first.status, stderr: first.stderr }).toEqual({ status: 0, stderr: '' });
    const found = JSON.parse(first.stdout);
    expect(found).toMatchObject({ status: 'optimal', gap: 0, seconds: NUMBER, energy: NUMBER });
    expect(found.bound).toBeCloseTo(found.objective, 6);
    const { manifest } = await openBundle(join(folder, 'bundle'));
    const names = parseFleet(await readFile(WARD, 'utf8')).devices.map(({ name }) => name);
    expect(found.stages).toHaveLength(manifest.stages.length);
    for (const [index, stage] of found.stages.entries()) {
      expect(stage).toMatchObject({ index, level: NUMBER });
      // Segments are contiguous, from channel 0 on.
      let channel = 0;
      for (const { device, from, to } of stage.segments) {
        expect(names).toContain(device);
        expect([from, to > from]).toEqual([channel, true]);
        channel = to;
      }
    }
    const { seconds: _, ...again } = JSON.parse(second.stdout);
    expect(found).toMatchObject(again);
  });

  it.concurrent('certified levels are those of a variant', async () => {
    const { stdout } = await run(`plan bundle --fleet ${WARD} --levels certified --accuracy-floor .1`);
    const { variants } = (await openBundle(join(folder, 'bundle'))).manifest;
    const found = JSON.parse(stdout);
    expect(found.levels).toEqual(variants[found.variant]?.levels);
    expect(found.accuracy).toBe(variants[found.variant]?.accuracy);
  });

  it.concurrent('the raw input stays on the source, unless it may go to trusted devices', async () => {
    const words = `plan bundle --fleet ${WARD} --accuracy-floor .1`;
    const [kept, sent, wrong] = await Promise.all([
      run(`${words} --raw-input source`),
      run(`${words} --raw-input trusted`),
      run(`${words} --raw-input anywhere`),
    ]);
    const { source, devices } = parseFleet(await readFile(WARD, 'utf8'));
    const trusted = devices.filter((device) => device.trusted).map(({ name }) => name);
    const [before, after] = [JSON.parse(kept.stdout), JSON.parse(sent.stdout)];
    expect(before.stages[0]).toMatchObject({ segments: [{ device: devices[source]?.name }], bytes: 0 });
    expect(trusted).toContain(after.stages[0].segments[0].device);
    expect(after.stages).toHaveLength(before.stages.length);
    expect(after.objective).toBeLessThanOrEqual(before.objective + 1e-9);
    expect([wrong.status, wrong.stdout]).toEqual([2, expect.stringContaining('E_USAGE')]);
  });

  it.concurrent('an infeasible request is an answer, with what would help', async () => {
    const { status, stdout } = await run(`plan bundle --fleet ${WARD} --deadline .000002`);
    expect(status).toBe(0);
    const found = JSON.parse(stdout);
    expect(found).toMatchObject({ status: 'infeasible', objective: null, stages: [] });
    expect(found.diagnosis.relaxations.length).toBeGreaterThan(0);
    expect(found.diagnosis.text).toContain('is too tight: needs ');
  });

  it.concurrent('--data measures free levels before they may run, and adds them to the bundle', async () => {
    await cp(join(folder, 'bundle'), join(folder, 'measured'), { recursive: true });
    const before = (await openBundle(join(folder, 'measured'))).manifest.variants.length;
    const words = `plan measured --fleet ${WARD} --data data.npz --per-class 4 --accuracy-floor`;
    const { manifest: own } = await openBundle(join(folder, 'bundle'));
    const { stdout } = await run(`${words} ${own.accuracy.unpruned - 0.05}`);
    const { proposals, ...found } = JSON.parse(stdout);
    const { variants } = (await openBundle(join(folder, 'measured'))).manifest;
    expect(variants.length).toBeGreaterThanOrEqual(before);
    expect(proposals.length).toBeGreaterThan(0);
    for (const { levels, variant, accuracy } of proposals) {
      expect(variants[variant]).toMatchObject({ levels, accuracy });
    }
    expect(variants[found.variant]?.levels).toEqual(found.levels);
    expect(variants[found.variant]?.accuracy).toBe(found.accuracy);
    expect(found.accuracy).toBeGreaterThanOrEqual(found.accuracyFloor);
  });

  it.concurrent('--export writes a program that names stages and devices', async () => {
    const { status } = await run(`plan bundle --fleet ${WARD} --solver beam --export plan.lp`);
    expect(status).toBe(0);
    const text = await readFile(join(folder, 'plan.lp'), 'utf8');
    expect(text).toMatch(/^\\[\s\S]*^Minimize$[\s\S]*^Subject To$[\s\S]*^End$/m);
    expect(text).toContain('stage1.on.tablet');
  });
});

describe('simulate', TIMEOUT, () => {
  const ward = 'simulate bundle --solver exact,beam,static,random,local --requests 40';

  it.concurrent('prints one object, the same on every run', async () => {
    const [first, second] = await Promise.all([run(ward), run(ward)]);
    expect({ status: first.status, stderr: first.stderr }).toEqual({ status: 0, stderr: '' });
    expect(second.stdout).toBe(first.stdout);
    const found = JSON.parse(first.stdout);
    expect(found).toMatchObject({ place: 'ward', requests: 40, seed: 1, decisionTime: 'counted' });
    expect(found.rows.map(({ solver }: { solver: string }) => solver)).toEqual([
      'exact',
      'beam',
      'static',
      'random',
      'local',
    ]);
    for (const row of found.rows) {
      expect(row.served + row.late + row.lost + row.refused).toBe(40);
      for (const key of ['objective', 'violations', 'decisionMs']) expect(row[key]).toEqual(NUMBER);
    }
    expect(found.rows[0]).toMatchObject({ toExact: 0, latency: NUMBER, energy: NUMBER, accuracy: NUMBER });
    expect(found.rows[0].violations).toBe(0);
  });

  it.concurrent('records a trace whose replay is what was recorded', async () => {
    const options = '--solver beam --requests 15 --rate 20 --preset clinic';
    const lived = await run(`simulate bundle ${options} --record clinic.jsonl`);
    const replayed = await run('simulate bundle --solver beam --replay clinic.jsonl --preset clinic');
    const [one, other] = [lived, replayed].map(({ stdout }) => JSON.parse(stdout).rows[0]);
    expect(other.served).toBe(one.served);
    expect(other.latency).toBeCloseTo(one.latency, 9);
    expect(other.objective).toBeCloseTo(one.objective, 9);
  });

  it.concurrent('people get a table, and the course over time', async () => {
    const words = `simulate bundle --fleet ${WARD} --requests 30 --solver static,local --quiet`;
    const { status, stdout } = await cli.run(words.split(' '), folder);
    expect(status).toBe(0);
    expect(stdout).toContain('ward, moving as ward: 30 requests, seed 1');
    expect(stdout).toMatch(/^solver +objective +latency/m);
    expect(stdout).toMatch(/^static +\|.{48}\|$/m);
  });

  it.concurrent.each([
    ['an unknown solver', '--solver magic', 'E_USAGE', "'magic' is none of policy"],
    ['an unknown place', '--preset moon', 'E_USAGE', 'Allowed choices are ward'],
    ['two worlds', `--replay bad.jsonl --fleet ${WARD}`, 'E_USAGE', "'--fleet' cannot be used"],
    ['a trace that is none', '--replay bad.jsonl', 'E_TRACE', 'bad.jsonl, line 2'],
    ['the same bundle twice', 'bundle', 'E_USAGE', 'two of the bundles'],
  ])('refuses %s', async (_, words, code, says) => {
    await writeFile(join(folder, 'bad.jsonl'), '{"format":"bedside-trace","version":1}\n{');
    const { status, stdout, stderr } = await run(`simulate bundle ${words}`);
    const { error } = JSON.parse(stdout);
    expect(error).toMatchObject({ code, hint: expect.any(String) });
    expect(`${error.message}\n${error.hint}`).toContain(says);
    expect({ status, stderr }).toEqual({ status: code === 'E_USAGE' ? 2 : 1, stderr: '' });
  });
});

describe('what plan refuses', TIMEOUT, () => {
  beforeAll(async () => {
    const ward = JSON.parse(await readFile(WARD, 'utf8'));
    const write = (name: string, change: object) =>
      writeFile(join(folder, name), JSON.stringify({ ...ward, ...change }));
    await write('unlinked.json', { network: { channel: 'shared' } });
    await write('absurd.json', { devices: [{ ...ward.devices[0], memory: -1 }, ...ward.devices.slice(1)] });
    await writeFile(join(folder, 'request.json'), '{"maxSeen": [0, 1]}');
  });

  it.concurrent.each([
    ['a time limit of 0', `--fleet ${WARD} --time-limit 0`, 'E_USAGE', '--time-limit'],
    ['a missing fleet', '', 'E_USAGE', '--fleet'],
    ['a fleet with a missing link', '--fleet unlinked.json', 'E_FLEET', "from 'gateway' to 'tablet-1'"],
    ['a negative memory', '--fleet absurd.json', 'E_FLEET', 'devices[0].memory (gateway) is -1'],
    ['a fleet that is no fleet', '--fleet bundle/bundle.json', 'E_FLEET', 'bedside-fleet'],
    ['shares of other stages', `--fleet ${WARD} --request request.json`, 'E_REQUEST', 'maxSeen has 2 shares'],
    [
      'a policy that is none',
      `--fleet ${WARD} --solver policy --policy bundle/model.onnx`,
      'E_FILE',
      'policy',
    ],
    [
      'a policy for another solver',
      `--fleet ${WARD} --policy p.onnx`,
      'E_USAGE',
      'no meaning with --solver exact',
    ],
    ['data for measured levels', `--fleet ${WARD} --levels certified --data data.npz`, 'E_USAGE', '--data'],
    ['an output that is a folder', `--fleet ${WARD} --export bundle`, 'E_OUTPUT', 'bundle'],
  ])('%s', async (_, words, code, says) => {
    const { status, stdout, stderr } = await run(`plan bundle ${words}`.trim());
    const { error } = JSON.parse(stdout);
    expect(error).toMatchObject({ code, hint: expect.any(String) });
    expect(ERROR_CODES).toContain(error.code);
    expect(`${error.message}\n${error.hint}`).toContain(says);
    expect({ status, stderr }).toEqual({ status: code === 'E_USAGE' ? 2 : 1, stderr: '' });
  });

  it.concurrent('a model instead of a bundle', async () => {
    const { status, stdout } = await run(`plan model.onnx --fleet ${WARD}`);
    expect({ status, code: JSON.parse(stdout).error.code }).toEqual({
      status: 1,
      code: expect.stringMatching(/^E_(BUNDLE|FILE)/),
    });
  });
});
