// What the labels of data look like, before the task that they are read for is known.
import { stat } from 'node:fs/promises';
import { RegularFile } from '../../util/internal.ts';
import type { ZipEntry } from '../archive/zip.ts';
import { zipPieces } from '../archive/zip-pieces.ts';
import type { Dataset } from '../dataset.ts';
import { anyTargets } from '../npz/names.ts';
import { parseNpyHead } from '../npz/npy.ts';
import { firstBytesOf, npyOf } from '../npz/npy-rows.ts';
import { isTextArray } from '../npz/npy-text.ts';
import { npzEntries } from '../npz/npz.ts';
import { isLabelList, type LabelList, readLabelList } from './list.ts';

/** What labels look like. */
export interface LabelFacts {
  /** Shape of one sample's label; `[]` for one number. */
  readonly shape: readonly number[];
  /** Whether all are whole numbers; undefined where there are too many to look at. */
  readonly whole?: boolean | undefined;
  readonly lowest?: number | undefined;
  readonly highest?: number | undefined;
  /** Whether each row holds exactly one 1, and 0 otherwise. */
  readonly oneHot?: boolean | undefined;
}

/** Names are one class each. */
const NAMES: LabelFacts = { shape: [], whole: true };

/** Larger arrays are masks, whose values say nothing more. */
const MOST_BYTES = 2 ** 28;

/**
 * What the labels of data look like; undefined where there are none, or where they are always one class each (folders
 * of images and records).
 * @throws BedsideError E_FILE, E_DATA for an archive that cannot be read
 */
export async function labelFacts(data: string | Dataset): Promise<LabelFacts | undefined> {
  if (typeof data !== 'string') return factsOfDataset(data);
  const found = await stat(data).catch(() => undefined);
  if (!found?.isFile()) return undefined;
  const file = await RegularFile.open(data, 'dataset');
  try {
    const start = file.size >= 4 ? Buffer.from(await file.read(0, 4)).toString('latin1') : '';
    if (start !== 'PK\x03\x04') return isLabelList(data) ? factsOfList(await readLabelList(data)) : undefined;
    const entries = await npzEntries(file, data);
    const name = anyTargets(entries);
    const entry = name === undefined ? undefined : entries.get(name);
    return entry && (await factsOfEntry(file, entry, data, `${name} in ${data}`));
  } finally {
    await file.close();
  }
}

async function factsOfEntry(
  file: RegularFile,
  entry: ZipEntry,
  path: string,
  where: string,
): Promise<LabelFacts> {
  const first = await firstBytesOf(zipPieces(file, entry, path), entry.bytes);
  if (isTextArray(first, entry.bytes, where)) return NAMES;
  const { shape } = parseNpyHead(first, entry.bytes, where);
  const [count = 0, ...own] = shape;
  if (entry.bytes > MOST_BYTES) return { shape: own };
  // An array without numbers may say any length.
  if (shape.includes(0)) return { shape: own, whole: true };
  const { data } = await npyOf(zipPieces(file, entry, path), entry.bytes, where);
  return factsOf(data, own, count);
}

/** One column of numbers, or several of zeros and ones; undefined for several names in one cell. */
function factsOfList({ files, labelColumns }: LabelList): LabelFacts | undefined {
  const cells = files.flatMap(({ labels }) => labels);
  if (cells.length === 0 || cells.some((cell) => /[|;]/.test(cell))) return undefined;
  const numbers = cells.filter((cell) => cell !== '').map(Number);
  if (numbers.some(Number.isNaN)) return NAMES;
  const columns = labelColumns.length;
  return factsOf(numbers, columns > 1 ? [columns] : [], numbers.length / columns);
}

function factsOfDataset({ labels, targets, size }: Dataset): LabelFacts | undefined {
  if (labels) return factsOf(labels, [], size);
  return targets && factsOf(targets.data, targets.shape, size);
}

function factsOf(values: ArrayLike<number | bigint>, shape: readonly number[], count: number): LabelFacts {
  let [lowest, highest, whole] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, true];
  const stride = count > 0 ? values.length / count : 0;
  const ones = new Float64Array(count);
  for (let i = 0; i < values.length; i++) {
    const value = Number(values[i]);
    lowest = Math.min(lowest, value);
    highest = Math.max(highest, value);
    whole &&= Number.isInteger(value);
    if (value === 1) ones[Math.floor(i / stride)] = (ones[Math.floor(i / stride)] ?? 0) + 1;
  }
  const zerosAndOnes = whole && lowest >= 0 && highest <= 1;
  return { shape, whole, lowest, highest, oneHot: zerosAndOnes && ones.every((number) => number === 1) };
}
