// Chooses the pairs of levels to time, and fills the whole table from their times.

/** How fine a grid is: the least number of rows and columns to measure, and whether equal levels are measured too. */
export interface Fineness {
  readonly size: number;
  readonly diagonal: boolean;
}

/** The pairs of levels to measure for one table. Levels with equal counts form a class, which is measured once. */
export interface TimeGrid {
  /** Levels of inputs and outputs; each is the first of its class. */
  readonly pairs: readonly (readonly [input: number, output: number])[];
  readonly inputs: Axis;
  readonly outputs: Axis;
}

/** How much longer than a larger network a smaller one may take before its time is doubted. */
const TOLERANCE = 1.15;

interface Axis {
  /** Class of each level. */
  readonly classes: readonly number[];
  /** For each class, its first level, and the sum of its counts, along which times are interpolated. */
  readonly levels: readonly number[];
  readonly sizes: readonly number[];
  /** Classes on the grid, ascending; the first and the last class are always among them. */
  readonly chosen: readonly number[];
}

/**
 * The grid for a table of input levels by output levels.
 * @param inputs counts of the input groups, `[level][group]`
 * @param outputs counts of the output groups, for as many levels
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
 * The full table `[input level][output level]` from the times of a grid's pairs. Entries between pairs are interpolated
 * bilinearly in the counts. Then the table is made to never rise with the level: each entry is the mean of the smallest
 * time of any larger network and the largest time of any smaller one.
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

/** Pairs that took clearly longer than another pair that keeps at least as much on both sides: measurement noise. */
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

/** The neighbouring classes on the grid, and how far the class lies between them. */
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
