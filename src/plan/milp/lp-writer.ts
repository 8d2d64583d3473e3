// A program in the CPLEX LP format, which every MILP solver reads.
// https://lim.univ-reims.fr/staff/rabat/docs/cplex-lp.html and HiGHS's own reader
import type { Column, LinearProgram, Row } from './linear-program.ts';

const WIDTH = 200;

/** The program as text. `comment` stands at its head, line by line. */
export function writeLp(program: LinearProgram, comment = ''): string {
  const { columns, rows } = program;
  const name = (index: number): string => (columns[index] as Column).name;
  const lines = comment === '' ? [] : comment.split('\n').map((line) => `\\ ${line}`);
  lines.push('Minimize');
  const costs = columns.flatMap(({ cost }, index) => (cost === 0 ? [] : [term(cost, name(index))]));
  const objective = wrapped(' cost:', costs.length > 0 ? costs : [`0 ${name(0)}`]);
  for (const line of objective) lines.push(line);
  lines.push('Subject To');
  for (const row of rows) for (const line of rowLines(row, name)) lines.push(line);
  lines.push('Bounds');
  for (const { name: own, upper, integer } of columns) {
    if (!integer && Number.isFinite(upper)) lines.push(` 0 <= ${own} <= ${upper}`);
  }
  lines.push('Binaries');
  for (const { name: own, integer } of columns) if (integer) lines.push(` ${own}`);
  lines.push('End', '');
  return lines.join('\n');
}

function rowLines({ name, columns, values, lower, upper }: Row, column: (index: number) => string): string[] {
  if (columns.length === 0) return [];
  const terms = columns.map((index, at) => term(values[at] ?? 0, column(index)));
  const side = lower === upper ? `= ${lower}` : Number.isFinite(upper) ? `<= ${upper}` : `>= ${lower}`;
  return wrapped(` ${name}:`, [...terms, side]);
}

function term(value: number, name: string): string {
  return `${value < 0 ? '-' : '+'} ${Math.abs(value)} ${name}`;
}

function wrapped(head: string, parts: readonly string[]): string[] {
  const lines: string[] = [];
  let line = head;
  for (const part of parts) {
    if (line.length + part.length > WIDTH) {
      lines.push(line);
      line = '  ';
    }
    line += ` ${part}`;
  }
  return [...lines, line];
}
