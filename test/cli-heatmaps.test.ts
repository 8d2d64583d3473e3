// `bedside explain --heatmaps` as a process: what it writes, and what it refuses before any work.
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { npyArray, writeNpz } from 'bedside/data';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Cli, compileCli, smallData, writeSmall } from './support/cli.ts';

let cli: Cli;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bedside-heatmaps-'));
  cli = await compileCli();
  await writeSmall(folder);
});

afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

const explain = (...words: readonly string[]) =>
  cli.run(['explain', 'model.onnx', '--data', 'data.npz', '--quiet', ...words], folder);

describe('explain --heatmaps', () => {
  it('writes a picture for each sample drawn, one of the channels, and a page of all', async () => {
    const words = [
      '--heatmaps',
      'new/pictures',
      '--heatmap-samples',
      '2',
      '--criterion',
      'lrp-gamma',
      '--json',
    ];
    const run = await explain(...words);
    expect([run.status, run.stderr]).toEqual([0, '']);
    const result = JSON.parse(run.stdout) as { heatmaps: unknown };
    const index = join('new', 'pictures', 'index.html');
    expect(result.heatmaps).toEqual({ folder: 'new/pictures', index, samples: 6 });

    const files = await readdir(join(folder, 'new/pictures'));
    const pictures = files.filter((file) => /^\d\d-[012]\.svg$/.test(file));
    expect(files.toSorted()).toEqual([...pictures, 'index.html', 'layers.svg'].toSorted());
    expect(pictures.map((file) => file.slice(3, 4)).toSorted()).toEqual(['0', '0', '1', '1', '2', '2']);
    const page = await readFile(join(folder, index), 'utf8');
    for (const file of [...pictures, 'layers.svg']) expect(page).toContain(`src="${file}"`);
    for (const file of pictures) {
      // Labels take turns in the data: the number and the class in the name agree.
      const svg = await readFile(join(folder, 'new/pictures', file), 'utf8');
      expect(Number(file.slice(0, 2)) % 3).toBe(Number(file.slice(3, 4)));
      expect(svg).toMatch(new RegExp(`Why ‘${file.slice(3, 4)}’\\? [<>\\d. ]+% probability`));
      expect(svg.match(/<image /g)).toHaveLength(3);
    }
    const layers = await readFile(join(folder, 'new/pictures/layers.svg'), 'utf8');
    expect(layers.match(/\d+ channels<\/text>/g)).toEqual(
      ['16', '16', '3'].map((n) => `${n} channels</text>`),
    );
  });

  it('writes the same again with the same seed', async () => {
    const contents = async (to: string) => {
      const run = await explain('--heatmaps', to, '--heatmap-samples', '1', '--criterion', 'lrp-zplus');
      expect([run.status, run.stderr]).toEqual([0, '']);
      const files = (await readdir(join(folder, to))).toSorted();
      return Promise.all(files.map(async (file) => [file, await readFile(join(folder, to, file), 'utf8')]));
    };
    expect(await contents('first')).toEqual(await contents('second'));
  });

  it('draws three of each predicted class where there are no labels', async () => {
    await writeFile(join(folder, 'unlabelled.npz'), smallData(60, { labels: false }));
    const run = await cli.run(
      [
        'explain',
        'model.onnx',
        '--data',
        'unlabelled.npz',
        '--quiet',
        '--heatmaps',
        'free',
        '--criterion',
        'taylor',
      ],
      folder,
    );
    expect([run.status, run.stderr]).toEqual([0, '']);
    const pictures = (await readdir(join(folder, 'free'))).filter((file) => /^\d/.test(file));
    const classes = pictures.map((file) => file.slice(3));
    expect(classes.length).toBeGreaterThan(0);
    for (const one of classes) {
      expect(classes.filter((other) => other === one).length).toBeLessThanOrEqual(3);
    }
  });

  // The data does not exist: the refusal comes before it is looked for.
  it.each([
    [
      'a criterion that explains no samples',
      ['--criterion', 'l1', '--heatmaps', 'x'],
      'E_USAGE',
      'lrp-gamma',
    ],
    ['a file where the folder should be', ['--heatmaps', 'model.onnx'], 'E_OUTPUT', 'folder'],
    ['a folder below a file', ['--heatmaps', 'model.onnx/x'], 'E_OUTPUT', 'folder'],
    ['no samples', ['--heatmaps', 'x', '--heatmap-samples', '0'], 'E_USAGE', '--help'],
  ])('refuses %s, before any work', async (_, words, code, hint) => {
    const criterion = words.includes('--criterion') ? [] : ['--criterion', 'lrp-gamma'];
    const run = await cli.run(
      ['explain', 'model.onnx', '--data', 'missing.npz', '--json', ...criterion, ...words],
      folder,
    );
    expect(run.status).not.toBe(0);
    const { error } = JSON.parse(run.stdout) as { error: { code: string; hint: string } };
    expect(error.code).toBe(code);
    expect(error.hint).toContain(hint);
    expect(await readdir(folder)).not.toContain('x');
  });

  it('refuses an empty class of samples as it refuses empty data', async () => {
    await mkdir(join(folder, 'empty'), { recursive: true });
    const none = { x: npyArray([0, 1, 8, 8], new Float32Array(0)), y: npyArray([0], new BigInt64Array(0)) };
    await writeFile(join(folder, 'empty', 'none.npz'), writeNpz(none));
    const run = await cli.run(
      [
        'explain',
        'model.onnx',
        '--data',
        'empty/none.npz',
        '--heatmaps',
        'x',
        '--criterion',
        'taylor',
        '--json',
      ],
      folder,
    );
    expect(run.status).not.toBe(0);
    expect(JSON.parse(run.stdout)).toHaveProperty('error.code', 'E_DATA');
  });
});
