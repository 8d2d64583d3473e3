// A dataset from an `.npz`: `<split>_images` and `<split>_labels` as MedMNIST has them, or `x` and `y`. Images are read
// row by row, so that neither the archive nor its arrays need to fit in memory, only what was chosen of them.
import { BedsideError, must } from '../../util/index.ts';
import { RegularFile } from '../../util/internal.ts';
import { type ByteSource, memorySource } from '../archive/byte-source.ts';
import { zipPieces } from '../archive/zip-pieces.ts';
import type { Dataset, DatasetOptions } from '../dataset.ts';
import { absentClasses, allocateSamples } from '../fit.ts';
import { hashSamples } from '../hash.ts';
import { isWide, largestOf, tellWhite, whiteOf } from '../images/pixel-range.ts';
import { chooseSamples } from '../sampling/patients.ts';
import { type Archive, readGiven, readPatients, readTargets } from './given.ts';
import { imageRemarks, type RowWriter, saysRange } from './images.ts';
import { type NamedPart, partsOfInputs, partWriter } from './inputs.ts';
import { hasNoSplitNames, isUnsplit, type PartNames, partsOf } from './names.ts';
import type { NpyHead } from './npy.ts';
import { npyHeadOf, readNpyRows } from './npy-rows.ts';
import { npzEntries } from './npz.ts';
import { rowWriter } from './samples.ts';

/** An array of samples: of the network's one input, or of one of several. */
interface InputArray {
  readonly array: string;
  readonly head: NpyHead;
  readonly write: RowWriter;
  /** Where its numbers stand in a sample. */
  readonly offset: number;
}

interface ArchivePart {
  readonly names: PartNames;
  /** One for each input. */
  readonly inputs: readonly InputArray[];
  /** Rows of each. */
  readonly count: number;
}

/**
 * Reads an archive. Bytes `[N, H, W]`, `[N, H, W, 1]` or `[N, H, W, 3]` are images: made grey or RGB, resized and
 * divided by 255 as the model reads them. Bytes of the model's own shape, of any rank, are divided by 255, wider
 * unsigned numbers by the white of their real range; other numbers of the model's own shape (a single channel may be
 * left out) are taken as they are. Labels are classes, or what the network's task asks for (`targets.ts`).
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
  return isUnsplit(entries) || hasNoSplitNames(entries);
}

async function datasetOf(source: ByteSource, name: string, options: DatasetOptions): Promise<Dataset> {
  const archive = { source, name, entries: await npzEntries(source, name) };
  const { task, splitBy, split } = options;
  const read = splitBy ? 'all' : split;
  const named = options.inputs
    ? partsOfInputs(archive.entries, read, name, { inputs: options.inputs, task })
    : partsOf(archive.entries, read, name, { task }).map(soleInput);
  const names = named.map((part) => part.names);
  // A contract that says what values stand for goes before what they look like.
  const said = options.inputs !== undefined || saysRange(options.contract?.image);
  const range = said ? { remarks: [] } : await rangeOf(archive, names);
  const parts: ArchivePart[] = [];
  for (const part of named) parts.push(await readPart(archive, part, { ...options, white: range.white }));
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
    ...(options.inputs && { inputs: options.inputs }),
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
  for (const { inputs, names, count } of parts) {
    const own = chosen.filter((i) => i >= first && i < first + count).map((i) => i - first);
    first += count;
    for (const { array, head, write, offset } of inputs) {
      const where = `${array} in ${archive.name}`;
      const entry = must(archive.entries.get(array), 'an array that the archive lists');
      const pieces = zipPieces(archive.source, entry, archive.name);
      let at = to;
      await readNpyRows(pieces, head, entry.bytes, own, where, async (row, numbers) => {
        await write(numbers, row, samples, at * size + offset);
        positions[at++] = names.position + row;
        if (at % 1000 === 0 || at === chosen.length) onProgress?.(at, chosen.length);
      });
    }
    to += own.length;
  }
  return positions;
}

/** What is said about how images were read; once for all parts. */
function imageNotes(
  parts: readonly ArchivePart[],
  { sampleShape, inputs: several, contract }: DatasetOptions,
  name: string,
): string[] {
  const notes = parts.flatMap(({ inputs }) =>
    inputs.flatMap(({ head }, i) => {
      const shape = several?.[i]?.shape ?? sampleShape;
      return several && shape.length !== 3 ? [] : imageRemarks(head, shape, contract?.image, name);
    }),
  );
  return [...new Set(notes)];
}

function headOfArray({ source, name, entries }: Archive, array: string): Promise<NpyHead> {
  const entry = must(entries.get(array), 'an array that the archive lists');
  return npyHeadOf(zipPieces(source, entry, name), entry.bytes, `${array} in ${name}`);
}

/** A part of which one array is the samples. */
function soleInput(names: PartNames): NamedPart {
  return { names, arrays: [{ array: names.images, offset: 0, input: undefined }] };
}

async function readPart(
  archive: Archive,
  { names, arrays }: NamedPart,
  { sampleShape, white, contract }: DatasetOptions & { readonly white?: number | undefined },
): Promise<ArchivePart> {
  const inputs: InputArray[] = [];
  for (const { array, offset, input } of arrays) {
    const head = await headOfArray(archive, array);
    const where = `${array} in ${archive.name}`;
    const image = { white, contract: contract?.image };
    const write = input ? partWriter(head, input, where, image) : rowWriter(head, sampleShape, where, image);
    inputs.push({ array, head, write, offset });
  }
  assertSameRows(inputs, archive.name);
  return { names, inputs, count: inputs[0]?.head.shape[0] ?? 0 };
}

function assertSameRows(inputs: readonly InputArray[], name: string): void {
  const [first] = inputs;
  for (const { array, head } of inputs) {
    if (head.shape[0] === first?.head.shape[0]) continue;
    throw new BedsideError(
      'E_DATA',
      `${name} has ${first?.head.shape[0]} ${first?.array} and ${head.shape[0] ?? 'no rows of'} ${array}`,
      { hint: 'every input needs one entry for each sample' },
    );
  }
}
