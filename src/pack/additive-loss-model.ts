// A quantity that every group adds to by its level: not negative, and never less at a higher level.

/** One observation. */
export interface Observation {
  /** Level of each group. */
  readonly levels: readonly number[];
  readonly value: number;
}

/** Pull of every step toward 0, as a share of the number of observations: tells apart groups that only moved together. */
const RIDGE = 1e-3;
const SWEEPS = 2000;
const TOLERANCE = 1e-10;

/**
 * Least squares for `value = sum over groups of table[group][level]`, with `table[group][0] = 0` and tables that never
 * descend: non-negative steps, by coordinate descent (Franc, Hlavac and Navara, "Sequential coordinate-wise algorithm
 * for the non-negative least squares problem", CAIP 2005).
 * @returns `[group][level]`
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

/** The sum of the table over the groups. */
export function additiveValue(table: readonly (readonly number[])[], levels: readonly number[]): number {
  return levels.reduce((sum, level, group) => sum + (table[group]?.[level] ?? 0), 0);
}
