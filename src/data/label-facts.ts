// What the labels of data look like, before the task that they are read for is known.
import { stat } from 'node:fs/promises';
import { RegularFile } from '../util/internal.ts';
import type { Dataset } from './dataset.ts';
import { npyHeadOf, npyOf } from './npy-rows.ts';
import { npzEntries } from './npz.ts';
import type { ZipEntry } from './zip.ts';
import { zipPieces } from './zip-pieces.ts';

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

/** Names of arrays with labels, in the order in which they are looked for. */
const NAMES = [
  ...['train', 'test', 'val'].map((part) => `${part}_labels`),
  ...['y', 'y_train', 'y_test', 'labels', 'masks', 'targets'],
  ...['train', 'test', 'val'].map((part) => `${part}_masks`),
];

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
    if (start !== 'PK\x03\x04') return undefined;
    const entries = await npzEntries(file, data);
    const name = NAMES.find((array) => entries.has(array));
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
  const { shape } = await npyHeadOf(zipPieces(file, entry, path), entry.bytes, where);
  const [count = 0, ...own] = shape;
  if (entry.bytes > MOST_BYTES) return { shape: own };
  const { data } = await npyOf(zipPieces(file, entry, path), entry.bytes, where);
  return factsOf(data, own, count);
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
