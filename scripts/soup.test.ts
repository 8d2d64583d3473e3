// The list of packages of others is that of the lock file, and npm's own bill of materials has the same.
import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { npmSbom, sbom } from './sbom.ts';
import { readLock, SOUP_PAGE, soupOf, soupPage } from './soup.ts';

it('is current: else run npm run docs:soup', async () => {
  expect(await readFile(SOUP_PAGE, 'utf8')).toBe(soupPage(readLock()));
});

it('is the bill of materials too, with a hash of each, and misses nothing that npm says is installed', () => {
  const ours = soupOf(readLock()).map(({ name, version }) => `${name} ${version}`);
  const said = sbom();
  expect([said.bomFormat, said.metadata.component.name]).toEqual(['CycloneDX', 'bedside']);
  const named = said.components.map(({ name, version }) => `${name} ${version}`);
  expect([...new Set(named)].sort()).toEqual([...new Set(ours)].sort());
  expect(said.components.filter(({ hashes = [] }) => hashes.length === 0).map(({ name }) => name)).toEqual(
    [],
  );
  const known = new Set([...said.components, said.metadata.component].map((one) => one['bom-ref']));
  const refs = said.dependencies.flatMap(({ ref, dependsOn = [] }) => [ref, ...dependsOn]);
  expect(refs.filter((ref) => !known.has(ref))).toEqual([]);
  const theirs = npmSbom(['--omit', 'dev']).components.map(({ name, version }) => `${name} ${version}`);
  expect(theirs.filter((one) => !ours.includes(one) && !/^(bedside-)?web /.test(one))).toEqual([]);
});

it('has licences that we may use, and names the others', () => {
  const known =
    /^\(?(MIT|Apache-2\.0|BSD-[23]-Clause|ISC|0BSD|Unlicense|Zlib|CC0-1\.0)( (AND|OR) (MIT|Apache-2\.0|BSD-[23]-Clause|ISC|0BSD|Zlib|CC0-1\.0))*\)?$/;
  const others = soupOf(readLock()).filter(({ licence }) => !known.test(licence));
  expect(
    others
      .filter(({ name }) => !name.startsWith('@img/sharp-'))
      .map(({ name, licence }) => `${name}: ${licence}`),
  ).toEqual([]);
});
