// A dataset from an `.npz`: `<split>_images` and `<split>_labels` as MedMNIST has them, or `x` and `y`. Images are read
// row by row, so that neither the archive nor its arrays need to fit in memory, only what was chosen of them.
import { BedsideError, must } from '../util/index.ts';
import { RegularFile } from '../util/internal.ts';
import { type ByteSource, memorySource } from './byte-source.ts';
import type { Dataset, DatasetOptions } from './dataset.ts';
import { absentClasses, allocateSamples } from './fit.ts';
import { hashSamples } from './hash.ts';
import type { NpyHead } from './npy.ts';
import { npyHeadOf, readNpyRows } from './npy-rows.ts';
import { npzEntries } from './npz.ts';
import { type Archive, readGiven, readPatients, readTargets } from './npz-given.ts';
import { imageRemarks, type RowWriter, saysRange } from './npz-images.ts';
import { isUnsplit, type PartNames, partsOf } from './npz-names.ts';
import { isWide, largestOf, tellWhite, whiteOf } from './npz-range.ts';
import { rowWriter } from './npz-samples.ts';
import { chooseSamples } from './patients.ts';
import { zipPieces } from './zip-pieces.ts';

interface ArchivePart {
  readonly names: PartNames;
  readonly head: NpyHead;
  /** Rows of the images. */
  readonly count: number;
  readonly write: RowWriter;
}

/**
 * Reads an archive. Bytes `[N, H, W]`, `[N, H, W, 1]` or `[N, H, W, 3]` are images: made grey or RGB, resized and
 * divided by 255 as the model reads them. Bytes of the model's own shape, of any rank, are divided by 255, wider
 * unsigned numbers by the white of their real range; other numbers of the model's own shape (a single channel may be
 * left out) are taken as they are. Labels are classes, or what the network's task asks for (`npz-targets.ts`).
 * @throws BedsideError E_FILE, E_DATA for a malformed archive, E_DATA_FIT for shapes or labels that do not fit
 */
export async function readNpzDataset(path: string, options: DatasetOptions): Promise<Dataset> {
  const file = await RegularFile.open(path, 'dataset');
  try {
    if (file.size === 0) {
      throw new BedsideError('E_FILE', `dataset ${path} is empty`, {
        hint: 'the file has 0 bytes; copy or download it again',
      });
    }
    return await datasetOf(file, path, options);
  } finally {
    await file.close();
  }
}

/** The same from the archive's bytes; `name` is for error messages. */
export async function npzDataset(bytes: Uint8Array, name: string, options: DatasetOptions): Promise<Dataset> {
  return datasetOf(memorySource(bytes), name, options);
}

/** Whether the archive has no splits: `x` and `y` alone, which every split reads in full. */
export async function isUnsplitNpz(source: ByteSource, name: string): Promise<boolean> {
  return isUnsplit(await npzEntries(source, name));
}

async function datasetOf(source: ByteSource, name: string, options: DatasetOptions): Promise<Dataset> {
  const archive = { source, name, entries: await npzEntries(source, name) };
  const { task, splitBy, split } = options;
  const names = partsOf(archive.entries, splitBy ? 'all' : split, name, { task });
  // A contract that says what values stand for goes before what they look like.
  const range = saysRange(options.contract?.image) ? { remarks: [] } : await rangeOf(archive, names);
  const parts: ArchivePart[] = [];
  for (const part of names) parts.push(await readPart(archive, part, { ...options, white: range.white }));
  const size = options.sampleShape.reduce((product, axis) => product * axis, 1);
  const total = parts.reduce((sum, { count }) => sum + count, 0);
  const given = await readGiven(archive, parts, options);
  const patients = await readPatients(archive, parts);
  const chosen = chooseSamples({ ...given, size: total, patients }, options, name);
  const samples = allocateSamples(chosen.length, size, name);
  const positions = await readSamples(archive, parts, chosen, samples, options);
  const { labels, classNames } = given;
  const chosenLabels = labels && chosen.map((i) => labels[i] ?? 0);
  const targets = given.form && (await readTargets(archive, parts, chosen, given.form));
  return {
    kind: 'npz',
    name,
    size: chosen.length,
    sampleShape: [...options.sampleShape],
    samples,
    labels: chosenLabels,
    ...(targets && { targets }),
    ...(patients && { patients: Array.from(chosen, (i) => patients[i] ?? '') }),
    ...(splitBy && { splitBy }),
    classNames,
    origins: undefined,
    positions,
    skipped: [],
    passedOver: given.leftOut,
    remarks: [
      ...imageNotes(parts, options, name),
      ...given.remarks,
      ...range.remarks,
      ...absentClasses(labels, classNames, options.classFilter, name),
    ],
    hash: hashSamples(samples, chosenLabels, targets),
  };
}

/** The white of wide pixels, the same for all splits of the archive. */
async function rangeOf(
  archive: Archive,
  read: readonly PartNames[],
): Promise<{ readonly white?: number; readonly remarks: readonly string[] }> {
  const headOf = (array: string): Promise<NpyHead> => headOfArray(archive, array);
  const first = must(read[0], 'a part of the archive').images;
  if (!isWide((await headOf(first)).dtype)) return { remarks: [] };
  let largest = 0;
  const all = isUnsplit(archive.entries) ? read : partsOf(archive.entries, 'all', archive.name);
  for (const { images } of all) {
    const entry = must(archive.entries.get(images), 'an array that the archive lists');
    const head = await headOf(images);
    if (!isWide(head.dtype)) continue;
    largest = Math.max(largest, await largestOf(zipPieces(archive.source, entry, archive.name), head));
  }
  const white = whiteOf(largest);
  return { white, remarks: [tellWhite(`${first} in ${archive.name}`, largest, white)] };
}

/** Writes the chosen samples, part by part, with their positions in the data. */
async function readSamples(
  archive: Archive,
  parts: readonly ArchivePart[],
  chosen: Int32Array,
  samples: Float32Array,
  { onProgress }: DatasetOptions,
): Promise<Float64Array> {
  const size = samples.length / chosen.length;
  const positions = new Float64Array(chosen.length);
  let first = 0;
  let to = 0;
  for (const { head, names, count, write } of parts) {
    const where = `${names.images} in ${archive.name}`;
    const own = chosen.filter((i) => i >= first && i < first + count).map((i) => i - first);
    first += count;
    const entry = must(archive.entries.get(names.images), 'an array that the archive lists');
    const pieces = zipPieces(archive.source, entry, archive.name);
    await readNpyRows(pieces, head, entry.bytes, own, where, async (row, numbers) => {
      await write(numbers, row, samples, to * size);
      positions[to++] = names.position + row;
      if (to % 1000 === 0 || to === chosen.length) onProgress?.(to, chosen.length);
    });
  }
  return positions;
}

/** What is said about how images were read; once for all parts. */
function imageNotes(
  parts: readonly ArchivePart[],
  { sampleShape, contract }: DatasetOptions,
  name: string,
): string[] {
  return [...new Set(parts.flatMap(({ head }) => imageRemarks(head, sampleShape, contract?.image, name)))];
}

function headOfArray({ source, name, entries }: Archive, array: string): Promise<NpyHead> {
  const entry = must(entries.get(array), 'an array that the archive lists');
  return npyHeadOf(zipPieces(source, entry, name), entry.bytes, `${array} in ${name}`);
}

async function readPart(
  archive: Archive,
  names: PartNames,
  { sampleShape, white, contract }: DatasetOptions & { readonly white: number | undefined },
): Promise<ArchivePart> {
  const head = await headOfArray(archive, names.images);
  const count = head.shape[0] ?? 0;
  const write = rowWriter(head, sampleShape, `${names.images} in ${archive.name}`, {
    white,
    contract: contract?.image,
  });
  return { names, head, count, write };
}
