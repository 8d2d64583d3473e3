// One door to every kind of dataset: the path tells which.
import { stat } from 'node:fs/promises';
import { BedsideError, messageOf } from '../util/index.ts';
import { assertFiniteSamples, RegularFile } from '../util/internal.ts';
import type { Dataset, DatasetOptions } from './dataset.ts';
import { isWaveform, readWaveforms } from './dicom/recordings.ts';
import { readEdfData } from './edf/source.ts';
import { readImages } from './images/images.ts';
import { kindOfFile, kindOfFolder } from './kind-of-path.ts';
import { isLabelList } from './labels/list.ts';
import { readVolumes } from './nifti/volumes.ts';
import { isUnsplitNpz, readNpzDataset } from './npz/npz-dataset.ts';
import { readWfdb } from './wfdb/source.ts';

/**
 * Reads a data set as the model reads it: an `.npz` file, recordings (WFDB, EDF, BDF, DICOM) or images (of any format that
 * docs/data.md lists, DICOM and NIfTI among them), as one file or a folder, or a list of labels.
 * @throws BedsideError E_FILE for a path that cannot be read
 * @throws BedsideError E_DATA for a malformed dataset, a sample that is not finite, or a path that is none of the kinds
 * @throws BedsideError E_DATA_FIT when shape or classes do not fit the model; both sides are said
 * @throws BedsideError E_USAGE for an option that does not apply
 */
export async function openDataset(path: string, options: DatasetOptions): Promise<Dataset> {
  checkOptions(options);
  const kind = await kindOf(path);
  if (options.records && !['wfdb', 'edf', 'waveforms'].includes(kind)) {
    throw new BedsideError('E_USAGE', `${path} has no records to choose from`, {
      hint: 'leave out --records: it is for folders of recordings (WFDB, EDF, DICOM)',
    });
  }
  if (options.inputs && kind !== 'npz') {
    const names = options.inputs.map((input) => input.name).join(', ');
    throw new BedsideError('E_DATA_FIT', `${path} has one kind of samples, and the model reads ${names}`, {
      hint: 'several inputs are read from an .npz with an array <split>_<input> for each',
    });
  }
  const read = {
    npz: readNpzDataset,
    wfdb: readWfdb,
    edf: readEdfData,
    waveforms: readWaveforms,
    images: options.sampleShape.length === 4 ? readVolumes : readImages,
  }[kind];
  const dataset = await read(path, options);
  assertFiniteSamples(dataset);
  return dataset;
}

/**
 * Whether a path is an archive of `x` and `y` alone, whatever its name: it has no splits, and every split reads it in
 * full.
 * @throws BedsideError E_FILE, E_DATA for a path that is no dataset
 */
export async function isUnsplitArchive(path: string): Promise<boolean> {
  if ((await kindOf(path)) !== 'npz') return false;
  const file = await RegularFile.open(path, 'dataset');
  try {
    return await isUnsplitNpz(file, path);
  } finally {
    await file.close();
  }
}

/** Kinds of data that a path may hold. */
export type KindOfPath = 'npz' | 'wfdb' | 'edf' | 'waveforms' | 'images';

/** The kind of data at a path. @throws BedsideError E_FILE, E_DATA for a path that is no dataset */
export async function kindOf(path: string): Promise<KindOfPath> {
  try {
    if ((await stat(path)).isDirectory()) return await kindOfFolder(path);
    if (path.toLowerCase().endsWith('.npz')) return 'npz';
    const kind = await kindOfFile(path);
    if (kind === 'images' && (await isWaveform(path))) return 'waveforms';
    if (kind) return kind;
    if (isLabelList(path)) return 'images';
  } catch (cause) {
    if (BedsideError.is(cause)) throw cause;
    const missing = (cause as NodeJS.ErrnoException).code === 'ENOENT';
    throw new BedsideError(
      'E_FILE',
      `cannot read dataset ${path}: ${missing ? 'no such file or folder' : messageOf(cause)}`,
      {
        hint: 'check the path; relative paths start at the current folder',
        cause,
      },
    );
  }
  throw new BedsideError(
    'E_DATA',
    `${path} is not a dataset: it is neither an .npz archive nor a folder, nor a recording`,
    {
      hint: 'give an .npz file, recordings (WFDB, EDF, BDF), a folder of class folders with images, or a CSV of files and labels',
    },
  );
}

function checkOptions(options: DatasetOptions): void {
  const { classFilter, classes } = options;
  const unknown = classFilter?.find((label) => !Number.isInteger(label) || label < 0 || label >= classes);
  if (unknown !== undefined || classFilter?.length === 0) {
    throw new BedsideError(
      'E_USAGE',
      `class ${unknown ?? '(none)'} is not one of the model's ${classes} classes`,
      {
        hint: `classes are numbered from 0 to ${classes - 1}`,
      },
    );
  }
}
