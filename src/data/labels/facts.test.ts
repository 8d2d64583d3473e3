import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { zipSync } from 'fflate';
import { expect, it } from 'vitest';
import { dataFacts } from '../data-facts.ts';
import type { DatasetOptions } from '../dataset.ts';
import { npyArray } from '../npz/npy.ts';
import { writeNpz } from '../npz/npz.ts';
import { openDataset } from '../open-dataset.ts';
import { labelFacts } from './facts.ts';

const OPTIONS: DatasetOptions = { sampleShape: [1], classes: 2, split: 'all', seed: 1 };

/** Arrays that say many items and hold none. */
function npyHeads() {
  const npy = (descr: string, shape: string, content = 0): Uint8Array => {
    const text = `{'descr': '${descr}', 'fortran_order': False, 'shape': (${shape}), }\n`;
    const start = [0x93, ...Buffer.from('NUMPY'), 1, 0, text.length, 0];
    return Buffer.concat([Buffer.from(start), Buffer.from(text), Buffer.alloc(content)]);
  };
  const texts = { 'x.npy': npy('<f4', '1, 1', 4), 'y.npy': npy('<U0', '1000000000000,') };
  return { long: npy('<i8', '1000000000000, 0'), texts };
}

it('tells what labels of archives and lists look like, whatever their arrays are called', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'bedside-facts-'));
  try {
    const written = async (name: string, content: string | Uint8Array) => {
      await writeFile(join(folder, name), content);
      return join(folder, name);
    };
    const facts = async (name: string, content: string | Uint8Array) =>
      labelFacts(await written(name, content));
    const x = npyArray([2, 1], Float32Array.of(1, 2));
    const values = npyArray([2], Float32Array.of(0.5, -2));
    const npz = (array: string) => writeNpz({ train_x: x, [array]: values });
    for (const array of ['train_values', 'y_train', 'train_targets']) {
      expect(await facts('a.npz', npz(array))).toMatchObject({ shape: [], whole: false, lowest: -2 });
    }
    expect(await facts('none.npz', npz('other'))).toBeUndefined();
    const { long, texts } = npyHeads();
    expect(await facts('long.npz', zipSync({ 'y.npy': long, 'x.npy': long }))).toEqual({
      shape: [0],
      whole: true,
    });
    await expect(openDataset(await written('texts.npz', zipSync(texts)), OPTIONS)).rejects.toMatchObject({
      ...{ code: 'E_DATA', message: expect.stringContaining('texts are all empty') },
    });
    const oneHot = await facts('l.csv', 'file,A,B\n1.png,1,0\n2.png,0,1\n');
    expect(oneHot).toMatchObject({ shape: [2], oneHot: true });
    expect(await facts('l.csv', 'file,label\n1.png,7.5\n')).toMatchObject({ shape: [], whole: false });
    expect(await facts('l.csv', 'file,label\n1.png,sick\n')).toEqual({ shape: [], whole: true });
    expect(await facts('l.csv', 'file,label\n1.png,A|B\n')).toBeUndefined();
    const list = await written('l.csv', 'file,label\n1.png,well\n2.png,sick\n3.png,\n');
    expect(await dataFacts(list)).toEqual({ kind: 'images', labels: ['sick', 'well'] });
  } finally {
    await rm(folder, { recursive: true });
  }
});
