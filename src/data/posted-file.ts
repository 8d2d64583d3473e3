// One file that was sent instead of named: an image, a recording, an array, an archive of arrays, or a zip of records or images. It is
// laid out in a folder as a user would lay it, so that `openDataset` reads it by the code that reads `--data`.
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, extname, join, posix } from 'node:path';
import { promisify } from 'node:util';
import { crc32, inflateRaw } from 'node:zlib';
import { zipSync } from 'fflate';
import { BedsideError, formatBytes, formatCount, plainLine } from '../util/index.ts';
import {
  DEFLATED,
  listZip,
  notUnpacked,
  packedRange,
  wrongChecksum,
  wrongSize,
  type ZipEntry,
} from './archive/zip.ts';
import { looksLikeDicom } from './dicom/object.ts';
import { looksLikeEdf } from './edf/header.ts';
import { isHidden } from './hidden.ts';
import { IMAGE_EXTENSIONS } from './images/files.ts';
import { imageSize } from './images/pixels.ts';
import { looksLikeNifti } from './nifti/header.ts';
import { gunzippedHead, isGzip } from './nifti/volume.ts';
import { decodeNpy, encodeNpy, MAX_HEAD_BYTES, parseNpyHead } from './npz/npy.ts';

/** What a posted file can be: the content tells which. */
export type PostedKind = 'image' | 'array' | 'archive' | 'edf' | 'dicom' | 'nifti';

/** Bounds on what a sender may make us unpack. */
export interface PostedBounds {
  /** Bytes of all members of an archive together. */
  readonly maxBytes: number;
  /** Members of an archive. */
  readonly maxFiles: number;
  /** Pixels of an image. */
  readonly maxPixels: number;
}

const unpacked = promisify(inflateRaw) as (
  bytes: Uint8Array,
  options: { maxOutputLength: number },
) => Promise<Uint8Array>;

/** The name of a file that is laid out alone, by its kind: messages call it by its sender's name. */
export const LAID_OUT = {
  array: 'arrays.npz',
  edf: 'recording.edf',
  dicom: 'object.dcm',
  nifti: 'volume.nii',
} as const;

/** The kind of a file by its first bytes; whatever is of no other kind counts as an image. */
export function kindOfContent(bytes: Uint8Array): PostedKind {
  const start = Buffer.from(bytes.subarray(0, 6)).toString('latin1');
  if (start.startsWith('PK\x03\x04') || start.startsWith('PK\x05\x06')) return 'archive';
  if (start === '\x93NUMPY') return 'array';
  if (looksLikeEdf(bytes)) return 'edf';
  if (looksLikeDicom(bytes)) return 'dicom';
  return looksLikeNifti(isGzip(bytes) ? gunzippedHead(bytes) : bytes) ? 'nifti' : 'image';
}

/**
 * Writes a posted file to an empty folder.
 * @param name how messages call it
 * @param sampleShape that of the network: an array of just this shape is one sample
 * @returns the path to read as a dataset
 * @throws BedsideError E_TOO_LARGE beyond the bounds; E_DATA for a damaged archive or array, or one with nothing in it
 */
export async function layOutPosted(
  bytes: Uint8Array,
  name: string,
  folder: string,
  { sampleShape, bounds }: { readonly sampleShape: readonly number[]; readonly bounds: PostedBounds },
): Promise<string> {
  const kind = kindOfContent(bytes);
  if (kind === 'image') {
    await assertPixels(bytes, name, bounds);
    await writeFile(join(folder, `image${imageEnding(name)}`), bytes, { mode: 0o600 });
    return folder;
  }
  if (kind === 'edf' || kind === 'dicom' || kind === 'nifti') {
    const path = join(folder, LAID_OUT[kind]);
    await writeFile(path, bytes, { mode: 0o600 });
    return path;
  }
  const path = join(folder, LAID_OUT.array);
  if (kind === 'array') {
    await writeFile(path, zipSync({ 'x.npy': [batched(bytes, sampleShape, name), { level: 0 }] }), {
      mode: 0o600,
    });
    return path;
  }
  const entries = membersOf(bytes, name, bounds);
  if (entries.some((entry) => entry.name.endsWith('.npy'))) {
    await writeFile(path, bytes, { mode: 0o600 });
    return path;
  }
  for (const entry of entries) {
    const content = await contentOf(bytes, entry, name);
    if (IMAGE_EXTENSIONS.includes(extname(entry.name).toLowerCase())) {
      await assertPixels(content, entry.name, bounds);
    }
    const file = join(folder, entry.name);
    await mkdir(dirname(file), { recursive: true, mode: 0o700 });
    await writeFile(file, content, { mode: 0o600 });
  }
  return folder;
}

/** The reader goes by endings to find images, and by content to read them: any ending of an image serves. */
function imageEnding(name: string): string {
  const ending = extname(name).toLowerCase();
  return IMAGE_EXTENSIONS.includes(ending) ? ending : '.png';
}

/** An array as samples one after the other: one of a single sample's shape gets a batch axis. */
function batched(bytes: Uint8Array, sampleShape: readonly number[], name: string): Uint8Array {
  const { shape } = parseNpyHead(bytes.subarray(0, MAX_HEAD_BYTES), bytes.length, name);
  const axes = (of: readonly number[]): string => of.filter((axis) => axis !== 1).join();
  const sorted = (of: readonly number[]): string => of.toSorted((a, b) => a - b).join();
  // The channels may stand elsewhere, as in archives; then the number of axes tells one sample from several.
  if (axes(shape) !== axes(sampleShape) && sorted(shape) !== sorted(sampleShape)) return bytes;
  const array = decodeNpy(bytes, name);
  return encodeNpy([1, ...shape], array.data, array.dtype);
}

/** The files of an archive, checked by name, number and size before anything is unpacked. */
function membersOf(bytes: Uint8Array, name: string, { maxFiles, maxBytes }: PostedBounds): ZipEntry[] {
  const all = listZip(bytes, name, maxFiles).filter((entry) => !entry.name.endsWith('/'));
  const seen = new Set<string>();
  for (const entry of all) {
    if (!isPlainPath(entry.name)) {
      throw new BedsideError('E_DATA', `${name} has a member whose name leads out of the archive`, {
        hint: 'names are paths below the archive, without .. and without a drive, of at most 200 bytes a folder',
      });
    }
    // Whatever the case: some file systems make one file of both.
    const key = entry.name.toLowerCase();
    if (seen.has(key)) throw twice(name, entry.name);
    seen.add(key);
  }
  // A file cannot be the folder of another one.
  for (const entry of all) {
    const parts = entry.name.toLowerCase().split('/');
    if (parts.some((_, i) => i > 0 && seen.has(parts.slice(0, i).join('/')))) throw twice(name, entry.name);
  }
  const entries = all.filter((entry) => !entry.name.split('/').some(isHidden));
  const total = entries.reduce((sum, entry) => sum + entry.bytes, 0);
  if (total > maxBytes) {
    throw new BedsideError(
      'E_TOO_LARGE',
      `${name} unpacks to ${formatBytes(total)}, more than the ${formatBytes(maxBytes)} allowed`,
      { hint: 'send it in parts' },
    );
  }
  if (entries.length === 0) {
    throw new BedsideError('E_DATA', `${name} has no files in it`, {
      hint: 'send the header, signal and annotation files of a WFDB record, images, or arrays',
    });
  }
  return entries;
}

function twice(archive: string, member: string): BedsideError {
  return new BedsideError(
    'E_DATA',
    `${archive} holds ${member} twice, as one file or as a file and a folder`,
    {
      hint: 'give every member a name of its own; capitals make no difference',
    },
  );
}

function isPlainPath(path: string): boolean {
  const parts = path.split('/');
  const isPlain = (part: string): boolean =>
    // File systems count bytes, of which a letter may have four.
    part !== '' && part !== '.' && part !== '..' && Buffer.byteLength(part) <= 200;
  return (
    !/[\\:]/.test(path) &&
    plainLine(path) === path &&
    parts.length <= 10 &&
    parts.every(isPlain) &&
    posix.normalize(path) === path
  );
}

async function contentOf(archive: Uint8Array, entry: ZipEntry, name: string): Promise<Uint8Array> {
  const where = `${entry.name} in ${name}`;
  const { start, end } = packedRange(archive.subarray(entry.offset), entry, archive.length, where);
  const packed = archive.subarray(start, end);
  const content = entry.method === DEFLATED ? await inflated(packed, entry, where) : packed;
  if (content.length !== entry.bytes) throw wrongSize(where, entry);
  if (crc32(content) !== entry.crc) throw wrongChecksum(where);
  return content;
}

async function inflated(packed: Uint8Array, entry: ZipEntry, where: string): Promise<Uint8Array> {
  try {
    // Nothing is unpacked beyond what the directory says.
    return await unpacked(packed, { maxOutputLength: Math.max(1, entry.bytes) });
  } catch (cause) {
    throw (cause as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE'
      ? wrongSize(where, entry)
      : notUnpacked(where, cause);
  }
}

/** @throws BedsideError E_TOO_LARGE; what is no image is told by whoever decodes it */
async function assertPixels(content: Uint8Array, name: string, { maxPixels }: PostedBounds): Promise<void> {
  const size = await imageSize(content).catch(() => undefined);
  if (!size || size.width * size.height <= maxPixels) return;
  const { width, height } = size;
  throw new BedsideError(
    'E_TOO_LARGE',
    `${name}: ${width} x ${height} are ${formatCount(width * height)} pixels, more than the ${formatCount(maxPixels)} allowed`,
    { hint: 'send a smaller image' },
  );
}
