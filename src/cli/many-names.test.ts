// 200,000 names: nothing puts them on the stack, and nothing takes time by their square.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseSync, Visitor } from 'oxc-parser';
import { describe, expect, it } from 'vitest';
import { labelFacts } from '../app/index.ts';
import { largest, smallest } from '../util/index.ts';
import { indent, table } from './terminal/tables.ts';

const MANY = 200_000;

describe('200,000 names', () => {
  it('stand in a table', () => {
    const rows = Array.from({ length: MANY }, (_, i) => [String(i), `class ${i}`, '1']);
    const lines = indent(table(['>class', 'name', '>samples'], rows)).split('\n');
    expect(lines).toHaveLength(MANY + 1);
    expect(lines[1]).toBe('       0  class 0             1');
    expect(lines.at(-1)).toBe('  199999  class 199999        1');
  });

  it('of classes are counted', () => {
    const labels = Int32Array.from({ length: MANY + 2 }, (_, i) => Math.min(i, MANY - 1));
    expect(labelFacts({ labels }).imbalanced).toBe(true);
  });

  it('have a least and a most', () => {
    const values = Float64Array.from({ length: MANY }, (_, i) => (i * 7919) % MANY);
    expect([smallest(values), largest(values)]).toEqual([0, MANY - 1]);
    expect([smallest([]), largest([])]).toEqual([Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]);
    expect([smallest([1, Number.NaN, 2]), largest([Number.NaN, 1])]).toEqual([Number.NaN, Number.NaN]);
  });

  it('are never arguments of one call here', () => {
    const found: string[] = [];
    const names = readdirSync(import.meta.dirname, { recursive: true, encoding: 'utf8' });
    for (const name of names.filter((file) => file.endsWith('.ts') && !/test/.test(file))) {
      const { program } = parseSync(name, readFileSync(join(import.meta.dirname, name), 'utf8'));
      new Visitor({
        CallExpression: ({ callee, arguments: given }) => {
          const isSpread = given.some(({ type }) => type === 'SpreadElement');
          const method =
            callee.type === 'MemberExpression' && callee.property.type === 'Identifier'
              ? callee.property.name
              : '';
          if (
            isSpread &&
            /^(max|min|push|unshift|concat|splice|fromCharCode|fromCodePoint|apply)$/.test(method)
          )
            found.push(`${name}: ${method}`);
        },
      }).visit(program);
    }
    expect(found).toEqual([]);
  });
});

describe('a table', () => {
  it('counts the columns that letters take', () => {
    const text = table(
      ['name', '>n'],
      [
        ['心电图', '1'],
        ['ab', '22'],
        ['e\u0301', '3'],
      ],
    );
    expect(text).toBe('name     n\n心电图   1\nab      22\ne\u0301        3');
  });

  it('of titles alone, of rows of other lengths, and without titles', () => {
    expect(table(['a', '>b'], [])).toBe('a  b');
    expect(table(['a', '>b'], [['x']])).toBe('a  b\nx');
    expect(table(['', ''], [['key', 'value']])).toBe('\nkey  value');
  });
});
