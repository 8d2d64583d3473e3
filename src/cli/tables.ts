// Plain aligned tables: no lines, no colours, numbers to the right.
import Table from 'cli-table3';
import { plainLine } from '../util/index.ts';

/** A table of cells, each on one line whatever names are in it. Of titles, those that begin with `>` are aligned to the right, without the `>`. */
export function table(titles: readonly string[], rows: readonly (readonly string[])[]): string {
  const plain = new Table({
    head: titles.map((title) => plainLine(title.replace(/^>/, ''))),
    colAligns: titles.map((title) => (title.startsWith('>') ? 'right' : 'left')),
    chars: { ...NO_LINES, middle: '  ' },
    style: { 'padding-left': 0, 'padding-right': 0, head: [], border: [], compact: true },
  });
  for (const row of rows) plain.push(row.map(plainLine));
  return plain
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n');
}

const NO_LINES = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '',
  'left-mid': '',
  mid: '',
  'mid-mid': '',
  right: '',
  'right-mid': '',
};

/** Lines moved to the right by two. */
export function indent(text: string): string {
  return text.replace(/^(?=.)/gm, '  ');
}
