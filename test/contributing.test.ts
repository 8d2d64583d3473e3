// CONTRIBUTING.md and SECURITY.md name files: each must be there.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

const root = new URL('../', import.meta.url);

/** Paths that are made when the project is built or documented. */
const MADE: ReadonlySet<string> = new Set(['docs/api/']);

describe.each(['CONTRIBUTING.md', 'SECURITY.md', 'docs/glossary.md'])('%s', (page) => {
  const text = readFileSync(new URL(page, root), 'utf8');

  it('names only files that are there', () => {
    const paths = text.match(/(?:src|test|docs|scripts|examples|\.github|\.ci)\/[\w./-]*\w\/?/g) ?? [];
    expect(paths.filter((path) => !MADE.has(path) && !existsSync(new URL(path, root)))).toEqual([]);
  });
});

describe('SECURITY.md', () => {
  it('says what holds a defence, and its test, by files that are there', () => {
    const rows = readFileSync(new URL('SECURITY.md', root), 'utf8').match(/^\| .* \|$/gm) ?? [];
    const paths = rows
      .flatMap((row) => row.match(/`[\w/-]+(?:\.ts|\/)`/g) ?? [])
      .map((path) => path.slice(1, -1));
    const known = (path: string) =>
      existsSync(new URL(path, root)) || existsSync(new URL(`src/run/nats/${path}`, root));
    expect(paths.length).toBeGreaterThan(10);
    expect(paths.filter((path) => !known(path))).toEqual([]);
  });
});

describe('docs/glossary.md', () => {
  it('names options and names of code that there are', () => {
    const sources = readdirSync(new URL('src/', root), { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('.ts'))
      .map((path) => readFileSync(new URL(`src/${path}`, root), 'utf8'))
      .join('\n');
    const words = new Set(sources.match(/--[a-z-]+|\b[A-Za-z]\w*/g));
    const text = readFileSync(new URL('docs/glossary.md', root), 'utf8');
    const named = [...text.matchAll(/`(--[a-z-]+|[A-Za-z]\w+)`/g)].map(([, name]) => String(name));
    expect(named.filter((name) => !words.has(name) && !words.has(name.replace('--no-', '--')))).toEqual([]);
  });
});
