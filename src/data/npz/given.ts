// What an archive says about its samples: labels, values or masks, and patients, joined over the parts of a split.
import { BedsideError, firstOf, must } from '../../util/index.ts';
import type { ByteSource } from '../archive/byte-source.ts';
import type { ZipEntry } from '../archive/zip.ts';
import { zipPieces } from '../archive/zip-pieces.ts';
import { LabelMap } from '../contract/label-map.ts';
import type { DatasetOptions, PassedOver, Targets } from '../dataset.ts';
import { allocateSamples, assertLabelsOf, formatShape, numberedClasses } from '../fit.ts';
import { isUnsplit, type PartNames, partsOf } from './names.ts';
import { bytesOf, firstBytesOf, npyHeadOf, npyOf, readNpyRows } from './npy-rows.ts';
import { decodeTextArray, isTextArray } from './npy-text.ts';
import { classLabels, type TargetForm, targetForm } from './targets.ts';

/** An archive that is open for reading. */
export interface Archive {
  readonly source: ByteSource;
  readonly name: string;
  readonly entries: ReadonlyMap<string, ZipEntry>;
}

/** The arrays of one split, and how many samples they have. */
interface Part {
  readonly names: PartNames;
  readonly count: number;
}

/** What is known of all samples of the parts before some are chosen. */
interface Given {
  readonly labels: Int32Array | undefined;
  /** Several labels of all samples; of masks and values only the kind. */
  readonly targets: Targets | { readonly kind: 'mask' | 'values' } | undefined;
  /** How rows become targets, for tasks that are not of classes. */
  readonly form: TargetForm | undefined;
  readonly classNames: readonly string[];
  readonly remarks: readonly string[];
  /** Samples whose label the network has no class for. */
  readonly leftOut?: readonly PassedOver[] | undefined;
}

/**
 * Reads classes and several labels whole, as samples are drawn by them; of masks and values only what they look like.
 * @throws BedsideError E_DATA, E_DATA_FIT for labels that do not fit samples or network
 */
export async function readGiven(
  archive: Archive,
  parts: readonly Part[],
  options: DatasetOptions,
): Promise<Given> {
  const { task = 'single-label', classes } = options;
  const nothing = { labels: undefined, targets: undefined, form: undefined };
  const remarks = parts.flatMap(({ names }) => tellOthers(names, archive.name));
  const named = parts.filter(({ names }) => names.labels !== undefined);
  const numbered = options.contract?.classes ?? numberedClasses(classes);
  if (named.length === 0) return { ...nothing, classNames: numbered, remarks };
  const lacking = parts.find(({ names }) => names.labels === undefined);
  if (lacking) {
    const { images } = lacking.names;
    const wanted = named[0]?.names.labels?.replace(
      /train|val|test/,
      (split) => images.match(/train|val|test/)?.[0] ?? split,
    );
    throw new BedsideError('E_DATA', `${archive.name} has ${images} but no ${wanted}`, {
      hint: 'give labels for every split that is read, or for none',
    });
  }
  if (task === 'single-label' || task === 'binary') {
    const read = await readClasses(archive, parts, options);
    return { ...nothing, ...read, remarks: [...remarks, ...read.remarks] };
  }
  const form = await formOf(archive, parts, options);
  if (!form) {
    const remark = `${named[0]?.names.labels} in ${archive.name} is not read: an embedding has no labels`;
    return { ...nothing, classNames: numbered, remarks: [...remarks, remark] };
  }
  if (form.kind !== 'labels') {
    return { labels: undefined, targets: { kind: form.kind }, form, classNames: numbered, remarks };
  }
  const total = parts.reduce((sum, { count }) => sum + count, 0);
  const all = Int32Array.from({ length: total }, (_, i) => i);
  const targets = await readTargets(archive, parts, all, form);
  return { labels: undefined, targets, form, classNames: numbered, remarks };
}

/** Says which of several arrays was taken for what samples should give. */
function tellOthers({ labels, others }: PartNames, name: string): string[] {
  if (labels === undefined || others.length === 0) return [];
  return [`${name}: ${labels} was read for what samples should give, and not ${others.join(', ')}`];
}

/** The form of all parts' targets; undefined for an embedding whose labels are of another shape. */
async function formOf(
  archive: Archive,
  parts: readonly Part[],
  options: DatasetOptions,
): Promise<TargetForm | undefined> {
  let form: TargetForm | undefined;
  for (const { names, count } of parts) {
    const array = must(names.labels, 'an array of labels');
    const { shape } = await headOf(archive, array);
    assertCount(shape[0], count, names, archive.name);
    try {
      form = targetForm(shape.slice(1), options, `${array} in ${archive.name}`);
    } catch (error) {
      if (options.task === 'embedding' && BedsideError.is(error, 'E_DATA_FIT')) return undefined;
      throw error;
    }
  }
  return form;
}

function headOf({ source, name, entries }: Archive, array: string) {
  const entry = must(entries.get(array), 'an array that the archive lists');
  return npyHeadOf(zipPieces(source, entry, name), entry.bytes, `${array} in ${name}`);
}

function assertCount(
  rows: number | undefined,
  count: number,
  { images, labels }: PartNames,
  name: string,
): void {
  if (rows === count) return;
  throw new BedsideError('E_DATA', `${name} has ${count} ${images} and ${rows ?? 'no rows of'} ${labels}`, {
    hint: 'each sample needs one label: write both arrays again, of one length',
  });
}

/** The classes of all samples, as the network numbers them: from numbers, or from names. */
async function readClasses(
  archive: Archive,
  parts: readonly Part[],
  options: DatasetOptions,
): Promise<Omit<Given, 'targets' | 'form'>> {
  const { name } = archive;
  const texts: string[] = [];
  const numbers: Int32Array[] = [];
  for (const { names, count } of parts) {
    const array = must(names.labels, 'an array of labels');
    const where = `${array} in ${name}`;
    const text = await textsOf(archive, array);
    if (text) {
      assertCount(text.length, count, names, name);
      for (const label of text) texts.push(label);
      continue;
    }
    const { shape } = await headOf(archive, array);
    if (shape.length === 0) {
      throw new BedsideError('E_DATA', `${where}: expected [N] or [N, 1], got ${formatShape(shape)}`, {
        hint: 'write one label for each sample',
      });
    }
    assertCount(shape[0], count, names, name);
    numbers.push(classLabels(await arrayOf(archive, array), options, { where, name }));
  }
  if (texts.length > 0) return namedClasses(archive, texts, numbers.length > 0, options);
  const labels = joined(numbers);
  const highest = labels.reduce((most, label) => Math.max(most, label), 0);
  const isMapped = options.classFilter !== undefined || options.contract?.classMap !== undefined;
  if (labels.length > 0 && !isMapped) assertLabelsOf(options, highest, name);
  return mappedClasses(LabelMap.numbered(options, labels, name), labels);
}

function mappedClasses(map: LabelMap, given: Int32Array): Omit<Given, 'targets' | 'form'> {
  return { ...map.apply(given), classNames: map.classNames, remarks: map.remarks };
}

/** Classes from their names; the names of all splits count, so that each split numbers them alike. */
async function namedClasses(
  archive: Archive,
  texts: readonly string[],
  isMixed: boolean,
  options: DatasetOptions,
): Promise<Omit<Given, 'targets' | 'form'>> {
  const { name, entries } = archive;
  if (isMixed)
    throw new BedsideError('E_DATA', `${name} has labels of text in one split and numbers in another`, {
      hint: 'write the labels of all splits alike',
    });
  const known = new Set(texts);
  for (const { labels } of isUnsplit(entries) ? [] : partsOf(entries, 'all', name)) {
    for (const label of labels === undefined ? [] : ((await textsOf(archive, labels)) ?? []))
      known.add(label);
  }
  const names = [...known].sort();
  const map = LabelMap.named(options, names, name);
  const indices = new Map(names.map((label, i) => [label, i]));
  const { remarks, ...rest } = mappedClasses(
    map,
    Int32Array.from(texts, (label) => indices.get(label) ?? 0),
  );
  const told = `labels of ${name} are names, numbered in sorted order: ${firstOf(names, 10)}`;
  const isKnown = options.contract?.classes !== undefined || options.contract?.classMap !== undefined;
  return {
    ...rest,
    remarks: isKnown ? remarks : [`${told}; --labels names the network's classes`, ...remarks],
  };
}

function joined(parts: readonly Int32Array[]): Int32Array {
  const all = new Int32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

async function arrayOf({ source, name, entries }: Archive, array: string) {
  const entry = must(entries.get(array), 'an array that the archive lists');
  return npyOf(zipPieces(source, entry, name), entry.bytes, `${array} in ${name}`);
}

/** The items of an array of text; undefined for an array of anything else. */
async function textsOf({ source, name, entries }: Archive, array: string): Promise<string[] | undefined> {
  const entry = must(entries.get(array), 'an array that the archive lists');
  const where = `${array} in ${name}`;
  const first = await firstBytesOf(zipPieces(source, entry, name), entry.bytes);
  if (!isTextArray(first, entry.bytes, where)) return undefined;
  return decodeTextArray(await bytesOf(zipPieces(source, entry, name), entry.bytes, where), where);
}

/**
 * Whose the samples are, over all parts; undefined where a part does not say so.
 * @throws BedsideError E_DATA for another number of patients than samples
 */
export async function readPatients(archive: Archive, parts: readonly Part[]): Promise<string[] | undefined> {
  const patients: string[] = [];
  for (const { names, count } of parts) {
    const array = names.patients;
    if (array === undefined) return undefined;
    const own = (await textsOf(archive, array)) ?? Array.from((await arrayOf(archive, array)).data, String);
    if (own.length !== count) {
      throw new BedsideError(
        'E_DATA',
        `${archive.name} has ${count} ${names.images} and ${own.length} ${array}`,
        { hint: 'each sample needs one patient: write both arrays again, of one length' },
      );
    }
    for (const patient of own) patients.push(patient);
  }
  return patients;
}

/**
 * The targets of the chosen samples, row by row.
 * @param chosen indices over all parts, ascending
 * @throws BedsideError E_DATA for values that are none of such targets
 */
export async function readTargets(
  archive: Archive,
  parts: readonly Part[],
  chosen: Int32Array,
  { kind, shape, write, isWide }: TargetForm,
): Promise<Targets> {
  const size = shape.reduce((product, axis) => product * axis, 1);
  const data =
    kind === 'values' || isWide
      ? allocateSamples(chosen.length, size, archive.name)
      : new Uint8Array(chosen.length * size);
  let first = 0;
  let to = 0;
  for (const { names, count } of parts) {
    const array = must(names.labels, 'an array of labels');
    const where = `${array} in ${archive.name}`;
    const own = chosen.filter((i) => i >= first && i < first + count).map((i) => i - first);
    first += count;
    const entry = must(archive.entries.get(array), 'an array that the archive lists');
    const pieces = zipPieces(archive.source, entry, archive.name);
    await readNpyRows(pieces, await headOf(archive, array), entry.bytes, own, where, (row, numbers) => {
      write(numbers, row, data, to++ * size);
    });
  }
  return { kind, shape, data };
}
