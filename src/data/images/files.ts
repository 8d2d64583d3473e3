// Finds the images of a folder: class folders with images, at any depth below; or `local` (or `train`) and `test`
// folders of class folders. Files that are passed over are counted.
import { readdir, realpath, stat } from 'node:fs/promises';
import { basename, dirname, extname, join, relative, sep } from 'node:path';
import { BedsideError, messageOf } from '../../util/index.ts';
import type { DatasetSplit } from '../dataset.ts';
import { isHidden } from '../hidden.ts';
import { PATIENT_FOLDER } from '../labels/patient-folder.ts';
import { PassedOverCount } from '../passed-over.ts';
import { isMedical } from './medical-images.ts';
import { medicalName } from './medical-name.ts';

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

/** In any capitals. */
const LOCAL_FOLDERS = ['local', 'train', 'training'];
const TEST_FOLDERS = ['test', 'testing'];
const VALIDATION_FOLDERS = ['val', 'valid', 'validation', 'dev'];
/** Folders within folders below a class: patients, studies, series. */
const MOST_DEPTH = 8;

/** An image, by its path in the dataset's folder. */
export interface ImageFile {
  readonly path: string;
  readonly label: number | undefined;
  /** Whose it is: the folder between the class and the image, or above the class. */
  readonly patient?: string | undefined;
}

/** The images of a split; without class names they are unlabelled. */
export interface ImageList {
  readonly classNames: readonly string[] | undefined;
  readonly files: readonly ImageFile[];
  /** About what folders were taken for. */
  readonly remarks?: readonly string[] | undefined;
}

/** The classes of a network, as far as they are known. */
export interface ExpectedClasses {
  readonly classes: number;
  readonly names?: readonly string[] | undefined;
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
  expected?: ExpectedClasses,
): Promise<ImageList> {
  return new ImageLister(root, passedOver, expected).list(split);
}

/** All images in and below a folder, whatever they are. @throws BedsideError E_FILE for a folder that cannot be read */
export async function allImages(root: string, passedOver: PassedOverCount): Promise<string[]> {
  return new ImageLister(root, passedOver).all();
}

/** The split that a folder's name says, if any. */
export function splitOf(name: string): 'local' | 'test' | 'val' | undefined {
  const lower = name.toLowerCase();
  if (LOCAL_FOLDERS.includes(lower)) return 'local';
  if (TEST_FOLDERS.includes(lower)) return 'test';
  return VALIDATION_FOLDERS.includes(lower) ? 'val' : undefined;
}

class ImageLister {
  readonly #root: string;
  readonly #passedOver: PassedOverCount;
  readonly #expected: ExpectedClasses | undefined;

  constructor(root: string, passedOver: PassedOverCount, expected?: ExpectedClasses) {
    this.#root = root;
    this.#passedOver = passedOver;
    this.#expected = expected;
  }

  async all(): Promise<string[]> {
    const found: string[] = [];
    await this.#walk('', 0, [await realpath(this.#root)], (path) => found.push(path));
    return found;
  }

  async list(split: DatasetSplit): Promise<ImageList> {
    // Nothing is counted yet: where there are no split folders, the folder is listed again as one of class folders.
    const { folders } = await new ImageLister(this.#root, new PassedOverCount()).#listFolder('');
    const named = (names: readonly string[]): string | undefined =>
      names.flatMap((name) => folders.filter((folder) => folder.toLowerCase() === name))[0];
    const local = named(LOCAL_FOLDERS);
    const test = named(TEST_FOLDERS);
    const splits = folders.filter((name) => splitOf(name) !== undefined);
    const onlySplits = splits.length === folders.length;
    const isSplit = (local !== undefined && test !== undefined) || (folders.length > 0 && onlySplits);
    if (!isSplit) return this.#listClassFolders('');

    const wanted = split === 'all' ? [local, test] : [split === 'local' ? local : test];
    const read = wanted.filter((name) => name !== undefined);
    const [first, ...others] = await Promise.all(read.map((part) => this.#listClassFolders(part)));
    if (!first) {
      const names = split === 'local' ? LOCAL_FOLDERS.slice(0, 2) : TEST_FOLDERS.slice(0, 1);
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
    const files = [first, ...others].flatMap((part) => part.files);
    return { classNames: first.classNames, files, remarks: first.remarks };
  }

  /** The images of one folder of class folders. */
  async #listClassFolders(part: string): Promise<ImageList> {
    const here = await this.#listFolder(part);
    const files: ImageFile[] = [];
    for (const [label, name] of here.folders.entries()) {
      const folder = join(part, name);
      const ancestors = [await realpath(join(this.#root, part)), await realpath(join(this.#root, folder))];
      await this.#walk(folder, 0, ancestors, (path) =>
        files.push({ path, label, patient: foldersBelow(folder, path)[0] }),
      );
    }
    const own = here.images.map((image) => join(part, image));
    if (files.length > 0) {
      const exported = this.#exported(part, here.folders, [...own, ...files.map(({ path }) => path)]);
      if (exported) return exported;
      for (const path of own) this.#passedOver.add('images beside the class folders', path);
      return this.#patientsAbove(part, here.folders, files) ?? { classNames: here.folders, files };
    }
    if (own.length > 0) {
      return { classNames: undefined, files: own.map((path) => ({ path, label: undefined })) };
    }
    throw this.#noImages(part, await this.#hasRecords(part, here.folders));
  }

  /**
   * The same images without labels, where they are medical and in one folder that cannot be the network's classes: a
   * patient, study or series as archives export them. Undefined otherwise.
   */
  #exported(
    part: string,
    [name = '', ...more]: readonly string[],
    paths: readonly string[],
  ): ImageList | undefined {
    const { classes = 1, names = [] } = this.#expected ?? {};
    const isClass = names.some((own) => own.toLowerCase() === name.toLowerCase());
    const areMedical = paths.every((path) => medicalName(basename(path)) !== undefined);
    if (more.length > 0 || classes < 2 || isClass || !areMedical) return undefined;
    const remark =
      `${join(this.#root, part)} has one folder, which cannot be the ${classes} classes of the network: it was taken for an ` +
      'export of an archive, and its images are without labels';
    return {
      classNames: undefined,
      files: paths.map((path) => ({ path, label: undefined })),
      remarks: [remark],
    };
  }

  /**
   * The same images as of a folder for each patient, with the class folders in those. Only where the folders above
   * cannot be the network's classes and those below can; undefined otherwise.
   */
  #patientsAbove(part: string, above: readonly string[], files: readonly ImageFile[]): ImageList | undefined {
    if (!this.#expected || above.length < 2) return undefined;
    const { classes, names } = this.#expected;
    const below = files.map(({ path, label }) => foldersBelow(join(part, above[label ?? 0] ?? ''), path)[0]);
    if (below.includes(undefined)) return undefined;
    const found = [...new Set(below as string[])].sort();
    const areNames = (folders: readonly string[]): boolean =>
      names ? folders.some((folder) => names.includes(folder)) : folders.length === classes;
    const arePatients = above.every((folder) => PATIENT_FOLDER.test(folder));
    if ((areNames(above) && !arePatients) || !areNames(found) || found.length > classes) return undefined;
    const remark =
      `folders of ${join(this.#root, part)} were taken for patients (${above.slice(0, 3).join(', ')}, ...), ` +
      `and those in them for classes: ${found.slice(0, 10).join(', ')}`;
    return {
      classNames: found,
      files: files.map(({ path, label }, i) => ({
        path,
        label: found.indexOf(below[i] ?? ''),
        patient: above[label ?? 0],
      })),
      remarks: [remark],
    };
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
      else if (
        kind?.isFile() &&
        (IMAGE_EXTENSIONS.includes(ending) || (await isMedical(join(full, name), name)))
      )
        images.push(name);
      else if (isVoxels(name, entries)) continue;
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

/** The folders between a folder and a file below it. */
function foldersBelow(folder: string, path: string): string[] {
  return relative(folder, dirname(path))
    .split(sep)
    .filter((name) => name !== '');
}

/** Whether a file holds the voxels of a header of NIfTI beside it. */
function isVoxels(name: string, beside: readonly { readonly name: string }[]): boolean {
  const base = /^(.*)\.img(\.gz)?$/i.exec(name)?.[1];
  return (
    base !== undefined &&
    beside.some((other) => other.name === `${base}.hdr` || other.name === `${base}.hdr.gz`)
  );
}

function reasonOf(kind: { isFile(): boolean } | undefined, ending: string): string {
  if (!kind) return 'links that lead nowhere';
  if (!kind.isFile()) return 'pipes, sockets and devices';
  return ending === ''
    ? 'files without an ending, which are not read'
    : `files ending in ${ending}, which are not read`;
}
