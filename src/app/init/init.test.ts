// A first contract: what the model says, and of the common ways the one that measures best.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { npyArray, writeNpz } from '../../data/index.ts';
import { writeRecord } from '../../data/test-support/wfdb-record.ts';
import { saveModel } from '../../onnx/index.ts';
import { floatConstant, GraphBuilder } from '../../onnx/internal.ts';
import { networkOf } from '../network/network.ts';
import { init } from './init.ts';

let folder: string;
let data: string;

/** Scores are minus and plus the sum of the input: it tells dark from bright where grey is 0. */
async function network(file: string, shape: readonly number[], classes = 2): Promise<string> {
  const length = shape.reduce((product, axis) => product * axis, 1);
  const builder = new GraphBuilder();
  builder.input('x', ['N', ...shape]);
  const weights = Array.from({ length: length * classes }, (_, i) => (i % classes === 0 ? -1 : 1));
  const weight = builder.constant(floatConstant(weights, [length, classes]), 'w');
  builder.output(builder.node('MatMul', [builder.node('Flatten', ['x']), weight], {}, 'y'), ['N', classes]);
  await saveModel(builder.model(), join(folder, file));
  return join(folder, file);
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bedside-init-'));
  const bright = (i: number) => i % 2 === 1;
  const pixels = Uint8Array.from(
    { length: 40 * 4 },
    (_, i) => (bright(Math.floor(i / 4)) ? 200 : 117) + (i % 7),
  );
  const images = npyArray([40, 2, 2, 1], pixels);
  const labels = npyArray(
    [40],
    Uint8Array.from({ length: 40 }, (_, i) => Number(bright(i))),
  );
  data = join(folder, 'd.npz');
  const archive = { train_images: images, train_labels: labels, test_images: images, test_labels: labels };
  await writeFile(data, writeNpz(archive));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

it('finds the scale of images by measuring, and writes what is read again', async () => {
  const model = await network('grey.onnx', [2, 2, 1]);
  const { out, contract, fields } = await init(model, { data });
  expect(out).toBe(join(folder, 'grey.json'));
  expect(contract).toMatchObject({
    inputs: ['x'],
    output: 'y',
    image: { layout: 'NHWC', mean: 0.5, deviation: 0.5 },
  });
  expect(fields.find(({ field }) => field === 'image.mean')).toMatchObject({ value: 0.5, sure: 'measured' });
  expect(fields.find(({ field }) => field === 'image.layout')).toMatchObject({ value: 'NHWC' });
  expect((await networkOf(model)).classifier.contract).toEqual(contract);
  const before = await readFile(out, 'utf8');
  await expect(init(model, { data })).rejects.toMatchObject({ code: 'E_OUTPUT' });
  expect(await readFile(out, 'utf8')).toBe(before);
  await init(model, { data, force: true });
  expect(await readFile(out, 'utf8')).toBe(before);
});

it('guesses leads, rate and classes of recordings, and says that they are guesses', async () => {
  const records = join(folder, 'records');
  const { mkdir } = await import('node:fs/promises');
  await mkdir(records);
  const signal = Float64Array.from({ length: 3000 }, (_, i) => Math.sin(i / 20) + 0.2 * Math.sin(i / 3));
  const leads = [
    { name: 'V5', signal },
    { name: 'MLII', signal: signal.map((value) => -value) },
  ];
  const beats = Array.from({ length: 12 }, (_, i): [number, number] => [
    200 + 200 * i,
    [1, 9, 5, 6][i % 4] ?? 1,
  ]);
  await writeRecord(records, 'a', { rate: 250, leads, beats });
  const model = await network('beats.onnx', [2, 64], 4);
  const { contract, fields } = await init(model, { data: records });
  expect(contract).toMatchObject({
    classes: ['N', 'S', 'V', 'F'],
    classMap: { N: 0, S: 1, V: 2, F: 3, Q: null },
    signal: {
      leads: [
        ['MLII', '*'],
        ['V5', '*'],
      ],
      samplingRate: 250,
      window: { around: 'beat' },
    },
  });
  expect(fields.find(({ field }) => field === 'classes')).toMatchObject({ sure: 'guess' });
  expect(fields.find(({ field }) => field === 'signal.leads')).toMatchObject({ sure: 'guess' });
});
