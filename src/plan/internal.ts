// For sibling folders only: nothing here is published.
export {
  distributeOnlyPlanner,
  heftPlanner,
  pruneOnlyPlanner,
  randomPlanner,
} from './heuristics/planners.ts';
export { maxSeenOf } from './input/request.ts';
export { highsPlanner } from './milp/highs.ts';
export { PinnedPlanner, type PinScope } from './pinned-planner.ts';
export type { Multipliers, WarmStart } from './planner.ts';
export { type ProblemMaker, problemsOf } from './problem/build-instance.ts';
export {
  accuracyCost,
  choiceIndex,
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
export type { DeviceInstance, PlanningInstance, StageDecision, StageInstance } from './problem/instance.ts';
export { outputChannels, segmentsOf } from './problem/segments.ts';
export { randomFleet } from './random/random-fleet.ts';
export { type RandomInstanceOptions, randomInstance } from './random/random-instance.ts';
export { bindingConstraint, refusal } from './refusal.ts';
export type { Violation } from './result/check-plan.ts';
