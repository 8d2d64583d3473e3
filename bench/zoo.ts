// Every architecture of the zoo through everything that a network goes through: shapes, costs, cutting, relevance,
// gradients, repair and stages, each against the engine.
// Command: npm run bench:zoo [-- FILE...]
import { existsSync, readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { BedsideError } from '../src/util/index.ts';
import { type ResultTable, writeResults } from './lib/results.ts';
import { type Cell, CHECKS, openSubject } from './zoo/network-checks.ts';

const SHARED = process.env.BEDSIDE_SHARED ?? join(import.meta.dirname, '../../shared');
const filesIn = (folder: string): string[] =>
  existsSync(folder)
    ? readdirSync(folder)
        .filter((name) => name.endsWith('.onnx'))
        .map((name) => join(folder, name))
    : [];

/** The outcome of a check: its cell, or the coded error that refused it. Every other error is a fault. */
async function cellOf(check: () => Cell | Promise<Cell>): Promise<Cell> {
  try {
    return await check();
  } catch (error) {
    const coded = BedsideError.is(error) && error.code !== 'E_INTERNAL' && error.code !== 'E_ENGINE';
    const text = BedsideError.is(error) ? `${error.code}: ${error.message}` : String(error);
    return { text, verdict: coded ? 'refused' : 'wrong' };
  }
}

/** Columns of a network, and what was refused or wrong, in words. */
interface Row {
  readonly name: string;
  readonly cells: readonly (readonly [string, Cell])[];
}

async function rowOf(path: string): Promise<Row> {
  const name = basename(path, '.onnx');
  let subject: Awaited<ReturnType<typeof openSubject>> | undefined;
  const loads = await cellOf(async () => {
    subject = await openSubject(path);
    return { text: 'yes', verdict: 'right' };
  });
  const cells: [string, Cell][] = [['loads', loads]];
  for (const [title, check] of Object.entries(CHECKS)) {
    const open = subject;
    if (open) cells.push([title, await cellOf(() => check(open))]);
  }
  return { name, cells };
}

const shown = ({ text, verdict }: Cell): string =>
  verdict === 'wrong' ? `**wrong** ${text}` : verdict === 'refused' ? `refused` : text;

const given = process.argv.slice(2);
const zoo = given.length > 0 ? given : filesIn(join(SHARED, 'zoo'));
const variants = given.length > 0 ? [] : filesIn(join(SHARED, 'zoo/variants'));
const titles = ['loads', ...Object.keys(CHECKS)];
const tables: ResultTable[] = [];
let wrong = 0;
for (const [title, files] of [
  ['The zoo', zoo],
  ['Variants: other operator sets, no folding by the exporter, fixed batches', variants],
] as const) {
  const rows: Row[] = [];
  for (const path of files) {
    const row = await rowOf(path);
    rows.push(row);
    process.stderr.write(
      `${row.name}: ${row.cells.map(([column, cell]) => `${column} ${shown(cell)}`).join(', ')}\n`,
    );
    for (const [column, { text, verdict }] of row.cells) {
      if (verdict !== 'right') process.stderr.write(`    ${verdict}, ${column}: ${text}\n`);
    }
  }
  const all = rows.flatMap(({ cells }) => cells.map(([, cell]) => cell));
  const bad = all.filter(({ verdict }) => verdict === 'wrong').length;
  const refused = rows.filter(({ cells }) => cells.some(([, { verdict }]) => verdict === 'refused'));
  wrong += bad;
  const reasons = rows.flatMap(({ name, cells }) =>
    cells
      .filter(([, { verdict }]) => verdict !== 'right')
      .map(([column, { text }]) => `- ${name}, ${column}: ${text}`),
  );
  tables.push({
    title,
    columns: ['network', ...titles],
    rows: rows.map(({ name, cells }) => {
      const by = new Map(cells);
      return [
        name,
        ...titles.map((column) => {
          const cell = by.get(column);
          return cell ? shown(cell) : '';
        }),
      ];
    }),
    note: [
      `${rows.length} networks, ${all.length} cells: ${bad} wrong, ${all.filter(({ verdict }) => verdict === 'refused').length} refused in ${refused.length} networks.`,
      ...(reasons.length > 0 ? ['', ...reasons] : []),
    ].join('\n'),
  });
}
for (const { title, note } of tables) process.stdout.write(`${title}: ${note}\n`);
if (given.length === 0) {
  await writeResults('zoo', {
    title: 'Any network',
    command: 'npm run bench:zoo',
    about:
      'Untrained networks of many architectures, as people of the field export them. shapes: how many values have the shape ' +
      'that the engine gives them at a batch of two. MACs: multiply-accumulates of a sample, by the textbook from those ' +
      'shapes. prunable: the share of the channels of weighted layers that can be removed. cut = masked: the largest ' +
      'difference between cutting a random half of the channels and setting them to zero, as a share of the largest output ' +
      '(at most 1e-4). relevance: how far the relevance of the input by LRP-epsilon is from the explained score, without ' +
      'biases (at most 0.02; without softmax: a softmax inside the network, which keeps a share by AttnLRP, is left out too). gradient: how far it is from a central difference along a random direction (at most 0.03). ' +
      'repair: the error of the cut outputs after repair over that before, and the layers refitted. stages: their number; run ' +
      'one after the other, they give what the whole gives (1e-4). `refused`: a coded error, listed below the table.',
    tables,
  });
}
process.exitCode = wrong > 0 ? 1 : 0;
