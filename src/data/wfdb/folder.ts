// The records of a folder, also in folders below it.
import { readdir } from 'node:fs/promises';
import { extname, join, posix } from 'node:path';
import { BedsideError, messageOf } from '../../util/index.ts';
import { readFileChecked, readTextChecked } from '../../util/internal.ts';
import { isHidden } from '../hidden.ts';
import type { PassedOverCount } from '../passed-over.ts';
import { parseWfdbHeader, saysSegments } from './header.ts';

const HEADER = '.hea';
/** The list of records that a folder may have. */
export const RECORD_LIST = 'RECORDS';
/** Folders of patients, studies and years below a folder of records. */
const MOST_DEPTH = 8;

/** The names of the records in a folder, sorted. */
export function recordNames(files: readonly string[]): string[] {
  return files
    .filter((file) => file.endsWith(HEADER) && !file.startsWith('.'))
    .map((file) => file.slice(0, -HEADER.length))
    .sort();
}

/**
 * All records of a folder, sorted: those in it, and those of folders below that its list names (`RECORDS`). A folder
 * without headers of its own is searched in full. Segments of other records are no records. The rest is counted.
 * @throws BedsideError E_FILE for a folder that cannot be read, E_DATA for a malformed header of segments
 */
export async function listRecords(folder: string, passedOver: PassedOverCount): Promise<string[]> {
  const { files, folders, links } = await listFolder(folder, '');
  const direct = recordNames(files);
  const listed = files.includes(RECORD_LIST) ? await readList(folder) : [];
  const found = new Set(direct);
  if (direct.length === 0) {
    for (const name of folders) await search(folder, name, 1, found, passedOver);
    for (const name of links) passedOver.add('links to folders, which are not followed', name);
  } else {
    const below = listed.filter((entry) => entry.includes('/'));
    const read = new Set(below.map((entry) => entry.split('/')[0]));
    for (const name of folders) {
      if (!read.has(name)) passedOver.add('folders beside the records, which are not read', name);
    }
    const listings = new Map<string, Promise<ReadonlySet<string>>>();
    for (const entry of below) {
      if (entry.endsWith('/')) await search(folder, entry.slice(0, -1), 1, found, passedOver).catch(() => {});
      else if (await exists(folder, entry, listings)) found.add(entry);
    }
  }
  for (const entry of listed) {
    const isThere = entry.endsWith('/')
      ? [...found].some((name) => name.startsWith(entry))
      : found.has(entry);
    if (!isThere) passedOver.add(`records that ${RECORD_LIST} names and the folder does not hold`, entry);
  }
  const names = [...found].sort();
  const segments = await segmentsAmong(folder, names);
  return names.filter((name) => !segments.has(name));
}

interface Listing {
  readonly files: readonly string[];
  readonly folders: readonly string[];
  readonly links: readonly string[];
}

async function listFolder(root: string, path: string): Promise<Listing> {
  const full = join(root, path);
  const entries = await readdir(full, { withFileTypes: true }).catch((cause: unknown) => {
    throw new BedsideError('E_FILE', `cannot read folder ${full}: ${messageOf(cause)}`, {
      hint: 'check its permissions',
      cause,
    });
  });
  const shown = entries.filter(({ name }) => !isHidden(name));
  const isLink = (entry: (typeof entries)[number]): boolean =>
    entry.isSymbolicLink() && extname(entry.name) === '';
  return {
    files: shown.filter((entry) => !entry.isDirectory()).map(({ name }) => name),
    folders: shown
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => name)
      .sort(),
    links: shown.filter((entry) => isLink(entry) && entry.name !== RECORD_LIST).map(({ name }) => name),
  };
}

/** Adds the records in and below a folder. */
async function search(
  root: string,
  path: string,
  depth: number,
  found: Set<string>,
  passedOver: PassedOverCount,
): Promise<void> {
  const { files, folders } = await listFolder(root, path);
  for (const name of recordNames(files)) found.add(posix.join(path, name));
  for (const name of folders) {
    const below = posix.join(path, name);
    if (depth === MOST_DEPTH) passedOver.add(`folders more than ${MOST_DEPTH} deep`, below);
    else await search(root, below, depth + 1, found, passedOver);
  }
}

/** The entries of the list of records: paths of records, and of folders (which end in a slash). */
async function readList(folder: string): Promise<string[]> {
  const text = await readTextChecked(join(folder, RECORD_LIST), 'list of records');
  return text
    .split(/\r\n|\r|\n/)
    .map((line) =>
      line
        .trim()
        .replace(/\.hea$/, '')
        .replace(/^\.\//, ''),
    )
    .filter((line) => line !== '' && !line.startsWith('#') && !/^\/|\\|(^|\/)\.\.(\/|$)/.test(line));
}

/** @param listings files of the folders that were looked into; a folder may have thousands of records */
async function exists(
  folder: string,
  record: string,
  listings: Map<string, Promise<ReadonlySet<string>>>,
): Promise<boolean> {
  const within = posix.dirname(record);
  const listing =
    listings.get(within) ??
    listFolder(folder, within).then(
      ({ files }) => new Set(files),
      () => new Set<string>(),
    );
  listings.set(within, listing);
  return (await listing).has(`${posix.basename(record)}${HEADER}`);
}

/** Names of records that are segments of another one. */
async function segmentsAmong(folder: string, names: readonly string[]): Promise<Set<string>> {
  const segments = new Set<string>();
  for (const name of names) {
    const bytes = await readFileChecked(join(folder, `${name}${HEADER}`), 'header', { maxBytes: 2 ** 20 });
    const text = Buffer.from(bytes).toString('latin1');
    if (!saysSegments(text)) continue;
    for (const { record } of parseWfdbHeader(text, name).segments ?? [])
      if (record !== undefined) segments.add(posix.join(posix.dirname(name), record));
  }
  return segments;
}
