// Learning to plan: policies, their features, and their training.
export { type DecodeOptions, QUICK, WIDE } from './policy/decode.ts';
export { exportPolicy } from './policy/export.ts';
export { FEATURE_NAMES } from './policy/feature-names.ts';
export { POLICY_SHAPE, type PolicyShape, type PolicyWeights } from './policy/network.ts';
export { type FoundCounts, PolicyPlanner } from './policy/planner.ts';
export { drawProblem, FLEET_RANGES } from './train/bundle-draws.ts';
export { type Checkpoint, type HistoryRow, readCheckpoint, writeCheckpoint } from './train/checkpoint.ts';
export { type DrawRanges, drawInstance, drawOptions, TRAINING_RANGES } from './train/draws.ts';
export type { TrainingBudget } from './train/schedule.ts';
export { type RequestSource, requestSource } from './train/sources.ts';
export { startTraining } from './train/start.ts';
export type { Trainer, TrainerOptions, TrainProgress } from './train/trainer.ts';
export {
  type GapReport,
  gapsOf,
  VALIDATION_SEED,
  type ValidationRequest,
  validationRequest,
} from './train/validation.ts';
