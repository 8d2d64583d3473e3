// What every command prints under --json, and what it writes, on a small network and data built in code.
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readNpz } from 'bedside/data';
import { loadModel, type Model, modelCosts, writeModel } from 'bedside/onnx';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { floatConstant, GraphBuilder } from '../src/onnx/internal.ts';
import { CHANNELS, CLASSES, type Cli, compileCli, writeSmall } from './support/cli.ts';

let cli: Cli;
beforeAll(async () => {
  cli = await compileCli();
});

// Multiply-accumulates by hand: an 8 x 8 image, 3 x 3 kernels, 1 -> 16 -> 16 channels, then 16 -> 3.
const MACS = 64 * 9 * (CHANNELS + CHANNELS * CHANNELS) + CHANNELS * CLASSES;
const PARAMETERS = 9 * (CHANNELS + CHANNELS * CHANNELS) + 2 * CHANNELS + CHANNELS * CLASSES;
const LAYERS = [CHANNELS, CHANNELS, CLASSES];
const COMMANDS = [
  'inspect',
  'init',
  'evaluate',
  'explain',
  'compare',
  'prune',
  'quantize',
  'pack',
  'plan',
  'simulate',
  'infer',
  'detect',
  'stream',
  'demo',
];
const NUMBER = expect.any(Number) as number;
const fraction = (value: number) => value >= 0 && value <= 1;

// Generous: tests wait for each other's processes.
const TIMEOUT = { timeout: 180_000 };

describe('the contract of --json', TIMEOUT, () => {
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'bedside-contract-'));
    await writeSmall(folder);
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  // biome-ignore lint/suspicious/noExplicitAny: JSON of many shapes, looked into by each test
  async function json(words: string): Promise<any> {
    const { status, stdout, stderr } = await cli.run([...words.split(' '), '--json', '--quiet'], folder);
    expect({ status, stderr, lines: stdout.trim().split('\n').length }).toEqual({
      status: 0,
      stderr: '',
      lines: 1,
    });
    return JSON.parse(stdout);
  }

  it.concurrent('inspect', async () => {
    const found = await json('inspect model.onnx --seed 3');
    expect(found).toMatchObject({
      inputs: [{ name: 'image', type: 'float32', shape: ['batch', 1, 8, 8] }],
      outputs: [{ type: 'float32', shape: ['batch', CLASSES] }],
      macs: MACS,
      parameters: PARAMETERS,
      layers: [
        { op: 'Conv', channels: CHANNELS, macs: 64 * 9 * CHANNELS, group: 0 },
        { op: 'Conv', channels: CHANNELS, macs: 64 * 9 * CHANNELS * CHANNELS, group: 1 },
        {
          op: 'Gemm',
          channels: CLASSES,
          macs: CHANNELS * CLASSES,
          group: null,
          reason: expect.stringMatching(/output/),
        },
      ],
      unknown: [],
      uncounted: [],
      unsized: [],
    });
    const names = found.layers.map(({ name }: { name: string }) => name);
    expect(found.groups).toMatchObject([
      { id: 0, channels: CHANNELS, layers: [names[0]] },
      { id: 1, channels: CHANNELS, layers: [names[1]] },
    ]);
    expect(found.stages.map(({ index }: { index: number }) => index)).toEqual([0, 1, 2]);
    expect(found.stages[0]).toEqual({
      index: 0,
      nodes: expect.arrayContaining([names[0]]),
      macs: 64 * 9 * CHANNELS,
      weightBytes: 4 * 10 * CHANNELS,
      outputBytes: 4 * 64 * CHANNELS,
    });
  });

  it.concurrent('evaluate', async () => {
    const found = await json('evaluate model.onnx --data data.npz');
    expect(found).toMatchObject({ n: 60, macs: MACS, uncounted: [], msPerSample: NUMBER });
    expect(found.recall).toHaveLength(CLASSES);
    // Classes have 20 images each, so both kinds of accuracy are the mean recall.
    const mean = found.recall.reduce((sum: number, value: number) => sum + value, 0) / CLASSES;
    expect(found.balancedAccuracy).toBeCloseTo(mean, 12);
    expect(found.accuracy).toBeCloseTo(mean, 12);
  });

  it.concurrent('evaluate on chosen classes and a limit', async () => {
    const found = await json('evaluate model.onnx --data data.npz --classes 0,2 --per-class 7');
    expect(found.n).toBe(14);
    expect(found.recall[1]).toBeNull();
  });

  it.concurrent('explain', async () => {
    const found = await json('explain model.onnx --data data.npz');
    expect(found).toMatchObject({
      criterion: 'lrp-gamma',
      target: 'label',
      samples: 60,
      msPerSample: NUMBER,
      forwardMsPerSample: NUMBER,
    });
    expect(found.layers.map(({ scores }: { scores: number[] }) => scores.length)).toEqual(LAYERS);
  });

  it.concurrent('explain --per-sample --out F.npz', async () => {
    const mean = await json('explain model.onnx --data data.npz --criterion lrp-zplus --target predicted');
    const found = await json(
      'explain model.onnx --data data.npz --criterion lrp-zplus --target predicted --per-sample --batch 7 --out s.npz',
    );
    expect(found).toMatchObject({ out: 's.npz', target: 'predicted', samples: 60 });
    const arrays = await readNpz(join(folder, 's.npz'));
    expect([...arrays.keys()]).toEqual(['layer00', 'layer01', 'layer02', '_targets']);
    LAYERS.forEach((channels, i) => {
      const array = arrays.get(`layer0${i}`);
      expect(array?.shape).toEqual([60, channels]);
      for (let channel = 0; channel < channels; channel++) {
        let sum = 0;
        for (let k = 0; k < 60; k++) sum += Math.abs(Number(array?.data[k * channels + channel]));
        expect(sum / 60).toBeCloseTo(mean.layers[i].scores[channel], 4);
      }
    });
    // Relevance starts as 1 at the explained class and 0 elsewhere.
    const targets = arrays.get('_targets');
    for (let k = 0; k < 60; k++) {
      const row = Array.from({ length: CLASSES }, (_, c) =>
        Number(arrays.get('layer02')?.data[k * CLASSES + c]),
      );
      expect(row.map(Math.sign)[Number(targets?.data[k])]).toBe(1);
      expect(row.filter((value) => value !== 0)).toHaveLength(1);
    }
  });

  it.concurrent('explain --per-sample on stdout and in F.json', async () => {
    const words = 'explain model.onnx --data data.npz --criterion taylor --limit 5 --per-sample';
    const found = await json(words);
    expect(found.layers[0].scores).toHaveLength(5);
    expect(found.layers[0].scores[0]).toHaveLength(CHANNELS);
    await json(`${words} --out s.json`);
    const written = JSON.parse(await readFile(join(folder, 's.json'), 'utf8'));
    expect(written.layers).toEqual(found.layers);
  });

  it.concurrent('explain by a criterion that reads no samples', async () => {
    const found = await json('explain model.onnx --data data.npz --criterion l1');
    const model = await loadModel(join(folder, 'model.onnx'));
    const weights = [...model.graph.constants.values()].find(({ dims }) => dims.length === 4);
    const first = weights?.type === 'float32' ? Array.from(weights.data.subarray(0, 9)) : [];
    expect(found.layers[0].scores[0]).toBeCloseTo(
      first.reduce((sum, value) => sum + Math.abs(value), 0),
      5,
    );
  });

  it.concurrent('compare', async () => {
    const found = await json(
      'compare model.onnx --data data.npz --criteria lrp-gamma,l1,random --ratios .5,0 --report r.html --recall-ratio .5',
    );
    // Without splits a third of each class is set apart for scoring.
    expect(found).toMatchObject({
      calibration: 21,
      base: { n: 39, macs: MACS, uncounted: [] },
      report: 'r.html',
    });
    expect(found.rows.map((row: { criterion: string; ratio: number }) => [row.criterion, row.ratio])).toEqual(
      ['lrp-gamma', 'l1', 'random'].flatMap((criterion) => [
        [criterion, 0],
        [criterion, 0.5],
      ]),
    );
    for (const row of found.rows) {
      expect(Object.keys(row)).toEqual(
        expect.arrayContaining(['accuracy', 'balancedAccuracy', 'recall', 'agreement', 'reconstruct']),
      );
      expect([row.accuracy, row.balancedAccuracy, row.agreement].every(fraction)).toBe(true);
      const half = CHANNELS / 2;
      const macs = row.ratio === 0 ? MACS : 64 * 9 * (half + half * half) + half * CLASSES;
      expect(row).toMatchObject({ reconstruct: false, macs, macsFraction: macs / MACS });
      if (row.ratio === 0) expect(row).toMatchObject({ accuracy: found.base.accuracy, agreement: 1 });
    }
    const page = await readFile(join(folder, 'r.html'), 'utf8');
    expect(page).toMatch(/^<!doctype html>/i);
    expect(page).toContain('lrp-gamma');
    expect(page).toContain('lrp-gamma: ');
    expect(page).toContain('data:image/svg+xml');
    expect(page).not.toMatch(/<(script|link|img)[^>]+(src|href)="http/);
  });

  it.concurrent('compare --seeds: mean and spread', async () => {
    const found = await json('compare model.onnx --data data.npz --criteria random,l1 --ratios .5 --seeds 3');
    for (const row of found.rows) {
      expect(row).toMatchObject({
        seeds: 3,
        accuracy: NUMBER,
        accuracyStd: NUMBER,
        balancedAccuracyStd: NUMBER,
      });
    }
    // Weights do not change with the draw of samples.
    expect(found.rows[1].accuracyStd).toBe(0);
  });

  it.concurrent('compare --criteria auto', async () => {
    const found = await json('compare model.onnx --data data.npz --criteria auto --ratios .25,.5');
    expect(found.rows).toMatchObject([
      { criterion: 'auto', ratio: 0.25, picked: expect.any(String) },
      { criterion: 'auto', ratio: 0.5, picked: expect.any(String) },
    ]);
  });

  it.concurrent('compare --local', async () => {
    const words = 'compare model.onnx --data data.npz --criteria lrp-epsilon,l1 --ratios .5 --per-class 5';
    const found = await json(`${words} --local --class-mix 0:.75,2:.25 --report local.html`);
    expect(found.rows.map((row: { criterion: string; mix: string }) => [row.criterion, row.mix])).toEqual(
      ['lrp-epsilon', 'l1'].flatMap((criterion) =>
        ['local', 'uniform', 'wrong'].map((mix) => [criterion, mix]),
      ),
    );
    expect(found).toMatchObject({
      classMix: [0.75, 0, 0.25],
      mixes: { local: expect.any(String), uniform: expect.any(String), wrong: expect.any(String) },
    });
    for (const { accuracy, recall } of [found.base, ...found.rows]) {
      expect(accuracy).toBeCloseTo(0.75 * recall[0] + 0.25 * recall[2], 9);
      expect(recall[1]).toBeNull();
    }
    const [first, second, third] = found.rows.slice(3);
    expect([second.accuracy, third.accuracy]).toEqual([first.accuracy, first.accuracy]);
    expect((await stat(join(folder, 'local.html'))).size).toBeGreaterThan(1000);
    const people = await cli.run([...words.split(' '), '--local', '--classes', '0,2', '--quiet'], folder);
    expect(people.stdout).toMatch(/local - uniform/);
    expect(people.stdout).toMatch(/wrong: the other classes/);
  });

  it.concurrent('evaluate --class-mix', async () => {
    const found = await json('evaluate model.onnx --data data.npz --class-mix 0:1,1:3');
    expect(found).toMatchObject({ n: 40, classMix: [0.25, 0.75, 0] });
    expect(found.accuracy).toBeCloseTo(0.25 * found.recall[0] + 0.75 * found.recall[1], 12);
  });

  it.concurrent('explain by the mix, aggregated otherwise', async () => {
    const words = 'explain model.onnx --data data.npz --criterion lrp-epsilon --per-class 4';
    const plain = await json(words);
    const mixed = await json(`${words} --class-mix 0:.9,1:.1 --target mix --aggregate quantile=.5`);
    expect(mixed).toMatchObject({ target: 'mix', samples: 8 });
    expect(mixed.layers[0].scores).not.toEqual(plain.layers[0].scores);
    // What leaves the network is what relevance started from, whatever the sample.
    expect(mixed.layers[2].scores.map((score: number) => score.toFixed(4))).toEqual([
      '0.9000',
      '0.1000',
      '0.0000',
    ]);
  });

  it.concurrent('prune by auto, unless a criterion is named', async () => {
    const found = await json(
      'prune model.onnx --data data.npz --ratio .5 --block 1 --no-speed --out auto.onnx',
    );
    expect(found).toMatchObject({ criterion: 'auto', auto: { halved: true, repaired: true, samples: 10 } });
    const names = found.auto.candidates.map(({ criterion }: { criterion: string }) => criterion);
    expect(found.auto.picked).toBe(names[0]);
    expect(names).toContain('lrp-gamma');
    expect(found.auto.reason).toContain(found.auto.picked);
  });

  it.concurrent('prune in steps, globally, with a layer protected', async () => {
    const found = await json(
      'prune model.onnx --data data.npz --ratio .5 --block 1 --criterion taylor --steps 2 --global ' +
        '--normalise per-mac --protect conv --class-mix 0:.5,1:.5 --no-speed --out steps.onnx',
    );
    expect(found).toMatchObject({
      speedup: null,
      msPerSampleBefore: null,
      speedNotMeasured: 'not asked for',
    });
    expect(found).not.toHaveProperty('auto');
    expect(found.groups).toMatchObject([{ layers: ['conv'], kept: CHANNELS }, { kept: CHANNELS / 2 }]);
  });

  it.concurrent('prune --ratio', async () => {
    const found = await json(
      'prune model.onnx --data data.npz --ratio .5 --block 1 --criterion l1 --no-reconstruct --out p.onnx',
    );
    const half = CHANNELS / 2;
    const macs = 64 * 9 * (half + half * half) + half * CLASSES;
    expect(found).toMatchObject({
      out: 'p.onnx',
      macs,
      macsFraction: macs / MACS,
      uncounted: [],
      parameters: 9 * (half + half * half) + 2 * half + half * CLASSES,
      accuracyBefore: NUMBER,
      accuracyAfter: NUMBER,
      balancedAccuracyBefore: NUMBER,
      balancedAccuracyAfter: NUMBER,
      speedup: NUMBER,
      groups: [
        { id: 0, channels: CHANNELS, kept: half },
        { id: 1, channels: CHANNELS, kept: half },
      ],
    });
    expect(found.speedup).toBeGreaterThan(0);
    expect(found).not.toHaveProperty('speedNotMeasured');
    const written = await loadModel(join(folder, 'p.onnx'));
    const original = await loadModel(join(folder, 'model.onnx'));
    expect(modelCosts(written).macs).toBe(macs);
    expect([written.irVersion, written.opsets]).toEqual([original.irVersion, original.opsets]);
  });

  it.concurrent('prune repairs by default, and says what it did to which layer', async () => {
    const words =
      'prune model.onnx --data data.npz --ratio .5 --block 1 --criterion l1 --max-positions 400 --no-speed --out';
    const repaired = await json(`${words} repaired.onnx`);
    const plain = await json(`${words} plain.onnx --no-reconstruct`);
    expect([repaired.reconstruct, plain.reconstruct]).toEqual([true, false]);
    expect(plain).not.toHaveProperty('repairs');
    expect(repaired.macs).toBe(plain.macs);
    expect(repaired.repairs.length).toBeGreaterThan(0);
    for (const { errorBefore, errorAfter, rows } of repaired.repairs) {
      expect(errorAfter).toBeLessThanOrEqual(errorBefore);
      expect(rows).toBeLessThanOrEqual(400);
    }
  });

  it.concurrent.each(['--repair', '--reconstruct'])('compare %s', async (flag) => {
    const found = await json(`compare model.onnx --data data.npz --criteria l1 --ratios .5 ${flag}`);
    expect(found.rows).toMatchObject([{ criterion: 'l1', reconstruct: true }]);
  });

  it.concurrent('quantize, whose file evaluate reads', async () => {
    const found = await json(
      'quantize model.onnx --data data.npz --budget 1 --max-positions 400 --out q.onnx',
    );
    expect(found).toMatchObject({
      ...{ out: 'q.onnx', layersQuantized: 3, layersKeptFloat: [], measure: 'accuracy', n: 39 },
      ...{ measureBefore: { accuracy: NUMBER }, measureAfter: { accuracy: NUMBER }, agreement: NUMBER },
      ...{
        speedup: NUMBER,
        speedupSingle: NUMBER,
        kernels: { integer: { QLinearConv: 2, QGemm: 1 }, float: 0 },
      },
    });
    expect(found.bytes).toBe((await stat(join(folder, 'q.onnx'))).size);
    expect(found.layers.map(({ layer }: { layer: string }) => layer)).toHaveLength(3);
    const again = await json('evaluate q.onnx --data data.npz');
    expect(again).toMatchObject({ n: 60, accuracy: NUMBER });
  });

  it.concurrent('prune --int8, and compare --int8', async () => {
    const options = '--data data.npz --budget 1 --max-positions 400 --int8 --keep-float last --no-speed';
    const found = await json(`prune model.onnx --ratio .5 --block 1 --criterion l1 --out p8.onnx ${options}`);
    expect(found.int8).toMatchObject({
      ...{ layersQuantized: 2, layersKeptFloat: [{ reason: 'by choice' }] },
      ...{ speedup: null, msSingleAfter: null, speedNotMeasured: 'not asked for' },
      ...{ bytes: (await stat(join(folder, 'p8.onnx'))).size, kernels: { integer: { QLinearConv: 2 } } },
    });
    expect(found.macsFraction).toBeLessThan(0.5);
    expect(await json('evaluate p8.onnx --data data.npz')).toMatchObject({ n: 60, accuracy: NUMBER });
    const { rows, int8Base } = await json(
      'compare model.onnx --data data.npz --criteria l1 --ratios .5 --repair --int8 --budget 1',
    );
    expect(rows).toMatchObject([{ criterion: 'l1', int8: true }]);
    expect(int8Base).toMatchObject({ layersQuantized: 3, accuracy: NUMBER });
  });

  it.concurrent('prune --macs, and evaluate agrees with what it said', async () => {
    const found = await json(
      'prune model.onnx --data data.npz --macs .6 --global --block 4 --criterion taylor --no-speed --out g.onnx',
    );
    expect(found.macsFraction).toBeLessThanOrEqual(0.6);
    for (const { kept } of found.groups) expect(kept % 4).toBe(0);
    const { size } = await stat(join(folder, 'g.onnx'));
    expect(size).toBeLessThan((await stat(join(folder, 'model.onnx'))).size);
    const all = await json('evaluate g.onnx --data data.npz');
    expect(all.macs).toBe(found.macs);
  });

  it.concurrent('demo', async () => {
    const found = await json('demo --model model.onnx --data data.npz --out-dir demo');
    expect(Object.keys(found)).toEqual(
      expect.arrayContaining(['base', 'relevance', 'rows', 'best', 'prune', 'files', 'totalSeconds']),
    );
    expect(found.prune.macsFraction).toBeLessThanOrEqual(0.5);
    expect(modelCosts(await loadModel(join(folder, found.files.model))).macs).toBe(found.prune.macs);
    expect((await stat(join(folder, found.files.report))).size).toBeGreaterThan(1000);
  });

  it.concurrent('the same seed repeats a run', async () => {
    const words = 'compare model.onnx --data data.npz --criteria random,lrp-epsilon --ratios .3 --seed 5';
    const [first, second] = await Promise.all([json(words), json(words)]);
    expect(first.rows).toEqual(second.rows);
  });
});

describe('help', TIMEOUT, () => {
  const lines = ['', '--help', ...COMMANDS.map((name) => `${name} --help`)];
  it.concurrent.each(lines)('bedside %s', async (words) => {
    const { status, stdout, stderr } = await cli.run(words.split(' ').filter(Boolean), tmpdir());
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toMatch(/^Usage: bedside/);
    expect(stdout).toContain('Examples:');
  });

  it('--version', async () => {
    const { status, stdout } = await cli.run(['--version'], tmpdir());
    expect({ status, version: /^\d+\.\d+\.\d+\n$/.test(stdout) }).toEqual({ status: 0, version: true });
  });
});

describe('inspect of a model with an operator that nobody knows', TIMEOUT, () => {
  it('says which channels it freezes, and that costs are not complete', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'bedside-unknown-'));
    try {
      await writeFile(join(folder, 'odd.onnx'), writeModel(unknownModel()));
      const { status, stdout } = await cli.run(['inspect', 'odd.onnx', '--json'], folder);
      expect(status).toBe(0);
      const found = JSON.parse(stdout);
      expect(found.unknown).toEqual([expect.objectContaining({ op: 'Magic' })]);
      // The operator itself, and the layer behind it, whose shapes nobody knows.
      expect(found.uncounted.map(({ op }: { op: string }) => op)).toEqual(['Magic', 'Gemm']);
      expect(found.unmeasured).toMatch(/Magic/);
      expect(found.groups).toMatchObject([{ channels: 8 }]);
      expect(found.layers.map(({ group }: { group: number | null }) => group)).toEqual([0, null, null]);
      expect(found.layers[1].reason).toContain('Magic');
      const people = await cli.run(['inspect', 'odd.onnx'], folder);
      expect(people.stdout).toMatch(
        /Frozen channels[\s\S]*Magic[\s\S]*Unknown operators[\s\S]*Costs are too low/,
      );
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});

/** Two convolutions, an operator of another domain, and a linear layer. */
function unknownModel(): Model {
  const builder = new GraphBuilder();
  const weight = (...dims: number[]): string =>
    builder.constant(
      floatConstant(new Float32Array(dims.reduce((a, b) => a * b, 1)).fill(0.1), dims),
      'weight',
    );
  const input = builder.input('image', ['batch', 1, 8, 8]);
  const first = builder.node('Relu', [builder.node('Conv', [input, weight(8, 1, 3, 3)])]);
  const odd = builder.node('Magic', [builder.node('Conv', [first, weight(8, 8, 3, 3)])]);
  const node = builder.graph.nodes.at(-1);
  if (node) node.domain = 'example.magic';
  const flat = builder.node('Flatten', [odd]);
  builder.output(builder.node('Gemm', [flat, weight(128, CLASSES)]), ['batch', CLASSES]);
  const model = builder.model();
  model.opsets.set('example.magic', 1);
  return model;
}
