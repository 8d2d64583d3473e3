// Holds what is published: every name that a user may import is in a list, so that additions are deliberate.
// After a deliberate change: npm test -- test/published-names.test.ts -u
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { FOLDERS } from './support/folders.ts';
import { exportedNames, publicDoors } from './support/published.ts';

const root = new URL('../', import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, root), 'utf8');

const doors = publicDoors();
const published = new Map([...doors].map(([subpath, path]) => [subpath, exportedNames(path)]));

describe('published names', () => {
  it('are those of test/golden/published-names.txt', async () => {
    const total = new Set([...published.values()].flat()).size;
    const sections = [...published].map(
      ([subpath, names]) => `${subpath} (${names.length})\n${indented(names)}`,
    );
    const list = `${total} names, each counted once\n\n${sections.join('\n')}`;
    await expect(list).toMatchFileSnapshot('golden/published-names.txt');
  });

  it('are those that documents show in code', () => {
    const wrong = pages().flatMap((page) =>
      imports(page).flatMap(({ subpath, names }) => {
        const known = published.get(subpath);
        if (!known) return [`${page}: '${subpath}' is not a subpath of the package`];
        return names
          .filter((name) => !known.includes(name))
          .map((name) => `${page}: ${subpath} has no ${name}`);
      }),
    );
    expect(wrong).toEqual([]);
  });
});

describe('the subpaths of the package', () => {
  const folders = [...doors.keys()].flatMap((subpath) =>
    subpath === 'bedside' ? [] : [subpath.slice('bedside/'.length)],
  );

  it('are folders of the folder table, with a door each', () => {
    expect(folders.filter((folder) => !(folder in FOLDERS))).toEqual([]);
    expect([...doors.values()].filter((path) => !existsSync(new URL(path, root)))).toEqual([]);
  });

  it('are those that src/index.ts names in its first comment', () => {
    const [header = ''] = read('src/index.ts').split(/^(?!\/\/)/m, 1);
    const named = new Set([...header.matchAll(/`bedside\/([a-z]+)`/g)].map(([, folder]) => folder));
    expect([...named].sort()).toEqual([...folders].sort());
  });

  it('are those that docs/architecture.md calls published, in its table of all folders', () => {
    const rows = [...read('docs/architecture.md').matchAll(/^\| `([a-z]+)` \| (yes)? *\|/gm)];
    expect(rows.map(([, folder]) => folder).sort()).toEqual(
      Object.keys(FOLDERS)
        .filter((folder) => folder !== '.')
        .sort(),
    );
    const marked = rows.filter(([, , yes]) => yes).map(([, folder]) => folder);
    expect(marked.sort()).toEqual([...folders].sort());
  });
});

function indented(names: readonly string[]): string {
  return names.map((name) => `  ${name}\n`).join('');
}

/** README, the pages of docs/ and the examples. */
function pages(): string[] {
  const inside = (folder: string, end: string) =>
    existsSync(new URL(folder, root))
      ? readdirSync(new URL(folder, root))
          .filter((name) => name.endsWith(end))
          .map((name) => `${folder}/${name}`)
      : [];
  return ['README.md', ...inside('docs', '.md'), ...inside('examples', '.ts')];
}

/** What a page's TypeScript imports of the package. */
function imports(page: string): { readonly subpath: string; readonly names: readonly string[] }[] {
  const text = read(page);
  const blocks = page.endsWith('.ts')
    ? [text]
    : [...text.matchAll(/^```ts\n([\s\S]*?)^```/gm)].map(([, code]) => code);
  return blocks.flatMap((code) =>
    [...String(code).matchAll(/import\s+(?:type\s+)?\{([^}]*)\}\s+from\s+'(bedside[\w/]*)'/g)].map(
      ([, list = '', subpath = '']) => ({
        subpath,
        names: list
          .split(',')
          .map((name) =>
            name
              .trim()
              .replace(/^type\s+/, '')
              .replace(/\s+as\s+.*$/, ''),
          )
          .filter((name) => name !== ''),
      }),
    ),
  );
}
