// Markdown of text that others wrote: names in bundles never become headings, links, pictures, tags or cells of their own.
import { plainLine } from '../../util/index.ts';

/** A text as Markdown that shows just these characters, in one line. */
export function markdownText(text: string): string {
  return plainLine(text).replace(/[\\`*_{}[\]<>|#~&!]/g, (char) => `\\${char}`);
}

/** A table with one row for each of `rows`; cells are Markdown. */
export function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

/** A list of sentences. */
export function markdownList(items: readonly string[]): string {
  return items.map((item) => `- ${item}`).join('\n');
}
