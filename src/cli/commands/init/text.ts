// What `init` wrote, as text.
import type { InitResult } from '../../../app/init/init.ts';
import { counted, plainLine } from '../../../util/index.ts';
import { indent, table } from '../../terminal/tables.ts';

/** The file, and each field with what it rests on. */
export function describeInit({ out, fields }: InitResult): string {
  const rows = fields.map(({ field, value, sure, why }) => [field, shown(value), sure, why]);
  const guesses = fields.filter(({ sure }) => sure === 'guess').length;
  return [
    plainLine(
      `${out}: ${counted(fields.length, 'field')}, ${guesses} of them guessed: correct what is wrong`,
    ),
    '',
    indent(table(['field', 'value', 'sure', 'because'], rows)),
  ].join('\n');
}

const MOST = 60;

function shown(value: unknown): string {
  const text = value === null ? '(default)' : typeof value === 'string' ? value : JSON.stringify(value);
  return text.length > MOST ? `${text.slice(0, MOST - 3)}...` : text;
}
