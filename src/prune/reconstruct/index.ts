// Repair of pruned networks in closed form.
export {
  type LayerRepair,
  type Reconstruction,
  type ReconstructOptions,
  reconstruct,
} from './reconstruct.ts';
