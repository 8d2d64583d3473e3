// A list of labels: a CSV with a row for each file, and columns for its name, its labels, its patient and its split.
import { readdir } from 'node:fs/promises';
import { basename, extname, join } from 'node:path';
import { BedsideError } from '../../util/index.ts';
import { readTextChecked } from '../../util/internal.ts';
import { splitOf } from '../images/files.ts';
import { parseCsv } from './csv.ts';

/** Names of columns, in lower case without `_`, `-` and spaces. */
const COLUMNS = {
  file: [
    'file',
    'filename',
    'path',
    'filepath',
    'image',
    'imagename',
    'imageid',
    'imagepath',
    'imageindex',
    'img',
    'record',
    'id',
  ],
  label: [
    'label',
    'labels',
    'class',
    'classname',
    'diagnosis',
    'dx',
    'target',
    'finding',
    'findinglabels',
    'category',
    'value',
  ],
  patient: ['patient', 'patientid', 'patients', 'subject', 'subjectid', 'patientname', 'case', 'caseid'],
  split: ['split', 'set', 'subset', 'partition'],
} as const;

type Column = keyof typeof COLUMNS;

/** One file of a list. */
export interface ListedFile {
  readonly file: string;
  /** One cell for each label column. */
  readonly labels: readonly string[];
  readonly patient: string | undefined;
  readonly split: 'local' | 'test' | 'val' | undefined;
}

/** A list of labels. */
export interface LabelList {
  readonly path: string;
  readonly files: readonly ListedFile[];
  /** Names of the columns that hold labels: one, several (a label each), or none. */
  readonly labelColumns: readonly string[];
  /** Columns that are not used. */
  readonly others: readonly string[];
}

/** The name of a list that means to be one. */
const LABELS = /^labels\.[ct]sv$/i;

/** A label that is a number, also as tables of fractions write it: `2.0`. */
const WHOLE = /^\d+(?:\.0*)?$/;

/** Whether labels are numbers of classes, and not names. */
export function areNumbers(labels: Iterable<string>): boolean {
  for (const label of labels) if (!WHOLE.test(label)) return false;
  return true;
}

/** Different labels in order: numbers by size, names by their letters. */
export function inOrder(labels: Iterable<string>): string[] {
  const different = [...new Set(labels)];
  return areNumbers(different) ? different.sort((a, b) => Number(a) - Number(b)) : different.sort();
}

/** Whether a path is that of a list, by its ending. */
export function isLabelList(path: string): boolean {
  return ['.csv', '.tsv'].includes(extname(path).toLowerCase());
}

/**
 * The list beside the images of a folder: `labels.csv`, else the only one. Undefined where there is none whose columns
 * are known.
 * @throws BedsideError E_FILE for one that cannot be read; E_DATA for a `labels.csv` that is no table, and a split of an
 * unknown name
 */
export async function listBeside(folder: string): Promise<LabelList | undefined> {
  const lists = (await readdir(folder)).filter((name) => isLabelList(name) && !name.startsWith('.'));
  const name = lists.find((one) => LABELS.test(one)) ?? (lists.length === 1 ? lists[0] : undefined);
  if (name === undefined) return undefined;
  const path = join(folder, name);
  let isSure = LABELS.test(name);
  try {
    const rows = await rowsOf(path);
    const { label, patient } = columnsOf(rows[0] ?? []);
    isSure ||= label !== undefined || patient !== undefined;
    return listOf(rows, path);
  } catch (error) {
    // Any other table: it is passed over, as files of other endings are.
    if (BedsideError.is(error, 'E_DATA') && !isSure) return undefined;
    throw error;
  }
}

/**
 * Reads a list of labels. The first row names the columns; without one, they are file, label, patient and split. If no
 * column is called after labels, those that hold 0 and 1 alone are one label each.
 * @throws BedsideError E_DATA for a table without files or labels, or a split of an unknown name
 */
export async function readLabelList(path: string): Promise<LabelList> {
  const list = listOf(await rowsOf(path), path);
  if (list) return list;
  throw new BedsideError('E_DATA', `${path} is no list of labels: it has no column of files, or no row`, {
    hint: `name its columns in the first row: file (${COLUMNS.file.slice(1, 5).join(', ')}), label, patient, split`,
  });
}

async function rowsOf(path: string): Promise<string[][]> {
  return parseCsv(await readTextChecked(path, 'list of labels'), path);
}

/** The list that a table is; undefined for one without files. */
function listOf(rows: readonly (readonly string[])[], path: string): LabelList | undefined {
  const [head = []] = rows;
  const named = columnsOf(head);
  const isHeadless = named.file === undefined && looksLikeFile(head[0] ?? '');
  const columns = isHeadless ? { file: 0, label: 1, patient: 2, split: 3 } : named;
  const body = isHeadless ? rows : rows.slice(1);
  const { file } = columns;
  if (file === undefined || body.length === 0) return undefined;
  const labels = labelColumns(columns, head, body);
  const used = [file, columns.patient, columns.split, ...labels];
  return {
    path,
    files: body.map((cells) => ({
      file: (cells[file] ?? '').replaceAll('\\', '/'),
      labels: labels.map((column) => cells[column] ?? ''),
      patient: columns.patient === undefined ? undefined : cells[columns.patient] || undefined,
      split: columns.split === undefined ? undefined : splitIn(cells[columns.split] ?? '', path, cells[file]),
    })),
    labelColumns: labels.map((column) => (isHeadless ? 'label' : (head[column] ?? String(column)))),
    others: isHeadless ? [] : head.filter((_, column) => !used.includes(column)),
  };
}

function columnsOf(head: readonly string[]): Partial<Record<Column, number>> {
  const words = head.map((cell) => cell.toLowerCase().replace(/[_\-\s]/g, ''));
  const columns: Partial<Record<Column, number>> = {};
  for (const column of Object.keys(COLUMNS) as Column[]) {
    const found = COLUMNS[column].map((name) => words.indexOf(name)).find((index) => index >= 0);
    if (found !== undefined) columns[column] = found;
  }
  return columns;
}

function looksLikeFile(cell: string): boolean {
  return /\.\w{2,5}$/.test(cell);
}

/** The column of labels, or those of zeros and ones. */
function labelColumns(
  { file, label, patient, split }: Partial<Record<Column, number>>,
  head: readonly string[],
  body: readonly (readonly string[])[],
): number[] {
  if (label !== undefined) return body.some((cells) => cells[label] !== undefined) ? [label] : [];
  const columns = head
    .map((_, column) => column)
    .filter((column) => ![file, patient, split].includes(column));
  return columns.filter((column) => body.every((cells) => /^[01](\.0*)?$/.test(cells[column] ?? '')));
}

function splitIn(cell: string, path: string, file = ''): ListedFile['split'] {
  if (cell === '') return undefined;
  const split = splitOf(cell);
  if (split) return split;
  throw new BedsideError(
    'E_DATA',
    `${path}: the row of '${file}' has a split that is not train, val or test`,
    {
      hint: 'name splits train (or local), val and test, or leave the column out',
    },
  );
}

/** What finds the file that a row names: by its path, without an ending, or by its name alone. */
export class FileFinder {
  readonly #byPath: ReadonlySet<string>;
  readonly #byStem = new Map<string, string | undefined>();
  readonly #byName = new Map<string, string | undefined>();

  /** @param paths of all files, in the system's notation */
  constructor(paths: readonly string[]) {
    this.#byPath = new Set(paths);
    for (const path of paths) {
      const name = basename(path);
      const stem = (text: string): string => text.slice(0, text.length - extname(text).length);
      // What fits two files fits none.
      for (const [map, key] of [
        [this.#byStem, stem(path)],
        [this.#byName, name],
        [this.#byName, stem(name)],
      ] as const) {
        map.set(key, map.has(key) && map.get(key) !== path ? undefined : path);
      }
    }
  }

  find(file: string): string | undefined {
    const path = join(file);
    if (this.#byPath.has(path)) return path;
    return this.#byStem.get(path) ?? this.#byName.get(basename(path));
  }
}
