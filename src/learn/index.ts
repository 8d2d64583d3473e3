// Learning to decide: the ward, a world in which requests come and everything moves, and policies learned for it.
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
