// Learning to decide: the ward, a world in which requests come and everything moves, and policies learned for it.

export { type DecodeOptions, QUICK, WIDE } from './policy/decode.ts';
export { exportPolicy } from './policy/export.ts';
export { FEATURE_NAMES } from './policy/feature-names.ts';
export { type Frozen, FrozenPlanner } from './policy/freeze.ts';
export { NETWORK, type NetworkShape, type Weights } from './policy/network.ts';
export { type FoundCounts, PolicyPlanner } from './policy/planner.ts';
export { type BindingConstraint, bindingConstraint, refusal } from './policy/refusal.ts';
export { drawProblem, FLEET_RANGES } from './train/bundle-draws.ts';
export { type Checkpoint, type HistoryRow, readCheckpoint, writeCheckpoint } from './train/checkpoint.ts';
export { type DrawRanges, drawInstance, drawOptions, TRAINING_RANGES } from './train/draws.ts';
export { type GapReport, gapsOf, HELD_BACK_SEED, type HeldBack, heldBack } from './train/held-back.ts';
export type { Budget } from './train/schedule.ts';
export { type RequestSource, requestSource } from './train/sources.ts';
export { startTraining } from './train/start.ts';
export type { Trainer, TrainOptions, TrainProgress } from './train/trainer.ts';
export { type BatchWard, wardBatch } from './ward/batch.ts';
export {
  type Decider,
  type DecisionTime,
  freshDecider,
  staleDecider,
} from './ward/decider.ts';
export {
  choicesOf,
  DECISION_TIMES,
  type DecisionRate,
  type DecisionTimeKind,
  decisionTime,
} from './ward/decision-time.ts';
export type { WardSpec } from './ward/layout.ts';
export type { Battery, Drift, RequestKind, WardParameters } from './ward/parameters.ts';
export { WARD_DEFAULTS, WARD_PRESETS, type WardPreset, wardPreset } from './ward/presets.ts';
export type { Refusal, WardAnswer, WardBatch, WardEnd, WardOutcome, WardQuestion } from './ward/question.ts';
export { recorded } from './ward/record.ts';
export { type ReplayOptions, replayScenario } from './ward/replay.ts';
export { type Scenario, type SimulateOptions, simulate, wardScenario } from './ward/simulate.ts';
export { summarise, type WardSummary } from './ward/summary.ts';
export { parseTrace, type Trace } from './ward/trace.ts';
export { Worlds } from './ward/worlds.ts';
