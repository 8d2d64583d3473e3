// What a path holds, by names and first bytes.
import { readdir } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { BedsideError, messageOf } from '../util/index.ts';
import { RegularFile } from '../util/internal.ts';
import { looksLikeDicom } from './dicom/object.ts';
import { isWaveform } from './dicom/recordings.ts';
import { looksLikeEdf } from './edf/header.ts';
import { isEdfName } from './edf/source.ts';
import { isHidden } from './hidden.ts';
import { IMAGE_EXTENSIONS } from './images/files.ts';
import { medicalName } from './images/medical-name.ts';
import { looksLikeNifti } from './nifti/header.ts';
import { gunzippedHead, isGzip } from './nifti/volume.ts';
import { RECORD_LIST, recordNames } from './wfdb/folder.ts';

/** So many folders are looked into to find out what a folder holds, and so deep. */
const MOST_PROBED = 2000;
const MOST_DEPTH = 8;
/** So many files of DICOM are looked into, to see whether they hold waveforms. */
const MOST_LOOKED_INTO = 4;
/** Enough of a file to know it by its mark. */
const HEAD = 4096;

/** The kind of a file by its first bytes; undefined for one that is no data. @throws BedsideError E_FILE */
export async function kindOfFile(path: string): Promise<'npz' | 'edf' | 'images' | undefined> {
  const file = await RegularFile.open(path, 'dataset');
  try {
    return kindOfHead(await file.read(0, Math.min(HEAD, file.size)));
  } finally {
    await file.close();
  }
}

/** The kind of data that bytes begin. */
export function kindOfHead(head: Uint8Array): 'npz' | 'edf' | 'images' | undefined {
  if (Buffer.from(head.subarray(0, 4)).toString('latin1') === 'PK\x03\x04') return 'npz';
  if (looksLikeEdf(head)) return 'edf';
  const isNifti = looksLikeNifti(head) || (isGzip(head) && looksLikeNifti(gunzippedHead(head)));
  return looksLikeDicom(head) || isNifti ? 'images' : undefined;
}

/**
 * What a folder holds, by the first file that says it, from the folder itself downwards: a header or a list of records
 * (WFDB), recordings of EDF, waveforms of DICOM, or images, which is also what a folder of nothing counts as.
 * @throws BedsideError E_FILE for a folder that cannot be read
 */
export async function kindOfFolder(folder: string): Promise<'wfdb' | 'edf' | 'waveforms' | 'images'> {
  const queue = [{ path: folder, depth: 0 }];
  for (let next = 0; next < Math.min(queue.length, MOST_PROBED); next++) {
    const { path, depth } = queue[next] ?? { path: folder, depth: 0 };
    const { files, folders } = await listFolder(path);
    if (recordNames(files).length > 0) return 'wfdb';
    if (depth === 0 && files.includes(RECORD_LIST) && folders.length > 0 && !files.some(isEdfName))
      return 'wfdb';
    if (files.some(isEdfName)) return 'edf';
    const medical = files.filter((file) => medicalName(file) !== undefined).slice(0, MOST_LOOKED_INTO);
    for (const file of medical) if (await isWaveform(join(path, file))) return 'waveforms';
    if (files.some((file) => IMAGE_EXTENSIONS.includes(extname(file).toLowerCase()))) return 'images';
    if (depth === MOST_DEPTH) continue;
    for (const name of folders) queue.push({ path: join(path, name), depth: depth + 1 });
  }
  return 'images';
}

async function listFolder(path: string): Promise<{ readonly files: string[]; readonly folders: string[] }> {
  const entries = await readdir(path, { withFileTypes: true }).catch((cause: unknown) => {
    throw new BedsideError('E_FILE', `cannot read folder ${path}: ${messageOf(cause)}`, {
      hint: 'check its permissions',
      cause,
    });
  });
  const shown = entries.filter(({ name }) => !isHidden(name));
  const names = (isFolder: boolean): string[] =>
    shown.filter((entry) => entry.isDirectory() === isFolder).map(({ name }) => name);
  return { files: names(false).sort(), folders: names(true).sort() };
}
