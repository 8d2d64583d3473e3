// Files of DICOM and NIfTI as images: how many a file has, what it says of itself, and each of them by its number.
import { RegularFile } from '../../util/internal.ts';
import { DicomImage } from '../dicom/image.ts';
import { looksLikeDicom } from '../dicom/object.ts';
import { NiftiVolume } from '../nifti/volume.ts';
import { medicalName } from './medical-name.ts';
import type { MedicalFrame } from './shown-values.ts';

const MARKED = 132;
/** Files that are kept open: reading frame after frame does not look for them anew. */
const MOST_OPEN = 4;

/** Whether a file is of DICOM or NIfTI: by its name, or by the mark of DICOM. */
export async function isMedical(path: string, name: string): Promise<boolean> {
  const said = medicalName(name);
  if (said !== 'marked') return said !== undefined;
  const file = await RegularFile.open(path, 'image').catch(() => undefined);
  if (!file) return false;
  try {
    return file.size > MARKED && looksLikeDicom(await file.read(0, MARKED));
  } finally {
    await file.close();
  }
}

/** Images of a file. */
interface Opened {
  readonly frames: number;
  readonly width: number;
  readonly height: number;
  frame(index: number): MedicalFrame | Promise<MedicalFrame>;
}

interface Entry {
  readonly file: RegularFile;
  readonly images: Opened;
}

/** Opens files and keeps a few of them. */
export class MedicalFiles {
  readonly #entries = new Map<string, { readonly opened: Promise<Entry>; users: number }>();

  /**
   * A frame.
   * @param maxPixels more are refused before they are decoded
   * @throws Error, saying what is wrong with the file; BedsideError E_FILE for one that cannot be read
   */
  async frame(path: string, index: number, maxPixels: number): Promise<MedicalFrame> {
    return this.#use(path, async ({ width, height, frame, frames }) => {
      if (width * height > maxPixels) {
        throw new Error(`${width} x ${height} pixels are more than the ${maxPixels} allowed (--max-pixels)`);
      }
      if (index >= frames) throw new Error(`it has ${frames} frames, and not one of number ${index + 1}`);
      return await frame(index);
    });
  }

  /** How many frames a file has. @throws as `frame` */
  async count(path: string): Promise<number> {
    return this.#use(path, async ({ frames }) => frames);
  }

  /** Closes all files. */
  async close(): Promise<void> {
    const all = [...this.#entries.values()];
    this.#entries.clear();
    for (const { opened } of all) await opened.then(({ file }) => file.close()).catch(() => {});
  }

  async #use<T>(path: string, use: (images: Opened) => Promise<T>): Promise<T> {
    const entry = this.#entries.get(path) ?? { opened: openImages(path), users: 0 };
    this.#entries.delete(path);
    this.#entries.set(path, entry);
    entry.users++;
    try {
      return await use((await entry.opened).images);
    } catch (error) {
      const failed = await entry.opened.then(
        () => false,
        () => true,
      );
      if (failed) this.#entries.delete(path);
      throw error;
    } finally {
      entry.users--;
      await this.#closeOldest();
    }
  }

  async #closeOldest(): Promise<void> {
    for (const [path, entry] of this.#entries) {
      if (this.#entries.size <= MOST_OPEN) return;
      if (entry.users > 0) continue;
      this.#entries.delete(path);
      await entry.opened.then(({ file }) => file.close());
    }
  }
}

async function openImages(path: string): Promise<Entry> {
  const file = await RegularFile.open(path, 'image');
  try {
    const head = await file.read(0, Math.min(MARKED, file.size));
    if (looksLikeDicom(head)) {
      const image = await DicomImage.open(file);
      const { frames, columns, rows } = image.facts;
      return { file, images: { frames, width: columns, height: rows, frame: (index) => image.frame(index) } };
    }
    const volume = await NiftiVolume.open(file, path);
    const { frames, width, height } = volume;
    return { file, images: { frames, width, height, frame: (index) => volume.frame(index) } };
  } catch (error) {
    await file.close();
    throw error;
  }
}
