// A mixed-integer linear program as sparse rows, being built.

export interface Column {
  readonly name: string;
  cost: number;
  readonly upper: number;
  readonly integer: boolean;
}

export interface Row {
  readonly name: string;
  readonly columns: readonly number[];
  readonly values: readonly number[];
  readonly lower: number;
  readonly upper: number;
}

/** Minimise cost; columns are not negative. */
export class LinearProgram {
  readonly columns: Column[] = [];
  readonly rows: Row[] = [];

  column(name: string, upper: number, integer: boolean, cost = 0): number {
    this.columns.push({ name, cost, upper, integer });
    return this.columns.length - 1;
  }

  addCost(column: number, cost: number): void {
    (this.columns[column] as Column).cost += cost;
  }

  row(name: string, terms: Terms, lower: number, upper: number): void {
    const columns = [...terms.byColumn.keys()];
    const values = [...terms.byColumn.values()];
    this.rows.push({ name, columns, values, lower, upper });
  }

  get nonZeros(): number {
    return this.rows.reduce((sum, { columns }) => sum + columns.length, 0);
  }
}

/** A row's left-hand side. */
export class Terms {
  readonly byColumn = new Map<number, number>();

  add(column: number, value: number): this {
    if (value !== 0) this.byColumn.set(column, (this.byColumn.get(column) ?? 0) + value);
    return this;
  }

  addAll(columns: readonly number[], value: number): this {
    for (const column of columns) this.add(column, value);
    return this;
  }
}
