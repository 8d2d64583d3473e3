// `bedside plan` from its options to what it prints, on a bundle of a small network and the example ward.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { SOLVERS } from '../../../app/index.ts';
import { writeBundle } from '../../../bundle/internal.ts';
import { contentsOf } from '../../../bundle/test-support/contents.ts';
import type { Model } from '../../../onnx/index.ts';
import { floatConstant, GraphBuilder, ints } from '../../../onnx/internal.ts';
import { Random } from '../../../util/internal.ts';
import { runCommandLine } from '../../program.ts';

const WARD = fileURLToPath(new URL('../../../../examples/fleets/ward.json', import.meta.url));

let folder: string;
let bundle: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bedside-plan-'));
  bundle = join(folder, 'bundle');
  await writeBundle(
    bundle,
    contentsOf(chain(), {
      name: 'small',
      variants: [
        [1, 1, 1],
        [3, 3, 3],
      ],
    }),
  );
});
afterAll(() => rm(folder, { recursive: true, force: true }));
afterEach(() => {
  vi.restoreAllMocks();
});

/** Runs the command line in this process. */
async function run(words: readonly string[]): Promise<{ status: number; stdout: string; stderr: string }> {
  const text = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    vi.spyOn(process[name], 'write').mockImplementation((chunk) => {
      text[name] += chunk;
      return true;
    });
  }
  const status = await runCommandLine(['plan', ...words]);
  vi.restoreAllMocks();
  return { status, ...text };
}

// biome-ignore lint/suspicious/noExplicitAny: JSON of many shapes, looked into by each test
async function json(...words: string[]): Promise<any> {
  const { status, stdout, stderr } = await run([bundle, '--fleet', WARD, ...words, '--json', '--quiet']);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return JSON.parse(stdout);
}

describe('bedside plan', () => {
  it('prints the contract', async () => {
    const found = await json('--accuracy-floor', '.7');
    expect(found).toMatchObject({
      status: expect.stringMatching(/^(optimal|gap)$/),
      solver: 'exact',
      deadline: 0.25,
      accuracyFloor: 0.7,
      seconds: expect.any(Number),
    });
    expect(found.gap).toBeGreaterThanOrEqual(0);
    expect(found.bound).toBeLessThanOrEqual(found.objective + 1e-9);
    expect(found.latency).toBeLessThanOrEqual(0.25);
    expect(found.accuracy).toBeGreaterThanOrEqual(0.7);
    expect(found.stages.map((stage: { index: number }) => stage.index)).toEqual([0, 1, 2, 3]);
    expect(found.stages[0].segments).toEqual([{ device: 'gateway', from: 0, to: expect.any(Number) }]);
    expect(found.levels).toHaveLength(3);
    expect(Object.keys(found.baselines)).toEqual(['local', 'distribute-only', 'prune-only']);
    for (const row of Object.values<{ objective: number | null }>(found.baselines)) {
      if (row.objective !== null) expect(row.objective).toBeGreaterThanOrEqual(found.objective - 1e-6);
    }
  });

  it.each(SOLVERS)('--solver %s gives a plan that is no better than the exact one', async (solver) => {
    const best = await json('--accuracy-floor', '.5');
    const found = await json('--accuracy-floor', '.5', '--solver', solver);
    expect(found.solver).toBe(solver);
    if (found.status === 'unknown') expect(found).toMatchObject({ objective: null, gap: null, stages: [] });
    else expect(found.objective).toBeGreaterThanOrEqual(best.objective - 1e-6);
  });

  it('--levels certified keeps to a measured variant', async () => {
    const found = await json('--levels', 'certified', '--accuracy-floor', '.5');
    expect(found.variant).toBeGreaterThanOrEqual(0);
    expect([
      [0, 0, 0],
      [1, 1, 1],
      [3, 3, 3],
    ]).toContainEqual(found.levels);
    expect(found.accuracy).toBe(0.9);
  });

  it('the same request gives the same plan', async () => {
    const [{ seconds: _, ...first }, { seconds: __, ...second }] = [await json(), await json()];
    expect(second).toEqual(first);
  });

  it('an infeasible request names what binds and what would help', async () => {
    const found = await json('--deadline', '.00001');
    expect(found).toMatchObject({
      status: 'infeasible',
      objective: null,
      latency: null,
      gap: null,
      stages: [],
    });
    expect(found.diagnosis.relaxations[0]).toMatchObject({ constraint: 'deadline', from: 0.00001 });
    expect(found.diagnosis.text).toMatch(/^the deadline of 10 µs is too tight: needs a deadline of /);
    const { status, stdout } = await run([bundle, '--fleet', WARD, '--deadline', '.00001', '--quiet']);
    expect(status).toBe(0);
    expect(stdout).toContain('infeasible, proven: the deadline');
    expect(stdout).toContain('breaks deadline');
  });

  it('a request file goes before the fleet, and options before it', async () => {
    const file = join(folder, 'request.json');
    await writeFile(file, JSON.stringify({ deadline: 0.2, accuracyFloor: 0.6, privacy: 'strict' }));
    expect(await json('--request', file)).toMatchObject({ deadline: 0.2, accuracyFloor: 0.6 });
    expect(await json('--request', file, '--deadline', '.3')).toMatchObject({
      deadline: 0.3,
      accuracyFloor: 0.6,
    });
  });

  it('for people: stages, a timeline, devices, totals beside the baselines', async () => {
    const { status, stdout } = await run([bundle, '--fleet', WARD, '--quiet']);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^small on ward: within 250 ms/);
    for (const word of [
      'gateway [0, ',
      '#',
      'receives',
      'of memory',
      'local',
      'distribute-only',
      'prune-only',
    ]) {
      expect(stdout).toContain(word);
    }
    // One row a stage.
    for (const l of [0, 1, 2, 3]) expect(stdout).toMatch(new RegExp(`^ +${l} {2}\\w`, 'm'));
  });

  it('--export writes the program', async () => {
    const file = join(folder, 'small.lp');
    await json('--export', file);
    expect(await readFile(file, 'utf8')).toMatch(/minimi[sz]e[\s\S]*subject to[\s\S]*end/i);
  });
});

describe('bad input', () => {
  const fleet = (change: (ward: Record<string, unknown>) => void) => async (): Promise<string> => {
    const ward = JSON.parse(await readFile(WARD, 'utf8'));
    change(ward);
    const file = join(folder, 'fleet.json');
    await writeFile(file, JSON.stringify(ward));
    return file;
  };
  const cases: [string, string[], (() => Promise<string>) | undefined, string, RegExp][] = [
    ['a time limit of 0', ['--time-limit', '0'], undefined, 'E_USAGE', /--time-limit.*seconds above 0/],
    ['a negative deadline', ['--deadline=-1'], undefined, 'E_USAGE', /--deadline.*seconds above 0/],
    ['a floor above 1', ['--accuracy-floor', '96'], undefined, 'E_USAGE', /accuracy-floor.*\[0, 1\]/],
    ['an unknown solver', ['--solver', 'simplex'], undefined, 'E_USAGE', /exact, beam/],
    [
      'a policy for another solver',
      ['--policy', 'p.onnx'],
      undefined,
      'E_USAGE',
      /no meaning with --solver exact/,
    ],
    [
      'a policy that is not there',
      ['--solver', 'policy', '--policy', 'none.onnx'],
      undefined,
      'E_FILE',
      /none\.onnx/,
    ],
    [
      'a policy that is another model',
      ['--solver', 'policy', '--policy', 'models/ecg-demo.onnx'],
      undefined,
      'E_MODEL',
      /not a policy/,
    ],
    [
      'an unknown device',
      [],
      fleet((ward) => Object.assign(ward, { source: 'nobody' })),
      'E_FLEET',
      /'nobody'/,
    ],
    [
      'a missing link',
      [],
      fleet((ward) => Object.assign(ward, { network: { channel: 'shared' } })),
      'E_FLEET',
      /no link from 'gateway' to 'tablet-1'/,
    ],
    [
      'a fleet that is not there',
      [],
      () => Promise.resolve(join(folder, 'none.json')),
      'E_FILE',
      /none\.json/,
    ],
  ];
  it.each(cases)('%s', async (_, words, make, code, message) => {
    const file = make ? await make() : WARD;
    const { status, stdout } = await run([bundle, '--fleet', file, ...words, '--json', '--quiet']);
    const { error } = JSON.parse(stdout);
    expect({ code: error.code, status }).toEqual({ code, status: code === 'E_USAGE' ? 2 : 1 });
    expect(`${error.message} ${error.hint}`).toMatch(message);
    expect(error.hint).toBeTruthy();
  });

  it('a bundle that is none, and one without costs', async () => {
    const { stdout } = await run([folder, '--fleet', WARD, '--json', '--quiet']);
    expect(JSON.parse(stdout).error.code).toMatch(/^E_BUNDLE/);
    const free = contentsOf(chain());
    const layers = free.manifest.layers.map((layer) => ({ ...layer, macs: 0 }));
    const path = join(folder, 'free');
    const written = writeBundle(path, { ...free, manifest: { ...free.manifest, layers } });
    const error = await written.then(
      async () => JSON.parse((await run([path, '--fleet', WARD, '--json', '--quiet'])).stdout).error,
      (cause) => cause,
    );
    expect(error.code).toBe('E_BUNDLE');
    expect(error.message).toMatch(/macs|multiply-accumulates/);
  });
});

/** Four 1-D convolutions, all but the last followed by a Relu, and a mean over time. */
function chain(): Model {
  const random = new Random(5);
  const builder = new GraphBuilder();
  const weights = (dims: readonly number[]): string => {
    const length = dims.reduce((product, size) => product * size, 1);
    return builder.constant(
      floatConstant(
        Float32Array.from({ length }, () => random.normal()),
        dims,
      ),
      'weight',
    );
  };
  const conv = (x: string, from: number, to: number): string =>
    builder.node(
      'Conv',
      [x, weights([to, from, 3]), weights([to])],
      { kernel_shape: ints([3]), pads: ints([1, 1]) },
      'conv',
    );
  let value = builder.input('signal', ['batch', 1, 512]);
  let channels = 1;
  for (const next of [16, 32, 32]) {
    value = builder.node('Relu', [conv(value, channels, next)]);
    channels = next;
  }
  const scores = conv(value, channels, 3);
  builder.output(builder.node('Flatten', [builder.node('GlobalAveragePool', [scores])]), ['batch', 3]);
  return builder.model();
}
