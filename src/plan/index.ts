// Planning: the level of every group and the devices of every stage, for one request.

export { beamPlanner, exactPlanner } from './exact/planners.ts';
export {
  distributeOnlyPlanner,
  greedyPlanner,
  heftPlanner,
  localPlanner,
  pruneOnlyPlanner,
  randomPlanner,
} from './heuristics/planners.ts';
export { localPlan } from './heuristics/solutions.ts';
export { type Fleet, type FleetDevice, type FleetFile, fleetOf, parseFleet } from './input/fleet.ts';
export {
  completeRequest,
  maxSeenOf,
  type PlanRequest,
  PRIVACY_PRESETS,
  type PrivacyPreset,
  parseRequest,
  REQUEST_DEFAULTS,
  type RequestInput,
} from './input/request.ts';
export { exportLp, highsPlanner } from './milp/highs.ts';
export { PinnedPlanner, type PinScope } from './pinned-planner.ts';
export type {
  Multipliers,
  Planner,
  PlannerOptions,
  PlannerResult,
  PlanProgress,
  PlanStats,
  WarmStart,
} from './planner.ts';
export {
  type BuildOptions,
  buildProblem,
  DEFAULT_SETS,
  type PlanningProblem,
  type ProblemMaker,
  problemsOf,
} from './problem/build-instance.ts';
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
  transferSeconds,
} from './problem/cost.ts';
export type {
  DeviceInstance,
  PlanningInstance,
  PlanStatus,
  Solution,
  SplitKind,
  StageDecision,
  StageInstance,
} from './problem/instance.ts';
export { type LevelChoice, type LevelSpace, levelVector } from './problem/level-space.ts';
export { outputChannels, type Segment, segmentsOf } from './problem/segments.ts';
export { type RandomFleetOptions, randomFleet } from './random/random-fleet.ts';
export { type RandomInstanceOptions, randomInstance } from './random/random-instance.ts';
export { type BindingConstraint, bindingConstraint, refusal } from './refusal.ts';
export { checkPlan, type PlanCheck, type Violation } from './result/check-plan.ts';
export {
  type Diagnosis,
  diagnose,
  type Relaxation,
  type RelaxedNumber,
  type Solve,
} from './result/diagnosis.ts';
export { type DeviceView, type PlanView, type StageView, viewPlan } from './result/plan-view.ts';
export { WorkerPlanner } from './worker/worker-planner.ts';
