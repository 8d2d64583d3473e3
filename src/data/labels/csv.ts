// Tables of text (RFC 4180): commas, semicolons or tabs between cells, cells in quotes, any ends of lines.
import { BedsideError } from '../../util/index.ts';

const DELIMITERS = [',', ';', '\t'];

/**
 * The rows of a table, each a list of cells without white space around; empty rows are left out. The delimiter is the
 * one that the first row has most of outside quotes.
 * @throws BedsideError E_DATA for a quote that is not closed
 */
export function parseCsv(text: string, name: string): string[][] {
  const content = text.replace(/^\ufeff/, '');
  const firstRow = (/^[^\r\n]*/.exec(content)?.[0] ?? '').replace(/"[^"]*"/g, '');
  const counts = DELIMITERS.map((delimiter) => firstRow.split(delimiter).length);
  const delimiter = DELIMITERS[counts.indexOf(Math.max(...counts))] ?? ',';
  const rows: string[][] = [];
  let row: string[] = [];
  let cell = '';
  let isQuoted = false;
  const endRow = (): void => {
    row.push(cell.trim());
    if (row.some((one) => one !== '')) rows.push(row);
    row = [];
    cell = '';
  };
  for (let i = 0; i < content.length; i++) {
    const character = content[i] as string;
    if (isQuoted) {
      if (character !== '"') cell += character;
      else if (content[i + 1] === '"') {
        cell += '"';
        i++;
      } else isQuoted = false;
    } else if (character === '"' && cell.trim() === '') {
      isQuoted = true;
      cell = '';
    } else if (character === delimiter) {
      row.push(cell.trim());
      cell = '';
    } else if (character === '\n' || character === '\r') {
      if (character === '\r' && content[i + 1] === '\n') i++;
      endRow();
    } else cell += character;
  }
  if (isQuoted) {
    throw new BedsideError(
      'E_DATA',
      `cannot read ${name}: a quote is not closed before the end of the file`,
      {
        hint: 'close it, or write quotes within cells twice',
      },
    );
  }
  endRow();
  return rows;
}
