// The requests to learn from, with their demonstrations, and batches of them.
import type { PlanningInstance } from '../../plan/internal.ts';
import type { Random } from '../../util/internal.ts';
import { Features } from '../policy/features.ts';
import type { BatchShape } from './batch.ts';
import { demonstrated, type StoredDemonstration } from './demonstrations.ts';
import type { DemonstratedRequest } from './imitate.ts';
import { keyOf, shapeOf } from './sizes.ts';

/** Rows of one class of sizes. */
export interface RowBatch {
  readonly shape: BatchShape;
  readonly rows: readonly number[];
}

/** Grows by `add`; a request that is too large to train on is left out. */
export class TrainingSet {
  readonly demonstrations: StoredDemonstration[] = [];
  readonly #rows: DemonstratedRequest[] = [];
  readonly #instances: PlanningInstance[] = [];
  readonly #features = new Features();

  add(stored: StoredDemonstration, instance: PlanningInstance): void {
    const row = demonstrated(instance, stored, this.#features);
    if (!shapeOf(row.sample, 1)) return;
    this.demonstrations.push(stored);
    this.#rows.push(row);
    this.#instances.push(instance);
  }

  rowsOf({ rows }: RowBatch): DemonstratedRequest[] {
    return rows.map((at) => this.#rows[at] as DemonstratedRequest);
  }

  instancesOf({ rows }: RowBatch): PlanningInstance[] {
    return rows.map((at) => this.#instances[at] as PlanningInstance);
  }

  /**
   * Every row in batches of one class each, in a random order; the last batch of a class is filled up from its first.
   */
  batches(random: Random, size: number): RowBatch[] {
    const classes = new Map<string, { shape: BatchShape; rows: number[] }>();
    this.#rows.forEach(({ sample }, at) => {
      const shape = shapeOf(sample, size);
      if (!shape) return;
      const known = classes.get(keyOf(shape));
      if (known) known.rows.push(at);
      else classes.set(keyOf(shape), { shape, rows: [at] });
    });
    const batches = [...classes.values()].flatMap(({ shape, rows }) => {
      random.shuffle(rows);
      return Array.from({ length: Math.ceil(rows.length / size) }, (_, i) => {
        const own = rows.slice(i * size, (i + 1) * size);
        return { shape, rows: own.length === size ? own : [...own, ...rows.slice(0, size - own.length)] };
      });
    });
    return random.shuffle(batches);
  }
}
