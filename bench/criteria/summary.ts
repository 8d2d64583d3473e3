// The cells by model, criterion, size and seed, and what the tables ask of them.
import { SHARED_MODELS } from '../lib/shared.ts';
import type { Cell, Measured } from './cells.ts';
import { GOAL_RATIOS, keyOf, type Mode, NO_SAMPLES, RATIOS, STUDIED, sampled, UNPRUNED } from './plan.ts';
import { area, mean } from './statistics.ts';

export const MODELS: readonly string[] = SHARED_MODELS.map(({ name }) => name);

/** Answers the tables' questions. */
export class Summary {
  readonly #cells: ReadonlyMap<string, Cell>;

  constructor(cells: readonly Cell[]) {
    this.#cells = new Map(cells.map((cell) => [keyOf(cell), cell]));
  }

  /** Balanced accuracy of the uncut model on the study's test samples; NaN before it was measured. */
  base(model: string): number {
    const cell = this.#cells.get(
      keyOf({ model, criterion: UNPRUNED, size: NO_SAMPLES, seed: 1, mode: 'uniform' }),
    );
    return cell?.measured[0]?.[0] ?? Number.NaN;
  }

  /** The cell of a criterion, or the one that stands for every size when it reads no samples. */
  cell(model: string, criterion: string, size: number, seed: number, mode: Mode): Cell | undefined {
    return this.#cells.get(keyOf({ model, criterion, ...sampled(criterion, size, seed), mode }));
  }

  /**
   * One cell a seed; a criterion that draws nothing has one cell. Seeds at which some criterion is still missing are left
   * out once there is a complete one, so that all criteria are compared on the same draws.
   */
  cells(model: string, criterion: string, size: number, seeds: readonly number[], mode: Mode): Cell[] {
    const complete = seeds.filter((seed) =>
      STUDIED.every(({ name }) => this.cell(model, name, size, seed, mode)),
    );
    const used = complete.length > 0 ? complete : seeds;
    return [...new Set(used.flatMap((seed) => this.cell(model, criterion, size, seed, mode) ?? []))];
  }

  /** Balanced accuracies at a ratio, one a seed. */
  accuracies(
    model: string,
    criterion: string,
    size: number,
    seeds: readonly number[],
    mode: Mode,
    ratio: number,
  ) {
    return this.cells(model, criterion, size, seeds, mode).map((cell) => at(cell.measured, ratio)[0]);
  }

  /** Mean balanced accuracy over the goal's ratios, one a seed. */
  goalMeans(model: string, criterion: string, size: number, seeds: readonly number[], mode: Mode): number[] {
    return this.cells(model, criterion, size, seeds, mode).map((cell) => goalMean(cell.measured));
  }

  /** The mean of `goalMeans` over models and seeds; NaN unless every model has a cell. */
  overModels(criterion: string, size: number, seeds: readonly number[], mode: Mode): number {
    return mean(MODELS.map((model) => mean(this.goalMeans(model, criterion, size, seeds, mode))));
  }

  /**
   * Areas under balanced accuracy against the share of MACs, one a seed. The curve runs from chance with nothing left to
   * the uncut model, so that all criteria are measured over the same range.
   */
  areas(model: string, criterion: string, size: number, seeds: readonly number[], mode: Mode): number[] {
    const classes = SHARED_MODELS.find(({ name }) => name === model)?.classes ?? Number.NaN;
    return this.cells(model, criterion, size, seeds, mode).map((cell) =>
      area([
        [0, 1 / classes],
        [1, this.base(model)],
        ...cell.measured.flatMap((entry) => (entry ? [[entry[2], entry[0]] as const] : [])),
      ]),
    );
  }
}

/** What was measured at a ratio of the plan. */
export function at(measured: Cell['measured'], ratio: number): Measured {
  return measured[(RATIOS as readonly number[]).indexOf(ratio)] ?? [Number.NaN, Number.NaN, Number.NaN];
}

/** Mean balanced accuracy over the goal's ratios. */
export function goalMean(measured: Cell['measured']): number {
  return mean(GOAL_RATIOS.map((ratio) => at(measured, ratio)[0]));
}
