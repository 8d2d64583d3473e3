// A folder of class folders with images; or of `local` (or `train`) and `test` folders of class folders; or images with
// a list of labels. Files of DICOM and NIfTI give an image for each of their frames.
import { join } from 'node:path';
import { BedsideError, formatBytes, formatCount, messageOf, must } from '../../util/index.ts';
import { availableMemory, RegularFile } from '../../util/internal.ts';
import type { Dataset, DatasetOptions } from '../dataset.ts';
import { absentClasses, allocateSamples } from '../fit.ts';
import { hashSamples } from '../hash.ts';
import { saysRange } from '../npz/images.ts';
import { PassedOverCount } from '../passed-over.ts';
import { chooseSamples } from '../sampling/patients.ts';
import { targetsAt } from '../sampling/sampling.ts';
import { allImages } from './files.ts';
import { type FramedImage, type FramedImages, originOf, ShownCount, withFrames } from './frames.ts';
import { labelledImages } from './labels.ts';
import { MedicalFiles } from './medical-images.ts';
import { MemoryBudget } from './memory-budget.ts';
import type { Pixels } from './pixel-data.ts';
import { decodeImage, imageSize, MAX_PIXELS } from './pixels.ts';
import { shownImage } from './shown-values.ts';
import { type ImageTarget, imageTarget, writeImage } from './steps.ts';
import { MAY_BE_WIDE, type WideRange, wideRange, withWhite } from './wide-images.ts';

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
export async function readImages(path: string, options: DatasetOptions): Promise<Dataset> {
  const passedOver = new PassedOverCount();
  const shape = imageTarget(options.sampleShape, options.contract?.image, path);
  const files = new MedicalFiles();
  try {
    const list = await withFrames(
      await labelledImages(path, options, passedOver),
      files,
      options,
      passedOver,
    );
    return await readListed(path, list, { files, shape, options, passedOver });
  } finally {
    await files.close();
  }
}

/** What reading a list takes. */
interface Reading {
  readonly files: MedicalFiles;
  readonly shape: ImageTarget;
  readonly options: DatasetOptions;
  readonly passedOver: PassedOverCount;
}

async function readListed(
  path: string,
  list: FramedImages,
  { files, shape, options, passedOver }: Reading,
): Promise<Dataset> {
  const { root, labels: all, targets, patients, classNames } = list;
  const indices = chooseSamples({ size: list.paths.length, labels: all, targets, patients }, options, path);
  const chosen = Array.from(indices, (i) => must(list.images[i], 'an image for each index'));

  const size = shape.channels * shape.height * shape.width;
  const samples = allocateSamples(chosen.length, size, path);
  const range = saysRange(options.contract?.image)
    ? undefined
    : await wideRange(root, await everyImage(root, list.paths), options.maxPixels ?? MAX_PIXELS, path);
  const shown = new ShownCount();
  const reasons = await decodeAll({ root, chosen, range, files, shown }, shape, samples, options);
  const good = chosen.map((_, i) => i).filter((i) => reasons[i] === undefined);
  if (good.length === 0) {
    throw new BedsideError('E_DATA', `none of the ${chosen.length} images chosen in ${root} can be read`, {
      hint: `the first one: ${chosen[0]?.path}: ${reasons[0]}`,
    });
  }
  // Closes the gaps that skipped images leave.
  good.forEach((from, to) => {
    if (from !== to) samples.copyWithin(to * size, from * size, (from + 1) * size);
  });
  const kept = good.length === chosen.length ? samples : samples.slice(0, good.length * size);
  const places = good.map((i) => indices[i] ?? -1);
  const labels = all && Int32Array.from(places, (i) => must(all[i], 'a label for each image'));
  const given = targets && targetsAt(targets, list.paths.length, places);
  return {
    kind: list.kind,
    name: path,
    size: good.length,
    sampleShape: [...options.sampleShape],
    samples: kept,
    labels,
    ...(given && { targets: given }),
    ...(patients && { patients: places.map((i) => must(patients[i], 'a patient for each image')) }),
    ...(options.splitBy && { splitBy: options.splitBy }),
    classNames,
    origins: places.map((i) => originOf(must(list.images[i], 'an image for each index'))),
    skipped: [
      ...list.unreadable,
      ...chosen.flatMap((image, i) => {
        const reason = reasons[i];
        return reason === undefined ? [] : [{ path: originOf(image), reason }];
      }),
    ],
    passedOver: [...passedOver.list(), ...list.leftOut],
    remarks: [
      ...shape.remarks,
      ...(range?.remarks ?? []),
      ...shown.remarks(path),
      ...list.remarks,
      ...absentClasses(all, classNames, options.classFilter, path),
    ],
    hash: hashSamples(kept, labels, given),
  };
}

/** All images of a folder, of every split: their range is one. Those listed, where there are others of no use. */
async function everyImage(root: string, listed: readonly string[]): Promise<readonly string[]> {
  return listed.some((path) => MAY_BE_WIDE.test(path)) ? allImages(root, new PassedOverCount()) : listed;
}

/** Images to decode. */
interface Files {
  readonly root: string;
  readonly chosen: readonly FramedImage[];
  readonly range: WideRange | undefined;
  readonly files: MedicalFiles;
  readonly shown: ShownCount;
}

/** Why each image could not be read, where it could not. */
async function decodeAll(
  { root, chosen, range, files, shown }: Files,
  shape: ImageTarget,
  samples: Float32Array,
  options: DatasetOptions,
): Promise<(string | undefined)[]> {
  const size = shape.channels * shape.height * shape.width;
  const reasons = new Array<string | undefined>(chosen.length).fill(undefined);
  const budget = new MemoryBudget(Math.min(MOST_DECODED, availableMemory() / 4));
  let next = 0;
  let done = 0;
  let failed = false;
  const isSaid = saysRange(options.contract?.image);
  const work = async (): Promise<void> => {
    while (next < chosen.length && !failed) {
      const i = next++;
      const { path, frame } = must(chosen[i], 'an image for each index');
      const maxPixels = options.maxPixels ?? MAX_PIXELS;
      try {
        if (frame === undefined) {
          await decodeOne(join(root, path), maxPixels, budget, (pixels) =>
            writeImage(isSaid ? pixels : withWhite(pixels, range, path), shape, samples, i * size),
          );
        } else {
          const picture = await files.frame(join(root, path), frame, maxPixels);
          const { pixels, contract, by } = shownImage(picture, shape.contract);
          shown.add(by, picture);
          await writeImage(pixels, { ...shape, contract }, samples, i * size);
        }
      } catch (cause) {
        if (BedsideError.is(cause) && cause.code !== 'E_FILE') throw cause;
        const reason =
          messageOf((cause as Error).cause ?? cause)
            .trim()
            .split('\n')[0]
            ?.replace(/^vips\w*: /, '') ?? '';
        if (!options.skipBad) {
          failed = true;
          throw new BedsideError('E_DATA', `cannot read image ${join(root, path)}: ${reason}`, {
            hint: 'replace or remove the file, or leave such files out with --skip-bad',
            cause,
          });
        }
        reasons[i] = reason;
      }
      options.onProgress?.(++done, chosen.length);
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
