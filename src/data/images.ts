// A folder of class folders with images; or of `local` (or `train`) and `test` folders of class folders.
import { readdir, stat } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { BedsideError, messageOf, must, readFileChecked } from '../util/index.ts';
import type { Dataset, DatasetOptions, Split } from './dataset.ts';
import { allocateSamples, assertClassCount, numberedClasses } from './fit.ts';
import { hashSamples } from './hash.ts';
import { decodeImage, type ImageShape, imageShape, writeSample } from './pixels.ts';
import { selectIndices } from './sampling.ts';

/** File name endings of images, in any case. */
export const IMAGE_EXTENSIONS: readonly string[] = [
  '.jpg',
  '.jpeg',
  '.png',
  '.webp',
  '.gif',
  '.tif',
  '.tiff',
];

// Decoding runs on libuv's four threads; a few more keep them fed, and memory stays small.
const CONCURRENCY = 8;
const LOCAL_FOLDERS = ['local', 'train'];
const TEST_FOLDERS = ['test'];

interface ImageFile {
  readonly path: string;
  readonly label: number | undefined;
}

interface ImageList {
  readonly classNames: readonly string[] | undefined;
  readonly files: readonly ImageFile[];
}

/**
 * Reads a folder's images; classes are its class folders in sorted order. A folder that holds images itself and no
 * class folders is unlabelled. Without split folders every split is the whole folder.
 * @throws BedsideError E_DATA_FIT when the model does not read images or has another number of classes
 * @throws BedsideError E_DATA when there are no images, or one is corrupt (named; left out with `skipBad`)
 */
export async function readImages(folder: string, options: DatasetOptions): Promise<Dataset> {
  const list = await listImages(folder, options.split);
  const shape = imageShape(options.sampleShape, folder);
  if (list.classNames) assertClassCount(options, list.classNames, folder);
  const all = list.classNames && Int32Array.from(list.files, (file) => file.label ?? 0);
  const chosen = Array.from(selectIndices(list.files.length, all, options, folder), (i) =>
    must(list.files[i], 'a file for each index'),
  );

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
  const labels = list.classNames && Int32Array.from(files, (file) => file.label ?? 0);
  return {
    kind: 'images',
    name: folder,
    size: files.length,
    sampleShape: [...options.sampleShape],
    samples: kept,
    labels,
    classNames: list.classNames ?? numberedClasses(options.classes),
    origins: files.map((file) => file.path),
    skipped: chosen.flatMap((file, i) => {
      const reason = reasons[i];
      return reason === undefined ? [] : [{ path: file.path, reason }];
    }),
    hash: hashSamples(kept, labels),
  };
}

/** Why each image could not be read, where it could not. */
async function decodeAll(
  folder: string,
  files: readonly ImageFile[],
  shape: ImageShape,
  samples: Float32Array,
  options: DatasetOptions,
): Promise<(string | undefined)[]> {
  const size = shape.channels * shape.height * shape.width;
  const reasons = new Array<string | undefined>(files.length).fill(undefined);
  let next = 0;
  let done = 0;
  let failed = false;
  const work = async (): Promise<void> => {
    while (next < files.length && !failed) {
      const i = next++;
      const { path } = must(files[i], 'a file for each index');
      try {
        const content = await readFileChecked(join(folder, path), 'image', { mayBeEmpty: true });
        await writeSample(await decodeImage(content), shape, samples, i * size);
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

async function listImages(folder: string, split: Split): Promise<ImageList> {
  const { folders } = await listFolder(folder);
  const local = LOCAL_FOLDERS.find((name) => folders.includes(name));
  const test = TEST_FOLDERS.find((name) => folders.includes(name));
  const onlySplits = folders.every((name) => [...LOCAL_FOLDERS, ...TEST_FOLDERS, 'val'].includes(name));
  const isSplit = (local !== undefined && test !== undefined) || (folders.length > 0 && onlySplits);
  if (!isSplit) return listClassFolders(folder, '');

  const wanted = split === 'all' ? [local, test] : [split === 'local' ? local : test];
  const parts: ImageList[] = [];
  for (const part of wanted.filter((name) => name !== undefined))
    parts.push(await listClassFolders(folder, part));
  const [first, ...others] = parts;
  if (!first) {
    const names = split === 'local' ? LOCAL_FOLDERS : TEST_FOLDERS;
    throw new BedsideError('E_DATA', `${folder} has no ${names.join(' or ')} folder for the ${split} split`, {
      hint: 'choose another --split, or --split all',
    });
  }
  for (const other of others) {
    if (other.classNames?.join('/') !== first.classNames?.join('/')) {
      throw new BedsideError(
        'E_DATA',
        `the ${wanted.join(' and ')} folders of ${folder} have different class folders`,
        {
          hint: 'give both the same class folders, empty ones where a class has no images',
        },
      );
    }
  }
  return { classNames: first.classNames, files: parts.flatMap((part) => part.files) };
}

/** The images of one folder of class folders; paths are relative to `root`. */
async function listClassFolders(root: string, part: string): Promise<ImageList> {
  const here = await listFolder(join(root, part));
  const files: ImageFile[] = [];
  for (const [label, name] of here.folders.entries()) {
    const inside = await listFolder(join(root, part, name));
    files.push(...inside.images.map((image) => ({ path: join(part, name, image), label })));
  }
  if (files.length > 0) return { classNames: here.folders, files };
  if (here.images.length > 0) {
    return {
      classNames: undefined,
      files: here.images.map((image) => ({ path: join(part, image), label: undefined })),
    };
  }
  throw new BedsideError(
    'E_DATA',
    `${join(root, part)} is not a dataset: no WFDB records, no images, no class folders`,
    {
      hint:
        'looked for .hea headers (WFDB), for folders named after classes with images ' +
        `(${IMAGE_EXTENSIONS.join(' ')}), also below local, train and test, and for images without class folders`,
    },
  );
}

/** Folders and images directly in a folder, each sorted by code unit; hidden ones are passed over. */
async function listFolder(folder: string): Promise<{ folders: string[]; images: string[] }> {
  const folders: string[] = [];
  const images: string[] = [];
  const entries = await readdir(folder, { withFileTypes: true }).catch((cause: unknown) => {
    throw new BedsideError('E_FILE', `cannot read folder ${folder}: ${messageOf(cause)}`, {
      hint: 'check its permissions',
      cause,
    });
  });
  for (const entry of entries) {
    if (entry.name.startsWith('.')) continue;
    // A link counts as what it leads to; one that leads nowhere is passed over.
    const kind = entry.isSymbolicLink() ? await stat(join(folder, entry.name)).catch(() => undefined) : entry;
    if (kind?.isDirectory()) folders.push(entry.name);
    else if (kind?.isFile() && IMAGE_EXTENSIONS.includes(extname(entry.name).toLowerCase()))
      images.push(entry.name);
  }
  return { folders: folders.sort(), images: images.sort() };
}
