// Which pairs of levels are measured, and the whole table from what was.

/** How fine a grid is: rows and columns that are measured at least, and whether equal levels are as well. */
export interface Fineness {
  readonly size: number;
  readonly diagonal: boolean;
}

/** Pairs to measure of a table of levels by levels. Levels with equal counts are one class, measured once. */
export interface TimeGrid {
  /** Levels of what goes in and of what comes out, each the first of its class. */
  readonly pairs: readonly (readonly [input: number, output: number])[];
  readonly inputs: Axis;
  readonly outputs: Axis;
}

/** How much longer a smaller network may take before it is not believed. */
const TOLERANCE = 1.15;

interface Axis {
  /** Class of each level. */
  readonly classes: readonly number[];
  /** Of each class: its first level, and all its counts together, which lines are drawn along. */
  readonly levels: readonly number[];
  readonly sizes: readonly number[];
  /** Classes on the grid, ascending; the first and the last are. */
  readonly chosen: readonly number[];
}

/**
 * @param inputs counts by level; those of one level are compared as a whole
 * @param outputs the same of what comes out, for as many levels
 */
export function timeGridOf(
  inputs: readonly (readonly number[])[],
  outputs: readonly (readonly number[])[],
  { size, diagonal }: Fineness,
): TimeGrid {
  const [rows, columns] = [axisOf(inputs, size), axisOf(outputs, size)];
  const cells = rows.chosen.flatMap((row) => columns.chosen.map((column) => [row, column] as const));
  if (diagonal) cells.push(...rows.classes.map((row, level) => [row, columns.classes[level] ?? 0] as const));
  const distinct = new Map(cells.map((cell) => [cell.join(), cell]));
  const pairs = [...distinct.values()].map(
    ([row, column]) => [rows.levels[row] ?? 0, columns.levels[column] ?? 0] as const,
  );
  return { pairs, inputs: rows, outputs: columns };
}

function axisOf(counts: readonly (readonly number[])[], size: number): Axis {
  const byKey = new Map<string, number>();
  const levels: number[] = [];
  const classes = counts.map((own, level) => {
    const key = own.join();
    const known = byKey.get(key);
    if (known !== undefined) return known;
    byKey.set(key, levels.length);
    return levels.push(level) - 1;
  });
  const last = levels.length - 1;
  const steps = Math.min(size - 1, last);
  const chosen = Array.from({ length: steps + 1 }, (_, i) =>
    steps === 0 ? 0 : Math.round((i * last) / steps),
  );
  const sizes = levels.map((level) => (counts[level] ?? []).reduce((sum, count) => sum + count, 0));
  return { classes, levels, sizes, chosen };
}

/**
 * The table `[level in][level out]` from the values of a grid's pairs: between them bilinear in the counts, and at last
 * never rising by level: the mean of the least of what is larger and of the most of what is smaller.
 */
export function tableFrom(grid: TimeGrid, values: readonly number[]): number[][] {
  const { inputs, outputs, pairs } = grid;
  const known = new Map(
    pairs.map(([input, output], at) => [
      cell(inputs.classes[input], outputs.classes[output]),
      values[at] ?? 0,
    ]),
  );
  const at = (row: number, column: number): number => known.get(cell(row, column)) ?? 0;
  const full = inputs.levels.map((_, row) =>
    outputs.levels.map((__, column) => {
      const measured = known.get(cell(row, column));
      if (measured !== undefined) return measured;
      const [top, bottom, down] = between(inputs, row);
      const [left, right, across] = between(outputs, column);
      const upper = interpolate(at(top, left), at(top, right), across);
      return interpolate(upper, interpolate(at(bottom, left), at(bottom, right), across), down);
    }),
  );
  const falling = descending(full);
  return inputs.classes.map((row) => outputs.classes.map((column) => falling[row]?.[column] ?? 0));
}

/** Pairs that took much longer than one that keeps no less in both respects: hardly more than the machine's noise. */
export function implausible({ pairs }: TimeGrid, values: readonly number[]): number[] {
  return [...pairs.keys()].filter((at) => {
    const [input, output] = pairs[at] ?? [0, 0];
    const larger = values.filter((_, other) => {
      const [i, o] = pairs[other] ?? [0, 0];
      return other !== at && i <= input && o <= output;
    });
    return larger.some((value) => (values[at] ?? 0) > TOLERANCE * value);
  });
}

/** Classes on the grid on both sides of one, and where it lies between them. */
function between({ chosen, sizes }: Axis, at: number): readonly [number, number, number] {
  const after = chosen.findIndex((one) => one >= at);
  const [low, high] = [chosen[Math.max(0, after - 1)] ?? 0, chosen[after] ?? 0];
  if (high === at || low === high) return [high, high, 0];
  const [from, to] = [sizes[low] ?? 0, sizes[high] ?? 0];
  return [low, high, from === to ? 0 : (from - (sizes[at] ?? 0)) / (from - to)];
}

function descending(values: readonly (readonly number[])[]): number[][] {
  const least = values.map((row) => [...row]);
  const most = values.map((row) => [...row]);
  const cellOf = (table: number[][], row: number, column: number): number | undefined => table[row]?.[column];
  const [rows, columns] = [values.length, values[0]?.length ?? 0];
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const before = [
        cellOf(least, row, column),
        cellOf(least, row - 1, column),
        cellOf(least, row, column - 1),
      ];
      (least[row] as number[])[column] = Math.min(...before.filter((value) => value !== undefined));
    }
  }
  for (let row = rows - 1; row >= 0; row--) {
    for (let column = columns - 1; column >= 0; column--) {
      const behind = [
        cellOf(most, row, column),
        cellOf(most, row + 1, column),
        cellOf(most, row, column + 1),
      ];
      (most[row] as number[])[column] = Math.max(...behind.filter((value) => value !== undefined));
    }
  }
  return least.map((row, r) => row.map((value, c) => (value + (most[r]?.[c] ?? value)) / 2));
}

function interpolate(a: number, b: number, at: number): number {
  return a + (b - a) * at;
}

function cell(row: number | undefined, column: number | undefined): string {
  return `${row},${column}`;
}
