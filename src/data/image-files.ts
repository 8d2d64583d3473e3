// Finds the images of a folder: class folders with images, at any depth below; or `local` (or `train`) and `test`
// folders of class folders. Files that are passed over are counted.
import { readdir, realpath, stat } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { BedsideError, messageOf } from '../util/index.ts';
import type { DatasetSplit } from './dataset.ts';
import { isHidden } from './hidden.ts';
import { PassedOverCount } from './passed-over.ts';

/** File name endings of images, in any case. */
export const IMAGE_EXTENSIONS: readonly string[] = [
  '.jpg',
  '.jpeg',
  '.jpe',
  '.jfif',
  '.png',
  '.webp',
  '.gif',
  '.tif',
  '.tiff',
  '.avif',
  '.bmp',
  '.dib',
  '.pgm',
  '.ppm',
  '.pnm',
];

const LOCAL_FOLDERS = ['local', 'train'];
const TEST_FOLDERS = ['test'];
const VALIDATION_FOLDERS = ['val'];
/** Folders within folders below a class: patients, studies, series. */
const MOST_DEPTH = 8;

/** An image, by its path in the dataset's folder. */
export interface ImageFile {
  readonly path: string;
  readonly label: number | undefined;
}

/** The images of a split; without class names they are unlabelled. */
export interface ImageList {
  readonly classNames: readonly string[] | undefined;
  readonly files: readonly ImageFile[];
}

/** Names of what is directly in a folder, each sorted by code unit. */
interface Listing {
  readonly folders: readonly string[];
  readonly images: readonly string[];
}

/**
 * Lists the images of a split, class by class, and in a class folder by folder: its images first, then its folders.
 * @throws BedsideError E_FILE for a folder that cannot be read; E_DATA when there are no images, or not the split
 */
export async function listImages(
  root: string,
  split: DatasetSplit,
  passedOver: PassedOverCount,
): Promise<ImageList> {
  return new ImageLister(root, passedOver).list(split);
}

class ImageLister {
  readonly #root: string;
  readonly #passedOver: PassedOverCount;

  constructor(root: string, passedOver: PassedOverCount) {
    this.#root = root;
    this.#passedOver = passedOver;
  }

  async list(split: DatasetSplit): Promise<ImageList> {
    // Nothing is counted yet: where there are no split folders, the folder is listed again as one of class folders.
    const { folders } = await new ImageLister(this.#root, new PassedOverCount()).#listFolder('');
    const local = LOCAL_FOLDERS.find((name) => folders.includes(name));
    const test = TEST_FOLDERS.find((name) => folders.includes(name));
    const splits = [...LOCAL_FOLDERS, ...TEST_FOLDERS, ...VALIDATION_FOLDERS];
    const onlySplits = folders.every((name) => splits.includes(name));
    const isSplit = (local !== undefined && test !== undefined) || (folders.length > 0 && onlySplits);
    if (!isSplit) return this.#listClassFolders('');

    const wanted = split === 'all' ? [local, test] : [split === 'local' ? local : test];
    const read = wanted.filter((name) => name !== undefined);
    const [first, ...others] = await Promise.all(read.map((part) => this.#listClassFolders(part)));
    if (!first) {
      const names = split === 'local' ? LOCAL_FOLDERS : TEST_FOLDERS;
      throw new BedsideError(
        'E_DATA',
        `${this.#root} has no ${names.join(' or ')} folder for the ${split} split`,
        { hint: 'choose another --split, or --split all' },
      );
    }
    const beside = folders.filter(
      (name) => !read.includes(name) && (split === 'all' || !splits.includes(name)),
    );
    const { images } = await this.#listFolder('');
    for (const name of images) this.#passedOver.add('images beside the class folders', name);
    for (const name of beside) this.#passedOver.add('folders that no split reads', name);
    if (others.some((other) => other.classNames?.join('/') !== first.classNames?.join('/'))) {
      throw new BedsideError(
        'E_DATA',
        `the ${read.join(' and ')} folders of ${this.#root} have different class folders`,
        { hint: 'give both the same class folders, empty ones where a class has no images' },
      );
    }
    return { classNames: first.classNames, files: [first, ...others].flatMap(({ files }) => files) };
  }

  /** The images of one folder of class folders. */
  async #listClassFolders(part: string): Promise<ImageList> {
    const here = await this.#listFolder(part);
    const files: ImageFile[] = [];
    for (const [label, name] of here.folders.entries()) {
      const folder = join(part, name);
      const ancestors = [await realpath(join(this.#root, part)), await realpath(join(this.#root, folder))];
      await this.#walk(folder, 0, ancestors, (path) => files.push({ path, label }));
    }
    const own = here.images.map((image) => join(part, image));
    if (files.length > 0) {
      for (const path of own) this.#passedOver.add('images beside the class folders', path);
      return { classNames: here.folders, files };
    }
    if (own.length > 0) {
      return { classNames: undefined, files: own.map((path) => ({ path, label: undefined })) };
    }
    throw this.#noImages(part, await this.#hasRecords(part, here.folders));
  }

  /** Gives every image in and below a folder to `found`. */
  async #walk(
    folder: string,
    depth: number,
    ancestors: readonly string[],
    found: (path: string) => void,
  ): Promise<void> {
    const { images, folders } = await this.#listFolder(folder);
    for (const image of images) found(join(folder, image));
    for (const name of folders) {
      const path = join(folder, name);
      const real = await realpath(join(this.#root, path));
      if (depth === MOST_DEPTH)
        this.#passedOver.add(`folders more than ${MOST_DEPTH} deep below a class`, path);
      else if (ancestors.includes(real)) this.#passedOver.add('links to a folder that they are in', path);
      else await this.#walk(path, depth + 1, [...ancestors, real], found);
    }
  }

  /** The direct contents of a folder; everything else but hidden files is counted. */
  async #listFolder(folder: string): Promise<Listing> {
    const full = join(this.#root, folder);
    const entries = await readdir(full, { withFileTypes: true }).catch((cause: unknown) => {
      throw new BedsideError('E_FILE', `cannot read folder ${full}: ${messageOf(cause)}`, {
        hint: 'check its permissions',
        cause,
      });
    });
    const folders: string[] = [];
    const images: string[] = [];
    const others: { readonly reason: string; readonly path: string }[] = [];
    for (const entry of entries) {
      const { name } = entry;
      if (isHidden(name)) continue;
      const path = join(folder, name);
      // A link counts as what it leads to.
      const kind = entry.isSymbolicLink() ? await stat(join(full, name)).catch(() => undefined) : entry;
      const ending = extname(name).toLowerCase();
      if (kind?.isDirectory()) folders.push(name);
      else if (kind?.isFile() && IMAGE_EXTENSIONS.includes(ending)) images.push(name);
      else others.push({ reason: reasonOf(kind, ending), path });
    }
    for (const { reason, path } of others.sort((a, b) => (a.path < b.path ? -1 : 1)))
      this.#passedOver.add(reason, path);
    return { folders: folders.sort(), images: images.sort() };
  }

  /** Whether a folder below holds WFDB headers. */
  async #hasRecords(part: string, folders: readonly string[]): Promise<boolean> {
    for (const name of folders) {
      const files = await readdir(join(this.#root, part, name)).catch(() => []);
      if (files.some((file) => file.endsWith('.hea'))) return true;
    }
    return false;
  }

  #noImages(part: string, hasRecords: boolean): BedsideError {
    const endings = IMAGE_EXTENSIONS.join(' ');
    return new BedsideError(
      'E_DATA',
      `${join(this.#root, part)} is not a dataset: no WFDB records, no images, no class folders`,
      {
        hint: hasRecords
          ? 'folders in it hold WFDB records: name one of those, as records are read from one folder'
          : `looked for .hea headers (WFDB), for folders named after classes with images (${endings}), also below ` +
            'local, train and test, and for images without class folders',
      },
    );
  }
}

function reasonOf(kind: { isFile(): boolean } | undefined, ending: string): string {
  if (!kind) return 'links that lead nowhere';
  if (!kind.isFile()) return 'pipes, sockets and devices';
  return ending === ''
    ? 'files without an ending, which are not read'
    : `files ending in ${ending}, which are not read`;
}
