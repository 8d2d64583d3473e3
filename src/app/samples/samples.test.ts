// Which samples commands get: no sample both scores and measures, and limits that nobody asked for refuse nothing.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { create } from '@bufbuild/protobuf';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Dataset, npyArray, writeNpz } from '../../data/index.ts';
import type { Classifier } from '../../evaluate/internal.ts';
import { TensorProtoSchema } from '../../onnx/codec/onnx_pb.ts';
import { writeModel } from '../../onnx/index.ts';
import { ELEM, GraphBuilder, int } from '../../onnx/internal.ts';
import { loadNetwork } from '../network/network.ts';
import { KeptJournal } from '../reporter.ts';
import { loadSamples, loadTwoSets } from './samples.ts';
import { numbersClassifier } from './test-support/numbers.ts';

const CLASSES = 2;
const quiet = new KeptJournal();
const vector = numbersClassifier([2], CLASSES);
const image: Classifier = { ...vector, sampleShape: [1, 4, 4] };

let folder: string;
const at = (name: string): string => join(folder, name);

/** `count` samples, each its own number twice; labels taking turns. */
function rows(count: number, from = 0) {
  const x = Float32Array.from({ length: 2 * count }, (_, i) => from + Math.floor(i / 2));
  const y = BigInt64Array.from({ length: count }, (_, i) => BigInt(i % CLASSES));
  return { x: npyArray([count, 2], x), y: npyArray([count], y) };
}

const ids = (dataset: Dataset): number[] =>
  Array.from({ length: dataset.size }, (_, i) => dataset.samples[2 * i] ?? -1);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bedside-load-'));
  const { x, y } = rows(300);
  await writeFile(at('xy.npz'), writeNpz({ x, y }));
  await writeFile(at('x.npz'), writeNpz({ x }));
  const [train, test] = [rows(100), rows(60, 1000)];
  await writeFile(
    at('split.npz'),
    writeNpz({ train_images: train.x, train_labels: train.y, test_images: test.x, test_labels: test.y }),
  );
  for (const [label, name] of ['a', 'b'].entries()) {
    await mkdir(join(folder, 'images', name), { recursive: true });
    for (let i = 0; i < 30; i++) {
      const grey = { r: 8 * i, g: 8 * i, b: 100 * label };
      const pixels = sharp({ create: { width: 4, height: 4, channels: 3, background: grey } });
      await writeFile(join(folder, 'images', name, `${i}.png`), await pixels.png().toBuffer());
    }
  }
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('loadTwoSets', () => {
  it('divides an archive of x and y', async () => {
    const { calibration, test } = await loadTwoSets(vector, { data: at('xy.npz') }, 1, quiet);
    expect([calibration.size, test.size]).toEqual([2 * 20, 200]);
    expect(ids(calibration).filter((id) => ids(test).includes(id))).toEqual([]);
    const again = await loadTwoSets(vector, { data: at('xy.npz') }, 1, quiet);
    expect(again.calibration.hash).toBe(calibration.hash);
    const other = await loadTwoSets(vector, { data: at('xy.npz') }, 2, quiet);
    expect(other.calibration.hash).not.toBe(calibration.hash);
  });

  it('divides samples without labels', async () => {
    const { calibration, test } = await loadTwoSets(vector, { data: at('x.npz'), limit: 30 }, 1, quiet);
    expect([calibration.size, test.size]).toEqual([30, 200]);
    expect(ids(calibration).filter((id) => ids(test).includes(id))).toEqual([]);
  });

  it.each(['local', 'test', 'all'] as const)(
    'divides it as well when --split %s is given, and says so',
    async (split) => {
      const output = new KeptJournal();
      const { calibration, test } = await loadTwoSets(vector, { data: at('xy.npz'), split }, 1, output);
      expect([calibration.size, test.size]).toEqual([2 * 20, 200]);
      expect(ids(calibration).filter((id) => ids(test).includes(id))).toEqual([]);
      expect(output.said().remarks).toEqual([expect.stringContaining(`--split ${split} chose nothing`)]);
    },
  );

  it.each(['xy.zip', 'xy'])('divides it under any name: %s', async (name) => {
    const { x, y } = rows(300);
    await writeFile(at(name), writeNpz({ x, y }));
    const { calibration, test } = await loadTwoSets(vector, { data: at(name) }, 1, quiet);
    expect([calibration.size, test.size]).toEqual([2 * 20, 200]);
    expect(ids(calibration).filter((id) => ids(test).includes(id))).toEqual([]);
  });

  it.each(['all', 'test'] as const)(
    'measures on no sample that scores when both come from --split %s',
    async (split) => {
      const { calibration, test } = await loadTwoSets(
        vector,
        { data: at('split.npz'), split, perClass: 25 },
        1,
        quiet,
      );
      expect(calibration.size).toBe(50);
      const used = ids(calibration).filter((id) => id >= 1000);
      expect(used.length).toBeGreaterThan(5);
      expect(test.size).toBe(60 - used.length);
      expect(ids(test).filter((id) => used.includes(id))).toEqual([]);
      await expect(
        loadTwoSets(vector, { data: at('split.npz'), split: 'test', perClass: 30 }, 1, quiet),
      ).rejects.toMatchObject({ code: 'E_DATA', message: expect.stringContaining('too few samples') });
    },
  );

  it('counts samples that measure and are copies of samples that score', async () => {
    const [train, test] = [rows(40), rows(30, 20)];
    const arrays = { train_images: train.x, train_labels: train.y, test_images: test.x, test_labels: test.y };
    await writeFile(at('copies.npz'), writeNpz(arrays));
    const output = new KeptJournal();
    await loadTwoSets(vector, { data: at('copies.npz') }, 1, output);
    expect(output.said().remarks).toEqual([
      '20 of 30 samples that are measured on are copies, number for number, of samples that score',
    ]);
  });

  it('takes the splits that there are, and limits each on its own', async () => {
    const options = { data: at('split.npz'), perClass: 5, testLimit: 12 };
    const { calibration, test } = await loadTwoSets(vector, options, 1, quiet);
    expect([calibration.size, test.size]).toEqual([10, 12]);
    expect(ids(calibration).every((id) => id < 100)).toBe(true);
    expect(ids(test).every((id) => id >= 1000)).toBe(true);
  });

  it('leaves images that score out of the measurement when a folder has no splits', async () => {
    const { calibration, test } = await loadTwoSets(image, { data: at('images') }, 1, quiet);
    expect([calibration.size, test.size]).toEqual([40, 20]);
    expect(calibration.origins?.filter((origin) => test.origins?.includes(origin))).toEqual([]);
    const all = { data: at('images'), perClass: 30 };
    await expect(loadTwoSets(image, all, 1, quiet)).rejects.toMatchObject({ code: 'E_DATA' });
  });
});

describe('loadSamples', () => {
  const defaults = { split: 'local', seed: 1, perClass: 20 } as const;

  it('limits each class by default, unless another limit is given', async () => {
    const sizeOf = async (options: { limit?: number; perClass?: number }) =>
      (await loadSamples(vector, { data: at('xy.npz'), ...options }, defaults, quiet)).size;
    expect(await sizeOf({})).toBe(40);
    expect(await sizeOf({ limit: 100 })).toBe(100);
    expect(await sizeOf({ perClass: 3 })).toBe(6);
  });

  it('limits data without labels as a whole by default, but refuses a limit a class that was asked for', async () => {
    expect((await loadSamples(vector, { data: at('x.npz') }, defaults, quiet)).size).toBe(40);
    const asked = { data: at('x.npz'), perClass: 3 };
    await expect(loadSamples(vector, asked, defaults, quiet)).rejects.toMatchObject({ code: 'E_DATA' });
  });

  it('still says what is wrong with damaged data', async () => {
    await writeFile(at('bad.npz'), 'no archive');
    await expect(loadSamples(vector, { data: at('bad.npz') }, defaults, quiet)).rejects.toMatchObject({
      code: 'E_DATA',
      message: expect.stringContaining('bad.npz'),
    });
  });
});

describe('a batch that the model fixes', () => {
  it('leaves samples over, which is said and is in the result', async () => {
    const output = new KeptJournal();
    const options = { data: at('xy.npz'), perClass: 5 };
    const { calibration } = await loadTwoSets({ ...vector, fixedBatch: 4 }, options, 1, output);
    expect(calibration.size).toBe(10);
    expect(output.said().remarks).toEqual([expect.stringMatching(/fixes a batch of 4: 2 of 10 samples/)]);
  });
});

describe('weights that leave float32', () => {
  it('when doubles are made floats are refused, by their name', async () => {
    const builder = new GraphBuilder();
    const input = builder.input('x', ['batch', 2]);
    const bytes = new Uint8Array(Float64Array.of(1, 2, 1e300, 4).buffer);
    const carried = create(TensorProtoSchema, { dims: [2n, 2n], dataType: ELEM.float64, rawData: bytes });
    const wide = builder.constant({ type: 'other', elemType: ELEM.float64, dims: [2, 2], carried }, 'wide');
    const weight = builder.node('Cast', [wide], { to: int(ELEM.float32) }, 'weight');
    builder.output(builder.node('MatMul', [input, weight], {}, 'scores'), ['batch', 2]);
    await writeFile(at('wide.onnx'), writeModel(builder.model()));
    await expect(loadNetwork(at('wide.onnx'))).rejects.toMatchObject({
      code: 'E_MODEL',
      message: expect.stringMatching(/MatMul '\w+' reads, is Infinity at \[1, 0\]/),
    });
  });
});
