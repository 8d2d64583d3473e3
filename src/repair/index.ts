// Repair of pruned networks in closed form: what the remaining channels need to stand in for the removed ones.
export { type LayerRepair, type Reconstruction, type ReconstructOptions, reconstruct } from './repair.ts';
