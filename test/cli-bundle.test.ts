// Commands on bundles: what they print under --json, what they write, and what they refuse. The bundle is made in code,
// with tables that are no repair but can be told from the unpruned weights.
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { assembleModel, openBundle } from 'bedside/bundle';
import { openDataset } from 'bedside/data';
import { canonicalModel, loadModel, modelCosts } from 'bedside/onnx';
import { ERROR_CODES } from 'bedside/util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { keptUnitsAt, totalCosts, writeBundle } from '../src/bundle/internal.ts';
import { contentsOf, RATIOS } from '../src/bundle/test-support/contents.ts';
import { evaluateModel } from '../src/evaluate/internal.ts';
import { withBiases } from '../src/repair/internal.ts';
import { CHANNELS, CLASSES, type Cli, compileCli, smallModel, writeSmall } from './support/cli.ts';

let cli: Cli;
let folder: string;
beforeAll(async () => {
  cli = await compileCli();
  folder = await mkdtemp(join(tmpdir(), 'bedside-bundles-'));
  await writeSmall(folder);
  const contents = contentsOf(withBiases(canonicalModel(smallModel())), {
    variants: [
      [2, 2],
      [1, 3],
    ],
    name: 'small',
  });
  await writeBundle(join(folder, 'ward'), contents);
  await mkdir(join(folder, 'empty'));
  await mkdir(join(folder, 'newer'));
  const manifest = JSON.parse(await readFile(join(folder, 'ward', 'bundle.json'), 'utf8'));
  await writeFile(join(folder, 'newer', 'bundle.json'), JSON.stringify({ ...manifest, version: 99 }));
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

// Generous: tests wait for each other's processes.
const TIMEOUT = { timeout: 180_000 };

// biome-ignore lint/suspicious/noExplicitAny: JSON of many shapes, looked into by each test
async function json(words: string): Promise<any> {
  const { status, stdout, stderr } = await cli.run([...words.split(' '), '--json', '--quiet'], folder);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return JSON.parse(stdout);
}

/** Accuracy and logits of the bundle at levels, by the library. */
async function byLibrary(levels: readonly number[], correction?: number) {
  const bundle = await openBundle(join(folder, 'ward'));
  const model = assembleModel(bundle, levels, { correction });
  return evaluateModel(model, await samples(), { name: 'mix' });
}

const samples = () =>
  openDataset(join(folder, 'data.npz'), { sampleShape: [1, 8, 8], classes: CLASSES, split: 'test', seed: 1 });

describe('evaluate BUNDLE', TIMEOUT, () => {
  it.concurrent('is unpruned unless said', async () => {
    const [found, model] = await Promise.all([
      json('evaluate ward --data data.npz'),
      json('evaluate model.onnx --data data.npz'),
    ]);
    expect(found).toMatchObject({ n: 60, name: 'small', levels: [0, 0], variant: 0, corrected: false });
    expect([found.accuracy, found.recall, found.macs]).toEqual([model.accuracy, model.recall, model.macs]);
  });

  it.concurrent('puts any mix together, with the costs the bundle says', async () => {
    const found = await json('evaluate ward --data data.npz --levels 3,1');
    const { accuracy, recall } = await byLibrary([3, 1]);
    const { manifest } = await openBundle(join(folder, 'ward'));
    expect(found).toMatchObject({ levels: [3, 1], variant: null, corrected: false, accuracy, recall });
    expect(found.macs).toBe(Math.round(totalCosts(manifest, [3, 1]).macs));
  });

  it.concurrent('corrects levels that were measured, unless told not to', async () => {
    const [corrected, plain] = await Promise.all([
      json('evaluate ward --data data.npz --ratio .5'),
      json('evaluate ward --data data.npz --levels 2,2 --no-correction'),
    ]);
    expect(corrected).toMatchObject({
      levels: [2, 2],
      variant: 1,
      corrected: true,
      recall: (await byLibrary([2, 2], 1)).recall,
    });
    expect(plain).toMatchObject({
      levels: [2, 2],
      variant: 1,
      corrected: false,
      recall: (await byLibrary([2, 2])).recall,
    });
    expect((await byLibrary([2, 2], 1)).logits).not.toEqual((await byLibrary([2, 2])).logits);
  });

  it.concurrent('tells people which levels it took', async () => {
    const { stdout } = await cli.run('evaluate ward --data data.npz --levels 1,3 --quiet'.split(' '), folder);
    expect(stdout).toMatch(/^small: levels 1,3, variant 2, corrected\n/);
  });
});

describe('prune BUNDLE', TIMEOUT, () => {
  it.concurrent.each([
    ['--levels 3,1', [3, 1], undefined],
    ['--ratio .5', [2, 2], 1],
    ['--levels 2,2 --no-correction', [2, 2], undefined],
  ] as const)('%s writes what evaluate runs', async (words, levels, correction) => {
    const out = `mix-${words.replaceAll(/\W/g, '')}.onnx`;
    const found = await json(`prune ward ${words} --out ${out}`);
    const written = await loadModel(join(folder, out));
    const costs = modelCosts(written);
    expect(found).toMatchObject({
      out,
      levels,
      corrected: correction !== undefined,
      macs: costs.macs,
      parameters: costs.parameters,
    });
    expect(found.macsFraction).toBeLessThan(1);
    const { manifest } = await openBundle(join(folder, 'ward'));
    const keep = keptUnitsAt(manifest, levels);
    expect(found.groups).toMatchObject(
      [0, 1].map((id) => ({ id, channels: CHANNELS, kept: keep.get(id)?.length })),
    );
    const own = await evaluateModel(written, await samples(), { name: out });
    const expected = await byLibrary(levels, correction);
    own.logits.forEach((value, i) => {
      expect(Math.abs(value - (expected.logits[i] ?? Number.NaN))).toBeLessThan(1e-4);
    });
  });

  it.concurrent('says what was measured of it', async () => {
    const { stdout } = await cli.run('prune ward --levels 1,3 --out said.onnx --quiet'.split(' '), folder);
    expect(stdout).toMatch(/accuracy when packed: 90\.0 %, at least 80\.0 %/);
    expect(stdout).toContain('written: said.onnx');
  });
});

describe('inspect BUNDLE', TIMEOUT, () => {
  it.concurrent('gives the manifest, the identity and what levels cost', async () => {
    const found = await json('inspect ward');
    const { manifest, sha256 } = await openBundle(join(folder, 'ward'));
    const { levels, bytes, ...rest } = found;
    expect(rest).toEqual({ uncounted: [], ...JSON.parse(JSON.stringify(manifest)), sha256 });
    expect(bytes).toBe(manifest.model.bytes + manifest.weights.bytes);
    expect(levels.map(({ ratio, macs }: { ratio: number; macs: number }) => [ratio, macs])).toEqual(
      RATIOS.map((ratio, level) => [ratio, totalCosts(manifest, [level, level]).macs]),
    );
  });

  it.concurrent('tells people levels, groups, stages, variants and provenance', async () => {
    const { stdout } = await cli.run(['inspect', 'ward'], folder);
    for (const part of [
      /^ward: bundle small/,
      /ranked by +l1/,
      /Levels, with every group/,
      /16 12 8 5/,
      /Stages \(3\)/,
      /Measured variants \(3; 1 that/,
      /all 0/,
      /mean error 0\.002/,
    ]) {
      expect(stdout).toMatch(part);
    }
  });

  it.concurrent('writes its model card to stdout, or to a file outside the bundle', async () => {
    const { stdout } = await cli.run(['inspect', 'ward', '--card'], folder);
    expect(stdout).toMatch(/^# Model card: small\n.*## What this bundle does not know\n/s);
    const told = await json('inspect ward --card --out cards/ward.md');
    expect(await readFile(join(folder, 'cards', 'ward.md'), 'utf8')).toBe(stdout);
    expect([told.card, told.out, told.name]).toEqual([stdout, 'cards/ward.md', 'small']);
  });
});

interface Case {
  readonly what: string;
  readonly words: string;
  readonly code: (typeof ERROR_CODES)[number];
  readonly says: readonly (string | RegExp)[];
}

const CASES: readonly Case[] = [
  {
    what: 'levels of a model',
    words: 'evaluate model.onnx --data data.npz --levels 0,1',
    code: 'E_USAGE',
    says: ['--levels', 'model.onnx is a model', 'bedside pack'],
  },
  {
    what: 'a ratio of a model to evaluate',
    words: 'evaluate model.onnx --data data.npz --ratio .5',
    code: 'E_USAGE',
    says: ['--ratio needs a bundle'],
  },
  {
    what: 'no correction of a model',
    words: 'evaluate model.onnx --data data.npz --no-correction',
    code: 'E_USAGE',
    says: ['--no-correction'],
  },
  {
    what: 'levels of a model to prune',
    words: 'prune model.onnx --data data.npz --levels 1,1 --out out/m.onnx',
    code: 'E_USAGE',
    says: ['--levels needs a bundle'],
  },
  {
    what: 'a model to prune without data',
    words: 'prune model.onnx --ratio .5 --out out/m.onnx',
    code: 'E_USAGE',
    says: ["'--data <dataset>' not specified"],
  },
  {
    what: 'too few levels',
    words: 'evaluate ward --data data.npz --levels 1',
    code: 'E_LEVELS',
    says: ['2 groups; 1 levels', '0 (unpruned) to 3'],
  },
  {
    what: 'a level out of range',
    words: 'prune ward --levels 0,4 --out out/m.onnx',
    code: 'E_LEVELS',
    says: ['no level 4 for group 1', 'levels are 0 to 3'],
  },
  {
    what: 'levels that are no numbers',
    words: 'prune ward --levels 0,a --out out/m.onnx',
    code: 'E_USAGE',
    says: ['--levels', "'a'"],
  },
  {
    what: 'levels and a ratio',
    words: 'evaluate ward --data data.npz --levels 0,1 --ratio .5',
    code: 'E_USAGE',
    says: ['not both'],
  },
  {
    what: 'neither levels nor a ratio',
    words: 'prune ward --out out/m.onnx',
    code: 'E_USAGE',
    says: ['either --levels or --ratio', 'inspect ward'],
  },
  {
    what: 'a share of the work of a bundle',
    words: 'prune ward --macs .5 --out out/m.onnx',
    code: 'E_USAGE',
    says: ['--macs is for models', 'ward is a bundle'],
  },
  {
    what: 'data to prune a bundle with',
    words: 'prune ward --data data.npz --ratio .5 --out out/m.onnx',
    code: 'E_USAGE',
    says: ['--data is for models'],
  },
  {
    what: 'a part of the bundle as output',
    words: 'prune ward --ratio .5 --out ward/bundle.json',
    code: 'E_USAGE',
    says: ['part of the bundle'],
  },
  {
    what: 'a folder that is no bundle',
    words: 'evaluate empty --data data.npz',
    code: 'E_BUNDLE',
    says: ['no bundle.json', 'bedside pack'],
  },
  { what: 'a card of a model', words: 'inspect model.onnx --card', code: 'E_USAGE', says: ['is no bundle'] },
  {
    what: 'a card among the files of its bundle',
    words: 'inspect ward --card --out ward/bundle.json',
    code: 'E_USAGE',
    says: ['in the folder of the bundle'],
  },
  {
    what: '--out without --card',
    words: 'inspect ward --out x.md',
    code: 'E_USAGE',
    says: ['--out is for --card'],
  },
  { what: 'the same to inspect', words: 'inspect empty', code: 'E_BUNDLE', says: ['empty is not a bundle'] },
  { what: 'a bundle of a newer version', words: 'inspect newer', code: 'E_BUNDLE_VERSION', says: ['99'] },
  {
    what: 'a bundle to explain',
    words: 'explain ward --data data.npz',
    code: 'E_FILE',
    says: ['it is a folder'],
  },
];

describe('bundles and what does not fit them', TIMEOUT, () => {
  it.concurrent.each(CASES)('$what: $code', async ({ words, code, says }) => {
    const { status, stdout } = await cli.run([...words.split(' '), '--json'], folder);
    const { error } = JSON.parse(stdout) as { error: { code: string; message: string; hint?: string } };
    expect({ code: error.code, message: error.message }).toEqual({ code, message: expect.any(String) });
    expect(status).toBe(code === 'E_USAGE' ? 2 : 1);
    expect(ERROR_CODES).toContain(error.code);
    expect(error.hint).toBeTruthy();
    for (const part of says) {
      const pattern =
        part instanceof RegExp ? part : new RegExp(part.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'));
      expect(`${error.message}\n${error.hint}`).toMatch(pattern);
    }
  });

  it('has written nothing', async () => {
    expect(await readdir(folder)).not.toContain('out');
    await openBundle(join(folder, 'ward'));
  });
});
