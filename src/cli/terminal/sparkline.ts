// A row of numbers as a row of blocks.
import { largest } from '../../util/index.ts';

const BLOCKS = '▁▂▃▄▅▆▇█';

/** Values sorted from the highest, in at most `width` columns (means of neighbours), as heights of the highest. */
export function sortedSparkline(values: ArrayLike<number>, width: number): string {
  const sorted = Array.from(values).sort((a, b) => b - a);
  const columns = Math.min(width, sorted.length);
  const heights = Array.from({ length: columns }, (_, column) => {
    const part = sorted.slice(
      Math.floor((column * sorted.length) / columns),
      Math.floor(((column + 1) * sorted.length) / columns),
    );
    return part.reduce((sum, value) => sum + value, 0) / part.length;
  });
  const most = largest(heights);
  return heights.map((height) => BLOCKS[most > 0 ? Math.round((height / most) * 7) : 0] ?? ' ').join('');
}

/** Values in their order as heights of `most`; a blank where there is none (NaN). */
export function meanSparkline(values: readonly number[], most: number): string {
  return values
    .map((value) =>
      Number.isNaN(value) ? ' ' : (BLOCKS[most > 0 ? Math.round((value / most) * 7) : 0] ?? ' '),
    )
    .join('');
}

/** Which share of the whole the higher half of the values holds; 0 when all are zero. */
export function higherHalf(values: ArrayLike<number>): number {
  const sorted = Array.from(values).sort((a, b) => b - a);
  const total = sorted.reduce((sum, value) => sum + value, 0);
  const half = sorted.slice(0, Math.ceil(sorted.length / 2)).reduce((sum, value) => sum + value, 0);
  return total > 0 ? half / total : 0;
}
