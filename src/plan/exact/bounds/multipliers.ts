// Prices between searches: multipliers are by device, prices within a search are by row.
import type { Multipliers } from '../../planner.ts';
import { type Constraints, energyRow, memoryRow, TIME_ROW } from '../graph/constraints.ts';
import type { LayeredGraph } from '../graph/graph.ts';
import type { RowPrices } from './lagrangian-pass.ts';

/** Prices of multipliers; undefined when they are for another number of devices. */
export function pricesOf(
  multipliers: Multipliers,
  constraints: Constraints,
  { instance }: LayeredGraph,
): RowPrices | undefined {
  const D = instance.devices.length;
  if (multipliers.memory.length !== D || multipliers.energy.length !== D) return undefined;
  const prices = new Float64Array(constraints.count);
  prices[TIME_ROW] = multipliers.time;
  for (let d = 0; d < D; d++) {
    prices[memoryRow(d)] = multipliers.memory[d] ?? 0;
    prices[energyRow(d, D)] = multipliers.energy[d] ?? 0;
  }
  return { rows: prices, step: multipliers.step };
}

/** Multipliers of prices; 0 for limits that no plan can break. */
export function multipliersOf(
  prices: RowPrices,
  constraints: Constraints,
  { instance }: LayeredGraph,
): Multipliers {
  const price = (row: number) => (constraints.active[row] ? (prices.rows[row] ?? 0) : 0);
  const D = instance.devices.length;
  return {
    time: price(TIME_ROW),
    memory: instance.devices.map((_, d) => price(memoryRow(d))),
    energy: instance.devices.map((_, d) => price(energyRow(d, D))),
    step: prices.step,
  };
}
