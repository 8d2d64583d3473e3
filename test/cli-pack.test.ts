// `bedside pack`: what it prints under --json, what it writes, one more mix measured, and what it refuses.
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openBundle } from 'bedside/bundle';
import { generateEcg, npyArray, writeNpz } from 'bedside/data';
import { type Model, writeModel } from 'bedside/onnx';
import { ERROR_CODES } from 'bedside/util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { totalCosts, writeBundle } from '../src/bundle/internal.ts';
import { floatConstant } from '../src/onnx/internal.ts';
import {
  CHANNELS,
  type Cli,
  compileCli,
  linearModel,
  smallData,
  smallModel,
  writeSmall,
} from './support/cli.ts';

const DEMO = fileURLToPath(new URL('../models/ecg-demo.onnx', import.meta.url));
/** Little of everything, so that it is soon done. */
const quick = (variants: number): string =>
  `--criterion l1 --block 1 --variants ${variants} --max-positions 300 --threads 1`;
const QUICK = `${quick(6)} --no-low-rank`;

let cli: Cli;
let folder: string;
beforeAll(async () => {
  cli = await compileCli();
  folder = await mkdtemp(join(tmpdir(), 'bedside-packs-'));
  await writeSmall(folder);
  await writeFile(join(folder, 'linear.onnx'), writeModel(linearModel()));
  await writeFile(join(folder, 'one.npz'), smallData(1));
  await writeFile(join(folder, 'two-heads.onnx'), writeModel(twoHeads()));
  await writeFile(join(folder, 'unlabelled.npz'), smallData(40, { labels: false }));
  await mkdir(join(folder, 'used'));
  await writeFile(join(folder, 'used', 'notes.txt'), 'not a bundle\n');
  const { size, sampleShape, samples, labels } = generateEcg({ perClass: 30, seed: 5 });
  const y = BigInt64Array.from(labels ?? [], BigInt);
  await writeFile(
    join(folder, 'ecg.npz'),
    writeNpz({ x: npyArray([size, ...sampleShape], samples), y: npyArray([size], y) }),
  );
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

// Generous: tests wait for each other's processes.
const TIMEOUT = { timeout: 180_000 };

// biome-ignore lint/suspicious/noExplicitAny: JSON of many shapes, looked into by each test
async function json(words: string): Promise<any> {
  const { status, stdout, stderr } = await cli.run([...words.split(' '), '--json', '--quiet'], folder);
  expect({ status, stderr, stdout: status === 0 ? '' : stdout }).toEqual({
    status: 0,
    stderr: '',
    stdout: '',
  });
  return JSON.parse(stdout);
}

describe('pack', TIMEOUT, () => {
  it.concurrent('writes a bundle of the network that the package ships, and measures it', async () => {
    const words = `--data ecg.npz --per-class 4 --validation-per-class 6 --ratios .75 ${quick(3)} --no-low-rank`;
    const found = await json(`pack ${DEMO} ${words} --out bundles/ecg`);
    expect(found).toMatchObject({
      out: 'bundles/ecg',
      name: 'ecg-demo',
      chart: 'bundles/ecg.svg',
      criterion: 'l1',
      block: 1,
      ratios: [0, 0.75],
      groups: 7,
      levels: 2,
      stages: 5,
      calibration: 20,
      validation: 30,
      accuracyModel: { maxError: expect.any(Number), meanError: expect.any(Number) },
    });
    const { manifest } = await openBundle(join(folder, 'bundles/ecg'));
    expect(found.variants).toBe(manifest.variants.length);
    const files = (await readdir(join(folder, 'bundles/ecg'))).sort();
    expect(files).toEqual(['bundle.json', manifest.model.file, manifest.weights.file].sort());
    const { length } = await readFile(join(folder, 'bundles/ecg/bundle.json'));
    expect(found.bytes).toBe(length + manifest.model.bytes + manifest.weights.bytes);
    // Beats of a made recording in float32 are no integers times a scale.
    expect(manifest.model.input.integers).toBeUndefined();
    expect(manifest).toMatchObject({
      model: { source: { file: 'ecg-demo.onnx', sha256: expect.stringMatching(/^[0-9a-f]{64}$/) } },
      preprocessing: { kind: 'tensors' },
      measured: { provider: 'cpu', batch: 1 },
      provenance: { criterion: 'l1', dataset: 'ecg.npz', labelled: true, seed: 1 },
    });
    expect(manifest.layers.every(({ seconds }) => seconds?.length === 2)).toBe(true);
    // Whatever this machine gains by eight bits, the result says what was decided, and the bundle has that.
    expect(found.precisionChoice).toEqual(manifest.precisionChoice);
    expect(found.precisionChoice).toMatchObject({ by: 'measurement', speedup: expect.any(Number) });
    const worth = found.precisionChoice.speedup >= 1.25 && found.precisionChoice.lost <= 0.005;
    expect(found.precisions).toEqual(worth ? ['float32', 'int8'] : ['float32']);
    expect(manifest.eightBit?.length).toBe(worth ? 5 : undefined);
    for (const row of found.frontier) {
      const variant = manifest.variants[row.variant];
      expect(row).toMatchObject({ levels: variant?.levels, accuracy: variant?.accuracy });
      expect(row.macs).toBe(totalCosts(manifest, row.levels).macs);
      expect(row.lowerBound).toBeLessThanOrEqual(row.accuracy);
    }
    const svg = await readFile(join(folder, 'bundles/ecg.svg'), 'utf8');
    expect(svg).toMatch(/^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg"/);
    expect(svg.match(/<circle /g)).toHaveLength(manifest.variants.length);
    expect(svg).toContain('ecg-demo');
  });

  it.concurrent('corrects what still loses accuracy by changes of low rank, unless told not to', async () => {
    const words =
      `pack ${DEMO} --data ecg.npz --per-class 3 --validation-per-class 12 --ratios 0,.85 --no-measure ` +
      `${quick(2)}`;
    const found = await json(`${words} --out rich`);
    expect(found.lowRank).toBeGreaterThan(0);
    expect(await json(`${words} --out poor --no-low-rank`)).toMatchObject({ lowRank: 0 });
    const [rich, poor] = [await openBundle(join(folder, 'rich')), await openBundle(join(folder, 'poor'))];
    const own = [...rich.tensors.keys()].filter((name) => /^variant\/\d+\/(down|up)\//.test(name));
    const variants = new Set(own.map((name) => name.split('/')[1]));
    expect(variants.size).toBe(found.lowRank);
    expect([...poor.tensors.keys()].filter((name) => own.includes(name))).toEqual([]);
    // What is written out as one model gives the same answers.
    const levels = rich.manifest.variants[Number([...variants][0])]?.levels.join() ?? '';
    await json(`prune rich --levels ${levels} --out rich.onnx`);
    const [put, written] = [
      await json(`evaluate rich --levels ${levels} --data ecg.npz`),
      await json('evaluate rich.onnx --data ecg.npz'),
    ];
    expect(written.accuracy).toBe(put.accuracy);
    const [plain] = [await json(`evaluate poor --levels ${levels} --data ecg.npz`)];
    expect(put.accuracy).toBeGreaterThan(plain.accuracy);
  });

  it.concurrent('repeats by seed, and replaces a bundle', async () => {
    const words = `pack model.onnx --data data.npz --per-class 5 --levels-count 3 --no-measure ${QUICK}`;
    const [first] = [await json(`${words} --out twice --name ward --chart charts/w.svg`)];
    const before = await openBundle(join(folder, 'twice'));
    expect(first).toMatchObject({
      name: 'ward',
      chart: 'charts/w.svg',
      ratios: [0, 0.4375, 0.875],
      calibration: 15,
      validation: 45,
    });
    await json(`${words} --out twice --name ward --chart charts/w.svg`);
    const after = await openBundle(join(folder, 'twice'));
    expect([after.manifest.model, after.manifest.weights]).toEqual([
      before.manifest.model,
      before.manifest.weights,
    ]);
    expect(after.manifest.variants).toEqual(before.manifest.variants);
    expect(after.manifest).not.toHaveProperty('measured');
    await json(`${words} --out twice --name ward --chart charts/w.svg --seed 2`);
    expect((await openBundle(join(folder, 'twice'))).manifest.provenance.seed).toBe(2);
    expect((await readdir(join(folder, 'twice'))).length).toBe(3);
  });

  it.concurrent('takes samples without labels: agreement with the unpruned network stands in', async () => {
    const words = `--data unlabelled.npz --per-class 4 --validation-per-class 8 --ratios 0,.5 --no-measure ${QUICK}`;
    const found = await json(`pack model.onnx ${words} --out blind`);
    expect(found).toMatchObject({
      calibration: 12,
      validation: 24,
      accuracyModel: { measure: 'agreement', unpruned: 1 },
    });
  });

  it.concurrent('--certify measures one more mix, which is then corrected', async () => {
    const draws = '--data data.npz --per-class 5 --validation-per-class 10';
    await json(`pack model.onnx ${draws} --ratios 0,.25,.5,.75 --no-measure ${QUICK} --out grows`);
    const { manifest } = await openBundle(join(folder, 'grows'));
    const known = new Set(manifest.variants.map(({ levels }) => levels.join()));
    const levels =
      [0, 1, 2, 3].flatMap((a) => [0, 1, 2, 3].map((b) => `${a},${b}`)).find((one) => !known.has(one)) ?? '';
    const before = await json(`evaluate grows --data data.npz --levels ${levels}`);
    expect(before).toMatchObject({ variant: null, corrected: false });
    const found = await json(`pack grows --certify ${levels} ${draws}`);
    expect(found).toMatchObject({
      bundle: 'grows',
      variant: known.size,
      variants: known.size + 1,
      corrected: true,
    });
    const { manifest: grown } = await openBundle(join(folder, 'grows'));
    expect(grown.variants[known.size]).toMatchObject({
      levels: levels.split(',').map(Number),
      accuracy: found.accuracy,
    });
    expect(await json(`evaluate grows --data data.npz --levels ${levels}`)).toMatchObject({
      variant: known.size,
      corrected: true,
    });
    const people = await cli.run(`pack grows --certify ${levels} ${draws} --quiet`.split(' '), folder);
    expect(people.stdout).toMatch(/now variant \d+ of \d+/);
  });

  it.concurrent('shows people the frontier and how long the steps took', async () => {
    const words = `pack model.onnx --data data.npz --per-class 5 --ratios 0,.5 --no-measure ${QUICK} --out told --quiet`;
    const { stdout } = await cli.run(words.split(' '), folder);
    for (const part of [
      /^model: 2 groups at 2 levels/,
      /ranked by l1/,
      /100\.0 %.* all 0/,
      /is predicted: mean error/,
      /repairing/,
      /written: told \(/,
    ]) {
      expect(stdout).toMatch(part);
    }
  });
});

interface Case {
  readonly what: string;
  readonly words: string;
  readonly code: (typeof ERROR_CODES)[number];
  readonly says: readonly string[];
}

const PACK = 'pack model.onnx --data data.npz';
describe('a packed network runs', TIMEOUT, () => {
  it.concurrent('whatever else its file gave, and whatever batch it fixed: the first output, as evaluate reads it', async () => {
    const whole = await json('evaluate two-heads.onnx --data data.npz');
    const words = '--data data.npz --per-class 5 --validation-per-class 9 --ratios .5 --variants 3 --block 1';
    const packed = await json(
      `pack two-heads.onnx ${words} --criterion l1 --no-measure --no-low-rank --out heads`,
    );
    expect(packed).toMatchObject({ freedBatch: 4, dropped: { outputs: ['aside'], nodes: ['aside'] } });
    for (const how of ['--levels 0,0', '--solver local --accuracy-floor 0', '--levels 1,1 --batch 3']) {
      const found = await json(`infer heads --data data.npz --no-measure ${how}`);
      expect(found).toMatchObject({ n: 60, missed: 0 });
      if (how === '--levels 0,0') expect(found.accuracy).toBeCloseTo(whole.accuracy, 12);
    }
    // As bundles were written that kept the batch of their file.
    const { manifest, model: network, tensors } = await openBundle(join(folder, 'heads'));
    const { format: _, version: __, model: part, weights: ___, ...rest } = manifest;
    const { source, input, output } = part;
    const inputs = network.graph.inputs.map((value) => ({ ...value, dims: value.dims?.with(0, 4) }));
    await writeBundle(join(folder, 'old'), {
      manifest: { ...rest, model: { source, input, output } },
      model: { ...network, graph: { ...network.graph, inputs } },
      tensors,
    });
    const { status, stdout } = await cli.run('infer old --data data.npz --json --quiet'.split(' '), folder);
    expect(status).toBe(1);
    expect(JSON.parse(stdout).error).toMatchObject({
      code: 'E_UNSUPPORTED',
      message: expect.stringContaining('fixes a batch of 4'),
    });
  });
});

const CASES: readonly Case[] = [
  { what: 'no folder', words: PACK, code: 'E_USAGE', says: ["'--out <folder>' not specified"] },
  { what: 'no data', words: 'pack model.onnx --out out', code: 'E_USAGE', says: ['--data'] },
  {
    what: 'a folder of other files',
    words: `${PACK} --out used`,
    code: 'E_OUTPUT',
    says: ['holds other files', 'of its own'],
  },
  { what: 'a file as folder', words: `${PACK} --out data.npz`, code: 'E_OUTPUT', says: ['it is a file'] },
  {
    what: 'a folder below a file',
    words: `${PACK} --out data.npz/b`,
    code: 'E_OUTPUT',
    says: ['data.npz/b'],
  },
  {
    what: 'ratios and a number of levels',
    words: `${PACK} --out out --ratios 0,.5 --levels-count 3`,
    code: 'E_USAGE',
    says: ['not both'],
  },
  {
    what: 'one level',
    words: `${PACK} --out out --levels-count 1`,
    code: 'E_USAGE',
    says: ['unpruned network'],
  },
  { what: 'a ratio of 1', words: `${PACK} --out out --ratios 0,1`, code: 'E_USAGE', says: ['[0, 1)'] },
  {
    what: 'an unknown criterion',
    words: `${PACK} --out out --criterion l3`,
    code: 'E_CRITERION',
    says: ["'l3'"],
  },
  {
    what: 'a model with no channels',
    words: 'pack linear.onnx --data data.npz --out out --criterion l1',
    code: 'E_NO_CHANNELS',
    says: ['linear.onnx'],
  },
  {
    what: 'too few samples',
    words: 'pack model.onnx --data one.npz --out out',
    code: 'E_DATA',
    says: ['too few samples (1)'],
  },
  {
    what: 'a folder as model',
    words: 'pack used --data data.npz --out out',
    code: 'E_USAGE',
    says: ['not a model', '--certify'],
  },
  {
    what: 'a model to certify',
    words: `${PACK} --certify 0,1`,
    code: 'E_USAGE',
    says: ['--certify needs a bundle'],
  },
  {
    what: 'a folder that is no bundle to certify',
    words: 'pack used --data data.npz --certify 0,1',
    code: 'E_BUNDLE',
    says: ['no bundle.json'],
  },
  {
    what: 'a criterion to certify by',
    words: 'pack used --data data.npz --certify 0,1 --criterion l1',
    code: 'E_USAGE',
    says: ['--criterion has no meaning with --certify'],
  },
];

describe('pack refuses', TIMEOUT, () => {
  it.concurrent.each(CASES)('$what: $code', async ({ words, code, says }) => {
    const { status, stdout } = await cli.run([...words.split(' '), '--json', '--quiet'], folder);
    const { error } = JSON.parse(stdout) as { error: { code: string; message: string; hint?: string } };
    expect({ code: error.code, message: error.message }).toEqual({ code, message: expect.any(String) });
    expect(status).toBe(code === 'E_USAGE' ? 2 : 1);
    expect(ERROR_CODES).toContain(error.code);
    expect(error.hint).toBeTruthy();
    for (const part of says) expect(`${error.message}\n${error.hint}`).toContain(part);
  });

  it('and has then written nothing', async () => {
    expect(await readdir(folder)).not.toContain('out');
    expect(await readdir(join(folder, 'used'))).toEqual(['notes.txt']);
  });
});

/** The small network with a batch of 4 and a second output of its own, which cares for other things. */
function twoHeads(): Model {
  const model = smallModel();
  const { graph } = model;
  const pooled = graph.nodes.find(({ op }) => op === 'Flatten')?.outputs[0] ?? '';
  const weight = Float32Array.from({ length: 2 * CHANNELS }, (_, i) => (i % 5) - 2);
  graph.constants.set('aside_weight', floatConstant(weight, [CHANNELS, 2]));
  const node = {
    name: 'aside',
    op: 'Gemm',
    domain: '',
    inputs: [pooled, 'aside_weight'],
    outputs: ['aside'],
  };
  graph.nodes.push({ ...node, attributes: new Map() });
  graph.outputs.push({ name: 'aside', elemType: 1, dims: [4, 2] });
  for (const value of [...graph.inputs, ...graph.outputs]) value.dims = value.dims?.with(0, 4);
  return model;
}
