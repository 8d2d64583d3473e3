// Every package of the lock file runs on the oldest Node that this one promises: npm leaves out optional ones that do not.
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

interface Lock {
  readonly packages: Readonly<Record<string, { readonly engines?: { readonly node?: string } }>>;
}

const root = new URL('../', import.meta.url);
const lock = JSON.parse(readFileSync(new URL('package-lock.json', root), 'utf8')) as Lock;
const promised = JSON.parse(readFileSync(new URL('package.json', root), 'utf8')).engines.node as string;
const OLDEST = promised.replace('>=', '');

/** Numbers of a version, with zeros for those left out. */
function numbers(version: string): number[] {
  const own = version.split('.').map((part) => Number.parseInt(part, 10) || 0);
  return [own[0] ?? 0, own[1] ?? 0, own[2] ?? 0];
}

function compare(a: string, b: string): number {
  const [own, other] = [numbers(a), numbers(b)];
  return own.map((value, i) => value - (other[i] ?? 0)).find((off) => off !== 0) ?? 0;
}

/** Whether a version is in a range of npm, of the kinds that packages write: `||`, `>=`, `>`, `<`, `<=`, `^`, `~`, `x`, `*`. */
function isIn(version: string, range: string): boolean {
  return range.split('||').some((part) => {
    const bounds = part
      .trim()
      .replace(/([<>=^~]+)\s+/g, '$1')
      .split(/\s+/);
    return bounds.every((bound) => {
      const [, sign = '', own = ''] = /^([<>=^~]*)v?(.*)$/.exec(bound) ?? [];
      if (own === '' || own === '*') return true;
      const off = compare(version, own);
      if (sign === '>=') return off >= 0;
      if (sign === '>') return off > 0;
      if (sign === '<') return off < 0;
      if (sign === '<=') return off <= 0;
      return numbers(own)[0] === numbers(version)[0] && (sign === '' ? own.split('.').length < 3 : off >= 0);
    });
  });
}

it.each([
  ['>=22.13', false],
  ['^18.0.0 || >=20.19', true],
  ['^20.19.0 || ^22.13.0 || >=24', true],
  ['>= 14', true],
  ['20 || >=22', true],
  ['>=16 <20', false],
])('ranges of versions are read: %s', (range, expected) => {
  expect(isIn('20.19', range)).toBe(expected);
});

it('all packages take the oldest Node that is promised', () => {
  const refused = Object.entries(lock.packages)
    .filter(([, { engines }]) => engines?.node !== undefined && !isIn(OLDEST, engines.node))
    .map(([name, { engines }]) => `${name}: ${engines?.node}`);
  expect(refused).toEqual([]);
});
