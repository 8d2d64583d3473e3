// Every page: its links and anchors lead somewhere, and the files, options, codes and scripts that it names are there.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { ERROR_CODES } from 'bedside/util';
import { describe, expect, it } from 'vitest';
import { FOLDERS } from './support/folders.ts';

const root = new URL('../', import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, root), 'utf8');
const below = (folder: string, ending: string): string[] =>
  readdirSync(new URL(`${folder}/`, root), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith(ending))
    .map((path) => `${folder}/${path}`);

const PAGES = [
  ...['README.md', 'CONTRIBUTING.md', 'SECURITY.md', 'models/README.md', 'examples/orthanc/README.md'],
  ...readdirSync(new URL('docs/', root)).flatMap((name) => (name.endsWith('.md') ? [`docs/${name}`] : [])),
];

/** Sources by their last name: pages call files of `src` by as much of the path as tells them apart. */
const SOURCES = ['src', 'test', 'bench', 'scripts', 'examples'].flatMap((folder) => below(folder, '.ts'));
const OPTIONS = new Set(
  below('src/cli', '.ts').flatMap((path) =>
    [...read(path).matchAll(/--[a-z][a-z0-9-]+/g)].map(([word]) => word),
  ),
);
/** Options of other programs, and of scripts of the project. */
const OTHERS = [
  'data-binary',
  'import',
  'medical',
  'max-semi-space-size',
  'now',
  'omit',
  'platform',
  'verbose',
];
/** Old names that stay as aliases. */
const ALIASES = ['class-mix', 'no-reconstruct'];
const ALLOWED = new Set([...OTHERS, ...ALIASES].map((name) => `--${name}`));
const SCRIPTS = Object.keys((JSON.parse(read('package.json')) as { scripts: object }).scripts);

it('docs/architecture.md lists what each folder imports, as the folder table has it', () => {
  const rows = [...read('docs/architecture.md').matchAll(/^\| `([a-z]+)` \| (?:yes)? *\| .* \| (`.*) \|$/gm)];
  const sorted = (text = ''): string[] =>
    [...text.matchAll(/`([a-z]+)`/g)].map(([, name]) => String(name)).sort();
  expect(rows.length).toBeGreaterThan(15);
  for (const [, folder = '', cell = ''] of rows) {
    const [imports, types] = cell.split('; types of ');
    const { [folder]: rule } = FOLDERS;
    expect([folder, sorted(imports), sorted(types)]).toEqual([
      folder,
      [...(rule?.imports ?? [])].sort(),
      [...(rule?.types ?? [])].sort(),
    ]);
  }
});

it('hints outside the command line name options that a command has', () => {
  const lines = below('src', '.ts')
    .filter((path) => !path.startsWith('src/cli/') && !path.endsWith('.test.ts'))
    .flatMap((path) => read(path).match(/^.*\bhint: .*$/gm) ?? []);
  const options = lines.flatMap((line) => line.match(/(?<![\w-])--[a-z][a-z0-9-]+/g) ?? []);
  expect(options.length).toBeGreaterThan(100);
  expect(options.filter((option) => !isOption(option))).toEqual([]);
});

describe.each(PAGES)('%s', (page) => {
  const text = read(page);

  it('links to pages and headings that are there', () => {
    const links = [...text.matchAll(/\]\((?!https?:)([^)]+)\)/g)].map(([, link]) => String(link));
    const leads = (link: string): boolean => {
      const target = new URL(link, new URL(page, root));
      if (!existsSync(new URL(target.pathname, root))) return false;
      return (
        target.hash === '' ||
        headings(readFileSync(new URL(target.pathname, root), 'utf8')).has(target.hash.slice(1))
      );
    };
    expect(links.filter((link) => !leads(link))).toEqual([]);
  });

  it('names sources that are there', () => {
    const named = [...text.matchAll(/`([\w./-]+\.ts)`/g)].map(([, path]) => String(path));
    const known = (path: string): boolean =>
      SOURCES.some((source) => source === path || source.endsWith(`/${path}`)) ||
      existsSync(new URL(path, root));
    expect(named.filter((path) => !known(path))).toEqual([]);
  });

  it('names options that a command has, codes that errors have, and scripts of package.json', () => {
    const options = [...text.matchAll(/(?<![\w-])--[a-z][a-z0-9-]+/g)].map(([word]) => word);
    expect(options.filter((option) => !isOption(option))).toEqual([]);
    const codes: string[] = text.match(/\bE_[A-Z]+(?:_[A-Z]+)*\b/g) ?? [];
    expect(codes.filter((code) => !(ERROR_CODES as readonly string[]).includes(code))).toEqual([]);
    const scripts = [...text.matchAll(/npm run ([\w:-]+)/g)].map(([, name]) => String(name));
    expect(scripts.filter((name) => !SCRIPTS.includes(name))).toEqual([]);
  });

  it('has at most 120 characters a line, but for tables', () => {
    const long = text.split('\n').filter((line) => line.length > 120 && !/^[|!]/.test(line));
    expect(long).toEqual([]);
  });
});

function isOption(word: string): boolean {
  return OPTIONS.has(word) || OPTIONS.has(word.replace('--no-', '--')) || ALLOWED.has(word);
}

/** Anchors of the headings of a page, as GitHub makes them. */
function headings(text: string): ReadonlySet<string> {
  const lines = text.replace(/^```[\s\S]*?^```/gm, '').match(/^#+ .*$/gm) ?? [];
  return new Set(
    lines.map((line) =>
      line
        .replace(/^#+ /, '')
        .toLowerCase()
        .replace(/[^\p{L}\p{N}_ -]/gu, '')
        .replaceAll(' ', '-'),
    ),
  );
}
