// All files of a folder and of those below it.
import { readdir, realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { BedsideError, messageOf } from '../util/index.ts';
import { isHidden } from './hidden.ts';
import type { PassedOverCount } from './passed-over.ts';

/** Folders of patients, studies and series. */
const MOST_DEPTH = 8;

/**
 * Paths of all regular files in and below a folder, at most 8 deep, sorted; hidden files are left out. A link counts as
 * what it leads to.
 * @throws BedsideError E_FILE for a folder that cannot be read
 */
export async function filesBelow(root: string, passedOver: PassedOverCount): Promise<string[]> {
  const found: string[] = [];
  const walk = async (folder: string, depth: number, ancestors: readonly string[]): Promise<void> => {
    for (const entry of await listFolder(join(root, folder))) {
      const path = join(folder, entry.name);
      const kind = entry.isSymbolicLink() ? await stat(join(root, path)).catch(() => undefined) : entry;
      if (kind?.isFile()) found.push(path);
      else if (!kind?.isDirectory())
        passedOver.add(kind ? 'pipes, sockets and devices' : 'links that lead nowhere', path);
      else if (depth === MOST_DEPTH) passedOver.add(`folders more than ${MOST_DEPTH} deep`, path);
      else {
        const real = await realpath(join(root, path));
        if (ancestors.includes(real)) passedOver.add('links to a folder that they are in', path);
        else await walk(path, depth + 1, [...ancestors, real]);
      }
    }
  };
  await walk('', 0, [await realpath(root)]);
  return found.sort();
}

async function listFolder(path: string) {
  const entries = await readdir(path, { withFileTypes: true }).catch((cause: unknown) => {
    throw new BedsideError('E_FILE', `cannot read folder ${path}: ${messageOf(cause)}`, {
      hint: 'check its permissions',
      cause,
    });
  });
  return entries.filter(({ name }) => !isHidden(name)).sort((a, b) => (a.name < b.name ? -1 : 1));
}
