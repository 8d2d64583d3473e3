// NumPy's `.npz`: a zip archive of `.npy` arrays.
import { zipSync } from 'fflate';
import { BedsideError, formatBytes } from '../../util/index.ts';
import { readFileChecked } from '../../util/internal.ts';
import type { ByteSource } from '../archive/byte-source.ts';
import { listZip, listZipOf, readZipEntry, type ZipEntry } from '../archive/zip.ts';
import { decodeNpy, encodeNpy, type NpyArray } from './npy.ts';

export interface ReadNpzOptions {
  /** The arrays to unpack; default all. */
  readonly only?: (name: string) => boolean;
  /** The most that the chosen arrays may unpack to together; default 4 GiB. */
  readonly maxBytes?: number;
}

const DEFAULT_MAX_BYTES = 4 * 2 ** 30;

/**
 * Reads arrays by name (without `.npy`) from the bytes of an archive, or from a file.
 * Members that are not arrays are passed over.
 * @throws BedsideError E_FILE for an unreadable path, E_DATA for a damaged archive, a wrong array, or too much of it
 */
export async function readNpz(source: string, options?: ReadNpzOptions): Promise<Map<string, NpyArray>> {
  return decodeNpz(await readFileChecked(source, 'archive'), source, options);
}

/**
 * Reads arrays by name (without `.npy`) from the bytes of an archive.
 * @param name how the archive is called in error messages
 * @throws BedsideError E_DATA
 */
export function decodeNpz(
  bytes: Uint8Array,
  name: string,
  options: ReadNpzOptions = {},
): Map<string, NpyArray> {
  const maxBytes = options.maxBytes ?? DEFAULT_MAX_BYTES;
  const chosen = new Map<string, ZipEntry>();
  let total = 0;
  for (const [key, entry] of arrayEntries(listZip(bytes, name), name, options.only)) {
    chosen.set(key, entry);
    total += entry.bytes;
  }
  if (total > maxBytes) {
    throw new BedsideError(
      'E_DATA',
      `${name} unpacks to ${formatBytes(total)}, more than the ${formatBytes(maxBytes)} allowed`,
      { hint: 'split the archive into smaller ones' },
    );
  }
  const arrays = new Map<string, NpyArray>();
  for (const [key, entry] of chosen) {
    arrays.set(key, decodeNpy(readZipEntry(bytes, entry, name), `${key} in ${name}`));
  }
  return arrays;
}

/**
 * The members of an archive that are arrays, by name (without `.npy`), in its order, without unpacking any.
 * @throws BedsideError E_DATA; E_FILE when a file cannot be read
 */
export async function npzEntries(source: ByteSource, name: string): Promise<Map<string, ZipEntry>> {
  return arrayEntries(await listZipOf(source, name), name);
}

function arrayEntries(
  entries: readonly ZipEntry[],
  name: string,
  only: (name: string) => boolean = () => true,
): Map<string, ZipEntry> {
  const chosen = new Map<string, ZipEntry>();
  for (const entry of entries) {
    if (!entry.name.endsWith('.npy')) continue;
    const key = entry.name.slice(0, -'.npy'.length);
    if (!only(key)) continue;
    if (chosen.has(key))
      throw new BedsideError('E_DATA', `${name} holds array ${key} twice`, {
        hint: 'write the archive again with numpy.savez',
      });
    chosen.set(key, entry);
  }
  return chosen;
}

/** The names of the arrays in an archive, in its order, without unpacking any. @throws BedsideError E_DATA */
export function npzNames(bytes: Uint8Array, name: string): string[] {
  return listZip(bytes, name)
    .filter((entry) => entry.name.endsWith('.npy'))
    .map((entry) => entry.name.slice(0, -'.npy'.length));
}

/** The bytes of an archive of these arrays, deflated; the same arrays give the same bytes. */
export function writeNpz(arrays: Readonly<Record<string, NpyArray>>): Uint8Array {
  const files: Record<string, Uint8Array> = {};
  for (const [name, array] of Object.entries(arrays)) {
    files[`${name}.npy`] = encodeNpy(array.shape, array.data, array.dtype);
  }
  // The earliest date that zip can hold, so that the bytes do not depend on the clock.
  return zipSync(files, { level: 6, mtime: new Date(1980, 0, 1) });
}
