// Repair of pruned networks in closed form.
export { DraftBundle, type LayerTable, tableTensors, valueShares } from './draft.ts';
export {
  type LayerRepair,
  type Reconstruction,
  type ReconstructOptions,
  reconstruct,
} from './reconstruct.ts';
export { type RepairTables, repairTables, type TableOptions, type TableRepair } from './tables.ts';
export { withBiases } from './weights.ts';
