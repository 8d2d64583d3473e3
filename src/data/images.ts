// A folder of class folders with images; or of `local` (or `train`) and `test` folders of class folders.
import { join } from 'node:path';
import { BedsideError, formatBytes, formatCount, messageOf, must } from '../util/index.ts';
import { availableMemory, RegularFile } from '../util/internal.ts';
import { LabelMap } from './contract/label-map.ts';
import type { Dataset, DatasetOptions } from './dataset.ts';
import { absentClasses, allocateSamples, numberedClasses } from './fit.ts';
import { hashSamples } from './hash.ts';
import { type ImageFile, listImages } from './image-files.ts';
import { type ImageTarget, imageTarget, writeImage } from './image-steps.ts';
import { MemoryBudget } from './memory-budget.ts';
import { PassedOverCount } from './passed-over.ts';
import type { Pixels } from './pixel-data.ts';
import { decodeImage, imageSize, MAX_PIXELS } from './pixels.ts';
import { selectIndices } from './sampling.ts';

// Decoding runs on libuv's four threads; a few more keep them fed, and memory stays small.
const CONCURRENCY = 8;
/** At most so much is decoded at a time, and at most a quarter of what memory has left. */
const MOST_DECODED = 2 ** 30;
/** A decoded pixel takes four bytes, and as many again for the channels that the model reads. */
const BYTES_PER_PIXEL = 8;
/** No image file has more bytes. */
const MAX_FILE_BYTES = 2 ** 30;
const LARGE_FILE = 16 * 2 ** 20;

/**
 * Reads a folder's images, also those in folders within a class folder (patients); classes are its class folders in
 * sorted order. A folder that holds images itself and no class folders is unlabelled. Without split folders every split
 * is the whole folder. What is passed over is counted.
 * @throws BedsideError E_DATA_FIT when the model does not read images or has another number of classes
 * @throws BedsideError E_DATA when there are no images, or one is corrupt (named; left out with `skipBad`)
 */
export async function readImages(folder: string, options: DatasetOptions): Promise<Dataset> {
  const passedOver = new PassedOverCount();
  const list = await listImages(folder, options.split, passedOver);
  const shape = imageTarget(options.sampleShape, options.contract?.image, folder);
  const map = list.classNames && LabelMap.named(options, list.classNames, folder);
  const mapped = map?.apply(Int32Array.from(list.files, (file) => file.label ?? 0));
  const all = mapped?.labels;
  const indices = selectIndices(list.files.length, all, options, folder);
  const chosen = Array.from(indices, (i) => must(list.files[i], 'a file for each index'));

  const size = shape.channels * shape.height * shape.width;
  const samples = allocateSamples(chosen.length, size, folder);
  const reasons = await decodeAll(folder, chosen, shape, samples, options);
  const good = chosen.map((_, i) => i).filter((i) => reasons[i] === undefined);
  if (good.length === 0) {
    throw new BedsideError('E_DATA', `none of the ${chosen.length} images chosen in ${folder} can be read`, {
      hint: `the first one: ${chosen[0]?.path}: ${reasons[0]}`,
    });
  }
  // Closes the gaps that skipped images leave.
  good.forEach((from, to) => {
    if (from !== to) samples.copyWithin(to * size, from * size, (from + 1) * size);
  });
  const kept = good.length === chosen.length ? samples : samples.slice(0, good.length * size);
  const files = good.map((i) => must(chosen[i], 'a file for each index'));
  const labels = all && Int32Array.from(good, (i) => must(all[indices[i] ?? -1], 'a label for each image'));
  const classNames = map?.classNames ?? options.contract?.classes ?? numberedClasses(options.classes);
  return {
    kind: 'images',
    name: folder,
    size: files.length,
    sampleShape: [...options.sampleShape],
    samples: kept,
    labels,
    classNames,
    origins: files.map((file) => file.path),
    skipped: chosen.flatMap((file, i) => {
      const reason = reasons[i];
      return reason === undefined ? [] : [{ path: file.path, reason }];
    }),
    passedOver: [...passedOver.list(), ...(mapped?.leftOut ?? [])],
    remarks: [
      ...shape.remarks,
      ...(map?.remarks ?? []),
      ...absentClasses(all, classNames, options.classFilter, folder),
    ],
    hash: hashSamples(kept, labels),
  };
}

/** Why each image could not be read, where it could not. */
async function decodeAll(
  folder: string,
  files: readonly ImageFile[],
  shape: ImageTarget,
  samples: Float32Array,
  options: DatasetOptions,
): Promise<(string | undefined)[]> {
  const size = shape.channels * shape.height * shape.width;
  const reasons = new Array<string | undefined>(files.length).fill(undefined);
  const budget = new MemoryBudget(Math.min(MOST_DECODED, availableMemory() / 4));
  let next = 0;
  let done = 0;
  let failed = false;
  const work = async (): Promise<void> => {
    while (next < files.length && !failed) {
      const i = next++;
      const { path } = must(files[i], 'a file for each index');
      try {
        await decodeOne(join(folder, path), options.maxPixels ?? MAX_PIXELS, budget, (pixels) =>
          writeImage(pixels, shape, samples, i * size),
        );
      } catch (cause) {
        if (BedsideError.is(cause) && cause.code !== 'E_FILE') throw cause;
        const reason =
          messageOf((cause as Error).cause ?? cause)
            .trim()
            .split('\n')[0]
            ?.replace(/^vips\w*: /, '') ?? '';
        if (!options.skipBad) {
          failed = true;
          throw new BedsideError('E_DATA', `cannot read image ${join(folder, path)}: ${reason}`, {
            hint: 'replace or remove the file, or leave such files out with --skip-bad',
            cause,
          });
        }
        reasons[i] = reason;
      }
      options.onProgress?.(++done, files.length);
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, work));
  return reasons;
}

/** Decodes a file when there is room for it, and hands it on. @throws Error, saying what is wrong with the image */
async function decodeOne(
  path: string,
  maxPixels: number,
  budget: MemoryBudget,
  use: (pixels: Pixels) => Promise<void>,
): Promise<void> {
  const file = await RegularFile.open(path, 'image');
  try {
    if (file.size > MAX_FILE_BYTES)
      throw new Error(`${formatBytes(file.size)}, more than the ${formatBytes(MAX_FILE_BYTES)} of any image`);
    const read = async (): Promise<[Uint8Array, number]> => {
      const content = await file.read(0, file.size);
      return [content, await pixelsOf(content, maxPixels)];
    };
    // A large file is read and decoded alone; of small ones what they decode to is counted.
    if (file.size > LARGE_FILE) {
      await budget.with(Number.POSITIVE_INFINITY, async () => {
        const [content] = await read();
        await use(await decodeImage(content, maxPixels));
      });
    } else {
      const [content, pixels] = await read();
      await budget.with(pixels * BYTES_PER_PIXEL, async () => use(await decodeImage(content, maxPixels)));
    }
  } finally {
    await file.close();
  }
}

/** The number of pixels of an image, if it is allowed and fits in memory. */
async function pixelsOf(content: Uint8Array, maxPixels: number): Promise<number> {
  const { width, height } = await imageSize(content);
  const pixels = width * height;
  if (pixels > maxPixels) {
    const [has, most] = [formatCount(pixels), formatCount(maxPixels)];
    throw new Error(`${width} x ${height} are ${has} pixels, more than the ${most} allowed (--max-pixels)`);
  }
  const bytes = pixels * BYTES_PER_PIXEL;
  if (bytes > availableMemory())
    throw new Error(`decoding it takes ${formatBytes(bytes)}, more than memory has left`);
  return pixels;
}
