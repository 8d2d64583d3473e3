// Planning: the level of every group and the devices of every stage, for one request.

export { beamPlanner, exactPlanner } from './exact/planners.ts';
export { greedyPlanner, localPlanner } from './heuristics/planners.ts';
export { type Fleet, type FleetFile, fleetOf, parseFleet } from './input/fleet.ts';
export {
  type PlanRequest,
  PRIVACY_PRESETS,
  parseRequest,
  RAW_INPUT_CHOICES,
  type RequestInput,
} from './input/request.ts';
export { exportLp } from './milp/highs.ts';
export type { Planner, PlannerResult } from './planner.ts';
export { buildProblem, type PlanningProblem } from './problem/build-instance.ts';
export { checkPlan } from './result/check-plan.ts';
export { type Diagnosis, diagnose } from './result/diagnosis.ts';
export { type PlanView, viewPlan } from './result/plan-view.ts';
export { WorkerPlanner } from './worker/worker-planner.ts';
