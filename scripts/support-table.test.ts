// The table of operators in the documentation is the one the rule tables give.
import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { OPS } from '../src/onnx/internal.ts';
import { supportTable, TABLE_PATH } from './support-table.ts';

describe('docs/operators.md', () => {
  it('is current: else run npm run docs:operators', async () => {
    expect(await readFile(TABLE_PATH, 'utf8')).toBe(supportTable());
  });

  it('has one row an operator, each with every column', () => {
    const rows = supportTable()
      .split('\n')
      .filter((line) => line.startsWith('| '))
      .slice(2)
      .map((line) => line.slice(2, -2).split(' | '));
    expect(rows.map(([op]) => op)).toEqual([...OPS]);
    for (const row of rows) {
      expect(row).toHaveLength(6);
      expect(row.every((cell) => cell.trim() !== '')).toBe(true);
    }
  });
});
