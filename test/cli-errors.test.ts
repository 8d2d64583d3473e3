// Bad input at the command line: a coded error with a hint, a non-zero status, no stack trace, and nothing written.
import { copyFile, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { npyArray, writeNpz } from 'bedside/data';
import { type Model, writeModel } from 'bedside/onnx';
import { ERROR_CODES } from 'bedside/util';
import { unzipSync, zipSync } from 'fflate';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GraphBuilder } from '../src/onnx/internal.ts';
import { type Cli, compileCli, linearModel, smallData, smallModel, writeSmall } from './support/cli.ts';

let cli: Cli;
beforeAll(async () => {
  cli = await compileCli();
});

interface Case {
  readonly what: string;
  readonly words: string;
  readonly code: (typeof ERROR_CODES)[number];
  /** What the message or the hint must say. */
  readonly says: readonly (string | RegExp)[];
}

const EVALUATE = 'evaluate model.onnx --data';
const PRUNE = 'prune model.onnx --data data.npz';

const OUT: Readonly<Record<string, string>> = { prune: ' --out out/p.onnx', pack: ' --out out/b' };

const CASES: readonly Case[] = [
  { what: 'missing model', words: 'inspect none.onnx', code: 'E_FILE', says: ['none.onnx', 'no such file'] },
  { what: 'empty model', words: 'inspect empty.onnx', code: 'E_FILE', says: ['empty.onnx', 'empty'] },
  { what: 'truncated model', words: 'inspect truncated.onnx', code: 'E_MODEL', says: ['truncated.onnx'] },
  { what: 'not ONNX at all', words: 'inspect text.onnx', code: 'E_MODEL', says: ['text.onnx'] },
  {
    what: 'a model with no channels to prune',
    words: 'compare linear.onnx --data data.npz --report out/r.html',
    code: 'E_NO_CHANNELS',
    says: ['linear.onnx', 'output'],
  },
  {
    what: 'the same for prune',
    words: 'prune linear.onnx --data data.npz --ratio .5 --out out/p.onnx',
    code: 'E_NO_CHANNELS',
    says: ['linear.onnx'],
  },
  { what: 'missing data', words: `${EVALUATE} none.npz`, code: 'E_FILE', says: ['none.npz'] },
  {
    what: 'data of another shape',
    words: `${EVALUATE} large.npz`,
    code: 'E_DATA_FIT',
    says: ['[1, 8, 8]', '12, 12'],
  },
  {
    what: 'data of more classes',
    words: `${EVALUATE} classes.npz`,
    code: 'E_DATA_FIT',
    says: ['3 classes', /label 4|5/],
  },
  {
    what: 'a folder of another number of classes',
    words: `${EVALUATE} two-classes`,
    code: 'E_DATA_FIT',
    says: ['3 classes', '2 (a, b)'],
  },
  {
    what: 'a corrupt image among good ones',
    words: `${EVALUATE} images`,
    code: 'E_DATA',
    says: [join('b', 'broken.png'), '--skip-bad'],
  },
  {
    what: 'an npz with a wrong header',
    words: `${EVALUATE} header.npz`,
    code: 'E_DATA',
    says: ['header.npz'],
  },
  { what: 'an npz that is not one', words: `${EVALUATE} text.npz`, code: 'E_DATA', says: ['text.npz'] },
  {
    what: 'a WFDB header whose signal file is short',
    words: 'evaluate ecg.onnx --data wfdb',
    code: 'E_DATA',
    says: ['100'],
  },
  ...['evaluate', 'explain', 'compare', 'prune', 'pack'].map(
    (command): Case => ({
      what: `a NaN weight, to ${command}`,
      words: `${command} nan.onnx --data data.npz${command === 'prune' ? ' --ratio .5' : ''}${OUT[command] ?? ''}`,
      code: 'E_MODEL',
      says: ['nan.onnx', 'NaN', 'scores'],
    }),
  ),
  ...['evaluate', 'explain', 'compare', 'prune', 'pack'].map(
    (command): Case => ({
      what: `an embedding, to ${command}`,
      words: `${command} embedding.onnx --data data.npz${command === 'prune' ? ' --ratio .5' : ''}${OUT[command] ?? ''}`,
      code: 'E_DATA_FIT',
      says: ["output 'scores", '[batch, 16]', 'labels from 0 to 2'],
    }),
  ),
  {
    what: 'feature maps as the first output',
    words: 'evaluate maps.onnx --data data.npz',
    code: 'E_DATA_FIT',
    says: ["output 'maps'", '[1, 8, 8]', 'one number a sample'],
  },
  {
    what: 'a sample beyond float32',
    words: `${EVALUATE} huge.npz`,
    code: 'E_DATA',
    says: ['sample 2', 'float32'],
  },
  {
    what: 'a sample that is no number',
    words: 'explain model.onnx --data gaps.npz',
    code: 'E_DATA',
    says: ['sample 2'],
  },
  { what: 'no labels', words: `${EVALUATE} unlabelled.npz`, code: 'E_DATA', says: ['no labels'] },
  {
    what: 'labels to explain, but none',
    words: 'explain model.onnx --data unlabelled.npz --target label',
    code: 'E_DATA',
    says: ['no labels', '--target predicted'],
  },
  {
    what: 'an unknown criterion',
    words: 'explain model.onnx --data data.npz --criterion lrp-delta --out out/s.npz',
    code: 'E_CRITERION',
    says: ['lrp-delta', 'lrp-gamma', 'random'],
  },
  {
    what: 'an unknown criterion in a list',
    words: 'compare model.onnx --data data.npz --criteria l1,l3',
    code: 'E_CRITERION',
    says: ["'l3'", 'l1'],
  },
  {
    what: 'a ratio of 1',
    words: 'compare model.onnx --data data.npz --ratios .5,1 --report out/r.html',
    code: 'E_USAGE',
    says: ['--ratios', '[0, 1)'],
  },
  {
    what: 'a negative ratio',
    words: `${PRUNE} --ratio=-.1 --out out/p.onnx`,
    code: 'E_USAGE',
    says: ['[0, 1)'],
  },
  { what: 'no ratio', words: `${PRUNE} --out out/p.onnx`, code: 'E_USAGE', says: ['--ratio', '--macs'] },
  {
    what: 'both amounts',
    words: `${PRUNE} --ratio .5 --macs .5 --out out/p.onnx`,
    code: 'E_USAGE',
    says: ['not both'],
  },
  {
    what: 'a share of MACs that blocks cannot reach',
    words: `${PRUNE} --macs .0001 --block 8 --out out/p.onnx`,
    code: 'E_USAGE',
    says: ['cannot be reached', 'the smallest is'],
  },
  {
    what: 'the model itself as output',
    words: `${PRUNE} --ratio .5 --out ./model.onnx`,
    code: 'E_USAGE',
    says: ['overwritten'],
  },
  {
    what: 'an output below a file',
    words: `${PRUNE} --ratio .5 --out data.npz/p.onnx`,
    code: 'E_OUTPUT',
    says: ['data.npz/p.onnx'],
  },
  {
    what: 'an output that is a folder',
    words: 'explain model.onnx --data data.npz --out folder.npz',
    code: 'E_OUTPUT',
    says: ['folder'],
  },
  {
    what: 'an output of unknown kind',
    words: 'explain model.onnx --data data.npz --out out/scores.csv',
    code: 'E_USAGE',
    says: ['.npz or .json'],
  },
  {
    what: 'single samples by weights',
    words: 'explain model.onnx --data data.npz --criterion l1 --per-sample --out out/s.npz',
    code: 'E_USAGE',
    says: ['l1', 'lrp-gamma'],
  },
  {
    what: 'a class mix of an unknown class',
    words: 'compare model.onnx --data data.npz --class-mix 0:.5,X:.5',
    code: 'E_USAGE',
    says: ["'X'", 'classes: 0, 1, 2'],
  },
  {
    what: 'a class mix with a negative share',
    words: `${PRUNE} --ratio .5 --class-mix 0:1,1:-.5 --out out/p.onnx`,
    code: 'E_USAGE',
    says: ['--class-mix', 'negative'],
  },
  {
    what: 'a class mix of nothing',
    words: `${EVALUATE} data.npz --class-mix 0:0,1:0`,
    code: 'E_USAGE',
    says: ['All shares are 0'],
  },
  {
    what: 'a class mix without labels',
    words: 'explain model.onnx --data unlabelled.npz --class-mix 0:1',
    code: 'E_DATA',
    says: ['no labels'],
  },
  {
    what: 'a comparison with the local mix that is not said',
    words: 'compare model.onnx --data data.npz --local',
    code: 'E_USAGE',
    says: ['--local', '--records'],
  },
  {
    what: 'a layer to protect that there is not',
    words: `${PRUNE} --ratio .5 --criterion l1 --protect cnov --out out/p.onnx`,
    code: 'E_USAGE',
    says: ["'cnov'", 'did you mean', 'conv'],
  },
  {
    what: 'no steps',
    words: `${PRUNE} --ratio .5 --steps 0 --out out/p.onnx`,
    code: 'E_USAGE',
    says: ['--steps', 'from 1'],
  },
  {
    what: 'an unknown normalisation',
    words: `${PRUNE} --ratio .5 --normalise l3 --out out/p.onnx`,
    code: 'E_USAGE',
    says: ['--normalise', 'per-mac'],
  },
  {
    what: 'an unknown aggregation',
    words: 'explain model.onnx --data data.npz --aggregate median --out out/s.npz',
    code: 'E_USAGE',
    says: ["'median'", 'quantile=Q'],
  },
  {
    what: 'auto where nothing is pruned',
    words: 'explain model.onnx --data data.npz --criterion auto',
    code: 'E_USAGE',
    says: ["'auto'", 'prune and compare'],
  },
  { what: 'an unknown command', words: 'inspct model.onnx', code: 'E_USAGE', says: ['inspct', 'inspect'] },
  {
    what: 'an unknown option',
    words: 'compare model.onnx --data data.npz --ratio .5',
    code: 'E_USAGE',
    says: ["'--ratio'", '--ratios'],
  },
  { what: 'a missing option', words: 'evaluate model.onnx', code: 'E_USAGE', says: ['--data'] },
  { what: 'half a demo', words: 'demo --model model.onnx --out-dir out', code: 'E_USAGE', says: ['--data'] },
  { what: 'a class that is none', words: `${EVALUATE} data.npz --classes 3`, code: 'E_USAGE', says: ['3'] },
  {
    what: 'a limit of 0',
    words: `${EVALUATE} data.npz --limit 0`,
    code: 'E_USAGE',
    says: ['--limit', 'from 1'],
  },
];

// Generous: tests wait for each other's processes.
describe('bad input', { timeout: 180_000 }, () => {
  let folder: string;
  let before: string[];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'bedside-errors-'));
    await writeInputs(folder);
    before = await listing(folder);
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it.concurrent.each(CASES)('$what: $code', async ({ words, code, says }) => {
    const { status, stdout, stderr } = await cli.run([...words.split(' '), '--json'], folder);
    const { error } = JSON.parse(stdout) as { error: { code: string; message: string; hint?: string } };
    expect({ code: error.code, message: error.message }).toEqual({ code, message: expect.any(String) });
    expect(status).toBe(code === 'E_USAGE' ? 2 : 1);
    expect(ERROR_CODES).toContain(error.code);
    expect(error.hint).toBeTruthy();
    for (const part of says) expect(`${error.message}\n${error.hint}`).toMatch(literal(part));
    expect(stderr).not.toMatch(/^\s+at .*:\d+/m);
    expect(stdout.trim().split('\n')).toHaveLength(1);
  });

  it('tells people on stderr, with the hint, and writes nothing on stdout', async () => {
    const { status, stdout, stderr } = await cli.run(['inspect', 'none.onnx'], folder);
    expect(status).toBe(1);
    expect(stdout).toBe('');
    expect(stderr).toMatch(/^bedside: E_FILE: cannot read model none\.onnx: no such file\n {2}hint: .+\n$/);
  });

  it('leaves corrupt images out when asked to, and names them', async () => {
    const { status, stdout, stderr } = await cli.run(
      `${EVALUATE} images --skip-bad --json`.split(' '),
      folder,
    );
    expect(status).toBe(0);
    expect((JSON.parse(stdout) as { n: number }).n).toBe(3);
    expect(stderr).toContain(join('b', 'broken.png'));
  });

  it('shows a model with a NaN weight all the same, and names it', async () => {
    const { status, stdout } = await cli.run(['inspect', 'nan.onnx'], folder);
    expect(status).toBe(0);
    expect(stdout).toMatch(
      /Not a network that gives scores: tensor 'weight\w*', which Gemm '\w+' reads, is NaN at/,
    );
  });

  it('has written nothing', async () => {
    expect(await listing(folder)).toEqual(before);
  });
});

function literal(part: string | RegExp): RegExp {
  return part instanceof RegExp ? part : new RegExp(part.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'));
}

async function listing(folder: string): Promise<string[]> {
  return (await readdir(folder, { recursive: true })).sort();
}

async function writeInputs(folder: string): Promise<void> {
  const write = (name: string, content: Uint8Array | string) => writeFile(join(folder, name), content);
  await writeSmall(folder);
  const linear = writeModel(linearModel());
  await write('linear.onnx', linear);
  await write('nan.onnx', writeModel(withNan(smallModel())));
  await write('embedding.onnx', writeModel(smallModel(1, 16)));
  await write('maps.onnx', writeModel(mapsModel()));
  await write('huge.npz', oddSample(1e300));
  await write('gaps.npz', oddSample(Number.NaN));
  await write('empty.onnx', '');
  await write('truncated.onnx', linear.subarray(0, Math.floor(linear.length / 2)));
  await write('text.onnx', 'this is not a model\n');
  await write('large.npz', smallData(6, { size: 12 }));
  await write('classes.npz', smallData(10, { classes: 5 }));
  await write('unlabelled.npz', smallData(6, { labels: false }));
  await write('text.npz', 'this is not an archive\n');
  await write('header.npz', wrongHeader(smallData(6)));
  await mkdir(join(folder, 'folder.npz'));

  const png = await sharp({ create: { width: 8, height: 8, channels: 3, background: '#7f7f7f' } })
    .png()
    .toBuffer();
  for (const name of ['a', 'b', 'c']) {
    await mkdir(join(folder, 'images', name), { recursive: true });
    await write(join('images', name, '1.png'), png);
  }
  await write(join('images', 'b', 'broken.png'), png.subarray(0, 40));
  for (const name of ['a', 'b']) {
    await mkdir(join(folder, 'two-classes', name), { recursive: true });
    await write(join('two-classes', name, '1.png'), png);
  }
  await writeShortRecord(folder);
}

/** One weight of the last layer that reads features is NaN. */
function withNan(model: Model): Model {
  const gemm = model.graph.nodes.find(({ op }) => op === 'Gemm');
  const weight = model.graph.constants.get(gemm?.inputs[1] ?? '');
  if (weight?.type === 'float32') weight.data[5] = Number.NaN;
  return model;
}

/** An image for an image. */
function mapsModel(): Model {
  const builder = new GraphBuilder();
  const maps = builder.node('Relu', [builder.input('image', ['batch', 1, 8, 8])], {}, 'maps');
  builder.output(maps, ['batch', 1, 8, 8]);
  return builder.model();
}

/** Doubles, one of which, in the third sample, is another. */
function oddSample(value: number): Uint8Array {
  const x = new Float64Array(4 * 64).fill(0.5).with(2 * 64 + 9, value);
  return writeNpz({ x: npyArray([4, 1, 8, 8], x), y: npyArray([4], BigInt64Array.of(0n, 1n, 2n, 0n)) });
}

/** Turns the closing brace of an array's header into a bracket; the archive itself stays sound. */
function wrongHeader(npz: Uint8Array): Uint8Array {
  const members = unzipSync(npz);
  const array = members['x.npy'] ?? new Uint8Array();
  array[array.indexOf('}'.charCodeAt(0))] = ']'.charCodeAt(0);
  return zipSync(members);
}

/** Format 16, 2000 samples in the header, 1000 in the signal file, one beat at sample 500. */
async function writeShortRecord(folder: string): Promise<void> {
  const beat = [500 & 0xff, (1 << 2) | (500 >> 8)];
  await mkdir(join(folder, 'wfdb'));
  await writeFile(join(folder, 'wfdb', '100.hea'), '100 1 360 2000\n100.dat 16 200 11 0 0 0 0 MLII\n');
  await writeFile(join(folder, 'wfdb', '100.dat'), new Uint8Array(2 * 1000));
  await writeFile(join(folder, 'wfdb', '100.atr'), Uint8Array.from([...beat, 0, 0]));
  await copyFile(
    fileURLToPath(new URL('../models/ecg-demo.onnx', import.meta.url)),
    join(folder, 'ecg.onnx'),
  );
}
