// A directory of DICOM media (DICOMDIR, PS3.10): which files belong to it.
import { dirname, join } from 'node:path';
import { BedsideError, messageOf } from '../../util/index.ts';
import { RegularFile } from '../../util/internal.ts';
import { filesBelow } from '../file-tree.ts';
import { DICOMDIR } from '../images/medical-name.ts';
import type { PassedOverCount } from '../passed-over.ts';
import { itemsOf, parseObject } from './object.ts';

/**
 * Paths of the files that a directory names, sorted. Names are those of media, in capitals; on the disk they may be in any.
 * What it names and the folder lacks is counted, and what it does not name too.
 * @throws BedsideError E_DATA for a malformed directory, E_FILE for one that cannot be read
 */
export async function filesOfDirectory(path: string, passedOver: PassedOverCount): Promise<string[]> {
  const root = dirname(path);
  const named = await namesIn(path);
  const found = new Map<string, string>();
  for (const file of await filesBelow(root, passedOver)) found.set(normal(file), file);
  const files: string[] = [];
  for (const name of named) {
    const file = found.get(name);
    if (file === undefined) passedOver.add('files that DICOMDIR names and the folder does not hold', name);
    else files.push(file);
    found.delete(name);
  }
  for (const [name, file] of found) {
    if (name !== DICOMDIR) passedOver.add('files that DICOMDIR does not name', file);
  }
  return files.sort();
}

/** A path without regard to capitals, separators, and the dot and version of some media. */
function normal(path: string): string {
  return path
    .replaceAll('\\', '/')
    .toUpperCase()
    .replace(/(;\d+|\.)+$/, '');
}

async function namesIn(path: string): Promise<Set<string>> {
  const file = await RegularFile.open(path, 'directory');
  try {
    const { elements } = await parseObject(file);
    const names = itemsOf(elements, 'x00041220').flatMap((record) => {
      const parts = record.elements.x00041500 ? record.string('x00041500') : undefined;
      return parts === undefined ? [] : [normal(join(...parts.split('\\').map((part) => part.trim())))];
    });
    if (names.length === 0) throw new Error('it names no files');
    return new Set(names);
  } catch (cause) {
    if (BedsideError.is(cause)) throw cause;
    throw new BedsideError('E_DATA', `cannot read the directory ${path}: ${messageOf(cause)}`, {
      hint: 'leave it out: files of DICOM are found by their mark too',
      cause,
    });
  } finally {
    await file.close();
  }
}
