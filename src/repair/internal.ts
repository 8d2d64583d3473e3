// For sibling folders only: nothing here is published.
export { copiesOf, copiesWithin, type MadeSamples, type RepairSamples, repairSamples } from './augment.ts';
export { InputRows, takesBias } from './collect.ts';
export { DraftBundle, sharesAt, tableTensors, valueShares } from './draft-bundle.ts';
export { invertPositive, rowsOf } from './factor.ts';
export { roughGramOfColumns } from './gram.ts';
export { cholesky, invertLower, leadingDirections } from './linalg.ts';
export { type Matrix, Products } from './products.ts';
export { layerOf, refitRecurrent, sequencesOf } from './recurrent.ts';
export { gateMaps, type Sequence } from './recurrent-maps.ts';
export {
  ReferenceActivations,
  ReferenceMemory,
  ReferenceWalk,
  type RefitTask,
} from './reference-activations.ts';
export { fitLayer, fromMatrices, variancesOf, weightMatrices } from './refit.ts';
export {
  assertEnough,
  type LayerRepair,
  QUICK_REPAIR,
  REPAIR_DEFAULTS,
  repairable,
  targetRows,
} from './repair.ts';
export { meanSquare, type RidgeSolution, solveRidge } from './ridge.ts';
export { RowMemory } from './row-memory.ts';
export { drawPositions } from './rows.ts';
export { samplePositionsOf } from './sample-positions.ts';
export { repairTables, type TableRepair } from './tables.ts';
export { type LayerTarget, orderedTargets } from './targets.ts';
export { type NetworkRun, NetworkWalk, type Visitor, visitValues } from './walk.ts';
export { setWeights, withBiases } from './weights.ts';
