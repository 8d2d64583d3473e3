// For sibling folders only: nothing here is published.
export { bytePrice } from './exact/bounds/byte-price.ts';
export { DECODER_RULE, leastAccuracyTerm, SubgradientSteps } from './exact/bounds/subgradient.ts';
export { type SolveOptions, solve } from './exact/solve.ts';
export {
  distributeOnlyPlanner,
  heftPlanner,
  pruneOnlyPlanner,
  randomPlanner,
} from './heuristics/planners.ts';
export { localPlan } from './heuristics/solutions.ts';
export { FLEET_SCHEMA, type FleetDevice } from './input/fleet.ts';
export {
  completeRequest,
  maxSeenOf,
  type PrivacyPreset,
  REQUEST_DEFAULTS,
  REQUEST_SCHEMA,
} from './input/request.ts';
export { highsPlanner } from './milp/highs.ts';
export { PinnedPlanner, type PinScope } from './pinned-planner.ts';
export type { Multipliers, WarmStart } from './planner.ts';
export { type ProblemMaker, problemsOf } from './problem/build-instance.ts';
export { choiceIndex, innerOf, levelInOf, levelOutOf } from './problem/choice.ts';
export {
  accuracyCost,
  computeSeconds,
  Links,
  lossSteps,
  mayReturn,
  mayRun,
  mostSteps,
  type PlanCosts,
  planCosts,
  sentBytes,
  transferJoules,
} from './problem/cost.ts';
export {
  type DeviceInstance,
  MAX_SET_SIZE,
  type PlanningInstance,
  type PlanStatus,
  type Solution,
  type StageDecision,
  type StageInstance,
} from './problem/instance.ts';
export type { PlannedBundle } from './problem/planned-bundle.ts';
export {
  PRECISIONS,
  type Precision,
  precisionOf,
  roundsAnything,
  wireOf,
  withoutPrecision,
} from './problem/precision.ts';
export { outputChannels, segmentsOf } from './problem/segments.ts';
export { SLACK, SLACK_FACTOR } from './problem/tolerances.ts';
export { randomFleet } from './random/random-fleet.ts';
export { type RandomInstanceOptions, randomInstance } from './random/random-instance.ts';
export { randomPrecisions } from './random/random-precisions.ts';
export { bindingConstraint, refusal } from './refusal.ts';
export type { Violation } from './result/check-plan.ts';
export type { StageView } from './result/plan-view.ts';
