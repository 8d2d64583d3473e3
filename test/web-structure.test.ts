// Holds the dashboard's sources: they import nothing of the gateway but types of what it tells them, nothing of a network,
// and stay of a readable size.
import { readdirSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { importEdges, outsideEdges } from './support/structure.ts';

const root = new URL('../', import.meta.url);
const FILES = readdirSync(new URL('web/src', root), { recursive: true, encoding: 'utf8' })
  .map((name) => `web/src/${name.replaceAll('\\', '/')}`)
  .filter((path) => /\.(ts|svelte|css)$/.test(path))
  .map((path) => ({ path, text: readFileSync(new URL(path, root), 'utf8') }));

/** What pages may know of the server: types alone. */
const WIRE = /^src\/gateway\/dashboard\/wire(-[a-z-]+)?\.ts$/;
const PACKAGES = /^(svelte|uplot)(\/|$)/;

/** The scripts alone, each as a source of its own. */
const SCRIPTS = new Map(
  FILES.filter(({ path }) => !path.endsWith('.css')).map(({ path, text }) => [
    path.replace(/\.svelte$/, '.svelte.ts'),
    path.endsWith('.svelte') ? (/<script[^>]*>([\s\S]*?)<\/script>/.exec(text)?.[1] ?? '') : text,
  ]),
);

it('pages import of the server only types of what it tells them', () => {
  const edges = outsideEdges(SCRIPTS);
  const wrong = edges
    .filter(({ to, relative, typeOnly }) => {
      if (!relative) return !PACKAGES.test(to);
      return !to.startsWith('web/') && !(typeOnly && WIRE.test(to));
    })
    .map(({ from, to }) => `${from}: imports ${to}`);
  expect(wrong).toEqual([]);
  expect(edges.some(({ to }) => WIRE.test(to))).toBe(true);
});

it('types of what pages are told come with no other file', () => {
  const folder = 'src/gateway/dashboard';
  const wires = readdirSync(new URL(folder, root)).filter((name) => WIRE.test(`${folder}/${name}`));
  const sources = wires.map((name): [string, string] => [
    `${folder}/${name}`,
    readFileSync(new URL(`${folder}/${name}`, root), 'utf8'),
  ]);
  const wrong = importEdges(new Map(sources)).filter(({ to, typeOnly }) => !typeOnly || !WIRE.test(to));
  expect(wires.length).toBeGreaterThan(0);
  expect(wrong).toEqual([]);
});

it('pages name nothing of another site, and no style or code that a strict policy forbids', () => {
  const wrong = FILES.flatMap(({ path, text }) =>
    [
      [/https?:\/\//, 'an address'],
      [/\sstyle="/, 'a style in an attribute'],
      [/\{@html/, 'HTML as text'],
    ].flatMap(([pattern, what]) => ((pattern as RegExp).test(text) ? [`${path}: ${String(what)}`] : [])),
  );
  expect(wrong).toEqual([]);
});

it('files have at most 400 lines', () => {
  const long = FILES.filter(({ text }) => text.split('\n').length > 401).map(({ path }) => path);
  expect(long).toEqual([]);
});
