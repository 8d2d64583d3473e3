// Tables of results: Markdown for people and JSON for programs, with the command, the date and the machine.
import { cpus, totalmem } from 'node:os';
import { fileURLToPath } from 'node:url';
import { formatBytes, writeFileAtomic } from '../../src/util/index.ts';

/** One table. */
export interface ResultTable {
  readonly title: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly (string | number)[])[];
  readonly note?: string;
  /** When and how this table was made, where the tables of a study are not all of one run. */
  readonly made?: Made | undefined;
}

/** When, on what machine and with what command figures were measured. */
export interface Made {
  readonly command: string;
  readonly date: string;
  readonly machine: string;
}

/** Figures of now. */
export function madeNow(command: string): Made {
  return { command, date: new Date().toISOString().slice(0, 10), machine: machine() };
}

/** A study's results. */
export interface Results {
  readonly title: string;
  /** The command that made them. */
  readonly command: string;
  /** What was measured and how, in a few sentences. */
  readonly about: string;
  readonly tables: readonly ResultTable[];
}

/** The machine in one line. */
export function machine(): string {
  const list = cpus();
  return `${list.length} x ${list[0]?.model.trim() ?? 'unknown CPU'}, ${formatBytes(totalmem())}, Node ${process.version}`;
}

/** Writes `bench/results/<name>.md` and `.json`; returns the Markdown. */
export async function writeResults(name: string, results: Results): Promise<string> {
  const { command, date, machine: where } = madeNow(results.command);
  const own = results.tables.some(({ made }) => made);
  const when = own ? 'each table says when it was made' : `Date: ${date}. Machine: ${where}`;
  const lines = [
    `# ${results.title}`,
    '',
    results.about,
    '',
    `Command: \`${command}\`${own ? '; ' : '. '}${when}.`,
    ...results.tables.flatMap((table) => [
      '',
      `## ${table.title}`,
      '',
      ...markdown(table),
      ...(table.note ? ['', table.note] : []),
      ...(table.made ? ['', `\`${table.made.command}\`, ${table.made.date}, ${table.made.machine}.`] : []),
    ]),
    '',
  ];
  const text = lines.join('\n');
  const path = (extension: string): string =>
    fileURLToPath(new URL(`../results/${name}.${extension}`, import.meta.url));
  await writeFileAtomic(path('md'), text);
  await writeFileAtomic(path('json'), `${JSON.stringify({ ...results, date, machine: where }, null, 1)}\n`);
  return text;
}

function markdown(table: ResultTable): string[] {
  const row = (cells: readonly (string | number)[]): string => `| ${cells.join(' | ')} |`;
  return [
    row(table.columns),
    row(table.columns.map((_, i) => (i === 0 ? '---' : '---:'))),
    ...table.rows.map(row),
  ];
}
