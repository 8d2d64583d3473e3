// What a contract may be guessed from: the kind of data, names of labels, leads and rates of recordings, types of arrays.
import { stat } from 'node:fs/promises';
import { RegularFile } from '../util/internal.ts';
import { zipPieces } from './archive/zip-pieces.ts';
import { waveformFacts } from './dicom/recordings.ts';
import { edfFacts } from './edf/source.ts';
import { listImages } from './images/files.ts';
import { areNumbers, inOrder, isLabelList, readLabelList } from './labels/list.ts';
import { partsOf } from './npz/names.ts';
import { npyHeadOf } from './npz/npy-rows.ts';
import { npzEntries } from './npz/npz.ts';
import { type KindOfPath, kindOf } from './open-dataset.ts';
import { PassedOverCount } from './passed-over.ts';
import { signalFacts } from './recordings/remarks.ts';
import { BEAT_CLASSES } from './synthetic/ecg-beats.ts';
import { listRecords } from './wfdb/folder.ts';
import { openRecord } from './wfdb/segments.ts';

/** What is seen of data without reading their samples. */
export interface DataFacts {
  readonly kind: KindOfPath;
  /** Names of the labels, where the data have any. */
  readonly labels?: readonly string[] | undefined;
  /** Of recordings: whether annotations mark beats. */
  readonly hasBeats?: boolean;
  /** Of recordings: names of leads, from the most frequent, and all rates. */
  readonly leads?: readonly string[];
  readonly rates?: readonly number[];
  /** Of archives: the type of the samples, and their shape without the first axis. */
  readonly array?: { readonly name: string; readonly dtype: string; readonly shape: readonly number[] };
}

/**
 * Looks at data.
 * @throws BedsideError E_FILE, E_DATA for a path that is no dataset or cannot be read
 */
export async function dataFacts(path: string): Promise<DataFacts> {
  const kind = await kindOf(path);
  switch (kind) {
    case 'images':
      return { kind, labels: await imageLabels(path) };
    case 'wfdb':
      return { kind, labels: BEAT_CLASSES, ...(await signalsOf(path)) };
    case 'edf':
      return { kind, ...(await edfFacts(path)) };
    case 'waveforms':
      return { kind, ...(await waveformFacts(path)) };
    case 'npz':
      return { kind, array: await arrayOf(path) };
  }
}

/** Names of class folders, or of the labels of a list; undefined for a single file, and for labels that are numbers. */
async function imageLabels(path: string): Promise<readonly string[] | undefined> {
  if ((await stat(path)).isDirectory())
    return (await listImages(path, 'all', new PassedOverCount())).classNames;
  if (!isLabelList(path)) return undefined;
  const { files, labelColumns } = await readLabelList(path);
  if (labelColumns.length > 1) return labelColumns;
  const names = inOrder(files.flatMap(({ labels }) => labels.filter((label) => label !== '')));
  return areNumbers(names) ? undefined : names;
}

async function signalsOf(path: string): Promise<Required<Pick<DataFacts, 'leads' | 'rates'>>> {
  const records = [];
  for (const name of await listRecords(path, new PassedOverCount())) {
    const record = await openRecord(path, name);
    records.push({ leads: record.leads, rates: [record.rate] });
  }
  return signalFacts(records);
}

async function arrayOf(path: string): Promise<Required<DataFacts>['array']> {
  const file = await RegularFile.open(path, 'dataset');
  try {
    const entries = await npzEntries(file, path);
    const name = partsOf(entries, 'all', path)[0]?.images ?? '';
    const entry = entries.get(name);
    if (!entry) return { name, dtype: '', shape: [] };
    const { dtype, shape } = await npyHeadOf(zipPieces(file, entry, path), entry.bytes, `${name} in ${path}`);
    return { name, dtype, shape: shape.slice(1) };
  } finally {
    await file.close();
  }
}
