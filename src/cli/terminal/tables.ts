// Plain aligned tables: no lines, no colours, numbers to the right.
import { plainLine } from '../../util/index.ts';

const GAP = '  ';

/**
 * A table of cells, each on one line whatever names are in it. Columns whose titles begin with `>` are aligned to the right,
 * and the title loses the `>`. Takes time in proportion to its rows, of which there may be hundreds of thousands.
 */
export function table(titles: readonly string[], rows: readonly (readonly string[])[]): string {
  const isRight = titles.map((title) => title.startsWith('>'));
  const lines = [titles.map((title) => title.replace(/^>/, '')), ...rows].map((row) => row.map(plainLine));
  const widths: number[] = [];
  const sizes = lines.map((row) => row.map(columns));
  for (const row of sizes) {
    for (const [at, size] of row.entries()) widths[at] = Math.max(widths[at] ?? 0, size);
  }
  const padded = (cell: string, line: number, at: number): string => {
    const space = ' '.repeat((widths[at] ?? 0) - (sizes[line]?.[at] ?? 0));
    return isRight[at] ? space + cell : cell + space;
  };
  return lines
    .map((row, line) =>
      row
        .map((cell, at) => padded(cell, line, at))
        .join(GAP)
        .trimEnd(),
    )
    .join('\n');
}

/** Marks that stand on the letter before them, and joiners. */
const NARROW = /\p{Mn}|\p{Me}|\u200c|\u200d|\ufe0f/u;
/** Letters of East Asian scripts and pictures, which take two columns (Unicode Standard Annex 11: W and F). */
const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\u33ff\u3400-\u4dbf\u4e00-\u9fff\ua000-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{20000}-\u{3fffd}]|\p{Emoji_Presentation}/u;
// biome-ignore lint/suspicious/noControlCharactersInRegex: everything else than plain letters
const PLAIN = /^[\x00-\x7f]*$/;

/** How many columns of a terminal a text takes. */
function columns(text: string): number {
  if (PLAIN.test(text)) return text.length;
  let sum = 0;
  for (const char of text) sum += NARROW.test(char) ? 0 : WIDE.test(char) ? 2 : 1;
  return sum;
}

/** Lines moved to the right by two. */
export function indent(text: string): string {
  return text.replace(/^(?=.)/gm, '  ');
}
