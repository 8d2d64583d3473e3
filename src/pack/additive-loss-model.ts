// A model of a quantity as a sum of one table for each group. Tables start at 0 and never fall at a higher level.

/** One measured level vector. */
export interface Observation {
  /** Level of each group. */
  readonly levels: readonly number[];
  readonly value: number;
}

/**
 * Ridge toward 0 on every step, as a share of the number of observations. It separates groups that only changed
 * together.
 */
const RIDGE = 1e-3;
const SWEEPS = 2000;
const TOLERANCE = 1e-10;

/**
 * Least squares for `value = sum over groups of table[group][level]`, with `table[group][0] = 0` and tables that never
 * fall. The steps between levels are fitted by non-negative coordinate descent (Franc, Hlavac and Navara, "Sequential
 * coordinate-wise algorithm for the non-negative least squares problem", CAIP 2005).
 * @returns the tables, `[group][level]`
 */
export function fitAdditiveModel(
  observations: readonly Observation[],
  groups: number,
  levels: number,
): number[][] {
  const steps = levels - 1;
  const unknowns = groups * steps;
  const gram = new Float64Array(unknowns * unknowns);
  const right = new Float64Array(unknowns);
  for (const { levels: own, value } of observations) {
    const active = own.flatMap((level, g) => Array.from({ length: level }, (_, s) => g * steps + s));
    for (const i of active) {
      right[i] = (right[i] as number) + value;
      for (const j of active) gram[i * unknowns + j] = (gram[i * unknowns + j] as number) + 1;
    }
  }
  const ridge = RIDGE * observations.length;
  for (let i = 0; i < unknowns; i++) gram[i * unknowns + i] = (gram[i * unknowns + i] as number) + ridge;
  const x = new Float64Array(unknowns);
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    let moved = 0;
    for (let i = 0; i < unknowns; i++) {
      let residual = right[i] as number;
      for (let j = 0; j < unknowns; j++) residual -= (gram[i * unknowns + j] as number) * (x[j] as number);
      const next = Math.max(0, (x[i] as number) + residual / (gram[i * unknowns + i] as number));
      moved = Math.max(moved, Math.abs(next - (x[i] as number)));
      x[i] = next;
    }
    if (moved < TOLERANCE) break;
  }
  return Array.from({ length: groups }, (_, g) => {
    const table = [0];
    for (let s = 0; s < steps; s++) table.push((table[s] as number) + (x[g * steps + s] as number));
    return table;
  });
}

/** The sum of the tables at a level vector. */
export function additiveValue(table: readonly (readonly number[])[], levels: readonly number[]): number {
  return levels.reduce((sum, level, group) => sum + (table[group]?.[level] ?? 0), 0);
}
