// Repair of pruned networks in closed form: what the remaining channels need to stand in for the removed ones.
export { type LayerRepair, type RepairOptions, type RepairResult, repair } from './repair.ts';
