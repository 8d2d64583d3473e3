// Samples of a file that was sent to a service: prepared as the bundle says, by the code that reads `--data`.
import { constants } from 'node:fs';
import { access, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { resolve, sep } from 'node:path';
import type { Bundle } from '../../bundle/index.ts';
import type { Dataset } from '../../data/index.ts';
import { LAID_OUT, layOutPosted, type PostedBounds } from '../../data/internal.ts';
import { BedsideError, messageOf } from '../../util/index.ts';
import { clearLeftovers, removedAtExit, temporaryFolder } from '../../util/internal.ts';
import { classifierOf } from '../bundle/open-bundle.ts';
import { journalOf, type Skipped } from '../reporter.ts';
import { loadSamples } from './samples.ts';

export { kindOfContent, type PostedKind } from '../../data/internal.ts';

/** A file as it was sent. */
export interface PostedFile {
  readonly bytes: Uint8Array;
  /** How messages call it, such as `ecg.zip`. */
  readonly name: string;
}

/** Where the files lie while they are read: in memory, if the system has such a folder. */
const IN_MEMORY = '/dev/shm';
const NO_ROOM = ['ENOSPC', 'EDQUOT', 'EACCES', 'EROFS', 'ENOENT'];

/** Names that we give to what was sent. */
const LAID_OUT_NAMES = new RegExp(Object.values(LAID_OUT).join('|').replaceAll('.', '\\.'), 'g');

/** Samples as the network reads them, with what was guessed or passed over to read them. */
export interface PostedSamples {
  readonly samples: Dataset;
  readonly remarks: readonly string[];
  readonly skipped: readonly Skipped[];
}

/**
 * The samples of an image, an object of DICOM, a volume of NIfTI, a recording (EDF, BDF), an array (`.npy`), an archive of arrays, or a zip of WFDB records or images, all of them and in
 * order, as `bedside infer --data` reads the same file with `--split all`.
 * @param frame of an object with several frames only this one, from 0
 * @throws BedsideError E_DATA, E_DATA_FIT, E_TOO_LARGE, E_UNSUPPORTED; E_OUTPUT where there is no folder to read it in
 */
export async function postedSamples(
  bundle: Pick<Bundle, 'model' | 'manifest' | 'dir'>,
  { bytes, name }: PostedFile,
  bounds: PostedBounds,
  frame?: number,
): Promise<PostedSamples> {
  const { shape } = bundle.manifest.model.input;
  let full: unknown;
  for (const parent of await parents()) {
    const folder = await temporary(parent).catch((error: unknown) => {
      full = error;
    });
    if (!folder) continue;
    const told = (text: string): string =>
      text
        .replaceAll(`${folder.path}${sep}`, '')
        .replaceAll(folder.path, name)
        .replaceAll(LAID_OUT_NAMES, name);
    try {
      const data = await layOutPosted(bytes, name, folder.path, { sampleShape: shape, bounds });
      const journal = journalOf();
      const options = { data, maxPixels: bounds.maxPixels };
      const which = { split: 'all', seed: 1, frame } as const;
      const samples = await loadSamples(classifierOf(bundle), options, which, journal);
      const { remarks, skipped } = journal.said();
      return {
        samples: { ...samples, name, origins: samples.origins?.map(told) },
        remarks: remarks.map(told),
        skipped: skipped.map((own) => ({ ...own, reason: told(own.reason) })),
      };
    } catch (error) {
      if (BedsideError.is(error)) throw ofSender(error, told);
      if (!NO_ROOM.includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
      full = error;
    } finally {
      await folder.remove();
    }
  }
  throw new BedsideError('E_OUTPUT', `there is no room to read ${name} in: ${messageOf(full)}`, {
    hint: 'make room in the folder for temporary files, or set TMPDIR to another one',
    cause: full,
  });
}

/** An error about the file in the words of its sender, who knows neither our folders nor our options. */
function ofSender(error: BedsideError, told: (text: string) => string): BedsideError {
  // That a file cannot be read is about what was sent: the folder is ours.
  const code = error.code === 'E_FILE' ? 'E_DATA' : error.code;
  const { hint } = error;
  const fits = hint !== undefined && !/(^|[ ,(])--\w/.test(hint);
  return new BedsideError(code, told(error.message), {
    hint: fits ? told(hint) : 'docs/data.md says what is read, and how a contract prepares it',
    cause: error,
  });
}

/** Folders for temporary files, that in memory first. */
async function parents(): Promise<string[]> {
  const isThere = await access(IN_MEMORY, constants.W_OK | constants.X_OK).then(
    () => true,
    () => false,
  );
  return [...(isThere ? [IN_MEMORY] : []), resolve(tmpdir())];
}

/** A new folder that only this user may enter, and that goes at the latest with the process. */
async function temporary(
  parent: string,
): Promise<{ readonly path: string; readonly remove: () => Promise<void> }> {
  clearLeftovers(parent);
  const path = await mkdtemp(temporaryFolder(parent));
  const forget = removedAtExit(path);
  return {
    path,
    remove: async () => {
      await rm(path, { recursive: true, force: true });
      forget();
    },
  };
}
