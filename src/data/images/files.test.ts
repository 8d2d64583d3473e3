// What of a folder of images is read, and how what is not is counted; hidden files alone go without a word.
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PassedOverCount } from '../passed-over.ts';
import { listImages } from './files.ts';

let root = '';
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'bedside-listing-'));
});
afterAll(() => rm(root, { recursive: true }));

async function folderOf(name: string, files: readonly string[]): Promise<string> {
  for (const file of files) {
    const path = join(root, name, file);
    await mkdir(dirname(path), { recursive: true });
    if (!file.endsWith('/')) await writeFile(path, 'x');
  }
  return join(root, name);
}

async function list(folder: string, split: 'local' | 'test' | 'all' = 'all') {
  const passedOver = new PassedOverCount();
  const { files, classNames } = await listImages(folder, split, passedOver);
  return {
    paths: files.map(({ path }) => path),
    labels: files.map(({ label }) => label),
    classNames,
    passedOver: passedOver.list(),
  };
}

describe('listImages', () => {
  it('reads folders of patients, and passes hidden files over without a word', async () => {
    const folder = await folderOf('patients', [
      'a/Thumbs.db',
      'a/.DS_Store',
      'a/p1/1.png',
      'a/p1/desktop.ini',
      'a/p1/s/2.png',
      'a/0.png',
      'b/3.jpg',
      '__MACOSX/a/._0.png',
      '.ipynb_checkpoints/0.png',
    ]);
    const found = await list(folder);
    expect(found.paths).toEqual(
      ['a/0.png', 'a/p1/1.png', 'a/p1/s/2.png', 'b/3.jpg'].map((path) => join(path)),
    );
    expect(found).toMatchObject({ labels: [0, 0, 0, 1], classNames: ['a', 'b'], passedOver: [] });
  });

  it('counts other endings, images beside the classes, and folders too deep', async () => {
    const deep = `a/${'d/'.repeat(9)}9.png`;
    const names = [
      'a/1.raw',
      'a/2.raw',
      'a/x/3.RAW',
      'a/1.png',
      'b/1.png',
      'top.png',
      'labels.csv',
      'a/LICENSE',
      deep,
    ];
    const { paths, passedOver } = await list(await folderOf('others', names));
    expect(paths).toEqual([join('a/1.png'), join('b/1.png')]);
    expect(passedOver).toEqual([
      { reason: 'files ending in .csv, which are not read', count: 1, examples: ['labels.csv'] },
      {
        reason: 'files ending in .raw, which are not read',
        count: 3,
        examples: [join('a/1.raw'), join('a/2.raw'), join('a/x/3.RAW')],
      },
      { reason: 'files without an ending, which are not read', count: 1, examples: [join('a/LICENSE')] },
      {
        reason: 'folders more than 8 deep below a class',
        count: 1,
        examples: [join(`a/${'d/'.repeat(8)}d`)],
      },
      { reason: 'images beside the class folders', count: 1, examples: ['top.png'] },
    ]);
  });

  it.skipIf(process.platform === 'win32')(
    'follows links, but not in circles, and waits for no pipe',
    async () => {
      const folder = await folderOf('links', ['a/1.png', 'b/1.png', 'elsewhere/p/2.png']);
      await symlink(join(folder, 'elsewhere', 'p'), join(folder, 'a', 'p'));
      await symlink(join(folder, 'a'), join(folder, 'a', 'loop'));
      await symlink(join(folder, 'nowhere.png'), join(folder, 'b', 'nowhere.png'));
      execFileSync('mkfifo', [join(folder, 'b', 'pipe.png')]);
      const { paths, passedOver } = await list(folder);
      expect(paths).toEqual(
        ['a/1.png', 'a/p/2.png', 'b/1.png', 'elsewhere/p/2.png'].map((path) => join(path)),
      );
      expect(passedOver.map(({ reason, examples }) => [reason, ...examples])).toEqual([
        ['links to a folder that they are in', join('a/loop')],
        ['links that lead nowhere', join('b/nowhere.png')],
        ['pipes, sockets and devices', join('b/pipe.png')],
      ]);
    },
  );

  it('names folders that no split reads', async () => {
    const folder = await folderOf('splits', [
      'local/a/1.png',
      'test/a/1.png',
      'val/a/1.png',
      'raw/a/1.png',
      'x.txt',
      '1.png',
    ]);
    const beside = [
      { reason: 'files ending in .txt, which are not read', count: 1, examples: ['x.txt'] },
      { reason: 'images beside the class folders', count: 1, examples: ['1.png'] },
    ];
    const reason = 'folders that no split reads';
    expect((await list(folder)).passedOver).toEqual([
      ...beside,
      { reason, count: 2, examples: ['raw', 'val'] },
    ]);
    expect((await list(folder, 'test')).passedOver).toEqual([
      ...beside,
      { reason, count: 1, examples: ['raw'] },
    ]);
  });

  it('tells of records in folders', async () => {
    const folder = await folderOf('tree', ['100/100.hea', '101/101.hea']);
    await expect(list(folder)).rejects.toMatchObject({ hint: expect.stringMatching(/hold WFDB records/) });
  });
});
