// The images of a data set with what they should give: by class folders, or by a list of labels.
import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { BedsideError, firstOf, hasClasses, largest } from '../../util/index.ts';
import { LabelMap } from '../contract/label-map.ts';
import type { DatasetOptions, PassedOver, Targets } from '../dataset.ts';
import { filesOfDirectory } from '../dicom/directory.ts';
import { assertLabelsOf, numberedClasses, wholeLabel } from '../fit.ts';
import {
  areNumbers,
  FileFinder,
  isLabelList,
  type LabelList,
  type ListedFile,
  listBeside,
  readLabelList,
} from '../labels/list.ts';
import { PassedOverCount } from '../passed-over.ts';
import { allImages, type ImageFile, listImages, splitOf } from './files.ts';
import { DICOMDIR } from './medical-name.ts';

/** Images that can be chosen from, and what is known of them. */
export interface LabelledImages {
  readonly root: string;
  /** Paths in `root`. */
  readonly paths: readonly string[];
  /** Classes of the network; -1 for one that is left out. */
  readonly labels: Int32Array | undefined;
  readonly targets: Targets | undefined;
  readonly patients: readonly string[] | undefined;
  readonly classNames: readonly string[];
  readonly remarks: readonly string[];
  readonly leftOut: readonly PassedOver[];
}

/**
 * Lists the images of a folder, or those of a list of labels (`labels.csv`). A list beside images counts where class
 * folders are none of the network.
 * @throws BedsideError E_DATA, E_DATA_FIT, E_FILE
 */
export async function labelledImages(
  path: string,
  options: DatasetOptions,
  passedOver: PassedOverCount,
): Promise<LabelledImages> {
  if (!isLabelList(path) && !(await stat(path)).isDirectory()) return await ofFile(path, options, passedOver);
  if (isLabelList(path)) return ofList(dirname(path), await readLabelList(path), options, passedOver);
  const list = await listBeside(path);
  const directory = list ? undefined : (await readdir(path)).find((name) => name.toUpperCase() === DICOMDIR);
  if (directory !== undefined) return await ofFile(join(path, directory), options, passedOver);
  if (!list) return ofFolders(path, options, passedOver);
  const own = new PassedOverCount();
  try {
    const found = await ofFolders(path, options, own);
    if (found.labels) return await ofFolders(path, options, passedOver);
  } catch (error) {
    if (!BedsideError.is(error, 'E_DATA_FIT') && !BedsideError.is(error, 'E_DATA')) throw error;
  }
  return ofList(path, list, options, passedOver);
}

/** One file of DICOM or NIfTI, or the files that a directory of DICOM media names; without labels. */
async function ofFile(
  path: string,
  { contract, classes }: DatasetOptions,
  passedOver: PassedOverCount,
): Promise<LabelledImages> {
  const root = dirname(path);
  const isDirectory = basename(path).toUpperCase() === DICOMDIR;
  return {
    root,
    paths: isDirectory ? await filesOfDirectory(path, passedOver) : [basename(path)],
    labels: undefined,
    targets: undefined,
    patients: undefined,
    classNames: contract?.classes ?? numberedClasses(classes),
    remarks: [],
    leftOut: [],
  };
}

async function ofFolders(
  root: string,
  options: DatasetOptions,
  passedOver: PassedOverCount,
): Promise<LabelledImages> {
  const { classes, contract, splitBy, task = 'single-label' } = options;
  const names = contract?.classes ?? (contract?.classMap && Object.keys(contract.classMap));
  const list = await listImages(root, splitBy ? 'all' : options.split, passedOver, { classes, names });
  const { files, classNames, remarks = [] } = list;
  const common = {
    root,
    paths: files.map(({ path }) => path),
    targets: undefined,
    patients: patientsOf(files),
  };
  const unnamed = contract?.classes ?? numberedClasses(classes);
  if (!classNames) return { ...common, labels: undefined, classNames: unnamed, remarks, leftOut: [] };
  if (!hasClasses(task)) {
    const remark = `class folders of ${root} say one class an image, which is not what a ${task} task needs: images are without labels`;
    return { ...common, labels: undefined, classNames: unnamed, remarks: [...remarks, remark], leftOut: [] };
  }
  const map = LabelMap.named(options, classNames, root);
  const mapped = map.apply(Int32Array.from(files, (file) => file.label ?? 0));
  return { ...common, ...mapped, classNames: map.classNames, remarks: [...remarks, ...map.remarks] };
}

/** Whose the images are, where all say so. */
function patientsOf(files: readonly Pick<ImageFile, 'patient'>[]): string[] | undefined {
  const patients = files.flatMap(({ patient }) => (patient === undefined ? [] : [patient]));
  return patients.length === files.length ? patients : undefined;
}

interface Entry extends ListedFile {
  readonly path: string;
}

async function ofList(
  root: string,
  list: LabelList,
  options: DatasetOptions,
  passedOver: PassedOverCount,
): Promise<LabelledImages> {
  const entries = await entriesOf(root, list, passedOver);
  const inSplit = entries.filter(({ split }) => isRead(split, options));
  if (inSplit.length === 0) {
    throw new BedsideError(
      'E_DATA',
      `${list.path} names no image of the ${options.split} split that is there`,
      {
        hint: 'files are looked for below the folder of the list; choose another --split, or --split all',
      },
    );
  }
  const given = labelsOf(entries, inSplit, list, options);
  const others =
    list.others.length === 0
      ? []
      : [`columns of ${list.path} that are not used: ${firstOf(list.others, 10)}`];
  return {
    root,
    paths: inSplit.map(({ path }) => path),
    patients: patientsOf(inSplit),
    ...given,
    remarks: [...others, ...given.remarks],
  };
}

/** The listed files that are there, once each, in the order of their paths; the rest is counted. */
async function entriesOf(root: string, list: LabelList, passedOver: PassedOverCount): Promise<Entry[]> {
  const paths = await allImages(root, new PassedOverCount());
  const finder = new FileFinder(paths);
  const found = new Map<string, Entry>();
  for (const row of list.files) {
    const path = finder.find(row.file);
    if (path === undefined) {
      passedOver.add(`files that ${list.path} names and the folder does not hold`, row.file);
      continue;
    }
    const known = found.get(path);
    if (known && known.labels.join() !== row.labels.join()) {
      throw new BedsideError('E_DATA', `${list.path} names ${path} twice, with different labels`, {
        hint: 'several labels of one image stand in one cell, with | between them, or in a column each',
      });
    }
    // A folder of a split says it where the list does not.
    const split = row.split ?? splitOf(path.split(/[/\\]/)[0] ?? '');
    if (row.labels.includes('')) passedOver.add('images without a label', path);
    else found.set(path, { ...row, split, path });
  }
  const listed = new Set(found.keys());
  for (const path of paths)
    if (!listed.has(path)) passedOver.add(`images that ${list.path} does not label`, path);
  return [...found.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** Files without a split are in all; validation is read where patients are drawn anew. */
function isRead(split: ListedFile['split'], options: DatasetOptions): boolean {
  if (split === undefined || options.splitBy !== undefined) return true;
  return options.split === 'all' ? split !== 'val' : split === options.split;
}

type Given = Pick<LabelledImages, 'labels' | 'targets' | 'classNames' | 'remarks' | 'leftOut'>;

/** What the images of a split should give; names are numbered by the labels of all splits. */
function labelsOf(
  all: readonly Entry[],
  entries: readonly Entry[],
  list: LabelList,
  options: DatasetOptions,
): Given {
  const { task = 'single-label', classes, contract } = options;
  const columns = list.labelColumns.length;
  const nothing = {
    labels: undefined,
    targets: undefined,
    classNames: contract?.classes ?? numberedClasses(classes),
    remarks: [],
    leftOut: [],
  };
  if (columns === 0) return nothing;
  if (hasClasses(task)) return { ...nothing, ...classesOf(all, entries, list, options) };
  if (task === 'multi-label') return { ...nothing, ...severalOf(all, entries, list, options) };
  if (task === 'regression') return { ...nothing, targets: valuesOf(entries, list, classes) };
  return {
    ...nothing,
    remarks: [`labels of ${list.path} are not what a ${task} task needs: they are not read`],
  };
}

function classesOf(
  all: readonly Entry[],
  entries: readonly Entry[],
  { path, labelColumns }: LabelList,
  options: DatasetOptions,
): Partial<Given> {
  if (labelColumns.length > 1) {
    const columns = Int32Array.from(entries, ({ labels }) => {
      const ones = labels.flatMap((cell, column) => (Number(cell) === 1 ? [column] : []));
      if (ones.length === 1) return ones[0] as number;
      throw new BedsideError('E_DATA', `${path}: a row does not have a single 1 in its columns of labels`, {
        hint: 'one class an image is needed; for several labels say --task multi-label',
      });
    });
    return mapped(LabelMap.named(options, labelColumns, path), columns);
  }
  const cells = entries.map(({ labels }) => labels[0] ?? '');
  if (areNumbers(all.map(({ labels }) => labels[0] ?? ''))) {
    const numbers = all.map(({ labels }) => wholeLabel(Number(labels[0]), path));
    const highest = largest(numbers);
    const { classFilter, contract } = options;
    if (classFilter === undefined && !contract?.classMap) assertLabelsOf(options, highest, path);
    return mapped(LabelMap.numbered(options, numbers, path), Int32Array.from(cells, Number));
  }
  const names = [...new Set(all.map(({ labels }) => labels[0] ?? ''))].sort();
  const places = new Map(names.map((name, place) => [name, place]));
  return mapped(
    LabelMap.named(options, names, path),
    Int32Array.from(cells, (cell) => places.get(cell) ?? -1),
  );
}

function mapped(map: LabelMap, labels: Int32Array): Partial<Given> {
  const highest = labels.reduce((most, label) => Math.max(most, label), 0);
  const found = map.apply(labels);
  if (found.labels === labels && highest >= map.classNames.length) {
    throw new BedsideError(
      'E_DATA_FIT',
      `label ${highest} is none of the network's ${map.classNames.length} classes`,
      {
        hint: 'say which class each label is with --class-map',
      },
    );
  }
  return { ...found, classNames: map.classNames, remarks: map.remarks };
}

/** Several labels: a column each, or names in one cell with | or ; between them. */
function severalOf(
  all: readonly Entry[],
  entries: readonly Entry[],
  { path, labelColumns }: LabelList,
  { classes, contract }: DatasetOptions,
): Partial<Given> {
  const isColumns = labelColumns.length > 1;
  const named = ({ labels }: Entry): string[] =>
    isColumns
      ? labelColumns.filter((_, column) => Number(labels[column]) === 1)
      : (labels[0] ?? '').split(/[|;]/).map((name) => name.trim());
  const found = isColumns ? labelColumns : [...new Set(all.flatMap(named))].sort();
  const own = contract?.classes;
  const names = own && found.some((name) => own.includes(name)) ? own : found;
  if (names.length !== classes) {
    throw new BedsideError(
      'E_DATA_FIT',
      `${path} does not fit: the model gives ${classes} labels, the list has ${found.length} (${firstOf(found, 10)})`,
      { hint: "--labels names the network's labels, in the order of its scores" },
    );
  }
  const data = new Uint8Array(entries.length * classes);
  entries.forEach((entry, i) => {
    for (const name of named(entry)) {
      const label = names.indexOf(name);
      if (label >= 0) data[i * classes + label] = 1;
    }
  });
  const lost = found.filter((name) => !names.includes(name));
  const remarks = [
    ...(lost.length > 0 ? [`labels of ${path} that the network does not have: ${firstOf(lost, 10)}`] : []),
    ...(names === own ? [] : [`labels of ${path} in order: ${firstOf(names, 20)}`]),
  ];
  return { targets: { kind: 'labels', shape: [classes], data }, classNames: names, remarks };
}

function valuesOf(entries: readonly Entry[], { path, labelColumns }: LabelList, size: number): Targets {
  if (labelColumns.length !== size) {
    throw new BedsideError(
      'E_DATA_FIT',
      `${path} has ${labelColumns.length} columns of labels, the model gives ${size} values`,
      {
        hint: 'one column of labels is needed for each value',
      },
    );
  }
  const data = Float32Array.from(
    entries.flatMap(({ labels }) => labels),
    (cell) => (cell === '' ? Number.NaN : Number(cell)),
  );
  const at = data.findIndex((value) => !Number.isFinite(value));
  if (at >= 0) {
    throw new BedsideError(
      'E_DATA',
      `${path}: the label of ${entries[Math.floor(at / size)]?.path} is not a number`,
      {
        hint: 'leave out rows without a value',
      },
    );
  }
  return { kind: 'values', shape: [size], data };
}
