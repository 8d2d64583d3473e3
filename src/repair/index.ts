// Repair of pruned networks in closed form: refits the remaining weights so that they replace the removed channels.
export { type RepairOptions, type RepairResult, repair } from './repair.ts';
