// Simulating a ward: requests arrive, devices and links change, and planning strategies are compared.
export { type BatchWard, wardBatch } from './batch.ts';
export type {
  DecisionRequest,
  DecisionResponse,
  Refusal,
  RequestEnd,
  RequestOutcome,
  WardBatch,
} from './decision-request.ts';
export {
  choicesOf,
  DECISION_TIMES,
  type DecisionRate,
  type DecisionTimeKind,
  decisionTime,
} from './decision-time.ts';
export type { WardSpec } from './layout.ts';
export type { Battery, DriftProcess, RequestKind, WardParameters } from './parameters.ts';
export {
  type DecisionTime,
  freshStrategy,
  type PlanningStrategy,
  staleStrategy,
} from './planning-strategy.ts';
export { WARD_DEFAULTS, WARD_PRESETS, type WardPreset, wardPreset } from './presets.ts';
export { recorded } from './record.ts';
export { type ReplayOptions, replayScenario } from './replay.ts';
export { runScenario, type Scenario, type ScenarioOptions, wardScenario } from './simulate.ts';
export { summarise, type WardSummary } from './summary.ts';
export { parseTrace, type Trace } from './trace.ts';
export { VectorEnvironment } from './vector-environment.ts';
