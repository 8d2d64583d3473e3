// Planning: the level of every group and the devices of every stage, for one request.
export {
  type BuildOptions,
  buildProblem,
  DEFAULT_SETS,
  type PlanningProblem,
  type ProblemMaker,
  problemsOf,
} from './build-instance.ts';
export { checkPlan, type PlanCheck, type Violation } from './check-plan.ts';
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
} from './cost.ts';
export { beamPlanner, exactPlanner } from './exact/planners.ts';
export { type Fleet, type FleetDevice, type FleetFile, fleetOf, parseFleet } from './fleet.ts';
export {
  distributeOnlyPlanner,
  greedyPlanner,
  heftPlanner,
  localPlanner,
  pruneOnlyPlanner,
  randomPlanner,
} from './heuristics/planners.ts';
export { localPlan } from './heuristics/solutions.ts';
export { type Diagnosis, diagnose, type Relaxation, type RelaxedNumber, type Solve } from './infeasible.ts';
export type {
  DeviceInstance,
  PlanningInstance,
  PlanStatus,
  Solution,
  SplitKind,
  StageDecision,
  StageInstance,
} from './instance.ts';
export { type Choice, type LevelSpace, levelVector } from './level-space.ts';
export { exportLp, highsPlanner } from './milp/highs.ts';
export { type DeviceView, type PlanView, type StageView, viewPlan } from './plan-view.ts';
export type {
  Multipliers,
  Planner,
  PlanOptions,
  PlanProgress,
  PlanResult,
  PlanStats,
  WarmStart,
} from './planner.ts';
export { type RandomFleetOptions, randomFleet } from './random-fleet.ts';
export { type RandomInstanceOptions, randomInstance } from './random-instance.ts';
export {
  completeRequest,
  maxSeenOf,
  type PlanRequest,
  PRIVACY_PRESETS,
  type PrivacyPreset,
  parseRequest,
  REQUEST_DEFAULTS,
  type RequestInput,
} from './request.ts';
export { outputChannels, type Segment, segmentsOf } from './segments.ts';
export { WorkerPlanner } from './worker/worker-planner.ts';
