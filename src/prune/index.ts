// Structured pruning without retraining: choice of channels, repair, measuring.
export { argmax } from '../util/index.ts';
export { type AutoOptions, type AutoRanking, chooseCriterion, rankAuto } from './auto.ts';
export {
  AUTO_CANDIDATES,
  type AutoCriterion,
  autoCriterion,
  type CandidateResult,
  type Choice,
  type CriterionChoice,
  isAuto,
  REPAIRED_CANDIDATES,
} from './auto-criterion.ts';
export { detectBlock } from './block.ts';
export { type BudgetOptions, selectForMacs } from './budget.ts';
export {
  type CalibrationDraw,
  type CompareOptions,
  type Comparison,
  compareCriteria,
} from './compare.ts';
export type { CompareRow, MixName } from './compare-rows.ts';
export { CRITERIA, CRITERION_PARAMETERS, findCriterion } from './criteria.ts';
export {
  accuracies,
  agreementOf,
  batchFeeds,
  type EvaluateOptions,
  type Evaluation,
  evaluate,
} from './evaluate.ts';
export { type Classifier, describeClassifier, SAMPLING_RATE } from './evaluate-classifier.ts';
export { measureSpeedup, type Speed, type SpeedOptions } from './evaluate-speed.ts';
export {
  certifyLevels,
  frontierOf,
  PACK_RATIOS,
  type PackedModel,
  type PackOptions,
  type PackProvenance,
  packModel,
} from './pack/pack.ts';
export { thisMachine } from './pack/seconds.ts';
export {
  type PruneAmount,
  type PrunedModel,
  protectedGroups,
  pruneModel,
  type Ranking,
  type RankOptions,
  rankModel,
} from './prune-model.ts';
export {
  type LayerRepair,
  type Reconstruction,
  type ReconstructOptions,
  reconstruct,
} from './reconstruct/index.ts';
export {
  NORMALISATIONS,
  type Normalisation,
  type ScoreOptions,
  type UnitScores,
  unitScores,
} from './score.ts';
export {
  calibrationBatches,
  type ScoreModelOptions,
  scoreBy,
  scoreLayers,
  scoreModel,
  type UnitOptions,
} from './score-model.ts';
export { type SelectOptions, selectGlobal, selectUniform } from './select.ts';
export { remarksOn, type ScoreRemark, withStandIns } from './unexplained.ts';
