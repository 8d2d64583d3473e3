// A dataset from an `.npz`: `<split>_images` and `<split>_labels` as MedMNIST has them, or `x` and `y`. Images are read
// row by row, so that neither the archive nor its arrays need to fit in memory, only what was chosen of them.
import { BedsideError, must } from '../util/index.ts';
import { RegularFile } from '../util/internal.ts';
import { type ByteSource, memorySource } from './byte-source.ts';
import { LabelMap } from './contract/label-map.ts';
import type { Dataset, DatasetOptions, DatasetSplit } from './dataset.ts';
import { absentClasses, allocateSamples, assertLabelsOf, classMisfit, formatShape } from './fit.ts';
import { hashSamples } from './hash.ts';
import type { NpyHead } from './npy.ts';
import { npyHeadOf, npyOf, readNpyRows } from './npy-rows.ts';
import { npzEntries } from './npz.ts';
import { type RowWriter, rowWriter } from './npz-samples.ts';
import { selectIndices } from './sampling.ts';
import type { ZipEntry } from './zip.ts';
import { zipPieces } from './zip-pieces.ts';

/** The archive's parts by split, in the order in which `all` has them. */
const SPLITS: { readonly [S in DatasetSplit]: readonly string[] } = {
  local: ['train'],
  test: ['test'],
  all: ['train', 'val', 'test'],
};
/** Parts that no split names: `x` and `y`. */
const UNSPLIT = SPLITS.all.length;
/** Far more than an array has rows, so that part and row make one number. */
const PART_STRIDE = 2 ** 40;

/** An archive that is open for reading. */
interface Archive {
  readonly source: ByteSource;
  readonly name: string;
  readonly entries: ReadonlyMap<string, ZipEntry>;
}

interface ArchivePart {
  readonly imagesName: string;
  readonly labelsName: string;
  readonly head: NpyHead;
  /** Rows of the images. */
  readonly count: number;
  readonly labels: Int32Array | undefined;
  readonly write: RowWriter;
  /** Position of its first row. */
  readonly position: number;
}

/**
 * Reads an archive. Bytes `[N, H, W]`, `[N, H, W, 1]` or `[N, H, W, 3]` are images: made grey or RGB, resized and
 * divided by 255 as the model reads them. Bytes of the model's own shape, of any rank, are divided by 255; other
 * numbers of the model's own shape (a single channel may be left out) are taken as they are. Labels are `[N]` or `[N,
 * 1]`.
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
  const entries = await npzEntries(source, name);
  return entries.has('x') && ![...entries.keys()].some((array) => array.endsWith('_images'));
}

async function datasetOf(source: ByteSource, name: string, options: DatasetOptions): Promise<Dataset> {
  const archive = { source, name, entries: await npzEntries(source, name) };
  const parts: ArchivePart[] = [];
  for (const part of partsOf(archive, options.split)) parts.push(await readPart(archive, part, options));
  const joined = joinLabels(parts, options, name);
  const map = LabelMap.numbered(options, highestOf(joined), name);
  const mapped = joined && map.apply(joined);
  const labels = mapped?.labels;
  const size = options.sampleShape.reduce((product, axis) => product * axis, 1);
  const total = parts.reduce((sum, { count }) => sum + count, 0);
  const chosen = selectIndices(total, labels, options, name);
  const samples = allocateSamples(chosen.length, size, name);
  const positions = await readSamples(archive, parts, chosen, samples, options);
  const chosenLabels = labels && chosen.map((i) => labels[i] ?? 0);
  return {
    kind: 'npz',
    name,
    size: chosen.length,
    sampleShape: [...options.sampleShape],
    samples,
    labels: chosenLabels,
    classNames: map.classNames,
    origins: undefined,
    positions,
    skipped: [],
    passedOver: mapped?.leftOut,
    remarks: [...map.remarks, ...absentClasses(labels, map.classNames, options.classFilter, name)],
    hash: hashSamples(samples, chosenLabels),
  };
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
  for (const { head, imagesName, count, write, position } of parts) {
    const where = `${imagesName} in ${archive.name}`;
    const own = chosen.filter((i) => i >= first && i < first + count).map((i) => i - first);
    first += count;
    const entry = must(archive.entries.get(imagesName), 'an array that the archive lists');
    const pieces = zipPieces(archive.source, entry, archive.name);
    await readNpyRows(pieces, head, entry.bytes, own, where, async (row, numbers) => {
      await write(numbers, row, samples, to * size);
      positions[to++] = position + row;
      if (to % 1000 === 0 || to === chosen.length) onProgress?.(to, chosen.length);
    });
  }
  return positions;
}

/** Names of the arrays that a split reads, and the position of the part in the data. */
function partsOf(
  { entries, name }: Archive,
  split: DatasetSplit,
): { images: string; labels: string; position: number }[] {
  const found = SPLITS[split]
    .map((part) => ({
      images: `${part}_images`,
      labels: `${part}_labels`,
      position: SPLITS.all.indexOf(part) * PART_STRIDE,
    }))
    .filter(({ images }) => entries.has(images));
  if (found.length > 0) return found;
  if (entries.has('x')) return [{ images: 'x', labels: 'y', position: UNSPLIT * PART_STRIDE }];
  const wanted = SPLITS[split].map((part) => `${part}_images`).join(', ');
  throw new BedsideError('E_DATA', `${name} has neither ${wanted} nor x`, {
    hint: `its arrays are ${[...entries.keys()].slice(0, 20).join(', ') || 'none'}; choose another --split or rename them`,
  });
}

async function readPart(
  archive: Archive,
  { images, labels, position }: { images: string; labels: string; position: number },
  options: DatasetOptions,
): Promise<ArchivePart> {
  const { source, name, entries } = archive;
  const where = `${images} in ${name}`;
  const headOf = (array: string, entry: ZipEntry): Promise<NpyHead> =>
    npyHeadOf(zipPieces(source, entry, name), entry.bytes, `${array} in ${name}`);
  const head = await headOf(images, must(entries.get(images), 'an array that the archive lists'));
  const count = head.shape[0] ?? 0;
  const entry = entries.get(labels);
  if (entry) assertLabels((await headOf(labels, entry)).shape, count, { images, labels, name });
  const values = entry && (await readLabels(archive, entry, labels, options));
  const write = rowWriter(head, options.sampleShape, where);
  return { imagesName: images, labelsName: labels, head, count, labels: values, write, position };
}

function assertLabels(
  shape: readonly number[],
  count: number,
  { images, labels, name }: { images: string; labels: string; name: string },
): void {
  if (!(shape.length === 1 || (shape.length === 2 && shape[1] === 1))) {
    throw new BedsideError(
      'E_DATA',
      `${labels} in ${name}: expected [N] or [N, 1], got ${formatShape(shape)}`,
      {
        hint: 'one class per sample is needed; several labels a sample are not read',
      },
    );
  }
  if (shape[0] !== count) {
    throw new BedsideError('E_DATA', `${name} has ${count} ${images} and ${shape[0]} ${labels}`);
  }
}

async function readLabels(
  { source, name }: Archive,
  entry: ZipEntry,
  array: string,
  options: DatasetOptions,
): Promise<Int32Array> {
  const where = `${array} in ${name}`;
  const { data } = await npyOf(zipPieces(source, entry, name), entry.bytes, where);
  const labels = new Int32Array(data.length);
  let highest = 0;
  for (let i = 0; i < data.length; i++) {
    const label = Number(data[i]);
    if (!Number.isInteger(label) || label < 0) {
      throw new BedsideError('E_DATA', `${where}: a label is not a whole number from 0`);
    }
    highest = Math.max(highest, label);
    labels[i] = label;
  }
  if (highest >= options.classes && !options.contract?.classMap) {
    throw classMisfit(options, `label ${highest}`, name);
  }
  return labels;
}

function joinLabels(
  parts: readonly ArchivePart[],
  options: DatasetOptions,
  name: string,
): Int32Array | undefined {
  if (!parts.some(({ labels }) => labels)) return undefined;
  const joined = new Int32Array(parts.reduce((sum, { count }) => sum + count, 0));
  let at = 0;
  for (const { labels, count, imagesName, labelsName } of parts) {
    if (!labels) throw new BedsideError('E_DATA', `${name} has ${imagesName} but no ${labelsName}`);
    joined.set(labels, at);
    at += count;
  }
  const mapped = options.classFilter !== undefined || options.contract?.classMap !== undefined;
  if (joined.length > 0 && !mapped) assertLabelsOf(options, highestOf(joined), name);
  return joined;
}

function highestOf(labels: Int32Array | undefined): number {
  return labels?.reduce((most, label) => Math.max(most, label), 0) ?? 0;
}
